"""The events topic is a history like any other, and what was trained is one command from serving."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import TopicPartition
from rich.console import Console

from models.registry import task
from streams.cli import cli
from streams.records.events import ClockTicked, ShopperEvent, decode_event
from streams.topics import EVENTS
from streams.versions import Versions
from tests.kafka.harness import Cluster
from tests.models.variants import variant
from tests.shoppers import NOON, Log, log_of, ordered, random_history
from tests.training.test_own_history import assert_same, in_fields, read, written
from training.asked import Asked, histories, keeper
from training.command import run
from training.errors import TrainingError
from training.needs import TooLittle
from training.replay import replay
from training.source import of_topic
from training.tasks import trainer

pytestmark = pytest.mark.kafka


def log_with_faults() -> Log:
    """A history out of order by less than is allowed, with duplicates, dead records and a worker's own."""
    decoded = [decode_event(value or b"") for _, value in random_history(31, 1500, 40)]
    newest, kept = 0, []
    for event in decoded:
        assert isinstance(event, ShopperEvent)
        assert isinstance(event.event_time, int)
        newest = max(newest, event.event_time)
        if event.event_time >= newest - 3_600_000:  # in a file nothing is late
            kept.append(event)
    log = log_of(*kept)
    log[700:700] = [(b"shopper-1", b"junk"), *log_of(ordered("shopper-2", NOON, "eur", currency="EUR"))]
    return [*log_of(ClockTicked(event_time=NOON)), *log]


def test_the_topic_and_files_give_the_same_history_and_rows(cluster: Cluster, tmp_path: Path) -> None:
    log = log_with_faults()
    cluster.send(log)
    history, tally = of_topic(cluster.settings()).load(tmp_path, lambda _n: None)
    assert tally is not None
    values = [value for _, value in log if value is not None]
    lines, its_tally = read(written(tmp_path / "events.jsonl", values))
    assert_same(history, lines)
    assert (tally.records, tally.used, tally.late) == (len(log), len(history), 0)
    assert (tally.duplicate, tally.dead, tally.workers) == (its_tally.duplicate, its_tally.dead, 1)
    assert tally.duplicate > 10
    assert tally.displaced == its_tally.displaced > 100
    assert tally.first_dead["not_json"].startswith(f"{EVENTS.name}[")
    good = [value for value in values if value != b"junk" and b"clock_ticked" not in value]
    table, _ = read(in_fields(tmp_path / "events.parquet", good))
    assert_same(history, table)
    features = task("churn").features
    rows = replay(history, features)
    for other in (lines, table):
        assert replay(other, features).x.tobytes() == rows.x.tobytes()
    assert len(rows) > 500


def test_what_a_topic_lacks_is_said(cluster: Cluster, tmp_path: Path) -> None:
    settings = cluster.settings()
    asked = Asked("churn", from_broker=True, cuts=("2023-11-20",), work=tmp_path)
    with pytest.raises(TrainingError, match=f"{EVENTS.name} at .* holds no record"):
        histories(asked, settings, trainer("churn"))
    cluster.send([record for record in random_history(32, 500, 20, hostile=False) if record[0]])
    with pytest.raises(TooLittle, match=r"storefront\.events\.v1, cut at 2023-11-20.* too little: (?!.*are gone)"):
        run(asked, settings, Console(file=io.StringIO()))
    admin = cluster.client.admin
    (deleted,) = admin.delete_records([TopicPartition(EVENTS.name, 0, 3)]).values()
    deleted.result(30)
    with pytest.raises(TooLittle, match=r"Of storefront\.events\.v1 3 older records are gone: Kafka keeps"):
        run(asked, settings, Console(file=io.StringIO()))


def test_what_was_trained_is_one_command_from_being_tried(cluster: Cluster, tmp_path: Path) -> None:
    artifact = variant(task("churn"), 1.02)
    kept = keeper(Asked("churn", work=tmp_path), cluster.settings())(artifact)
    environment = {"OFFERSTREAM_BROKER": cluster.bootstrap, "OFFERSTREAM_MODELS": cluster.models}
    command = f"models promote churn {kept.name} --to shadow"
    result = CliRunner().invoke(cli, command.split(), env=environment)
    assert result.exit_code == 0, result.output
    assert Versions(cluster.settings()).stages("churn").shadow == artifact.version
