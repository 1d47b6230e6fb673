"""Makes what happened durable, in the order that survives a crash between any two steps.

outputs delivered → still the owner? → changelog delivered → local store → offsets committed (by the transport).

A crash before the changelog: the records come again and give the same outputs under the same ids. A crash after it:
the rows are ahead of the committed offset, and the progress record (written last) says how far, so those records
are passed over; their outputs were delivered before.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.access import Access
from streams.state.keys import PROGRESS

log = logging.getLogger(__name__)


class DeliveryError(RuntimeError):
    """Kafka did not take a record that must not be lost."""


class GaveUp(DeliveryError):
    """Kafka is away and the worker was to stop: what was not written is applied again by the next one."""


class Store(Protocol):
    """The local copy of a feature table; ``streams.tables.EntityTable`` is one."""

    @property
    def changelog(self) -> str:
        """The topic of its changelog."""

    def offset(self, partition: int) -> int:
        """The changelog's last offset that is in the store; -1 when none is known."""

    def write(self, partition: int, changes: dict[bytes, bytes | None], offset: int | None) -> None:
        """Write changes and how far the changelog is in them; None leaves that as it was."""


class Change(NamedTuple):
    """What changed in one partition of a table, by table key; None deletes."""

    store: Store
    partition: int
    changed: dict[bytes, bytes | None]


#: librdkafka chooses the partition by key.
PARTITION_UA = -1
#: More records than this in the producer's buffer, and no further slice is taken.
FULL = 200_000
#: The named points of a flush; tests crash at each.
STEPS = (
    "before_outputs",
    "outputs_delivered",
    "ownership_checked",
    "changelog_half",
    "changelog_delivered",
    "stored",
)


class _Epoch:
    """Records handed over since the last wait, counted until each is delivered or refused.

    A flush waits for its own epoch only: under steady load the producer's queue as a whole is never empty.
    """

    def __init__(self) -> None:
        self.handed_over = 0  # by the worker's own thread only
        self.told = 0
        self.failed: KafkaError | None = None
        self.since = time.monotonic()
        """When a record was last taken, or the first handed over."""
        self._lock = threading.Lock()  # delivered by whichever thread polls

    def delivered(self, error: KafkaError | None, _message: Message) -> None:
        """Called for each record: one function for all of them, because there are many."""
        if error is not None:
            self.failed = self.failed or error
        with self._lock:
            self.told += 1
        self.since = time.monotonic()

    def sent(self) -> None:
        if self.handed_over == self.told:
            self.since = time.monotonic()
        self.handed_over += 1

    @property
    def waiting(self) -> int:
        """Records of which it is not told yet what became of them."""
        return self.handed_over - self.told


class WriteBehind:
    """Produces outputs and changelog records through librdkafka and writes the local store.

    A Kafka that is away is waited for, however long: a record is refused only for what it is or where it goes. Then
    ``flush`` raises ``DeliveryError``. ``give_up`` says when waiting must end all the same (the worker is to stop).
    """

    def __init__(
        self,
        kafka: Access,
        on_step: Callable[[str], None] | None = None,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._give_up = give_up
        self._on_step = on_step or (lambda _name: None)
        self.flushing = False
        self._failed: KafkaError | None = None
        self._epoch = self._draining = _Epoch()
        common = kafka.librdkafka() | {
            "enable.idempotence": True,
            "linger.ms": 5,
            "message.max.bytes": 24 << 20,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1 << 20,
            # Never: what was decided must be said, and the flush that waits for it holds the commit back.
            "message.timeout.ms": 0,
            "partitioner": "murmur2_random",
            # That Kafka is away is said once, by KafkaWatch.
            "log_level": 2,
        }
        # Every client reads gzip out of the box. Rows are read by workers only, and lz4 costs a sixth.
        self._outputs = Producer(common | {"compression.type": "gzip", "compression.level": 1})
        self._rows = Producer(common | {"compression.type": "lz4"})

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None = None,
        headers: dict[str, bytes] | None = None,
    ) -> None:
        """Hand a record to the producer; waits only when its buffer is full. ``partition``: None, its key's."""
        self._produce(self._outputs, topic, key, value, partition, headers=headers)

    def say(
        self,
        topic: str,
        value: bytes,
        *,
        partition: int | None = None,
        key: bytes | None = None,
        unsaid: Callable[[], None] = lambda: None,
    ) -> None:
        """Hand over a record of the worker's own housekeeping. No flush waits for it and nothing fails with it: when
        it cannot be delivered, ``unsaid`` is called, and whoever said it says it again later."""

        def done(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                log.warning("%s did not take a record of this worker: %s", topic, error.str())
                unsaid()

        try:
            self._outputs.produce(topic, value, key, PARTITION_UA if partition is None else partition, done)
        except (BufferError, KafkaException) as error:
            log.warning("%s did not take a record of this worker: %s", topic, error)
            unsaid()

    def _produce(
        self,
        producer: Producer,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        note: Callable[[Message], None] | None = None,
        headers: dict[str, bytes] | None = None,
    ) -> None:
        epoch = self._epoch
        done: Callable[[KafkaError | None, Message], None] = epoch.delivered
        if note is not None:

            def noted(error: KafkaError | None, message: Message) -> None:
                if error is None:
                    note(message)
                epoch.delivered(error, message)

            done = noted
        where = PARTITION_UA if partition is None else partition
        while True:
            try:
                if headers is None:
                    producer.produce(topic, value, key, where, done)
                else:
                    producer.produce(topic, value, key, where, done, headers=list(headers.items()))
                epoch.sent()
                return
            except BufferError:
                producer.poll(0.05)
            except KafkaException as error:
                raise DeliveryError(f"{topic}: {error.args[0].str()}") from error

    def poll(self) -> None:
        """Serve delivery reports without waiting."""
        self._outputs.poll(0)
        self._rows.poll(0)

    async def room(self) -> None:
        """Wait until there is room for what a slice gives rise to, so that handing over never blocks the worker."""
        while len(self._outputs) > FULL and not self._give_up():
            self.poll()
            await asyncio.sleep(0.05)

    @property
    def waiting_seconds(self) -> float:
        """How long nothing was delivered although records wait."""
        waiting = [time.monotonic() - e.since for e in (self._draining, self._epoch) if e.waiting > 0]
        return max(waiting, default=0.0)

    async def _drain(self) -> None:
        epoch, self._epoch = self._epoch, _Epoch()
        self._draining = epoch
        # librdkafka waits without the GIL, in a thread, so slices go on meanwhile.
        await asyncio.get_running_loop().run_in_executor(None, self._wait, epoch)
        self._failed = self._failed or epoch.failed
        if self._failed is not None:
            raise DeliveryError(f"A record was refused: {self._failed.str()}")
        if epoch.waiting:
            raise GaveUp(f"{epoch.waiting} records were not taken by Kafka before the worker had to stop.")

    def _wait(self, epoch: _Epoch) -> None:
        while epoch.waiting > 0 and not self._give_up():
            self.poll()
            (self._rows if len(self._rows) else self._outputs).poll(0.02)

    async def flush(self, changes: Iterable[Change], owns: Callable[[], Awaitable[bool]]) -> bool:
        """Make outputs and changes durable.

        False: not the owner any more, nothing was written.
        """
        self.flushing = True
        try:
            return await self._flush(changes, owns)
        finally:
            self.flushing = False

    async def _flush(self, changes: Iterable[Change], owns: Callable[[], Awaitable[bool]]) -> bool:
        # Taken before anything is waited for: the outputs of all that is in it are delivered first.
        taken = list(changes)
        self._on_step("before_outputs")
        await self._drain()
        self._on_step("outputs_delivered")
        if not await owns():
            return False
        self._on_step("ownership_checked")
        offsets: dict[tuple[str, int], int] = {}

        def noted(message: Message) -> None:
            topic, offset, partition = message.topic(), message.offset(), message.partition()
            assert topic is not None
            assert offset is not None
            assert partition is not None
            offsets[topic, partition] = max(offsets.get((topic, partition), -1), offset)

        # The progress record says that the rows are there: it goes only after they arrived.
        for last in (False, True):
            for store, partition, changed in taken:
                for key, value in changed.items():
                    if (key == PROGRESS) is last:
                        self._produce(self._rows, store.changelog, key, value, partition, noted)
                await asyncio.sleep(0)  # Slices go on, here and below.
            if not last:
                self._on_step("changelog_half")
            await self._drain()
        self._on_step("changelog_delivered")
        for store, partition, changed in taken:
            # Records of another worker may lie between what the store holds and what was written here, when this one
            # was stopped since it was checked. Then the store must not claim them: the next recovery reads them.
            end = offsets.get((store.changelog, partition))
            whole = end is not None and store.offset(partition) + len(changed) == end
            store.write(partition, changed, end if whole else None)
            await asyncio.sleep(0)
        self._on_step("stored")
        return True
