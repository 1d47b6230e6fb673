"""The events topic is a history like any other, and what was trained is one command from serving."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import TopicPartition
from rich.console import Console

from models.registry import TASKS, task
from models.tasks.promotion.task import PROMOTION
from streams.cli import cli
from streams.outside.versions import Versions
from streams.records.events import ClockTicked, ShopperEvent, decode_event
from streams.records.items import ItemReviewed
from streams.settings import Settings
from streams.topics import CATALOG, EVENTS, REVIEWS
from tests.kafka.harness import Cluster
from tests.models.variants import variant
from tests.shoppers import DAY, NOON, Log, log_of, ordered, random_history, viewed
from tests.training.test_own_history import assert_same, in_fields, read, written
from tests.training.test_tables import beside
from tests.training.test_told import shop
from tests.training.test_told import written as catalogue_file
from training.asked import Asked, about_of, histories, keeper
from training.command import champion, promoted, run
from training.errors import TrainingError
from training.history import history_of
from training.job import CutHistory, Job
from training.needs import TooLittle
from training.replay import replay
from training.source import of_name, of_topics
from training.tasks import trainer

pytestmark = pytest.mark.kafka


def log_with_faults() -> Log:
    """A history out of order by less than is allowed, with duplicates, dead records and a worker's own."""
    decoded = [decode_event(value or b"") for _, value in random_history(37, 1500, 40)]
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
    history, tally = of_topics(cluster.settings()).load(tmp_path, lambda _n: None)
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


def test_what_is_told_of_items_is_the_same_by_topic_archive_and_file(cluster: Cluster, tmp_path: Path) -> None:
    listed = shop(60)
    reviewed = [ItemReviewed(event_id=f"r{k}", item_id=f"i{k}", event_time=NOON + k, rating=4) for k in range(9)]
    cluster.send_catalogue([(CATALOG.name, each) for each in (*listed, listed[0])])
    cluster.send_catalogue([(REVIEWS.name, each) for each in reviewed])
    cluster.send([(b"y", b'{"type":"item_listed","event_id":"x","item_id":"y"}')], CATALOG.name)  # no time
    source = of_topics(cluster.settings(), "item")
    history, tally = source.load(tmp_path, lambda _n: None)
    assert tally is not None
    assert source.name == "catalog.items.v1 and catalog.reviews.v1"
    assert (tally.records, tally.used, tally.duplicate, tally.dead) == (71, 69, 1, {"invalid": 1})
    assert tally.first_dead["invalid"].startswith("catalog.items.v1:")
    catalogue = of_name(str(catalogue_file(tmp_path / "told.jsonl", [*listed, *reviewed])), None, Settings(), "item")
    own = catalogue.load(tmp_path, lambda _n: None)[0]
    assert (history.records, history.time_ms.tolist()) == (own.records, own.time_ms.tolist())

    url, environment = str(tmp_path / "kept"), {"OFFERSTREAM_BROKER": cluster.bootstrap}
    assert CliRunner().invoke(cli, ["archive", url], env=environment).exit_code == 0
    kept = of_name(url, None, Settings(), "item")
    kept.check()
    assert kept.load(tmp_path, lambda _n: None)[0].records == own.records


def test_every_task_reads_what_it_learns_of_from_its_topics(cluster: Cluster, tmp_path: Path) -> None:
    """As far as to what there is too little of."""
    cluster.send(log_of(*(viewed("ann", NOON + k * DAY, f"v{k}") for k in range(3))))
    cluster.send_catalogue([(CATALOG.name, each) for each in shop(20)])
    for name in (each.name for each in TASKS if each.name != PROMOTION.name):  # its receipts are read first
        asked = Asked(name, from_broker=True, cuts=("2023-11-15T12:00:00Z",), work=tmp_path)
        topics = "catalog.items.v1 and catalog.reviews.v1" if about_of(trainer(name)) == "item" else EVENTS.name
        with pytest.raises(TooLittle, match=rf"^{topics}(, cut at 2023-11-15 .*)? has too little: "):
            run(asked, cluster.settings(), Console(file=io.StringIO()))


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


@pytest.mark.parametrize("difference", [(0.01, 0.02), (-0.01, 0.02), (-0.03, -0.01)])
def test_only_what_is_ahead_of_the_live_version_is_promoted_by_itself(
    difference: tuple[float, float], cluster: Cluster, tmp_path: Path
) -> None:
    churn, settings = task("churn"), cluster.settings()
    asked = Asked("churn", histories=("shop",), work=tmp_path, promote_to="shadow")
    live = variant(churn, 1.01)
    said: list[str] = []
    Versions(settings).promote("churn", Versions(settings).store.put("churn", live.files()).version, "live", 0, "")
    found, called = champion(churn, asked, settings, said.append)
    assert found is not None
    assert (found.version, called, said) == (live.version, f"the live version {live.version}", [])

    artifact = variant(churn, 1.02)
    artifact = replace(artifact, card=artifact.card | {"metrics": beside(difference).card["metrics"]})
    history = CutHistory(replace(of_topics(settings), name="complete_journey"), history_of([viewed("ann")], "USD"), 0)
    job = Job(churn, (history,), 1, champion=found, champion_called=called)
    kept = keeper(asked, settings)(variant(churn, 1.02))
    told = promoted(artifact, job, kept, settings, "shadow")
    ahead = difference[0] > 0
    assert Versions(settings).stages("churn").shadow == (artifact.version if ahead else None)
    assert ("is to serve as shadow" in told) == ahead
    assert ("Nothing was promoted" in told) == (not ahead)


def test_what_was_trained_is_one_command_from_being_tried(cluster: Cluster, tmp_path: Path) -> None:
    artifact = variant(task("churn"), 1.02)
    kept = keeper(Asked("churn", work=tmp_path), cluster.settings())(artifact)
    environment = {"OFFERSTREAM_BROKER": cluster.bootstrap, "OFFERSTREAM_MODELS": cluster.models}
    command = f"models promote churn {kept.name} --to shadow"
    result = CliRunner().invoke(cli, command.split(), env=environment)
    assert result.exit_code == 0, result.output
    assert Versions(cluster.settings()).stages("churn").shadow == artifact.version


def short_looks_buy(shoppers: int, days: int) -> Log:
    """Visits of one look or of six, of which the short ones nearly always end in a purchase: as nowhere else."""
    rng = random.Random(3)
    found: list[ShopperEvent] = []
    for i in range(shoppers):
        at, last = NOON + rng.randrange(20 * DAY), NOON + days * DAY
        while at < last:
            shopper, looks, name = f"shopper-{i}", rng.choice((1, 6)), f"{i}-{at}"
            found += [viewed(shopper, at + k * 60_000, f"{name}-{k}") for k in range(looks)]
            if (looks == 1) == (rng.random() < 0.9):
                found.append(ordered(shopper, at + looks * 60_000, name))
            at += int(DAY * rng.uniform(3, 12))
    return log_of(*sorted(found, key=lambda event: event.event_time))


def test_a_night_archives_trains_and_puts_what_is_ahead_into_shadow(cluster: Cluster, tmp_path: Path) -> None:
    """The very commands of the recipe, on a shop whose visits end otherwise than those that taught what ships."""
    cluster.send(short_looks_buy(110, 90))
    environment = {
        "OFFERSTREAM_BROKER": cluster.bootstrap,
        "OFFERSTREAM_MODELS": cluster.models,
        "OFFERSTREAM_APP_ID": cluster.app_id,
    }
    url, cut = str(tmp_path / "kept"), (datetime.fromtimestamp(NOON / 1000, UTC) + timedelta(days=60)).date()
    said = ""
    for command in (
        f"archive {url}",
        f"train ad --history {url} --cut {cut} --promote-to shadow --work {tmp_path / 'work'}",
    ):
        result = CliRunner().invoke(cli, command.split(), env=environment)
        assert result.exit_code == 0, result.output
        said = result.output
    assert "beside the shipped model, the new one is ahead in conversion" in said
    version = Versions(cluster.settings()).stages("ad").shadow
    assert version is not None
    assert f"ad {version} is to serve as shadow, for it is ahead of the shipped model" in said
