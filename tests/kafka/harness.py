"""The Kafka world: a broker, workers as processes of their own, and what came of a log."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer

from models.store import Shelf, Store
from streams.admin import create
from streams.broker.embedded import free_ports
from streams.entities import contents
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.outside.inspect import changelog_values
from streams.processing.entity import Entity
from streams.processing.partition import PartitionProcessor, outputs_of, row_layout
from streams.processing.rules import Rules
from streams.records.items import ItemRecord, encode_item_record
from streams.records.news import ITEM_NEWS
from streams.records.slices import Slice
from streams.records.tags import tag_of
from streams.settings import Settings
from streams.state.codec import Codec, row_bytes
from streams.topics import CARRIED, EFFECTS, EVENTS, OFFER_OUTCOMES, SEARCH_RANKINGS, TOPIC_OF
from tests.kafka.client import Client, Place
from tests.processes import Process
from tests.shoppers import Log
from tests.worlds import World

PARTITIONS = 3
#: Where workers say what a log came to; what followed offers is told apart, by windows (``test_effects.py``), and what
#: searches found stands on a catalogue as well (``test_search.py``).
OUTPUTS = sorted(set(TOPIC_OF.values()) - {OFFER_OUTCOMES.name, EFFECTS.name, SEARCH_RANKINGS.name})
ENVIRONMENT = {
    "OFFERSTREAM_FLUSH_SECONDS": "0.3",
    "OFFERSTREAM_MAX_SLICE": "150",
    "OFFERSTREAM_SESSION_SECONDS": "6",
    "OFFERSTREAM_IDLE_TICK_SECONDS": "0",
    # Rows are compared with those of a plain loop, and the log does not say when one that was forgotten is taken out.
    "OFFERSTREAM_FORGET_DAYS": "0",
}


def in_the_background() -> None:
    """As a shell starts a command in the background: SIGINT is ignored until the command says otherwise."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


#: Of workers that are to be killed or to sleep: their group waits for them so long.
SHORT = {"session_seconds": "2"}
#: Steps at which a worker is killed that are unlike each other: what it said is delivered and no row is, half of the
#: rows are, within a slice. ``test_recovery`` kills at every one.
UNLIKE_STEPS = ("outputs_delivered", "changelog_half", "mid_slice")


def wait_until(
    what: Callable[[], Any],
    worker: Worker | None = None,
    seconds: float = 60,
    *,
    pause: float = 0.1,
    told: Callable[[], str] | None = None,
) -> float:
    """Wait until it is so; returns the seconds it took. ``worker``: it must run all the while. ``told``: what to say
    where it takes longer; without it, the end of the worker's log."""
    began = time.monotonic()
    while not what():
        assert worker is None or worker.process.poll() is None, worker.tail()
        if time.monotonic() - began > seconds:
            tell = told or (worker.tail if worker else str)
            raise AssertionError(f"Not so within {seconds:g} s. {tell()}")
        time.sleep(pause)
    return time.monotonic() - began


class Worker:
    """One worker process. ``kill_at`` is ``STEP:N``: it kills itself (-9) at the N-th time it takes that step."""

    group: Sequence[Worker] = ()
    """All that were ever started in its group, itself among them."""

    def __init__(self, bootstrap: str, folder: Path, kill_at: str = "", **settings: str) -> None:
        (self.port,) = free_ports(1)
        self.log = folder / f"worker-{time.monotonic_ns()}.log"
        data = folder / settings.pop("data", "data")
        data.mkdir(parents=True, exist_ok=True)
        rows_to, sleeps = settings.pop("rows_to", ""), settings.pop("sleeps", "")
        loglevel, spends = settings.pop("loglevel", "INFO"), settings.pop("spends", "")
        settings = (SHORT if kill_at else {}) | settings
        more = {f"OFFERSTREAM_{name.upper()}": value for name, value in settings.items()}
        with self.log.open("wb") as log:
            self.process = Process[bytes](
                "tests.kafka.worker_main",
                bootstrap,
                str(data),
                str(self.port),
                env={
                    **os.environ,
                    **ENVIRONMENT,
                    **more,
                    "KILL_AT": kill_at,
                    "ROWS_TO": rows_to,
                    "SLEEPS": sleeps,
                    "SPENDS": spends,
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
        wait_until(lambda: self.get("/ready")[0] == 200, self, seconds)

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
            code = self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"It did not stop on SIGTERM.\n{self.tail()}") from None
        # Told to stop where a rebalance begins, aiokafka may wait for ever: one in hundreds. Alone, nothing begins one.
        hung = code == 1 and len(self.group) > 1 and "did not come to its end" in self.log.read_text()
        assert code == 0 or hung, f"Code {code}.\n{self.tail()}"

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

    @cached_property
    def client(self) -> Client:
        """What asks its Kafka."""
        return Client(self.bootstrap)

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            worker.kill()
        self.client.close()

    def prepare(self) -> None:
        """Delete what an earlier test left and create the topics."""
        admin = self.client.admin

        def there() -> list[str]:
            return [name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")]

        for future in (admin.delete_topics(left) if (left := there()) else {}).values():
            future.result(30)
        wait_until(lambda: not there(), seconds=30, pause=0.02)
        create(self.settings().access, contents.topics(self.app_id), self.partitions)

    def worker(self, kill_at: str = "", **settings: str) -> Worker:
        """Start a worker."""
        started = Worker(self.bootstrap, self.folder, kill_at, app_id=self.app_id, models=self.models, **settings)
        self.workers.append(started)
        started.group = self.workers
        return started

    def send_catalogue(self, said: Sequence[tuple[str, ItemRecord]]) -> None:
        """Produce what a catalogue says, by topic and item."""
        for topic in dict.fromkeys(topic for topic, _ in said):
            self.send([(r.item_id.encode(), encode_item_record(r)) for t, r in said if t == topic], topic)  # type: ignore[arg-type]

    def send(self, log: Log, topic: str = EVENTS.name) -> None:
        """Produce a log, by key; records without a key go to partition 0."""
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "partitioner": "murmur2", "message.max.bytes": 20 << 20}
        )
        for key, value in log:
            while True:
                try:
                    producer.produce(topic, value, key, 0 if key is None else -1)
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(60) == 0

    def read(self, topic: str) -> list[tuple[int, int, int, bytes | None, bytes | None]]:
        """Everything in a topic: partition, offset, append time, key, value; in log order within a partition."""
        return [record[:5] for record in self.client.read(topic)]

    def slices(self, topic: str = EVENTS.name) -> dict[int, list[Slice]]:
        """A log as it stands, one slice per partition, for the plain world."""
        grouped = defaultdict(list)
        for record in self.client.read(topic):
            grouped[record[0]].append(record[1:])
        return {p: [Slice(topic, p, *map(list, zip(*records, strict=True)))] for p, records in grouped.items()}

    def expected(self, rules: Rules | None = None, entity: Entity = SHOPPER) -> World:
        """What a plain loop makes of an entity's log as it stands, with models from the same store."""
        world, shelf = World(), Shelf(Store(self.models))
        for partition, slices in self.slices(entity.topic(self.app_id)).items():
            processor = PartitionProcessor(
                entity,
                partition,
                rules or self.settings().rules(),
                shelf,
                partitions=self.partitions,
                group=self.app_id,
            )
            for slice_ in slices:
                result = processor.apply(slice_)
                world.take_result(result)
                world.emitted += [(partition, one) for one in result.emitted if one.entity == ITEM.name]
            world.packed |= {k: v for k, v in processor.drain_changes().items() if k[:1] == b"s" and v is not None}
        return world

    def settings(self) -> Settings:
        """The settings that workers run with."""
        return Settings(app_id=self.app_id, broker=self.bootstrap, models=self.models, forget_days=0.0)

    @property
    def models(self) -> str:
        """The store of model versions that its workers use."""
        return str(self.folder / "models")

    def rows(self, entity: Entity = SHOPPER) -> dict[bytes, bytes]:
        """The rows in an entity's changelog, without headers."""
        values = changelog_values(self.settings(), entity=entity.name)
        return {k: row_bytes(v) for held in values.values() for k, v in held.items() if k[:1] == b"s"}

    def outcomes(self) -> dict[str, bytes]:
        """Every outcome by id. An id said twice must have said the same."""
        found: dict[str, bytes] = {}
        for topic in OUTPUTS:
            for _, _, _, _, value in self.read(topic):
                assert value is not None
                said = msgspec.json.decode(value)
                name = said.get("outcome_id") or said.get("late_id") or said.get("dead_letter_id")
                assert found.setdefault(name, value) == value, f"{topic}: {found[name]!r}, then {value!r}"
        return found

    def committed(self, topic: str = EVENTS.name) -> int:
        """Sum of the group's committed offsets."""
        places = [(topic, p) for p in range(self.partitions)]
        return sum(self.client.committed(self.app_id, places).values())

    def committed_of(self, partition: int) -> int:
        """A partition's committed offset."""
        return sum(self.client.committed(self.app_id, [(EVENTS.name, partition)]).values())

    def wait_committed(self, records: int, seconds: float = 90, news: int = 0) -> None:
        """Wait until the group has committed so many records of shoppers, and all that they and catalogues said.
        ``news``: how many of the records are news of items that stands in the log."""

        def told() -> str:
            return f"{self.committed()} of {records} committed.\n{self.workers[-1].tail()}"

        took = wait_until(lambda: self.committed() >= records, seconds=seconds, pause=0.05, told=told)
        self.wait_caught_up(seconds - took)
        assert self.committed() == records + self.news() - news

    def wait_caught_up(self, seconds: float = 90) -> None:
        """Wait until the group has committed all that stands in its logs, and has nothing to say to them any more:
        leases answer reports, and reports leases."""

        def told() -> str:
            return f"Not committed: {self.waiting()}.\n{self.workers[-1].tail()}"

        wait_until(lambda: not self.waiting(), seconds=seconds, pause=0.05, told=told)

    def waiting(self) -> dict[Place, int]:
        """How many records the group has not committed, by log and partition. What was said of a record stands in its
        log before the record is committed; as ends are asked for last, nothing is on its way where there is none."""
        logs = [*contents.logs(self.app_id).values(), *(topic.name for topic in CARRIED)]
        done = self.client.committed(self.app_id, [(log, p) for log in logs for p in range(self.partitions)])
        ends = self.client.ends(logs, self.partitions)
        return {place: n for place, end in ends.items() if (n := end - done.get(place, 0))}

    def end(self, topic: str) -> int:
        """How many offsets of a log of shoppers or items are taken."""
        return sum(self.client.ends([topic], self.partitions).values())

    def news(self) -> int:
        """How many records of news of items stand in the shoppers' log, whoever noticed it."""
        starts = tuple(f'{{"type":"{tag_of(cls)}"'.encode() for cls in ITEM_NEWS)
        return sum((value or b"").startswith(starts) for *_, value in self.read(EVENTS.name))

    def chosen(self) -> int:
        """How many choices of rules stand in the shoppers' log, whoever made them."""
        return sum(b"rules_chosen" in (value or b"") for *_, value in self.read(EVENTS.name))

    def _differences(self, entity: Entity, rows: dict[bytes, bytes], plain: dict[bytes, bytes]) -> list[str]:
        """Which columns of which rows differ."""
        codec = Codec(row_layout(entity, outputs=outputs_of(Shelf(), entity.name)))
        header = codec.name + bytes(8)
        found = []
        for key, value in rows.items():
            if value != plain[key]:
                ours, theirs = codec.unpack([header + value, header + plain[key]]).data
                names = [n for n in codec.layout.dtype.names or () if (ours[n] != theirs[n]).any()]
                found.append(
                    f"{key!r}: offset {ours['applied/offset+1']} not {theirs['applied/offset+1']}, {names[:4]}"
                )
        return found

    def assert_as_plain(self) -> World:
        """Rows bit for bit and outcomes by id are what the plain loop gives, of shoppers and of items; and items were
        told what it tells them. Returns the plain world of the shoppers."""
        plain, items = self.expected(), self.expected(entity=ITEM)
        outcomes = self.outcomes()
        assert outcomes.keys() == plain.outcomes.keys() | items.outcomes.keys()
        assert outcomes == plain.outcomes | items.outcomes
        for entity, world in ((SHOPPER, plain), (ITEM, items)):
            rows = self.rows(entity)
            assert rows.keys() == world.rows.keys()
            assert rows == world.rows, "; ".join(self._differences(entity, rows, world.rows))
        assert self.told() == {(p, e.partition, _sequence(e.value)): e.value for p, e in plain.emitted}
        return plain

    def told(self) -> dict[tuple[int, int, int], bytes]:
        """What items were told, by source, partition of items and sequence. What is said twice must say the same; what
        is new is said in order."""
        found: dict[tuple[int, int, int], bytes] = {}
        newest: dict[tuple[int, int], int] = {}
        for partition, _, _, _, value in self.read(ITEM.topic(self.app_id)):
            said = msgspec.json.decode(value or b"")
            if said["type"] == "items_tallied":
                source, sequence = said["source_partition"], said["sequence"]
                new = (source, partition, sequence) not in found
                assert not new or sequence > newest.get((source, partition), -1)
                assert found.setdefault((source, partition, sequence), value or b"") == value
                newest[source, partition] = max(sequence, newest.get((source, partition), -1))
        return found


def _sequence(value: bytes) -> int:
    return int(msgspec.json.decode(value)["sequence"])


def fates(workers: list[Worker], entity: str = "shopper") -> Counter[str]:
    """Records of an entity's log by fate, added up over the workers that still answer."""
    found: Counter[str] = Counter()
    for worker in workers:
        for line in worker.get("/metrics")[1].splitlines():
            if line.startswith("offerstream_records_total{") and f'entity="{entity}"' in line:
                found[line.split('fate="')[1].split('"')[0]] += int(float(line.rsplit(" ", 1)[1]))
    return found
