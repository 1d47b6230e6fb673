"""What is missing is said in one line, before any work; and what comes out goes where nothing serves from."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from models.artifact import ArtifactError, load_artifact
from models.registry import SHIPPED, task
from models.store import Store
from streams.access import Unreachable
from streams.cli import cli
from streams.records.events import OrderPlaced, encode_event
from streams.settings import Settings
from tests.shoppers import DAY
from tests.training.shop import START, events, lines
from training import command
from training.asked import Asked, Kept, histories, keeper
from training.errors import TrainingError
from training.job import Job
from training.needs import TooLittle
from training.tasks import trainer

ROOT = Path(__file__).parents[2]
PACKAGES = ("streams", "models", "training")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 shoppers, 300 days from 2024-01-01 on."""
    path = tmp_path_factory.mktemp("shop") / "shop.jsonl"
    path.write_bytes(lines(300, 300))
    return path


class CameToTraining(Exception):
    """All that is needed was there."""


@pytest.fixture
def never_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes to training stops there."""

    def stop(_job: Job) -> Any:
        raise CameToTraining

    monkeypatch.setattr(command, "train", stop)


def said_of(tmp_path: Path, settings: Settings | None = None, **asked: Any) -> str:
    """What the command says until it comes to training; raises what it raises before."""
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, file=nowhere, width=1000)
        try:
            command.run(
                Asked(**{"task": "churn", "work": tmp_path / "work", **asked}),
                settings or Settings(models=str(tmp_path / "models")),
                console,
            )
        except CameToTraining:
            return console.export_text()
    raise AssertionError("It ended without training.")


def paths(value: Path | str) -> tuple[str, ...]:
    return (str(value),)


@pytest.mark.usefixtures("never_trains")
@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (
            {"histories": ("shop.json",), "cuts": ("2024-07-01",)},
            r"--history shop\.json: there is no such file or folder",
        ),
        (
            {"histories": ("shop.json",), "cuts": ("2024-07-01",)},
            "no data set of that name; these are: complete_journey",
        ),
        ({"histories": ("SHOP",)}, r"--cut DATE is missing.*such as --cut"),
        ({"histories": ("SHOP", "cdnow")}, "--cut DATE is missing"),
        ({"histories": ("SHOP",), "cuts": ("2024-07-01", "2024-08-01")}, "There are 2 --cut for 1 histories"),
        ({"cuts": ("2024-07-01",)}, "name one with --history or --from-broker"),
        ({"histories": ("online_retail",)}, "--data DIR"),
        ({}, "online_retail comes in no package"),
        ({"histories": ("taobao",), "cuts": ("2017-12-01",)}, "No model that was trained on taobao may be kept"),
        ({"histories": ("SHOP",), "cuts": ("2019-01-01",)}, "The cut 2019-01-01 00:00:00Z is before all of shop.jsonl"),
        ({"histories": ("SHOP",), "cuts": ("2025-01-01",)}, "is after all of shop.jsonl, which goes from 2024-01-01"),
        (
            {"histories": ("SHOP",), "cuts": ("2024-02-01",)},
            r"too little: \d+ shoppers who ordered before the cut \(at least 100\)",
        ),
        (
            {"histories": ("SHOP",), "cuts": ("2024-02-01",)},
            r"30 days before the cut \(at least 120\).* promises rest on few alerts",
        ),
        ({"histories": ("SHOP",), "cuts": ("2024-10-20",)}, r"6 days after the cut \(at least 30\)"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_trained(
    asked: dict[str, Any], says: str, shop: Path, tmp_path: Path
) -> None:
    named = tuple(str(shop) if name == "SHOP" else name for name in asked.get("histories", ()))
    with pytest.raises(TrainingError, match=says):
        said_of(tmp_path, **{**asked, "histories": named})


@pytest.mark.usefixtures("never_trains")
def test_a_cut_that_is_no_time_is_refused(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="ISO 8601"):
        said_of(tmp_path, histories=paths(shop), cuts=("July",))


@pytest.mark.usefixtures("never_trains")
def test_an_unknown_task_is_named_beside_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match=r"no task 'chrun': did you mean churn\? There are: behaviour, churn"):
        said_of(tmp_path, task="chrun")


@pytest.mark.usefixtures("never_trains")
def test_what_is_not_installed_is_named(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: Callable[[str], Any] = lambda name: None if name in ("tensorflow", "lightgbm") else name  # noqa: E731
    monkeypatch.setattr(command, "find_spec", found)
    with pytest.raises(TrainingError, match=r"tensorflow, lightgbm is not installed: pip install '"):
        said_of(tmp_path, histories=paths(shop), cuts=("2024-07-01",))


def test_what_may_not_be_installed_is_not_needed_to_say_so() -> None:
    code = "import sys, training.command as c; print(sorted({*c.MODULES, 'scipy', 'keras'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.usefixtures("never_trains")
def test_a_place_that_cannot_be_written_to_is_told_first(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    asked: dict[str, Any] = {"histories": paths(shop), "cuts": ("2024-07-29",)}
    with pytest.raises(ArtifactError, match=r"--out .*file/model cannot be written to"):
        said_of(tmp_path, **asked, out=tmp_path / "file" / "model")
    with pytest.raises(ArtifactError, match=r"OFFERSTREAM_MODELS=.*file/models cannot be written to"):
        said_of(tmp_path, Settings(models=str(tmp_path / "file" / "models")), **asked)
    with pytest.raises(ArtifactError, match="OFFERSTREAM_MODELS=nowhere://models cannot be opened"):
        said_of(tmp_path, Settings(models="nowhere://models"), **asked)


@pytest.mark.usefixtures("never_trains")
def test_no_broker_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"No Kafka broker answers at 127\.0\.0\.1:1"):
        said_of(tmp_path, Settings(broker="127.0.0.1:1"), from_broker=True, cuts=("2024-07-01",))


@pytest.mark.usefixtures("never_trains")
def test_a_history_of_another_currency_says_why_it_has_no_orders(tmp_path: Path) -> None:
    euros = [
        encode_event(OrderPlaced(**{name: getattr(e, name) for name in e.__struct_fields__} | {"currency": "EUR"}))
        for e in events(50, 200)
        if isinstance(e, OrderPlaced)
    ]
    (tmp_path / "euros.jsonl").write_bytes(b"\n".join(euros))
    with pytest.raises(TooLittle, match=r"euros\.jsonl holds no event that can be used"):
        said_of(tmp_path, histories=paths(tmp_path / "euros.jsonl"), cuts=("2024-05-01",))


@pytest.mark.usefixtures("never_trains")
@pytest.mark.parametrize("name", ["churn", "behaviour"])
def test_less_than_enough_is_said_with_what_it_costs(name: str, shop: Path, tmp_path: Path) -> None:
    said = said_of(tmp_path, task=name, histories=paths(shop), cuts=("2024-07-29",))
    assert "7,642 records: 7,642 used, 0 duplicate, 0 late, 0 dead" in said
    assert "7,642 events of 300 shoppers, 2024-01-01" in said
    notes = [line for line in said.splitlines() if line.startswith("note: ")]
    assert any("before the cut, fewer than 1,000." in note for note in notes)
    assert all(len(note.partition("fewer than ")[2].split()) > 5 for note in notes)  # what it costs


@pytest.mark.usefixtures("never_trains")
def test_a_champion_that_knows_what_comes_is_told(tmp_path: Path) -> None:
    given: dict[str, Any] = {"histories": ("cdnow",), "cuts": ("1998-01-01",)}
    assert "the shipped model was trained on cdnow up to 1998-04-01" in said_of(tmp_path, **given)
    assert "the shipped model" not in said_of(tmp_path, histories=("cdnow",))


@pytest.mark.usefixtures("never_trains")
def test_shops_without_categories_have_no_next_one(tmp_path: Path) -> None:
    with pytest.raises(TooLittle, match=r"cdnow has too little: 0 categories that are named three.*told by its name"):
        said_of(tmp_path, task="behaviour", histories=("cdnow",), cuts=("1998-04-01",))


def test_several_histories_are_several_shops_with_a_cut_each(shop: Path, tmp_path: Path) -> None:
    how, settings = trainer("churn"), Settings()
    twice = (str(shop), "cdnow", str(shop))
    found = histories(Asked("churn", twice, cuts=("2024-07-01", "1998-04-01", "2024-08-01")), settings, how)
    assert [(source.name, (cut_ms - START) // DAY) for source, cut_ms in found if source.name != "cdnow"] == [
        ("shop.jsonl #1", 182),
        ("shop.jsonl #2", 213),
    ]
    found = histories(Asked("churn", twice, cuts=("2024-07-01",)), settings, how)
    assert len({cut_ms for _, cut_ms in found}) == 1
    assert [cut_ms for _, cut_ms in histories(Asked("churn", ("cdnow",)), settings, how)] == [891_388_800_000]


def test_without_out_the_store_takes_the_model_and_the_work_folder_where_the_store_is_gone(tmp_path: Path) -> None:
    artifact = load_artifact(task("churn"))
    asked = Asked("churn", work=tmp_path / "work")
    models = tmp_path / "models"
    keep = keeper(asked, Settings(models=str(models)))
    assert keep(artifact).name == artifact.version
    assert Store(str(models)).versions("churn") == [artifact.version]
    assert not list(models.glob(".*"))
    keep = keeper(asked, Settings(models=str(tmp_path / "gone")))
    (tmp_path / "gone").rmdir()
    (tmp_path / "gone").touch()
    kept = keep(artifact)
    assert kept.name == str(tmp_path / "work" / f"churn-{artifact.version}")
    assert "did not take it" in kept.where
    assert load_artifact(task("churn"), Path(kept.name)).version == artifact.version


def test_the_same_model_with_another_card_is_the_version_that_is_there(tmp_path: Path) -> None:
    artifact = load_artifact(task("churn"))
    keep = keeper(Asked("churn", work=tmp_path / "work"), Settings(models=str(tmp_path / "models")))
    keep(artifact)
    kept = keep(replace(artifact, card=artifact.card | {"limits": "measured on more"}))
    assert kept.name == artifact.version
    assert "since before: its card stays as it was" in kept.where
    assert Store(str(tmp_path / "models")).get("churn", artifact.version).card == artifact.card
    aside = load_artifact(task("churn"), tmp_path / "work" / f"churn-{artifact.version}")
    assert aside.card["limits"] == "measured on more"


def test_the_packages_own_models_are_written_where_make_says_so() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for each in SHIPPED:
        assert f"offerstream train {each.name} --data $(DATA) --out models/tasks/{each.name}\n" in makefile
        assert each.folder == ROOT / "models/tasks" / each.name


@pytest.mark.parametrize("out", ["models/tasks/churn", "build/churn"])
def test_what_changes_what_serves_is_said(
    out: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    churn = task("churn")
    command.tell_result(load_artifact(churn), Job(churn, (), 1), Kept(out, out))
    said = capsys.readouterr().out
    assert ("it is the package's own model now" in said) == (out == "models/tasks/churn")
    assert ("Nothing that serves has changed" in said) == ("--to shadow" in said) == (out == "build/churn")


def package() -> dict[str, str]:
    """Digest of every file of the package."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in PACKAGES
        for path in sorted((ROOT / name).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def stop_after_the_first_network(arguments: list[str], folder: Path) -> None:
    """Begin a training of churn and stop it: it says so, and nothing is written but what the next one goes on from."""
    started = subprocess.Popen(
        [sys.executable, "-m", "streams", *arguments], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    assert started.stderr is not None
    for line in started.stderr:
        if "] training as of" in line:  # the first network is trained
            started.send_signal(signal.SIGTERM)
            break
    rest = started.stderr.read()
    assert started.wait(60) == 130, rest
    assert "Stopped, and nothing was written. The same command goes on from there." in rest
    assert "Traceback" not in rest
    assert Store(str(folder / "build/models")).versions("churn") == []
    assert (folder / "build/training/churn/training.npz").exists()


@pytest.mark.long
@pytest.mark.parametrize("name", ["churn", "behaviour"])
def test_a_shop_trains_on_its_own_history_and_the_package_stays_as_it_was(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, shop = package(), tmp_path / "shop.jsonl"
    shop.write_bytes(lines(180, 300))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    arguments = ["train", name, "--history", str(shop), "--cut", "2024-07-28"]
    done: Result | subprocess.CompletedProcess[str]
    if name == "churn":
        # In a process of its own, for what libraries say there of themselves, and for signals.
        stop_after_the_first_network(arguments, tmp_path)
        command = [sys.executable, "-m", "streams", *arguments]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "] training: 0 of" not in done.stderr  # it went on where it was
    else:
        done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert package() == before
    (version,) = Store(str(tmp_path / "build/models")).versions(name)
    artifact = Store(str(tmp_path / "build/models")).get(name, version)
    assert f"offerstream models promote {name} {version} --to shadow" in done.stdout
    (data,) = artifact.card["data"]
    assert data["name"] == "shop.jsonl"
    for answer, found in artifact.card["metrics"]["shop.jsonl"].items():
        measured = found["segments"]["all"]["models"]
        assert {"ours", "champion"} < set(measured), answer
        assert len({values["rows"] for values in measured.values()}) == 1
    assert "shipped" in done.stdout
    assert "(best baseline)" in done.stdout
    assert "shop.jsonl: beside the shipped model, the new one is ahead in" in done.stdout
    assert "replaying shop.jsonl" in done.stderr  # there is no terminal
    ours = r"\[\d+:\d\d\] |note: |shop\.jsonl: |Training on the CPU|notes? |$"
    assert [line for line in done.stderr.splitlines() if not re.match(ours, line)] == []  # nothing of libraries
    reported = CliRunner().invoke(cli, ["report", name, version])
    assert reported.exit_code == 0, reported.output
    assert "shop.jsonl" in (tmp_path / f"build/{name}-{version}.html").read_text()
