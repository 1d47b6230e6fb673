"""The agent that applies shopper events, one slice of one partition at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from faust.types import TP

from streams.agents.choices import Choices
from streams.agents.model_watch import ModelWatch
from streams.announce import Announcer
from streams.columns.arrays import TYPE_CODE
from streams.kafka_watch import Extent, KafkaAway
from streams.metrics import Metrics
from streams.processing.partition import Applied, OtherLog, PartitionProcessor
from streams.processing.rules import Rules
from streams.processing.scoring import Model, Shelf
from streams.records.events import MAX_ID_LENGTH, ClockTicked, encode_event
from streams.records.outcomes import ChurnAlerted, OfferWithheld, encode_outcome
from streams.records.slices import Slice
from streams.state.keys import ROW
from streams.state.write_behind import GaveUp, WriteBehind
from streams.tables import PartitionTier, ShopperTable
from streams.topics import EVENTS, TOPIC_OF

_TYPE_NAME = {code: cls.__struct_config__.tag for cls, code in TYPE_CODE.items()}
#: A choice of models that a partition has not come to is written again after this long.
ASK_AGAIN_SECONDS = 30.0

#: Two scores that differ by no more agree.
AGREEMENT = 0.05

log = logging.getLogger(__name__)


class StaleState(RuntimeError):
    """The state is behind what was delivered or committed: what lies between would be lost."""


class TableBehind(RuntimeError):
    """The feature table holds less than was committed, and what lies between is not in the log any more."""


class ShopperEvents:
    """Holds the processors of the partitions that this worker owns, and moves slices through them.

    A processor is made from the feature table when a rebalance is complete, and dropped when partitions are
    revoked: what another worker may have done meanwhile is then read back from the table.
    """

    def __init__(
        self,
        rules: Rules,
        shelf: Shelf,
        table: ShopperTable,
        writer: WriteBehind,
        metrics: Metrics,
        hot_rows: int,
        owns: Callable[[set[TP]], Awaitable[bool]],
        live_seconds: float = 3600.0,
        log_id: str = "",
        topic_partitions: int | None = None,
        confirm: Callable[[], Awaitable[Extent]] | None = None,
        announcer: Announcer | None = None,
    ) -> None:
        self._confirm = confirm
        self.announcer = announcer or Announcer(0, print)
        self._live_ms, self._log_id = int(live_seconds * 1000), log_id
        self._topic_partitions = topic_partitions
        self.partitions = 1
        """How many partitions this worker owns: they share the memory."""
        self.rules, self.shelf, self.table = rules, shelf, table
        self.writer, self.metrics, self.hot_rows, self._owns = writer, metrics, hot_rows, owns
        self.processors: dict[int, PartitionProcessor] = {}
        self.progressed: dict[int, float] = {}
        """partition → when a slice of it was last applied, or nothing waited."""
        self.unflushed = False
        """Whether changes were taken for a flush that did not come to its end: they are whole in the log only."""
        self._gaps: dict[int, list[tuple[int, int]]] = {}
        self.failure: BaseException | None = None
        self._touched: dict[int, float] = {}
        self.choices = Choices(rules, shelf, writer, metrics, self.processors)
        self.models = ModelWatch(writer, metrics, self.processors)

    def processor(self, partition: int) -> PartitionProcessor:
        """The partition's processor; made from the table when there is none."""
        found = self.processors.get(partition)
        if found is None:
            found = PartitionProcessor(
                partition,
                self.rules,
                self.shelf,
                tier=PartitionTier(self.table, partition),
                limit=max(1, self.hot_rows // max(self.partitions, len(self.processors) + 1)),
                refused=self.choices.refuse,
                log_id=self._log_id,
                partitions=self._topic_partitions,
            )
            self.processors[partition] = found
            self._show_models(partition, found)
            self._touched[partition] = self.progressed[partition] = time.monotonic()
        return found

    def forget(self) -> None:
        """Drop all processors: partitions were revoked."""
        for by_partition in (self.processors, self._touched, self.progressed, self._gaps):
            by_partition.clear()
        self.choices.forget()
        self.unflushed = False
        m = self.metrics
        for gauge in (m.rows, m.timers, m.applied_ids, m.watermark, m.lag, m.model_info):
            gauge.clear()  # Else it would go on saying of a partition what was true when it was given up.

    def handle(self, slice_: Slice, follows: int) -> Applied:
        """Apply a slice and hand its outputs to the producer.

        ``follows``: every record before this offset was delivered or committed earlier. Raises ``StaleState`` when
        the processor has not seen them all: what lies between would be lost.
        """
        arrived = time.perf_counter()
        processor = self.processor(slice_.partition)
        if follows > processor.next_offset:
            raise StaleState(
                f"Partition {slice_.partition}: records before {follows} were delivered, but the state only holds "
                f"those before {processor.next_offset}. A restart reads them again."
            )
        if 0 < processor.next_offset < (first := int(slice_.offsets[0])):
            self._gaps.setdefault(slice_.partition, []).append((processor.next_offset, first))
        result = processor.apply(slice_)
        produce = time.perf_counter()
        send = self.writer.send
        for outcome in result.outcomes:
            send(TOPIC_OF[type(outcome)], outcome.shopper_id.encode(), encode_outcome(outcome))
        for late in result.late:
            send(TOPIC_OF[type(late)], late.shopper_id.encode(), encode_outcome(late))
        for dead in result.dead:
            key = dead.original_key if len(dead.original_key or b"") <= MAX_ID_LENGTH else None
            send(TOPIC_OF[type(dead)], key, encode_outcome(dead))
        self.announcer.take(result.outcomes, result.dead)
        self.writer.poll()
        done = time.perf_counter()
        result.seconds["produce"] = done - produce
        self._touched[slice_.partition] = self.progressed[slice_.partition] = time.monotonic()
        self._count(slice_, processor, result, done - arrived)
        return result

    async def begin(self) -> None:
        """Make durable under which rules and models the logs of new partitions begin, before anything is said of them:
        whoever takes over goes on with the same. Called when partitions were given to this worker, before slices come.
        """
        fresh = {partition for partition, processor in self.processors.items() if not processor.begun}
        if fresh:
            await self._write(fresh)

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
            partitions = {tp.partition for tp in offsets if tp.topic == EVENTS.name}
            rows = await self._write(partitions) if partitions <= self.processors.keys() else None
        self.metrics.stage_seconds.labels("flush").inc(time.perf_counter() - began)
        if rows is not None:
            self.metrics.flushed_rows.inc(rows)
            self.metrics.commits.inc()
            share = max(1, self.hot_rows // max(1, len(self.processors)))
            for processor in self.processors.values():
                processor.arena.limit = share
                self.metrics.evictions.inc(processor.arena.evict())
        return rows is not None

    async def _write(self, partitions: set[int]) -> int | None:
        """Make what changed in some partitions durable: how many rows, None when this worker is not their owner."""
        self.unflushed = True
        changes = [(p, self.processors[p].take_changes()) for p in partitions]

        async def owns() -> bool:
            if not await self._owns({TP(EVENTS.name, p) for p in partitions}):
                return False
            # Nothing of another log may get into the table; and what is missing is said before it is passed over.
            await self._settle()
            return True

        try:
            done = await self.writer.flush(changes, self.table, owns)
        except (GaveUp, KafkaAway) as error:
            log.warning("Stopped without a last flush; the next worker applies those records again. %s", error)
            done = False
        self.unflushed = not done
        return sum(key[:1] == ROW for _, changed in changes for key in changed) if done else None

    async def _settle(self) -> None:
        """Make sure that the log is still the one that was applied, and count what lies in gaps between slices and
        before its start: that is lost. The other offsets of a gap were never records (markers of transactions, records
        taken back). Raises ``OtherLog``."""
        if self._confirm is None:
            return
        # As of before asking: slices go on meanwhile.
        applied = {partition: processor.next_offset for partition, processor in self.processors.items()}
        gaps, self._gaps = self._gaps, {}
        extent = await self._confirm()
        for partition, offset in applied.items():
            self._not_beyond(partition, offset, extent)
        for partition, found in gaps.items():
            for first, after in found:
                self._lost(partition, first, min(after, extent.starts.get(partition, 0)))

    @staticmethod
    def _not_beyond(partition: int, applied: int, extent: Extent) -> None:
        end = extent.ends.get(partition, applied)
        if applied > end:
            raise OtherLog(
                f"{EVENTS.name}, partition {partition} ends before {end}, but records before {applied} were applied: "
                "Kafka lost what it had accepted. Bring the log back, or start under another OFFERSTREAM_APP_ID."
            )

    def _lost(self, partition: int, first: int, after: int) -> None:
        if after > first:
            self.metrics.records.labels("lost").inc(after - first)
            log.error(
                "%s, partition %s: offsets %s to %s were deleted (retention, or delete-records) before they were "
                "applied: %s records are lost. The state goes on from offset %s.",
                EVENTS.name, partition, first, after - 1, after - first, after,
            )  # fmt: skip

    def pass_over(self, partition: int, start: int) -> None:
        """Go on from the start of the log: what lies between the state and it is gone."""
        processor = self.processors[partition]
        self._lost(partition, processor.next_offset, start)
        processor.pass_over(start)

    def read_from(self, partition: int, committed: int, extent: Extent) -> int:
        """Where reading goes on: where the state stands. Raises ``TableBehind``, ``OtherLog``.

        ``committed``: before which offset the group says that all was processed; 0 when it says nothing.
        """
        applied = self.processor(partition).next_offset
        start = extent.starts.get(partition, 0)
        self._not_beyond(partition, applied, extent)
        if applied < min(committed, start):
            raise TableBehind(
                f"Partition {partition}: the feature table holds records before {applied}, the group committed "
                f"{committed}, and the log starts at {start}: state was lost (was the changelog emptied or deleted?) "
                f"and cannot be made anew from the log. Bring the changelog back, or start under another "
                "OFFERSTREAM_APP_ID, which begins where the log does."
            )
        if applied < committed:
            log.warning(
                "Partition %s: the group committed %s, but the feature table holds records before %s: reading on from "
                "there.", partition, committed, applied,
            )  # fmt: skip
        return applied

    def tick(self, idle_seconds: float) -> None:
        """Write the time into live partitions that have been idle, so that their timers fire."""
        now = time.monotonic()
        for partition, touched in list(self._touched.items()):
            processor = self.processors[partition]
            if now - touched >= idle_seconds and processor.lag_ms <= self._live_ms and processor.arena.armed:
                self._touched[partition] = now
                tick = ClockTicked(event_time=int(time.time() * 1000))
                self.writer.say(EVENTS.name, encode_event(tick), partition=partition)

    def _show_models(self, partition: int, processor: PartitionProcessor) -> None:
        gauge = self.metrics.model_info
        for labels in [s.labels for m in gauge.collect() for s in m.samples if s.labels["partition"] == str(partition)]:
            gauge.remove(*(labels[name] for name in gauge._labelnames))
        for task in processor.serving:
            for stage, model in task.staged.items():
                gauge.labels(str(partition), model.task, stage, model.version, model.digest[:16]).set(1)

    def _count(self, slice_: Slice, processor: PartitionProcessor, result: Applied, seconds: float) -> None:
        m = self.metrics
        for fate, n in result.fates.items():
            m.records.labels(fate).inc(n)
        for (code, fate), n in result.types.items():
            m.events.labels(_TYPE_NAME[code], fate).inc(n)
        for dead in result.dead:
            m.dead_letters.labels(dead.reason).inc()
        for outcome in result.outcomes:
            reason = ""
            if isinstance(outcome, ChurnAlerted):
                reason = outcome.level
            elif isinstance(outcome, OfferWithheld):
                reason = outcome.reason
            m.outcomes.labels(type(outcome).__name__, reason).inc()
        for kind, n in result.suppressed.items():
            m.suppressed.labels(kind).inc(n)
        for kind, n in result.due_kinds.items():
            m.due_points.labels(kind).inc(n)
        for stage, spent in result.seconds.items():
            m.stage_seconds.labels(stage).inc(spent)
        m.slices.observe(len(slice_))
        m.rounds.observe(result.rounds)
        if result.due_points:
            m.decision_seconds.observe(seconds)
        for scores in result.scores:
            m.model_seconds.labels(scores.models[0].task).observe(scores.seconds)
            unjudged = int((~scores.judged).sum())
            if unjudged:
                m.unjudged.labels(scores.models[0].task, _population(scores.models[0])).inc(unjudged)
            self.models.take(scores, processor)
        if result.fates["choice"]:
            self._show_models(slice_.partition, processor)
        partition = str(slice_.partition)
        m.rows.labels(partition).set(len(processor.arena))
        m.timers.labels(partition).set(processor.arena.armed)
        m.applied_ids.labels(partition).set(len(processor.applied_ids))
        m.watermark.labels(partition).set(processor.watermark_ms / 1000)


def _population(model: Model) -> str:
    """Whom a model can judge, as a label."""
    return " and ".join(f"{condition.address} >= {condition.least:g}" for condition in model.population) or "upstream"
