"""Applies an entity's log, one slice of one partition at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from streams.agents.choices import Choices
from streams.agents.model_watch import ModelWatch
from streams.announce import Announcer
from streams.columns.arrays import TYPE_CODE
from streams.entities.contents import logs
from streams.kafka_watch import Extent
from streams.metrics import Metrics
from streams.processing.applied import Applied
from streams.processing.entity import Entity
from streams.processing.model import Shelf
from streams.processing.partition import OtherLog, PartitionProcessor
from streams.processing.rules import Rules
from streams.records.embedded import ItemEmbedded
from streams.records.enriched import ItemEnriched
from streams.records.events import MAX_ID_LENGTH, ClockTicked, LogIdled, encode_event
from streams.records.offers import OfferWithheld
from streams.records.outcomes import AnyOutcome, ChurnAlerted, encode_outcome
from streams.records.pictured import ItemPictured
from streams.records.slices import Slice
from streams.records.tags import tag_of
from streams.state.keys import ROW
from streams.state.write_behind import Change, WriteBehind
from streams.tables import EntityTable, PartitionTier
from streams.topics import TOPIC_OF

log = logging.getLogger(__name__)
#: Rows that a partition has room for from the start, if it may keep so many: addresses, which take memory when they are
#: used. Where more come all are copied.
ROOM = 65_536
#: So many rows come into memory at a time; then others have their turn, for so many times as long as that took.
WARMED, TURNS = 256, 4


class StaleState(RuntimeError):
    """The state is behind what was delivered or committed: what lies between would be lost."""


class TableBehind(RuntimeError):
    """The feature table holds less than was committed, and what lies between is not in the log any more."""


class EntityLog:
    """Holds the processors of an entity's partitions that this worker owns, and moves slices through them. ``app_id``
    names the group of workers.

    A processor is made from the feature table when a rebalance is complete, and dropped when partitions are
    revoked: what another worker may have done meanwhile is then read back from the table.
    """

    def __init__(
        self,
        entity: Entity,
        app_id: str,
        rules: Rules,
        shelf: Shelf,
        table: EntityTable,
        writer: WriteBehind,
        metrics: Metrics,
        hot_rows: int,
        live_seconds: float = 3600.0,
        log_id: str = "",
        topic_partitions: int | None = None,
        announcer: Announcer | None = None,
        folder: Path | None = None,
    ) -> None:
        self.entity, self._app_id = entity, app_id
        self._logs = logs(app_id)
        self.topic = self._logs[entity.name]
        self.announcer = announcer or Announcer(0, print)
        self._live_ms, self._log_id = int(live_seconds * 1000), log_id
        self._topic_partitions = topic_partitions
        self.partitions = 1
        """How many partitions this worker owns: they share the memory."""
        self.rules, self.shelf, self.table = rules, shelf, table
        self.writer, self.metrics, self.hot_rows = writer, metrics, hot_rows
        self.processors: dict[int, PartitionProcessor] = {}
        self.progressed: dict[int, float] = {}
        """partition → when a slice of it was last applied, or nothing waited."""
        self._gaps: dict[int, list[tuple[int, int]]] = {}
        self._touched: dict[int, float] = {}
        self._times_forgotten = 0
        self.choices = Choices(entity, app_id, rules, shelf, writer, metrics, self.processors)
        self.models = ModelWatch(entity.name, app_id, writer, metrics, self.processors, folder)

    def processor(self, partition: int) -> PartitionProcessor:
        """The partition's processor; made from the table when there is none."""
        found = self.processors.get(partition)
        if found is None:
            found, steps = self._coming_back(partition)
            for _ in steps:
                pass
            self._hold(partition, found)
        return found

    async def come_back(self, partition: int) -> None:
        """Make the partition's processor from the table, in steps between which others have their turn. Partitions that
        are given up meanwhile are left alone."""
        if partition in self.processors:
            return
        times_forgotten = self._times_forgotten
        found, steps = self._coming_back(partition)
        for _ in steps:
            await asyncio.sleep(0.001)  # 0 is not a turn for all.
            if self._times_forgotten != times_forgotten:
                return
        self._hold(partition, found)

    async def warm_up(self) -> None:
        """Bring rows of the table into memory while there is room: labels of those who stay away are known then."""
        times_forgotten = self._times_forgotten
        for partition, processor in tuple(self.processors.items()):
            at: bytes | None = ROW
            while at is not None and self._times_forgotten == times_forgotten:
                began = time.monotonic()
                at = processor.arena.warm(at, WARMED)
                await asyncio.sleep(TURNS * (time.monotonic() - began))
            if self._times_forgotten == times_forgotten:
                self._show_state(partition, processor)

    def _coming_back(self, partition: int) -> tuple[PartitionProcessor, Iterator[None]]:
        tier = PartitionTier(self.table, partition)
        limit = max(1, self.hot_rows // max(self.partitions, len(self.processors) + 1))
        found = PartitionProcessor(
            self.entity,
            partition,
            self.rules,
            self.shelf,
            tier=tier,
            limit=limit,
            room=min(limit, ROOM),
            refused=self.choices.refuse,
            log_id=self._log_id,
            group=self._app_id,
            partitions=self._topic_partitions,
            at_once=False,
        )
        return found, found.recover(tier)

    def _hold(self, partition: int, processor: PartitionProcessor) -> None:
        self.processors[partition] = processor
        self._show_models(partition, processor)
        if processor.next_offset:
            self._show_state(partition, processor)
        self._touched[partition] = self.progressed[partition] = time.monotonic()

    def forget(self) -> None:
        """Drop all processors: partitions were revoked."""
        self._times_forgotten += 1
        for by_partition in (self.processors, self._touched, self.progressed, self._gaps):
            by_partition.clear()
        self.choices.forget()
        m = self.metrics
        for gauge in (
            m.rows,
            m.timers,
            m.applied_ids,
            m.watermark,
            m.lag,
            m.model_info,
            m.coupon_codes,
            m.items_unavailable,
            m.items_new,
        ):
            # Else it would go on saying of a partition what was true when it was given up.
            gauge.remove_by_labels({"entity": self.entity.name})

    def handle(self, slice_: Slice, follows: int) -> Applied:
        """Apply a slice and hand its outputs to the producer.

        ``follows``: every record before this offset was delivered or committed earlier. Raises ``StaleState`` when
        the processor has not seen them all: what lies between would be lost.
        """
        arrived = time.perf_counter()
        processor = self.processor(slice_.partition)
        if follows > processor.next_offset:
            raise StaleState(
                f"{self.topic}, partition {slice_.partition}: records before {follows} were delivered, but the "
                f"state only holds those before {processor.next_offset}. A restart reads them again."
            )
        if 0 < processor.next_offset < (first := int(slice_.offsets[0])):
            self._gaps.setdefault(slice_.partition, []).append((processor.next_offset, first))
        result = processor.apply(slice_)
        produce = time.perf_counter()
        self._send(result)
        done = time.perf_counter()
        result.seconds["produce"] = done - produce
        self._touched[slice_.partition] = self.progressed[slice_.partition] = time.monotonic()
        self._count(slice_, processor, result, done - arrived)
        return result

    def _send(self, result: Applied) -> None:
        send = self.writer.send
        for emitted in result.emitted:
            send(self._logs[emitted.entity], None, emitted.value, emitted.partition)
        for outcome in result.outcomes:
            send(TOPIC_OF[type(outcome)], outcome.key.encode(), encode_outcome(outcome))
        for late in result.late:
            send(TOPIC_OF[type(late)], late.key.encode(), encode_outcome(late))
        for dead in result.dead:
            key = dead.original_key if len(dead.original_key or b"") <= MAX_ID_LENGTH else None
            send(TOPIC_OF[type(dead)], key, encode_outcome(dead))
        self.announcer.observe(result.outcomes, result.dead, result.late)
        self.writer.poll()

    def change(self, partition: int) -> Change:
        """What changed in a partition since this was last asked."""
        processor = self.processors[partition]
        change = Change(self.table, partition, processor.drain_changes())
        if (forgetting := processor.side.forgetting) is not None:
            self.metrics.forgotten.labels(self.entity.name).inc(forgetting.drain_count())
        return change

    def share_memory(self) -> None:
        """Drop rows beyond what each partition may keep in memory; after a flush, when they are clean."""
        share = max(1, self.hot_rows // max(1, len(self.processors)))
        for processor in self.processors.values():
            processor.arena.limit = share
            self.metrics.evictions.inc(processor.arena.evict())

    def applied(self) -> dict[int, int]:
        """partition → every record before this offset was applied."""
        return {partition: processor.next_offset for partition, processor in self.processors.items()}

    def drain_gaps(self) -> dict[int, list[tuple[int, int]]]:
        """partition → offsets that were passed over between slices since this was last asked."""
        gaps, self._gaps = self._gaps, {}
        return gaps

    def settle(self, applied: Mapping[int, int], gaps: Mapping[int, list[tuple[int, int]]], extent: Extent) -> None:
        """Make sure that the log is still the one that was applied, and count what lies in gaps between slices and
        before its start: that is lost. The other offsets of a gap were never records (markers of transactions, records
        taken back). Raises ``OtherLog``."""
        for partition, offset in applied.items():
            self._not_beyond(partition, offset, extent)
        for partition, found in gaps.items():
            for first, after in found:
                self._lost(partition, first, min(after, extent.starts.get(partition, 0)))

    def _not_beyond(self, partition: int, applied: int, extent: Extent) -> None:
        end = extent.ends.get(partition, applied)
        if applied > end:
            raise OtherLog(
                f"{self.topic}, partition {partition} ends before {end}, but records before {applied} were "
                "applied: Kafka lost what it had accepted. Bring the log back, or start under another "
                "OFFERSTREAM_APP_ID."
            )

    def _lost(self, partition: int, first: int, after: int) -> None:
        if after > first:
            self.metrics.records.labels(self.entity.name, "lost").inc(after - first)
            log.error(
                "%s, partition %s: offsets %s to %s were deleted (retention, or delete-records) before they were "
                "applied: %s records are lost. The state goes on from offset %s.",
                self.topic, partition, first, after - 1, after - first, after,
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
                f"{self.topic}, partition {partition}: the feature table holds records before {applied}, the "
                f"group committed {committed}, and the log starts at {start}: state was lost (was the changelog "
                "emptied or deleted?) and cannot be made anew from the log. Bring the changelog back, or start under "
                "another OFFERSTREAM_APP_ID, which begins where the log does."
            )
        if applied < committed:
            log.warning(
                "%s, partition %s: the group committed %s, but the feature table holds records before %s: reading on "
                "from there.", self.topic, partition, committed, applied,
            )  # fmt: skip
        return applied

    def tick(self, idle_seconds: float) -> None:
        """Write the time into live partitions that have been idle, so that their timers fire; into others that what is
        read is all for now, where somebody waits for what comes next."""
        now = time.monotonic()
        for partition, touched in list(self._touched.items()):
            if now - touched < idle_seconds:
                continue
            processor = self.processors[partition]
            side, at = processor.side, int(time.time() * 1000)
            live = side.ticks and processor.next_offset and processor.lag_ms <= self._live_ms
            said: ClockTicked | LogIdled | None = None
            if live and (processor.arena.armed or side.awaited):
                said = ClockTicked(event_time=at)
            elif not side.idle:
                said = LogIdled(event_time=at)
            if said is not None:
                self._touched[partition] = now
                self.writer.say(self.topic, encode_event(said), partition=partition)

    def _show_models(self, partition: int, processor: PartitionProcessor) -> None:
        gauge, entity = self.metrics.model_info, self.entity.name
        gauge.remove_by_labels({"entity": entity, "partition": str(partition)})
        for task in processor.in_force.serving:
            for stage, model in task.staged.items():
                gauge.labels(entity, str(partition), model.task, stage, model.version, model.digest[:16]).set(1)

    def _count(self, slice_: Slice, processor: PartitionProcessor, result: Applied, seconds: float) -> None:
        m, entity = self.metrics, self.entity.name
        names = {TYPE_CODE[cls]: tag_of(cls) for cls in self.entity.records}
        for fate, n in result.fates.items():
            m.records.labels(entity, fate).inc(n)
        for (code, fate), n in result.types.items():
            m.events.labels(entity, names[code], fate).inc(n)
        for reason, n in Counter(dead.reason for dead in result.dead).items():
            m.dead_letters.labels(reason).inc(n)
        for (kind, reason), n in _reasons(result.outcomes).items():
            m.outcomes.labels(kind, reason).inc(n)
        for kind, n in result.suppressed.items():
            m.suppressed.labels(kind).inc(n)
        for kind, n in result.due_kinds.items():
            m.due_points.labels(entity, kind).inc(n)
        m.passed_over.labels(entity).inc(result.passed_over)
        for part, spent in result.seconds.items():
            m.stage_seconds.labels(entity, part).inc(spent)
        m.slices.observe(len(slice_))
        m.rounds.observe(result.rounds)
        if result.due_points:
            m.decision_seconds.observe(seconds)
        for scores in result.scores:
            m.model_seconds.labels(scores.models[0].task).observe(scores.seconds)
            for why, refused in scores.refused.items():
                m.unjudged.labels(scores.models[0].task, why).inc(int(refused.sum()))
            self.models.observe(scores, processor)
        if result.fates["choice"]:
            self._show_models(slice_.partition, processor)
        self._show_state(slice_.partition, processor)

    def _show_state(self, of: int, processor: PartitionProcessor) -> None:
        m, entity, partition = self.metrics, self.entity.name, str(of)
        m.rows.labels(entity, partition).set(len(processor.arena))
        m.timers.labels(entity, partition).set(processor.arena.armed)
        m.applied_ids.labels(entity, partition).set(processor.side.ids_held)
        m.watermark.labels(entity, partition).set(processor.watermark_ms / 1000)
        m.items_unavailable.labels(entity, partition).set(processor.side.items_unavailable)
        m.items_new.labels(entity, partition).set(processor.side.items_new)
        for pool, stock in processor.side.stocks.items():
            m.coupon_codes.labels(entity, partition, pool, "left").set(stock.left)
            m.coupon_codes.labels(entity, partition, pool, "given").set(stock.given)


#: By what outcomes of a kind are counted apart: the level or reason that each has.
REASON: dict[type, Callable[[Any], str]] = {
    ChurnAlerted: lambda alert: alert.level,
    OfferWithheld: lambda withheld: withheld.reason,
    ItemEnriched: lambda enriched: "" if enriched.category is None else enriched.category.agreement,
    ItemPictured: lambda said: "" if said.picture is None else said.picture.unsure or "",
    ItemEmbedded: lambda said: "" if said.embedded is None else said.embedded.unsure or "",
}


def _reasons(outcomes: Sequence[AnyOutcome]) -> Counter[tuple[str, str]]:
    """How many outcomes there are of each kind and reason."""
    found: Counter[tuple[str, str]] = Counter()
    for kind, n in Counter(map(type, outcomes)).items():
        if (reason := REASON.get(kind)) is None:
            found[kind.__name__, ""] = n
        else:
            found.update((kind.__name__, reason(one)) for one in outcomes if type(one) is kind)
    return found
