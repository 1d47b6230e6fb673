"""The Kafka world: a broker, workers as processes of their own, and what came of a log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from models.store import Shelf, Store
from streams.broker.embedded import free_ports
from streams.features.catalogue import CATALOGUE
from streams.inspect import changelog_values
from streams.processing.partition import PartitionProcessor, row_layout
from streams.processing.rules import Rules
from streams.records.slices import Slice
from streams.settings import Settings
from streams.state.arena import row_bytes
from streams.topics import (
    ALERTS,
    DEAD_LETTERS,
    EVENTS,
    LATE,
    OFFERS,
    PROFILES,
    SCORES,
    TOPICS,
    WITHHELD,
    changelog,
    create,
)
from tests.shoppers import Log
from tests.worlds import World

PARTITIONS = 3
OUTPUTS = (ALERTS, OFFERS, WITHHELD, SCORES, PROFILES, LATE, DEAD_LETTERS)
ENVIRONMENT = {
    "OFFERSTREAM_FLUSH_SECONDS": "0.3",
    "OFFERSTREAM_MAX_SLICE": "150",
    "OFFERSTREAM_SESSION_SECONDS": "6",
    "OFFERSTREAM_IDLE_TICK_SECONDS": "0",
}


class Worker:
    """One worker process. ``kill_at`` is ``STEP:N``: it kills itself (-9) at the N-th time it takes that step."""

    def __init__(self, bootstrap: str, folder: Path, kill_at: str = "", **settings: str) -> None:
        (self.port,) = free_ports(1)
        self.log = folder / f"worker-{time.monotonic_ns()}.log"
        data = folder / settings.pop("data", "data")
        data.mkdir(parents=True, exist_ok=True)
        rows_to, sleeps = settings.pop("rows_to", ""), settings.pop("sleeps", "")
        loglevel = settings.pop("loglevel", "INFO")
        more = {f"OFFERSTREAM_{name.upper()}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "tests.kafka.worker_main", bootstrap, str(data), str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env={
                    **os.environ,
                    **ENVIRONMENT,
                    **more,
                    "KILL_AT": kill_at,
                    "ROWS_TO": rows_to,
                    "SLEEPS": sleeps,
                    "LOGLEVEL": loglevel,
                },
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of an HTTP request; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait for /ready."""
        end = time.monotonic() + seconds
        while self.get("/ready")[0] != 200:
            assert self.process.poll() is None, self.tail()
            assert time.monotonic() < end, self.tail()
            time.sleep(0.1)

    def wait_killed(self, seconds: float = 60) -> None:
        """Wait until it killed itself."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It did not get to the step it was to die at.\n{self.tail()}") from None
        assert code == -signal.SIGKILL, self.tail()

    def stop(self) -> None:
        """SIGTERM; it must end by itself, with exit code 0."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"It did not stop on SIGTERM.\n{self.tail()}") from None
        assert code == 0, self.tail()

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]


@dataclass
class Cluster:
    """Fresh topics on the broker for one test."""

    bootstrap: str
    folder: Path
    app_id: str
    partitions: int = PARTITIONS
    workers: list[Worker] = field(default_factory=list)

    def prepare(self) -> None:
        """Delete what an earlier test left and create the topics."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        names = [topic.name for topic in TOPICS]
        there = [name for name in names if name in admin.list_topics(timeout=10).topics]
        for future in (admin.delete_topics(there) if there else {}).values():
            future.result(30)
        end = time.monotonic() + 30
        while any(name in admin.list_topics(timeout=10).topics for name in names) and time.monotonic() < end:
            time.sleep(0.1)
        create(self.settings().access, [*TOPICS, changelog(self.app_id)], self.partitions)

    def worker(self, kill_at: str = "", **settings: str) -> Worker:
        """Start a worker."""
        started = Worker(self.bootstrap, self.folder, kill_at, app_id=self.app_id, models=self.models, **settings)
        self.workers.append(started)
        return started

    def send(self, log: Log) -> None:
        """Produce a log, by key; records without a key go to partition 0."""
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "partitioner": "murmur2", "message.max.bytes": 20 << 20}
        )
        for key, value in log:
            while True:
                try:
                    producer.produce(EVENTS.name, value, key, 0 if key is None else -1)
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(60) == 0

    def read(self, topic: str) -> list[tuple[int, int, int, bytes | None, bytes | None]]:
        """Everything in a topic: partition, offset, append time, key, value; in log order within a partition."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "reader",
                "enable.partition.eof": True,
                "fetch.message.max.bytes": 32 << 20,
                "fetch.max.bytes": 64 << 20,
            }
        )
        try:
            partitions = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
            found: list[tuple[int, int, int, bytes | None, bytes | None]] = []
            open_ = set(partitions)
            while open_:
                message = consumer.poll(20)
                assert message is not None, f"{topic} does not answer"
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                if message.error() is not None:
                    open_.discard(partition)
                    continue
                assert offset is not None
                key, value = message.key(), message.value()
                assert not isinstance(key, str)
                assert not isinstance(value, str)
                found.append((partition, offset, message.timestamp()[1], key, value))
            return found
        finally:
            consumer.close()

    def slices(self) -> dict[int, list[Slice]]:
        """The events topic as it stands, one slice per partition, for the plain world."""
        grouped = defaultdict(list)
        for record in self.read(EVENTS.name):
            grouped[record[0]].append(record)
        return {
            p: [Slice(EVENTS.name, p, *map(list, zip(*[(r[1], r[2], r[3], r[4]) for r in records], strict=True)))]
            for p, records in grouped.items()
        }

    def expected(self, rules: Rules | None = None) -> World:
        """What a plain loop makes of the same log, with models from the same store."""
        world, shelf = World(), Shelf(Store(self.models))
        for partition, slices in self.slices().items():
            processor = PartitionProcessor(
                partition, rules or self.settings().rules(), shelf, partitions=self.partitions
            )
            for slice_ in slices:
                world.take_result(processor.apply(slice_))
            world.packed |= {k: v for k, v in processor.take_changes().items() if k[:1] == b"s" and v is not None}
        return world

    def settings(self) -> Settings:
        """The settings that workers run with."""
        return Settings(app_id=self.app_id, broker=self.bootstrap, models=self.models)

    @property
    def models(self) -> str:
        """The store of model versions that its workers use."""
        return str(self.folder / "models")

    def rows(self) -> dict[bytes, bytes]:
        """The rows in the changelog, without headers."""
        values = changelog_values(self.settings())
        return {k: row_bytes(v) for held in values.values() for k, v in held.items() if k[:1] == b"s"}

    def outcomes(self) -> dict[str, bytes]:
        """Every outcome by id. An id said twice must have said the same."""
        found: dict[str, bytes] = {}
        for topic in OUTPUTS:
            for _, _, _, _, value in self.read(topic.name):
                assert value is not None
                said = msgspec.json.decode(value)
                name = said.get("outcome_id") or said.get("late_id") or said.get("dead_letter_id")
                assert found.setdefault(name, value) == value
        return found

    def committed(self) -> int:
        """Sum of the group's committed offsets."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.app_id})
        try:
            tps = [TopicPartition(EVENTS.name, p) for p in range(self.partitions)]
            return sum(max(0, tp.offset) for tp in consumer.committed(tps, timeout=10))
        except KafkaException:
            return 0  # the coordinator is not there yet
        finally:
            consumer.close()

    def committed_of(self, partition: int) -> int:
        """A partition's committed offset."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.app_id})
        try:
            return max(0, consumer.committed([TopicPartition(EVENTS.name, partition)], timeout=10)[0].offset)
        finally:
            consumer.close()

    def wait_committed(self, records: int, seconds: float = 90) -> None:
        """Wait until the group has committed so many records."""
        end = time.monotonic() + seconds
        while (done := self.committed()) < records:
            assert time.monotonic() < end, f"{done} of {records} committed.\n{self.workers[-1].tail()}"
            time.sleep(0.2)
        assert done == records

    def _differences(self, rows: dict[bytes, bytes], plain: dict[bytes, bytes]) -> list[str]:
        """Which columns of which rows differ."""
        layout = row_layout(CATALOGUE).dtype
        found = []
        for key, value in rows.items():
            if value != plain[key]:
                ours, theirs = (np.frombuffer(v, layout)[0] for v in (value, plain[key]))
                names = [n for n in layout.names or () if (ours[n] != theirs[n]).any()]
                found.append(
                    f"{key!r}: offset {ours['applied/offset+1']} not {theirs['applied/offset+1']}, {names[:4]}"
                )
        return found

    def assert_as_plain(self) -> World:
        """Rows bit for bit and outcomes by id are what the plain loop gives; returns the plain world."""
        plain = self.expected()
        outcomes = self.outcomes()
        assert outcomes.keys() == plain.outcomes.keys()
        assert outcomes == plain.outcomes
        rows = self.rows()
        assert rows.keys() == plain.rows.keys()
        assert rows == plain.rows, "; ".join(self._differences(rows, plain.rows))
        return plain


def fates(workers: list[Worker]) -> Counter[str]:
    """Records by fate, added up over the workers that still answer."""
    found: Counter[str] = Counter()
    for worker in workers:
        for line in worker.get("/metrics")[1].splitlines():
            if line.startswith("offerstream_records_total{"):
                found[line.split('fate="')[1].split('"')[0]] += int(float(line.rsplit(" ", 1)[1]))
    return found
