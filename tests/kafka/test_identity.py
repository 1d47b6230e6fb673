"""Who logs in is one shopper on Apache Kafka too, whatever happens to workers."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import replace

import pytest

from streams.admin import create
from streams.entities import contents
from streams.records import events as e
from streams.records.events import decode_event
from streams.topics import EVENTS
from tests.identity.shop import FATES, history
from tests.kafka.harness import SHORT, UNLIKE_STEPS, Cluster, Worker, wait_until
from tests.kafka.test_why import ask
from tests.shoppers import NOON, carted, identified, log_of, ordered, viewed
from tests.worlds import World

pytestmark = pytest.mark.kafka


def assert_one_shopper_each(cluster: Cluster, events: list[e.ShopperEvent], who: dict[str, str]) -> World:
    """As in a plain loop; every record has one fate, every login moves one row, every event is applied once."""
    plain = cluster.assert_as_plain()
    unique = {event.event_id for event in events if not event.event_id.endswith("-again")}
    assert plain.fates.keys() <= FATES
    assert plain.fates.total() == cluster.end(EVENTS.name)
    assert plain.fates["applied"] == len(unique)
    assert plain.fates["merged"] == len(who)
    assert plain.fates["forwarded"] > 0
    return plain


def test_kill_9_within_flushes_and_a_slice(cluster: Cluster) -> None:
    """A worker killed at one step after the other; the last but one starts with an empty disk."""
    events, who = history(21, 3000)
    log = log_of(*events)
    part = len(log) // 4
    for i, step in enumerate(UNLIKE_STEPS):
        cluster.send(log[:part])
        del log[:part]
        worker = cluster.worker(kill_at=f"{step}:2", data=f"data-{i // 2}")

        def died(worker: Worker = worker) -> bool:
            if worker.process.poll() is None:
                cluster.send(log[:5])
                del log[:5]
            return worker.process.poll() is not None

        if step != "mid_slice":
            wait_until(died, pause=0.3, told=worker.tail)
        worker.wait_killed()
    last = cluster.worker(data="data-last")
    cluster.send(log)
    cluster.wait_caught_up()
    last.stop()
    assert_one_shopper_each(cluster, events, who)


def test_a_worker_stopped_and_continued_moves_nobody_twice(cluster: Cluster) -> None:
    """It sleeps past its session with logins that it has not told; another takes over, then both share."""
    events, who = history(22, 2000)
    log = log_of(*events)
    cluster.send(log[:500])
    zombie = cluster.worker(data="zombie", **SHORT)
    zombie.wait_ready()
    cluster.wait_caught_up()
    cluster.send(log[500:900])
    zombie.process.send_signal(signal.SIGSTOP)
    other = cluster.worker(data="other")
    cluster.wait_caught_up()
    cluster.send(log[900:1300])
    zombie.process.send_signal(signal.SIGCONT)
    cluster.wait_caught_up()
    zombie.wait_ready()
    cluster.send(log[1300:])
    cluster.wait_caught_up()
    other.stop()
    zombie.stop()
    assert_one_shopper_each(cluster, events, who)


def test_two_groups_each_move_their_own_and_why_says_who_it_was(cluster: Cluster) -> None:
    other = replace(cluster, app_id=f"{cluster.app_id}-two")
    create(other.settings().access, contents.topics(other.app_id), other.partitions)
    workers = [cluster.worker(data="one"), other.worker(data="two")]
    for worker in workers:
        worker.wait_ready()
    cluster.send(
        log_of(
            ordered("ann"),
            viewed("cookie", NOON + 1),
            carted("cookie", NOON + 2),
            identified("cookie", "ann", NOON + 3, "login"),
            viewed("cookie", NOON + 4, "e9"),
        )
    )
    for group in (cluster, other, cluster):  # what the other says stands in the same log
        group.wait_caught_up()
    for worker in workers:
        worker.stop()
    records = [decode_event(value or b"") for *_, value in cluster.read(EVENTS.name)]
    moved = [record for record in records if isinstance(record, (e.EventForwarded, e.ShopperMerged))]
    assert Counter((type(r).__name__, r.group) for r in moved) == {
        (kind, group.app_id): 1 for kind in ("EventForwarded", "ShopperMerged") for group in (cluster, other)
    }
    for group in (cluster, other):
        assert group.rows() == group.expected().rows
        told = ask(group, "ann")
        assert "1 earlier id of theirs" in told
        told = ask(group, "cookie")
        assert "as ann; what follows is how they stood then" in told
        assert told.splitlines()[-1] == "cookie was identified as ann: offerstream why ann"
