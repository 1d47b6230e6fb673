"""``offerstream models`` on a real control topic: what an operator does, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from models.artifact import ArtifactError
from models.registry import task
from models.store import Shelf, Store
from streams.cli import cli
from streams.control import Control, publish, read
from streams.entities.item import ITEM
from streams.outside import rollout
from streams.outside.reading import Reader
from streams.outside.rollout import NotServed, wait
from streams.outside.versions import Versions
from streams.records.events import encode_event
from streams.records.serving import (
    AnswersJudged,
    CanaryRolledBack,
    ModelsChosen,
    ModelsCompared,
    OutputCompared,
    Stages,
)
from streams.topics import EVENTS
from tests.kafka.harness import Cluster
from tests.kafka.test_swap import serving
from tests.models.variants import variant
from tests.shoppers import random_history

pytestmark = pytest.mark.kafka
CHURN = task("churn")


def run(cluster: Cluster, *arguments: str, **settings: str) -> str:
    environment = {"OFFERSTREAM_BROKER": cluster.bootstrap, "OFFERSTREAM_MODELS": cluster.models, "COLUMNS": "250"}
    environment |= {f"OFFERSTREAM_{name.upper()}": value for name, value in settings.items()}
    result = CliRunner().invoke(cli, ["models", *arguments], env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def written(folder: Path, scale: float) -> tuple[str, str]:
    """(folder, version) of an artifact as ``train`` writes it."""
    folder.mkdir(parents=True)
    artifact = variant(CHURN, scale)
    for name, content in artifact.files().items():
        (folder / name).write_bytes(content)
    return str(folder), artifact.version


def test_versions_go_through_their_stages_and_back(cluster: Cluster, tmp_path: Path) -> None:
    (one, first), (other, second) = written(tmp_path / "one", 1.02), written(tmp_path / "other", 0.5)
    shipped = Shelf().shipped("churn")

    def stages() -> Stages:
        return Versions(cluster.settings()).stages("churn")

    assert "is to serve as shadow" in run(cluster, "promote", "churn", one, "--to", "shadow")
    assert stages().shadow == first
    assert "for 10% of shoppers" in run(cluster, "promote", "churn", first[:6], "--to", "canary", "--share", "0.1")
    assert (stages().canary, stages().canary_share, stages().shadow) == (first, 0.1, None)
    run(cluster, "promote", "churn", first, "--to", "live")
    assert (stages().live, stages().previous, stages().canary) == (first, None, None)
    for stage in ("live", "canary"):
        with pytest.raises(ArtifactError, match="is live already"):
            run(cluster, "promote", "churn", first, "--to", stage)
    run(cluster, "promote", "churn", other, "--to", "canary")
    lines = run(cluster, "list").splitlines()
    listed = {version: next(line for line in lines if version in line) for version in (first, second, shipped)}
    assert "live (asked for, no worker has run yet)" in listed[first]
    assert "canary (asked for, no worker has run yet)" in listed[second]
    assert "previous" in listed[shipped]
    # A shadow is no reason not to go back.
    run(cluster, "promote", "churn", shipped, "--to", "shadow")
    assert f"no canary; {first} stays live" in run(cluster, "rollback", "churn")
    assert f"{shipped} is to serve again" in run(cluster, "rollback", "churn")
    assert (stages().live, stages().previous, stages().shadow) == (None, None, shipped)
    # Typed twice in a hurry: what was rolled back does not come back.
    with pytest.raises(ArtifactError, match="none was live before"):
        run(cluster, "rollback", "churn")
    run(cluster, "rollback", "churn", "--stage", "shadow")
    assert stages().shadow is None
    with pytest.raises(ArtifactError, match="has no canary"):
        run(cluster, "rollback", "churn", "--stage", "canary")
    # In an incident: back from live at once, whatever else is tried out.
    run(cluster, "promote", "churn", first, "--to", "live")
    run(cluster, "promote", "churn", second, "--to", "canary")
    run(cluster, "rollback", "churn", "--stage", "live")
    assert (stages().live, stages().canary) == (None, None)


def test_what_workers_saw_of_a_shadow_is_listed(cluster: Cluster, tmp_path: Path) -> None:
    _, version = written(tmp_path / "one", 0.9)
    shipped = Shelf().shipped("churn")
    run(cluster, "promote", "churn", str(tmp_path / "one"), "--to", "shadow")
    for name, asked, distance in (("one", 300, 30.0), ("other", 100, 50.0)):
        good = AnswersJudged(labels=asked, measures={"auc": distance / 100})
        output = OutputCompared(known=asked, agreeing=asked // 2, distance=distance, live=good)
        said = ModelsCompared(
            task="churn",
            stage="shadow",
            version=version,
            against=shipped,
            group=cluster.settings().app_id,
            run=name,
            asked=asked,
            failed=0,
            outputs={"lapse_30d": output},
            said_at_ms=0,
        )
        publish(cluster.settings().access, said)
    told = run(cluster, "list", app_id=cluster.settings().app_id)
    assert f"churn: shadow {version} beside live {shipped}: 400 due points" in told
    assert "lapse_30d: 0.200 apart on average (of 1), 50.0% within 0.05, over 400 due points" in told
    assert "live: 400 late labels, auc 0.35" in told
    assert "shadow: no late labels" in told
    listed = json.loads(run(cluster, "list", "--json", app_id=cluster.settings().app_id))
    (row,) = (row for row in listed if row["version"] == version)
    assert row["compared"]["outputs"]["lapse_30d"]["mean_distance"] == pytest.approx(0.2)


def test_what_is_refused_is_listed_with_the_reason(cluster: Cluster, tmp_path: Path) -> None:
    (one, first), (other, second) = written(tmp_path / "one", 1.02), written(tmp_path / "other", 0.5)
    run(cluster, "promote", "churn", one, "--to", "shadow")
    run(cluster, "promote", "churn", other, "--to", "canary")
    model = Path(cluster.models) / "churn" / first / "model.onnx"
    model.write_bytes(model.read_bytes()[:-5])
    lines = run(cluster, "list").splitlines()
    assert any(first in line and "shadow" in line and "refused" in line for line in lines)
    assert any(second in line and "complete_journey" in line for line in lines)
    with pytest.raises(ArtifactError, match="truncated"):
        run(cluster, "promote", "churn", first, "--to", "live")
    with pytest.raises(ArtifactError, match="0 versions"):
        run(cluster, "promote", "churn", "feedbeef", "--to", "live")
    with pytest.raises(AssertionError, match="There is no task 'nonsense'; there are: behaviour, churn"):
        run(cluster, "rollback", "nonsense")


def test_two_versions_are_compared_and_one_is_shown(cluster: Cluster, tmp_path: Path) -> None:
    _, version = written(tmp_path / "one", 0.5)
    run(cluster, "promote", "churn", str(tmp_path / "one"), "--to", "shadow")
    said = run(cluster, "diff", "churn", Shelf().shipped("churn")[:5], version[:5])
    assert "digest" in said
    assert "mean distance of lapse_30d" in said
    assert f'"version": "{version}"' in run(cluster, "show", "churn", version[:5])
    assert Shelf().shipped("churn") in run(cluster, "show", "churn")


def test_a_late_verdict_over_an_older_change_brings_no_canary_back(cluster: Cluster, tmp_path: Path) -> None:
    (one, first), (other, _) = written(tmp_path / "one", 1.02), written(tmp_path / "other", 0.5)
    verdicts = []
    for folder in (one, other):
        run(cluster, "promote", "churn", folder, "--to", "canary")
        set_ = Versions(cluster.settings()).stages("churn")
        more = {"reason": "errors", "detail": "", "decided_at_ms": 0}
        verdicts.append(CanaryRolledBack(task="churn", change_id=set_.change_id, version=set_.canary or "", **more))  # type: ignore[arg-type]
    for verdict in (verdicts[1], verdicts[0]):
        publish(cluster.settings().access, verdict)
    control = read(cluster.settings().access)
    assert control.stages["churn"].canary is None
    assert first not in str(control.verdict("churn"))
    assert "was rolled back for errors" in run(cluster, "list")


def test_promoting_ends_when_the_workers_serve_it_or_says_why_they_do_not(cluster: Cluster, tmp_path: Path) -> None:
    (one, first), (other, second) = written(tmp_path / "one", 1.02), written(tmp_path / "other", 0.5)
    own = {"app_id": cluster.app_id}
    assert "No worker of group" in run(cluster, "promote", "churn", one, "--to", "shadow", **own)
    log = random_history(55, 300, 30)
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log) + cluster.partitions)  # and a choice in each: the shadow
    assert "Every partition serves it" in run(cluster, "promote", "churn", first, "--to", "live", **own)
    assert {version for _, _, version in serving(worker)} == {first}
    # A store that the worker does not see.
    elsewhere = own | {"models": str(tmp_path / "elsewhere")}
    began = time.monotonic()
    why = rf"in [123] of 3 partitions.*{second}: .*cannot be read.*OFFERSTREAM_MODELS.*rollback churn --stage canary"
    with pytest.raises(NotServed, match=why):
        run(cluster, "promote", "churn", other, "--to", "canary", "--wait-seconds", "60", **elsewhere)
    assert time.monotonic() - began < 30
    lines = run(cluster, "list", **elsewhere).splitlines()
    assert any(second in line and "canary (asked for, serves in 0 of 3 partitions, refused" in line for line in lines)
    assert any(line.startswith(f"churn: {second} is refused: ") and "cannot be read" in line for line in lines)
    assert f'"version": "{first}"' in run(cluster, "show", "churn", **own)
    assert any(re.match(rf"churn +{first} +live  ", line) for line in run(cluster, "list", **own).splitlines())
    assert "is to serve" in run(cluster, "promote", "churn", second, "--to", "shadow", "--no-wait", **elsewhere)
    assert "Every partition serves it" in run(cluster, "rollback", "churn", "--stage", "shadow", **elsewhere)
    assert {version for _, _, version in serving(worker)} == {first}
    worker.stop()


def test_a_change_of_a_model_about_items_is_looked_for_among_items(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    about_items = dataclasses.replace(CHURN, name="restock", entity="item", features=(), population=())
    monkeypatch.setattr(rollout, "task_of", {"restock": about_items}.__getitem__)
    settings, stages = cluster.settings(), Stages(change_id="c1", live="v1")
    worker = cluster.worker()
    worker.wait_ready()
    with pytest.raises(NotServed, match="3 of 3 partitions do not serve it"):
        wait(settings, "restock", "c1", 0)
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    log, chosen = ITEM.topic(cluster.app_id), encode_event(ModelsChosen(stages={"restock": stages}))
    for partition in range(cluster.partitions):  # as a worker whose package has the task
        producer.produce(log, chosen, partition=partition)
    assert producer.flush(30) == 0
    assert wait(settings, "restock", "c1", 60)
    with Reader(settings.access) as reader:
        assert rollout.served(reader, settings, "restock", Control()).by("live", "v1") == 3
    worker.stop()


def test_a_backlog_before_a_change_is_told(cluster: Cluster, tmp_path: Path) -> None:
    folder, _ = written(tmp_path / "one", 1.02)
    log = random_history(56, 300, 30)
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    worker.process.send_signal(signal.SIGSTOP)
    cluster.send(random_history(57, 900, 30))
    versions = Versions(cluster.settings())
    stages = versions.promote("churn", versions.admit("churn", folder), "live", 0.0, "")
    chosen = ModelsChosen(stages={"churn": stages})
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for partition in range(cluster.partitions):  # as another worker would, which owns it for a moment
        producer.produce(EVENTS.name, encode_event(chosen), partition=partition)
    assert producer.flush(30) == 0
    with pytest.raises(NotServed, match="records to apply before it comes to it"):
        wait(cluster.settings(), "churn", stages.change_id, 0)
    worker.process.send_signal(signal.SIGCONT)
    assert wait(cluster.settings(), "churn", stages.change_id, 60)
    worker.stop()


def test_versions_are_listed_also_where_no_broker_answers(tmp_path: Path) -> None:
    artifact = variant(CHURN, 0.5)
    Store(str(tmp_path)).put("churn", artifact.files())
    environment = {"OFFERSTREAM_MODELS": str(tmp_path)}
    result = CliRunner().invoke(cli, ["models", "list", "--broker", "127.0.0.1:1"], env=environment)
    assert result.exit_code == 0
    assert "Stages are not known. No Kafka broker answers at 127.0.0.1:1" in result.stderr
    lines = {line.split()[1]: line for line in result.stdout.splitlines()[1:]}
    assert lines.keys() == {
        *(Shelf().shipped(name) for name in Shelf().tasks if Shelf().shipped(name)),
        artifact.version,
    }
    for line in lines.values():
        assert "not known" in line
        assert re.search(r"\d{4}-\d\d-\d\d +[a-zA-Z][\w ]* \d+\.\d+ \(\w+, \w+\)", line), line
    for words in (
        ["show", "churn", artifact.version[:5]],
        ["diff", "churn", artifact.version, Shelf().shipped("churn")],
    ):
        assert CliRunner().invoke(cli, ["models", *words], env=environment).exit_code == 0  # needs no broker
