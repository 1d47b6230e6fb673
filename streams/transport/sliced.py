"""A Faust transport that delivers whole slices; chosen by a broker URL like ``slices://host:port``.

Faust drains its consumer one message at a time and creates several asyncio tasks for each (60–90 µs per message).
Here a topic whose schema is ``SliceSchema`` is delivered as one message per partition and poll, its value the
``Slice`` of records. All other topics behave as in Faust's aiokafka transport, from which everything else (rebalance,
generation ids, flow control, seeks, standbys) is inherited.

Two promises are stricter than Faust's: an offset is committed only when its slice was *processed* (an exception
that escapes an agent acks a message in Faust, see ``docs/decisions/0002``), and before any commit the hook
``Transport.before_commit`` makes the state durable.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, ClassVar, TypeVar, cast

from aiokafka.errors import IllegalStateError, KafkaError
from faust import Schema
from faust.transport.drivers import aiokafka
from faust.types import TP, AppT, Message
from faust.types.tuples import ConsumerMessage

from streams.records.slices import Origin, Slice
from streams.transport.polling import ConsumerThread

BeforeCommit = Callable[[Mapping[TP, int]], Awaitable[bool]]
ReadFrom = Callable[[Mapping[TP, int]], Awaitable[Mapping[TP, int]]]
#: What Kafka did not answer is asked again after this long.
ASK_AGAIN_SECONDS = 1.0
Answer = TypeVar("Answer")


async def patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask until Kafka answers. Faust takes a failed or late answer for the end of a recovery; whoever must not wait
    any more (a rebalance, the end) cancels."""
    while True:
        try:
            return await ask()
        except IllegalStateError:
            raise  # Not assigned any more: asking again does not help.
        except (TimeoutError, KafkaError):
            await asyncio.sleep(ASK_AGAIN_SECONDS)


#: The header that says where a record was first said, when it was carried over from another topic.
ORIGIN = "origin"


class SliceSchema(Schema[Any, Any]):
    """Opts a topic in: its messages carry slices, which are handed on as they are."""

    def compile(self, app: AppT, **_: Any) -> Callable[..., Awaitable[Any]]:
        """The decode function that Faust calls for each message of the topic."""
        create_event = app.create_event

        async def decode(message: Message, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, None, message)

        return decode


class SliceMessage(ConsumerMessage):
    """A slice on its way through Faust.

    ``offset`` is the slice's first, because Faust takes what lies before a message's offset for acknowledged.
    The agent reports it with ``Consumer.slice_processed``; only then may ``next_offset`` be committed. ``follows`` is
    the next offset of the slice delivered before it (after a seek: the offset sought), so that an agent can tell a
    slice that was lost on the way from offsets that were never used.
    """

    __slots__ = ("follows", "next_offset", "processed")

    follows: int
    next_offset: int
    processed: bool


def _origins(records: list[Any]) -> list[Origin | None]:
    """Where each record was first said; empty when all of them were said here."""
    if not any(record.headers for record in records):
        return []
    return [next((Origin.of(value) for name, value in r.headers or () if name == ORIGIN), None) for r in records]


class Consumer(aiokafka.Consumer):
    """Faust's aiokafka consumer, delivering slices for the topics that opted in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._delivered: dict[TP, deque[SliceMessage]] = {}
        self._all_processed = asyncio.Event()
        self._backlog = False
        """Whether the last poll gave all that one may give."""
        self._processed: dict[TP, int] = {}
        self._follows: dict[TP, int] = {}
        # Faust forgets its own record of this at the start of a revocation, before the last commit.
        self.last_committed: dict[TP, int] = {}

    def sliced_topics(self) -> set[str]:
        """The topics that opted in, the table's changelog among them."""
        return {name for topic in self.app.topics if isinstance(topic.schema, SliceSchema) for name in topic.topics}

    def _new_consumer_thread(self) -> ConsumerThread:
        # With a loop of its own mode would close it in that thread, while this one may still answer a rebalance there.
        return ConsumerThread(self, loop=self.loop, thread_loop=asyncio.new_event_loop(), beacon=self.beacon)

    def may_deliver(self, tps: Iterable[TP]) -> set[TP]:
        """The partitions from which records may be taken now: none while the flow stands, no source in a rebalance.

        Faust resumes source partitions before it seeks and before it clears its queues. What is fetched in between
        is put into a queue and cleared, and its second delivery is dropped, because the read offset has moved on:
        a hole in the log.
        """
        if not self.flow_active:
            return set()
        return {tp for tp in list(tps) if self._is_changelog_tp(tp) or not self.app.rebalancing}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Poll once: first the slices, then the messages of topics that did not opt in.

        Once what was delivered before is processed, unless there is a backlog: what came meanwhile is one slice then,
        where it would wait in several. Not for longer than ``timeout`` seconds, for others wait for the poll.
        """
        if not self._backlog and any(self._delivered.values()):
            self._all_processed.clear()
            await self.wait_first(self._all_processed.wait(), self.suspend_flow.wait(), timeout=timeout)
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        most = self.app.conf.broker_max_poll_records
        self._backlog = most is not None and sum(map(len, records.values())) >= most
        sliced = self.sliced_topics()
        plain: dict[TP, list[Any]] = {}
        for found, messages in records.items():
            tp = TP(found.topic, found.partition)
            wanted = active is None or tp in active or tp in self._buffered_partitions
            if not messages or not wanted:
                continue
            if tp.topic not in sliced:
                plain[tp] = messages
                continue
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, self._slice_message(tp, messages, generation)
        for tp, record in self.scheduler.iterate(plain):
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, self._to_message(tp, record)

    def _slice_message(self, tp: TP, records: list[Any], generation: int) -> SliceMessage:
        first, last = records[0], records[-1]
        slice_ = Slice(
            tp.topic,
            tp.partition,
            [r.offset for r in records],
            [r.timestamp for r in records],
            [r.key for r in records],
            [r.value for r in records],
            _origins(records),
        )
        message = SliceMessage(
            tp.topic,
            tp.partition,
            # The changelog's recovery counts by the last offset; it acks nothing, so nothing can be skipped.
            last.offset if self._is_changelog_tp(tp) else first.offset,
            first.timestamp / 1000,
            first.timestamp_type,
            None,
            None,
            cast(Any, slice_),
            None,
            0,
            0,
            tp,
            generation_id=generation,
        )
        message.next_offset, message.processed = last.offset + 1, False
        message.follows = self._follows.get(tp, self.last_committed.get(tp, 0))
        self._follows[tp] = message.next_offset
        if not self._is_changelog_tp(tp):
            self._delivered.setdefault(tp, deque()).append(message)
        return message

    def slice_processed(self, message: SliceMessage) -> None:
        """Take note that a slice is in the state; called by its agent.

        Faust's own acknowledgement is not used: it happens also when an agent raised, and its compiled form does
        not call ``Consumer.ack``.
        """
        message.processed = True
        waiting = self._delivered.get(message.tp)
        while waiting and waiting[0].processed:
            self._processed[message.tp] = waiting.popleft().next_offset
        if not any(self._delivered.values()):
            self._all_processed.set()

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """The ends of partitions; waits for Kafka."""
        return cast(Mapping[TP, int], await patiently(lambda: super(Consumer, self).highwaters(*partitions)))

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """The starts of partitions; waits for Kafka."""
        return cast(Mapping[TP, int], await patiently(lambda: super(Consumer, self).earliest_offsets(*partitions)))

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek; waits for Kafka."""
        await patiently(lambda: super(Consumer, self).seek_wait(partitions))

    async def perform_seek(self) -> None:
        """Seek to where the state stands; whatever was delivered from beyond it will be delivered again.

        Committed offsets do not decide: whoever sets them by hand would lose records, or have them read in vain.
        """
        await patiently(super().perform_seek)
        self._delivered.clear()
        self._processed.clear()
        self._follows.clear()
        self.last_committed = {tp: offset for tp, offset in self._committed_offset.items() if offset is not None}
        hook = cast(Transport, self.transport).read_from
        if hook is None:
            return
        sliced = self.sliced_topics()
        ours = {tp for tp in self.assignment() if tp.topic in sliced and not self._is_changelog_tp(tp)}
        points = await hook({tp: self.last_committed.get(tp, 0) for tp in ours})
        moved = {tp: point for tp, point in points.items() if point != self.last_committed.get(tp, 0)}
        if moved:
            await self.seek_wait(moved)
        for tp, point in moved.items():
            self._follows[tp] = self._processed[tp] = self.last_committed[tp] = point
            self._committed_offset[tp] = None  # So that the group's offsets are put right by the next commit.

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        # A slice knows its own next offset; Faust's gaps would mark its records as acknowledged on delivery.
        if tp.topic not in self.sliced_topics():
            await super()._add_gap(tp, offset_from, offset_to)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        sliced = self.sliced_topics()
        yield from (tp for tp in super()._filter_tps_with_pending_acks(topics) if tp.topic not in sliced)
        for tp in list(self._processed):
            # Faust keeps offsets of messages that left their stream; of slices they mean nothing.
            self._acked[tp].clear()
            self._acked_index[tp].clear()
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        if tp in self._processed:
            return self._processed[tp]
        return super()._new_offset(tp)

    async def _commit_tps(self, tps: Iterable[TP], start_new_transaction: bool) -> bool:
        offsets = self._filter_committable_offsets(tps)
        if not offsets:
            return False
        hook = cast(Transport, self.transport).before_commit
        try:
            if hook is not None and not await hook(offsets):
                return False
            await self._handle_attached(offsets)
        except Exception as error:
            self.log.exception("State could not be made durable; nothing was committed: %r", error)
            await self.crash(error)
            return False
        done = bool(await self._commit_offsets(offsets, start_new_transaction=start_new_transaction))
        if done:
            self.last_committed.update(offsets)
        return done

    async def wait_empty(self) -> None:
        """Wait until what began is processed, and commit it. A worker that failed does neither: its consumer's thread
        ends with it, and a commit that was asked of it then is never answered."""
        if not self.app.crashed:
            await super().wait_empty()

    async def commit_and_end_transactions(self) -> None:
        """The last commit before partitions are given up: also what became processed during a running one."""
        await self.maybe_wait_for_commit_to_finish()
        await super().commit_and_end_transactions()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish, flush and commit (the inherited part does, through ``wait_empty``), then forget."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._delivered.pop(tp, None)
            self._processed.pop(tp, None)
            self.last_committed.pop(tp, None)

    def waiting(self, tp: TP, next_offset: int, end: int) -> int:
        """How many offsets lie between what was processed (``next_offset``) and the end of a partition.

        Markers of transactions and records taken back use offsets and are never delivered: once all that was
        delivered is processed, what counts is how far was read.
        """
        if next_offset < end:
            next_offset = max(next_offset, self.read_until(tp))
        return max(0, end - next_offset)

    def read_until(self, tp: TP) -> int:
        """Before which offset nothing more will be delivered and all that was is processed; 0 when that is not so."""
        if self._delivered.get(tp):
            return 0
        subscription = cast(ConsumerThread, self._thread)._ensure_consumer()._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None or tp not in assignment.tps:
            return 0
        # Once, and not through ``position``: the thread that owns it may take it away meanwhile.
        return int(assignment.state_value(tp)._position or 0)

    def pass_over(self, tp: TP, next_offset: int) -> None:
        """Take note that the state stands behind records that are gone; the next commit says so."""
        self._processed[tp] = self._follows[tp] = next_offset

    def check_group(self) -> None:
        """Raise when the member can never come back into its group; let it try again when it waits to be asked to.

        aiokafka's coordinator stands still after an error that it takes for final until someone looks at it, and
        Faust never does: the worker would hold no partition for ever.
        """
        thread = cast(ConsumerThread, self._thread)
        coordinator = thread._ensure_consumer()._coordinator
        task = coordinator._coordination_task
        if task.done() and not task.cancelled() and task.exception() is not None:
            raise RuntimeError("The membership of the consumer group ended") from task.exception()
        if coordinator._pending_exception is not None:

            def look() -> None:
                with suppress(KafkaError):
                    coordinator.check_errors()

            self.log.warning("The consumer group said %r; trying again", coordinator._pending_exception)
            thread.thread_loop.call_soon_threadsafe(look)

    def last_stable_offset(self, tp: TP) -> int:
        """Before which offset everything is decided, as far as fetching has shown; 0 before it has."""
        consumer = cast(ConsumerThread, self._thread)._ensure_consumer()
        return int(consumer.last_stable_offset(tp) or 0)

    async def owns(self, tps: Iterable[TP]) -> bool:
        """Ask the broker whether this member still owns the partitions, by committing what is committed already.

        A worker that was stopped and continued does not know that its partitions went to another; the broker does,
        and refuses the commit of an old generation.
        """
        # A group that never committed reads from the start of the log.
        offsets = {tp: self.last_committed.get(tp, 0) for tp in tps}
        if not offsets.keys() <= self.assignment():
            return False  # Faust would commit for those that are left, and call that a success.
        return not offsets or (bool(await self._commit(offsets)) and offsets.keys() <= self.assignment())


class Transport(aiokafka.Transport):
    """The transport behind ``slices://``."""

    Consumer: ClassVar[Any] = Consumer

    #: Called with the offsets about to be committed; False (not owner any more) means do not.
    before_commit: BeforeCommit | None = None

    #: Told the committed offsets of the partitions that were given to this worker; says where to read on.
    read_from: ReadFrom | None = None
