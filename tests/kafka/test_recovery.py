"""Whatever happens to workers, rows and outcomes are those of a plain loop over the same log."""

from __future__ import annotations

import itertools
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from streams.admin import create
from streams.entities import contents
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.processing.partitioning import homes
from streams.processing.rules import ForgetPolicy, Rules
from streams.state.keys import ROW
from streams.state.write_behind import STEPS
from streams.topics import ITEM_PROFILES
from tests.items import catalogue
from tests.kafka.harness import SHORT, Cluster, Worker, fates, wait_until
from tests.shoppers import DAY, NOON, log_of, random_history, viewed

pytestmark = pytest.mark.kafka


def test_a_worker_makes_of_a_log_what_the_plain_loop_makes(cluster: Cluster) -> None:
    """One partition of shoppers is a whole history behind the others: until then no day of items ends, and of what it
    tells them nothing is late."""
    log = random_history(11, 2000, 80)
    home = homes([key for key, _ in log], "murmur2", cluster.partitions).tolist()
    ahead = [record for record, partition in zip(log, home, strict=True) if partition != 0]
    behind = [record for record, partition in zip(log, home, strict=True) if partition == 0]
    cluster.send(ahead)
    worker = cluster.worker()
    cluster.wait_committed(len(ahead))
    assert cluster.end(ITEM.topic(cluster.app_id)) > 100
    assert not cluster.read(ITEM_PROFILES.name)  # no item's day is over
    cluster.send(behind)
    cluster.wait_committed(len(log))
    counted, of_items = fates([worker]), fates([worker], "item")
    worker.stop()
    plain = cluster.assert_as_plain()
    assert counted == plain.fates
    assert counted["applied"] + counted["duplicate"] + counted["late"] + counted["dead"] == len(log)
    assert plain.due["silence"] > 0
    assert plain.kinds["ChurnAlerted"] > 0
    items = cluster.expected(entity=ITEM)
    assert items.due["day"] > 0
    assert items.kinds["ItemProfiled"] > 100
    assert of_items == items.fates
    assert not of_items["late"]


def test_two_groups_share_the_shoppers_log_and_nothing_else(cluster: Cluster) -> None:
    """The second counts days elsewhere. What one chooses, and what it tells items, is not the other's."""
    other = replace(cluster, app_id=f"{cluster.app_id}-two")
    create(other.settings().access, contents.topics(other.app_id), other.partitions)
    log = random_history(2, 800, 30)
    cluster.send_catalogue(catalogue(2, 60, 100))
    for part, cadence in ((log[:400], 1800), (log[400:], 900)):
        workers = [
            cluster.worker(cadence_seconds=str(cadence), allowed_lateness_seconds=str(cadence)),
            other.worker(time_zone="Asia/Shanghai", data="two"),
        ]
        cluster.send(part)

        def done(choices: int = 6 * (cadence == 900)) -> bool:
            return not cluster.waiting() and not other.waiting() and cluster.chosen() >= choices

        wait_until(done)
        for worker in workers:
            worker.stop()
    # Each has chosen once where it differed from what the other chose, and neither again.
    assert cluster.chosen() == 6
    first = Rules(cadence_ms=1_800_000, allowed_lateness_ms=1_800_000)
    for group, rules in ((cluster, first), (other, Rules(time_zone="Asia/Shanghai"))):
        for entity in (SHOPPER, ITEM):
            assert group.rows(entity) == group.expected(rules, entity).rows
        assert group.told()


def test_stopping_and_starting_again_loses_and_repeats_nothing(cluster: Cluster) -> None:
    log = random_history(12, 1800, 80)
    for start, stop in itertools.pairwise((0, 600, 1200, len(log))):
        cluster.send(log[start:stop])
        worker = cluster.worker()
        cluster.wait_committed(stop)
        worker.stop()
    cluster.assert_as_plain()


def test_kill_9_between_any_two_steps_of_a_flush_and_mid_slice(cluster: Cluster) -> None:
    """One log, a worker killed at each step in turn; every second one starts with an empty disk."""
    log, said = random_history(13, 3000, 80), catalogue(13, 300, 700)
    part = len(log) // 8
    sent = 0
    for i, step in enumerate((*STEPS, "mid_slice")):
        cluster.send(log[sent : sent + part])
        sent += part
        cluster.send_catalogue(said[100 * i : 100 * (i + 1)])
        worker = cluster.worker(kill_at=f"{step}:2", data=f"data-{i // 2}")
        if step != "mid_slice":
            # The second flush needs something to flush: more records once the first was committed.
            def first_is_committed(worker: Worker = worker) -> bool:
                return worker.process.poll() is not None or not cluster.waiting()

            wait_until(first_is_committed, pause=0.05)
            cluster.send(log[sent : sent + 50])
            sent += 50
        worker.wait_killed()
    cluster.send(log[sent:])
    last = cluster.worker(data="data-last")
    cluster.wait_committed(len(log))
    last.stop()
    cluster.assert_as_plain()


def test_a_slice_that_cannot_be_applied_stops_the_worker_and_is_not_skipped(cluster: Cluster) -> None:
    """Half of it was in memory; nothing of it is flushed or committed; the next worker applies it."""
    log = random_history(16, 2000, 100)
    cluster.send(log)
    failing = cluster.worker(kill_at="raise:6")
    assert failing.process.wait(90) == 1
    assert "a slice that cannot be applied" in failing.tail()
    assert "did not come to its end" not in failing.log.read_text()
    assert cluster.committed() < len(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    worker.stop()
    cluster.assert_as_plain()


def test_two_workers_share_the_partitions_and_hand_them_over(cluster: Cluster) -> None:
    log, said = random_history(14, 3000, 100), catalogue(14, 300, 600)
    cluster.send_catalogue(said[:300])
    cluster.send(log[:1000])
    first = cluster.worker(data="first")
    first.wait_ready()
    second = cluster.worker(data="second")
    cluster.send(log[1000:2000])
    cluster.send_catalogue(said[300:])
    second.wait_ready()
    cluster.wait_committed(2000)
    cluster.send(log[2000:2500])
    cluster.wait_committed(2500)
    first.stop()
    cluster.send(log[2500:])
    cluster.wait_committed(len(log))
    second.stop()
    cluster.assert_as_plain()


def test_a_standby_takes_over_when_a_worker_is_killed(cluster: Cluster) -> None:
    log, said = random_history(17, 2000, 80), catalogue(17, 200, 300)
    cluster.send(log[:800])
    cluster.send_catalogue(said[:150])
    first = cluster.worker(data="first", standbys="1", **SHORT)
    first.wait_ready()
    second = cluster.worker(data="second", standbys="1")
    second.wait_ready()
    cluster.wait_committed(800)
    cluster.send(log[800:1300])
    cluster.send_catalogue(said[150:200])
    cluster.wait_committed(1300)
    first.kill()
    cluster.send(log[1300:])
    cluster.send_catalogue(said[200:])
    cluster.wait_committed(len(log))
    second.stop()
    cluster.assert_as_plain()


def test_a_worker_stopped_and_continued_does_no_harm(cluster: Cluster) -> None:
    """It sleeps past its session; another takes over; it wakes up with rows and outputs of its own."""
    log, said = random_history(15, 3000, 100), catalogue(15, 300, 600)
    cluster.send(log[:1000])
    cluster.send_catalogue(said[:200])
    zombie = cluster.worker(data="zombie", **SHORT)
    zombie.wait_ready()
    cluster.send(log[1000:1500])
    zombie.process.send_signal(signal.SIGSTOP)
    other = cluster.worker(data="other")
    cluster.send(log[1500:2200])
    cluster.send_catalogue(said[200:400])
    cluster.wait_committed(2200)
    zombie.process.send_signal(signal.SIGCONT)
    cluster.send(log[2200:])
    cluster.send_catalogue(said[400:])
    cluster.wait_committed(len(log))
    zombie.wait_ready()
    other.stop()
    zombie.stop()
    cluster.assert_as_plain()


@pytest.mark.parametrize("step", ["ownership_checked", "changelog_half", "changelog_delivered"])
def test_a_worker_may_sleep_in_a_flush(step: str, cluster: Cluster) -> None:
    """It wakes up and writes rows of its own behind another's; what it takes back must not be its old rows."""
    log, said = random_history(16, 3000, 100), catalogue(16, 300, 600)
    cluster.send(log[:1500])
    cluster.send_catalogue(said[:300])
    zombie = cluster.worker(kill_at=f"{step}:2", sleeps="yes", data="zombie")
    status = Path(f"/proc/{zombie.process.pid}/stat")
    wait_until(lambda: "T" in status.read_text().rsplit(")", 1)[1].split()[0], zombie, pause=0.05)
    other = cluster.worker(data="other")
    cluster.send(log[1500:2200])
    cluster.send_catalogue(said[300:450])
    cluster.wait_committed(2200)
    zombie.process.send_signal(signal.SIGCONT)
    zombie.wait_ready()
    other.stop()
    cluster.send(log[2200:])
    cluster.send_catalogue(said[450:])
    cluster.wait_committed(len(log))
    zombie.stop()
    cluster.assert_as_plain()


def test_rows_of_who_is_forgotten_leave_the_changelog_and_come_back_as_somebody_new(cluster: Cluster) -> None:
    """A worker with an empty folder knows the same shoppers as the one that swept."""
    rules = replace(cluster.settings().rules(), forget=ForgetPolicy(days=8.0))
    bots, clocks = [f"bot-{n}" for n in range(200)], [f"clock-{n}" for n in range(12)]

    def look(names: list[str], day: float) -> None:
        cluster.send(log_of(*(viewed(name, NOON + round(day * DAY), f"{name}-{day}") for name in names)))

    look([*bots, *clocks], 0)
    worker, days = cluster.worker(forget_days="8"), itertools.count(5, 5)
    kept = {ROW + name.encode() for name in clocks}

    def swept() -> bool:
        look(clocks, next(days))
        return cluster.rows().keys() == kept

    wait_until(swept, seconds=60, pause=0.5)
    assert 'offerstream_forgotten_rows_total{entity="shopper"} 200.0' in worker.get("/metrics")[1]
    worker.kill()
    worker = cluster.worker(forget_days="8", data="empty")
    look([*bots[:20], *clocks], next(days))
    worker.wait_ready()
    cluster.wait_caught_up()
    worker.stop()
    plain, rows = cluster.expected(rules), cluster.rows()
    assert rows == {key: plain.rows[key] for key in kept | {ROW + name.encode() for name in bots[:20]}}
    assert plain.outcomes.items() <= cluster.outcomes().items()
