"""Makes durable what the logs of a worker came to, and says where reading goes on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

from faust.types import TP

from streams.agents.entity_log import EntityLog
from streams.kafka_watch import Extent, KafkaAway
from streams.metrics import Metrics
from streams.state.keys import ROW
from streams.state.write_behind import GaveUp, WriteBehind

log = logging.getLogger(__name__)


class Durability:
    """Flushes all ``logs`` of a worker (by topic) together. Topics without a log have no state: their offsets may be
    committed once what was made of their records is delivered. ``confirm`` asks Kafka how far each log goes; ``owns``
    asks whether partitions are still this worker's."""

    def __init__(
        self,
        logs: Mapping[str, EntityLog],
        writer: WriteBehind,
        metrics: Metrics,
        owns: Callable[[set[TP]], Awaitable[bool]],
        confirm: Callable[[], Awaitable[Mapping[str, Extent]]] | None = None,
    ) -> None:
        self.logs, self.writer, self.metrics = logs, writer, metrics
        self._owns, self._confirm = owns, confirm
        self.unflushed = False
        """Whether changes were taken for a flush that did not come to its end: they are whole in the log only."""
        self.failure: BaseException | None = None
        self._times_forgotten = 0

    def forget(self) -> None:
        """Partitions were revoked: what another worker does meanwhile is read back from the tables."""
        self.unflushed = False
        self._times_forgotten += 1
        for held in self.logs.values():
            held.forget()

    async def begin(self) -> None:
        """Make durable under which rules and models the logs of new partitions begin, before anything is said of them:
        whoever takes over goes on with the same. Called when partitions were given to this worker, before slices come.
        """
        fresh = {
            topic: {partition for partition, processor in held.processors.items() if not processor.in_force.begun}
            for topic, held in self.logs.items()
        }
        if any(fresh.values()):
            await self._write(fresh, {TP(topic, p) for topic, partitions in fresh.items() for p in partitions})

    async def flush(self, offsets: Mapping[TP, int]) -> bool:
        """Make everything processed so far durable; called before offsets are committed.

        Not after a failure: the slice that failed may be half in the state. Nor after a flush that did not come to
        its end, until the state was read back: what it had taken is marked as written, and a later progress record
        would claim it.
        """
        if self.failure is not None or self.unflushed:
            return False
        began = time.perf_counter()
        with self.metrics.flush_seconds.time(), self.metrics.flush_failures.count_exceptions():
            partitions: dict[str, set[int]] = defaultdict(set)
            for tp in offsets:
                partitions[tp.topic].add(tp.partition)
            held = {topic: partitions[topic] for topic in self.logs if topic in partitions}
            known = all(wanted <= self.logs[topic].processors.keys() for topic, wanted in held.items())
            rows = await self._write(held, set(offsets)) if known else None
        self.metrics.stage_seconds.labels("all", "flush").inc(time.perf_counter() - began)
        if rows is not None:
            self.metrics.flushed_rows.inc(rows)
            self.metrics.commits.inc()
            for entity_log in self.logs.values():
                entity_log.share_memory()
        return rows is not None

    async def _write(self, partitions: Mapping[str, set[int]], tps: set[TP]) -> int | None:
        """Make what changed in some partitions durable: how many rows, None when this worker is not their owner."""
        self.unflushed, times_forgotten = True, self._times_forgotten
        changes = []
        for topic, some in partitions.items():
            for partition in some:
                if self.failure is not None or self._times_forgotten != times_forgotten:
                    return None  # Since others had their turn: half of a slice, or given up.
                changes.append(self.logs[topic].change(partition))
                await asyncio.sleep(0)  # Slices go on: rows of one partition are taken together, not those of all.

        async def owns() -> bool:
            if not await self._owns(tps):
                return False
            # Nothing of another log may get into a table; and what is missing is said before it is passed over.
            await self._settle()
            return True

        try:
            done = await self.writer.flush(changes, owns)
        except (GaveUp, KafkaAway) as error:
            log.warning("Stopped without a last flush; the next worker applies those records again. %s", error)
            done = False
        if self._times_forgotten == times_forgotten:  # else what was taken is not in the state any more
            self.unflushed = not done
        return sum(key[:1] == ROW for change in changes for key in change.changed) if done else None

    async def _settle(self) -> None:
        if self._confirm is None:
            return
        # As of before asking: slices go on meanwhile.
        applied = {topic: held.applied() for topic, held in self.logs.items()}
        gaps = {topic: held.drain_gaps() for topic, held in self.logs.items()}
        extents = await self._confirm()
        for topic, held in self.logs.items():
            held.settle(applied[topic], gaps[topic], extents[topic])

    async def read_from(self, committed: Mapping[TP, int]) -> dict[TP, int]:
        """Where reading goes on in partitions that were given to this worker: of a log where its state stands. Raises
        ``TableBehind``, ``OtherLog``."""
        extents = {} if self._confirm is None else await self._confirm()
        points = dict(committed)
        for tp, at in committed.items():
            if tp.topic in self.logs:
                points[tp] = self.logs[tp.topic].read_from(tp.partition, at, extents.get(tp.topic, Extent()))
        await self.begin()
        return points
