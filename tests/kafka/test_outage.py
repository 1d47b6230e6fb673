"""Kafka goes away and comes back: workers wait, say so, and go on."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.broker.cache import fetch_jars
from streams.broker.embedded import Broker
from tests.kafka.harness import Cluster, Worker, fates, wait_until
from tests.kafka.test_watch import Watching
from tests.shoppers import DAY, log_of, random_history, viewed

pytestmark = pytest.mark.kafka


class Kafka:
    """A broker of these tests' own, which can go away and come back on the same port and data."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._jars = folder, fetch_jars()
        self.broker = Broker(folder, self._jars)
        self.broker.start()
        self.stopped = False

    def go(self, how: signal.Signals) -> None:
        """SIGKILL: it is gone. SIGSTOP: connections stay open and nobody answers."""
        os.kill(self.broker.pid, how)
        if how is signal.SIGKILL:
            self.broker.stop()

    def come_back(self, how: signal.Signals) -> None:
        """Start again, or go on."""
        if how is signal.SIGSTOP:
            os.kill(self.broker.pid, signal.SIGCONT)
        else:
            self.broker = Broker(self._folder, self._jars, self.broker.port)
            self.broker.start()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    own = Kafka(tmp_path_factory.mktemp("outage"))
    yield own
    own.broker.stop()


@pytest.fixture
def kafka(lasting: Kafka) -> Iterator[Kafka]:
    """It is there when a test begins, whatever became of it in the last one."""
    if not lasting.broker.alive():
        lasting.come_back(signal.SIGKILL)
    yield lasting
    if lasting.broker.alive():
        os.kill(lasting.broker.pid, signal.SIGCONT)


@pytest.fixture
def own_cluster(kafka: Kafka, tmp_path: Path) -> Iterator[Cluster]:
    fresh = Cluster(kafka.broker.bootstrap, tmp_path, "outage")
    fresh.prepare()
    yield fresh
    fresh.close()


def is_away(worker: Worker) -> Callable[[], bool]:
    return lambda: worker.get("/ready")[1].startswith("Kafka is away")


#: Beyond the seven seconds after which Kafka counts as away: in all, twice a worker's session.
LONG_AWAY = 6


@pytest.mark.parametrize(("how", "away"), [(signal.SIGKILL, 0), (signal.SIGSTOP, LONG_AWAY)])
def test_an_idle_worker_outlives_kafka(how: signal.Signals, away: float, kafka: Kafka, own_cluster: Cluster) -> None:
    """Also past its session, and while it has ticks of the clock to say."""
    now = int(time.time() * 1000)
    log = log_of(*[viewed(f"s{i}", now - 60_000 + i, f"e{i}") for i in range(30)])
    own_cluster.send(log)
    worker = own_cluster.worker(idle_tick_seconds="1", loglevel="WARNING")
    wait_until(lambda: fates([worker])["tick"] > 3, worker)
    kafka.go(how)
    wait_until(is_away(worker), worker, 15)
    wait_until(lambda: "has not answered for" in worker.log.read_text(), worker)
    time.sleep(away)
    assert is_away(worker)()
    assert worker.get("/live")[0] == 200
    kafka.come_back(how)
    worker.wait_ready()
    before = fates([worker])["tick"]
    more = log_of(*[viewed(f"s{i}", now + i, f"f{i}") for i in range(30)])
    own_cluster.send(more)
    wait_until(lambda: fates([worker])["applied"] == 60, worker)
    wait_until(lambda: fates([worker])["tick"] > before, worker)
    wait_until(lambda: "answers again" in worker.log.read_text(), worker)
    worker.stop()
    own_cluster.assert_as_plain()
    said = worker.log.read_text().splitlines()
    assert len(said) < 60, "\n".join(said)


@pytest.mark.parametrize(("how", "away"), [(signal.SIGSTOP, 0), (signal.SIGKILL, LONG_AWAY)])
def test_a_busy_worker_goes_on_where_it_was(
    how: signal.Signals, away: float, kafka: Kafka, own_cluster: Cluster
) -> None:
    log = random_history(31, 3500, 100)
    own_cluster.send(log[:3000])
    worker = own_cluster.worker(max_slice="20")
    wait_until(lambda: fates([worker]).total() > 500, worker)
    kafka.go(how)
    wait_until(is_away(worker), worker, 15)
    time.sleep(away)
    kafka.come_back(how)
    worker.wait_ready()
    own_cluster.send(log[3000:])
    own_cluster.wait_committed(len(log))
    worker.stop()
    own_cluster.assert_as_plain()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_kafka_may_go_away_while_a_table_is_read_back(how: signal.Signals, kafka: Kafka, own_cluster: Cluster) -> None:
    """Faust takes an answer that comes late, or not, for the end of its recovery service."""
    log = random_history(33, 2000, 300)
    own_cluster.send(log[:1900])
    first = own_cluster.worker()
    own_cluster.wait_committed(1900)
    first.stop()
    worker = own_cluster.worker(data="empty")
    wait_until(lambda: "Executing _on_partitions_assigned" in worker.log.read_text(), worker, pause=0.01)
    kafka.go(how)
    wait_until(is_away(worker), worker, 15)
    kafka.come_back(how)
    worker.wait_ready(90)
    own_cluster.send(log[1900:])
    own_cluster.wait_committed(len(log))
    worker.stop()
    own_cluster.assert_as_plain()


def test_a_worker_that_is_told_to_stop_while_kafka_is_away_stops(kafka: Kafka, own_cluster: Cluster) -> None:
    """What it could not write, the next one applies again."""
    log = random_history(32, 2000, 100)
    own_cluster.send(log)
    worker = own_cluster.worker(max_slice="20")
    wait_until(lambda: fates([worker]).total() > 500, worker)
    kafka.go(signal.SIGSTOP)
    wait_until(is_away(worker), worker, 15)
    worker.process.terminate()
    worker.process.wait(40)
    kafka.come_back(signal.SIGSTOP)
    other = own_cluster.worker()
    own_cluster.wait_committed(len(log))
    other.stop()
    own_cluster.assert_as_plain()


def test_an_idle_worker_says_that_it_is_ready_and_nothing_else(own_cluster: Cluster) -> None:
    now = int(time.time() * 1000)
    own_cluster.send(log_of(*[viewed(f"s{i}", now - DAY + i, f"e{i}") for i in range(30)]))
    worker = own_cluster.worker(idle_tick_seconds="1", live_seconds="1000000", loglevel="WARNING")
    wait_until(lambda: fates([worker])["tick"] > 30, worker, 60)  # ten seconds with three partitions
    worker.stop()
    ready = r"\[[\d: -]+\] Ready: reads .*storefront\.events\.v1, .*catalog\.reviews\.v1 \(all 3 partitions\)\. "
    served = f"/metrics, /live, /ready and /search are at http://127.0.0.1:{worker.port}. Ctrl-C stops it.\n"
    said = worker.log.read_text()
    assert re.fullmatch(ready + re.escape(served), said), said
    assert "items" in said


def test_watching_outlives_kafka_and_says_so(kafka: Kafka, own_cluster: Cluster) -> None:
    watch = Watching(own_cluster, "events", "--from", "beginning", "--limit", "2")
    try:
        own_cluster.send(log_of(viewed("ann")))
        assert "ann" in watch.lines.readline()
        kafka.go(signal.SIGKILL)
        said = watch.lines.readline()
        assert said.startswith(f"No Kafka broker answers at {own_cluster.bootstrap}")
        assert "What comes is shown when it is back." in said
        kafka.come_back(signal.SIGKILL)
        own_cluster.send(log_of(viewed("bob", event_id="e2")))
        said, _ = watch.process.communicate(timeout=60)
        assert re.search(r"^(Kafka answers again\.\n)?\S+ \S+ +bob +item viewed: [^\n]*\n$", said), said
        assert watch.process.returncode == 0
    finally:
        watch.process.kill()
