"""A campaign's own holdout and exploration teach the model by which it weighs its arms: from files to what serves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from models.artifact import load_artifact
from models.predictor import Predictor
from models.store import Store
from streams.cli import cli
from streams.records.events import encode_event
from streams.settings import Settings
from training import command
from training.asked import Asked
from training.checks.promotion.shop import CAMPAIGN, Shoppers
from training.checks.promotion.weeks import PROMOTION, Shop, Week, play
from training.errors import Misuse
from training.needs import TooLittle

#: The begin of the fourth week.
CUT = "2023-12-11"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five weeks of a shop that learns nothing: its events, what its campaign decided, and what followed."""
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(Store(str(folder / "models")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shop, "learn", _nothing)
        play(Shoppers.drawn(np.random.default_rng(3), 4_500, 5), shop, folder, 1, lambda _week: None)
    (folder / "events.jsonl").write_bytes(b"\n".join(map(encode_event, shop.events)))
    said = [*shop.receipts, *shop.outcomes]
    (folder / "receipts.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, said)))
    (folder / "campaign.yaml").write_text(CAMPAIGN)
    return folder


def _nothing(*_: Any) -> str:
    raise TooLittle("Nothing is learned here.")


def run(files: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [a.format(files=files) for a in arguments], catch_exceptions=True)


@pytest.fixture(scope="module")
def trained(files: Path) -> tuple[Path, str]:
    """The version that the files teach, and what was said."""
    given = ("--history", "{files}/events.jsonl", "--receipts", "{files}/receipts.jsonl", "--cut", CUT)
    found = run(files, "train", "promotion", *given, "--out", "{files}/out", "--work", "{files}/work")
    assert found.exit_code == 0, (found.output, found.exception)
    return files / "out", found.output


def test_what_was_learned_is_said_and_is_near_the_truth(trained: tuple[Path, str]) -> None:
    folder, said = trained
    artifact = load_artifact(PROMOTION, folder)
    assert [name.partition("@")[0] for name in artifact.card["names"]] == ["cart/five", "cart/letter"]
    assert "models promote promotion" in said
    assert "--to live" in said
    shoppers = Shoppers.drawn(np.random.default_rng(3), 4_500, 5)
    true = dict(zip(artifact.card["names"], shoppers.effect().mean(axis=0), strict=True))
    for key, found in artifact.card["effects"].items():
        low, high = found["average_95"]
        assert low < true[key] < high
        assert f"{key}: {100 * found['average']:+.1f} orders per 100 shoppers" in said
    (measured,) = artifact.card["metrics"].values()
    assert all("qini" in each["segments"]["all"]["models"]["ours"] for each in measured.values())
    assert run(folder, "report", "promotion", str(folder), "--out", "{files}/page.html").exit_code == 0
    assert "What each arm does" in (folder / "page.html").read_text()


def test_it_tells_of_shoppers_like_those_it_learned_of_and_of_no_others(trained: tuple[Path, str]) -> None:
    artifact = load_artifact(PROMOTION, trained[0])
    predictor = Predictor(artifact)
    rows = artifact.golden
    answers = predictor.score(rows)["uplift"]
    assert np.isfinite(answers).all()
    assert not answers[:, len(artifact.card["names"]) :].any()
    assert (np.abs(answers) <= 1).all()
    strange = rows.copy()
    strange[::2, PROMOTION.features.index("orders.count")] = 10_000
    told = np.isfinite(predictor.score(strange)["uplift"][:, 0])
    assert told.tolist() == [i % 2 == 1 for i in range(len(rows))]
    whole = predictor.score(strange)["uplift"]
    for start in (1, 7):  # a row gets the same bits alone and in any batch
        np.testing.assert_array_equal(predictor.score(strange[start:])["uplift"], whole[start:])


def test_a_campaign_that_learns_earns_more_each_week_than_as_assumed(tmp_path: Path) -> None:
    shop, found = Shop(Store(str(tmp_path / "models"))), list[Week]()
    shoppers = Shoppers.drawn(np.random.default_rng(8), 4_500, 3)
    play(shoppers, shop, tmp_path, 1, found.append)
    assert found[0].learned_of == 0 < found[1].learned_of < found[2].learned_of
    assert found[2].ours > found[2].assumed + 10
    assert found[2].ours < found[2].oracle
    live = {m.version for r in shop.receipts for m in r.models if m.task == PROMOTION.name}
    assert live == set(shop.store.versions(PROMOTION.name))


def test_the_same_files_and_seed_teach_the_same_version(files: Path, trained: tuple[Path, str]) -> None:
    given = ("--history", "{files}/events.jsonl", "--receipts", "{files}/receipts.jsonl", "--cut", CUT)
    again = run(files, "train", "promotion", *given, "--out", "{files}/again", "--work", "{files}/other")
    assert again.exit_code == 0
    first, second = ((folder / "model.onnx").read_bytes() for folder in (trained[0], files / "again"))
    assert first == second


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ({}, Misuse, "comes with the package"),
        ({"histories": ("events.jsonl",), "cuts": (CUT,)}, Misuse, "--receipts PATH is missing"),
        (
            {"histories": ("events.jsonl", "events.jsonl"), "cuts": (CUT,), "receipts": ("receipts.jsonl",)},
            Misuse,
            "campaigns of one shop",
        ),
        (
            {"task": "churn", "histories": ("events.jsonl",), "cuts": (CUT,), "receipts": ("receipts.jsonl",)},
            Misuse,
            "of no use to churn",
        ),
        (
            {"histories": ("events.jsonl",), "cuts": ("2023-11-22",), "receipts": ("receipts.jsonl",)},
            TooLittle,
            "At least 200 of an arm",
        ),
        (
            {"histories": ("events.jsonl",), "cuts": (CUT,), "receipts": ("events.jsonl",)},
            Exception,
            "neither a receipt",
        ),
    ],
)
def test_what_is_missing_is_said_before_the_history_is_read(
    files: Path, asked: dict[str, Any], kind: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "load", lambda *_: pytest.fail("it was read"))
    plain: dict[str, Any] = {"task": "promotion", "work": files / "refused"} | asked
    plain["histories"] = tuple(str(files / name) for name in plain.get("histories", ()))
    plain["receipts"] = tuple(files / name for name in plain.get("receipts", ()))
    with pytest.raises(kind, match=said):
        command.run(Asked(**plain), Settings.from_environment(), Console())


def test_a_policy_is_held_against_receipts_and_refused_where_they_do_not_tell(files: Path) -> None:
    given = ("evaluate-policy", "{files}/campaign.yaml", "--receipts", "{files}/receipts.jsonl")
    told = run(files, *given)
    assert told.exit_code == 0, told.output
    assert "as the file has it" in told.output
    (found,) = json.loads(run(files, *given, "--json").output)["campaigns"]
    assert found["campaign"] == "cart"
    assert found["ran"]["effective"] > found["nobody"]["effective"] > 50
    assert found["policy"]["dr"]["cents"] == pytest.approx(found["ran"]["dr"]["cents"], abs=1)
    other = files / "other.yaml"
    other.write_text(CAMPAIGN.replace("percent: 5,", "percent: 7,"))
    refused = run(files, "evaluate-policy", str(other), "--receipts", "{files}/receipts.jsonl")
    assert isinstance(refused.exception, Exception)
    assert "Nobody was ever offered five" in str(refused.exception)
    assert run(files, *given, "--from-broker").exit_code == 2
    assert run(files, *given, "--campaign", "nonsense").exit_code == 2
