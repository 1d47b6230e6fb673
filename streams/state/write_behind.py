"""Makes what happened durable, in the order that survives a crash between any two steps.

outputs delivered → still the owner? → changelog delivered → local store → offsets committed (by the transport).

A crash before the changelog: the records come again and give the same outputs under the same ids. A crash after it:
the rows are ahead of the committed offset, and the progress record (written last) says how far, so those records
are passed over; their outputs were delivered before.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.access import Access
from streams.processing.partition import META_KEY


class DeliveryError(RuntimeError):
    """Kafka did not take a record that must not be lost."""


class Store(Protocol):
    """The local copy of the feature table; ``streams.tables.ShopperTable`` is one."""

    def offset(self, partition: int) -> int:
        """The changelog's last offset that is in the store; -1 when none is known."""

    def write(self, partition: int, changes: dict[bytes, bytes | None], offset: int | None) -> None:
        """Write changes and how far the changelog is in them; None leaves that as it was."""


#: librdkafka chooses the partition by key.
PARTITION_UA = -1
#: How long a flush waits for deliveries; librdkafka gives up on a record after half of it.
PATIENCE_SECONDS = 60
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
        self.waiting = 0
        self.since = time.monotonic()
        """When a record was last taken, or the first handed over."""
        self._lock = threading.Lock()  # delivered by whichever thread polls

    def sent(self) -> None:
        with self._lock:
            if not self.waiting:
                self.since = time.monotonic()
            self.waiting += 1

    def done(self) -> None:
        with self._lock:
            self.waiting -= 1
            self.since = time.monotonic()


class WriteBehind:
    """Produces outputs and changelog records through librdkafka and writes the local store.

    Raises ``DeliveryError`` from ``flush`` when any record since the last flush was refused.
    """

    def __init__(self, kafka: Access, changelog: str, on_step: Callable[[str], None] | None = None) -> None:
        self.changelog = changelog
        self._on_step = on_step or (lambda _name: None)
        self._failed: KafkaError | None = None
        self._epoch = self._draining = _Epoch()
        self._producer = Producer(
            kafka.librdkafka()
            | {
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                "message.max.bytes": 24 << 20,
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 1 << 20,
                "message.timeout.ms": 30_000,
                "partitioner": "murmur2_random",
                "log_level": 3,
            }
        )

    def send(self, topic: str, key: bytes | None, value: bytes) -> None:
        """Hand a record to the producer; waits only when its buffer is full."""
        self._produce(topic, key, value, None)

    def send_to(self, topic: str, partition: int, value: bytes) -> None:
        """Put a record of the worker's own into a partition."""
        self._produce(topic, None, value, partition)

    def _produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        partition: int | None,
        note: Callable[[Message], None] | None = None,
    ) -> None:
        epoch = self._epoch

        def done(error: KafkaError | None, message: Message) -> None:
            epoch.done()
            if error is not None:
                self._failed = self._failed or error
            elif note is not None:
                note(message)

        where = PARTITION_UA if partition is None else partition
        while True:
            try:
                self._producer.produce(topic, value, key, where, done)
                epoch.sent()
                return
            except BufferError:
                self._producer.poll(0.05)
            except KafkaException as error:
                raise DeliveryError(f"{topic}: {error.args[0].str()}") from error

    def poll(self) -> None:
        """Serve delivery reports without waiting."""
        self._producer.poll(0)

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
        if self._failed is not None:
            raise DeliveryError(f"A record was refused: {self._failed.str()}")
        if epoch.waiting:
            raise DeliveryError(f"{epoch.waiting} records were not taken by Kafka within {PATIENCE_SECONDS} s.")

    def _wait(self, epoch: _Epoch) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while epoch.waiting > 0 and time.monotonic() < end:
            self._producer.poll(0.02)

    async def flush(
        self,
        changes: Iterable[tuple[int, dict[bytes, bytes]]],
        store: Store,
        owns: Callable[[], Awaitable[bool]],
    ) -> bool:
        """Make outputs and changes (by partition) durable. False: not the owner any more, nothing was written."""
        # Taken before anything is awaited: the outputs of all that is in it are delivered first.
        taken = list(changes)
        self._on_step("before_outputs")
        await self._drain()
        self._on_step("outputs_delivered")
        if not await owns():
            return False
        self._on_step("ownership_checked")
        offsets: dict[int, int] = {}

        def noted(message: Message) -> None:
            offset, partition = message.offset(), message.partition()
            assert offset is not None
            assert partition is not None
            offsets[partition] = max(offsets.get(partition, -1), offset)

        # The progress record says that the rows are there: it goes only after they arrived.
        for last in (False, True):
            for partition, changed in taken:
                for key, value in changed.items():
                    if (key == META_KEY) is last:
                        self._produce(self.changelog, key, value, partition, noted)
            if not last:
                self._on_step("changelog_half")
            await self._drain()
        self._on_step("changelog_delivered")
        for partition, changed in taken:
            # Records of another worker may lie between what the store holds and what was written here, when this one
            # was stopped since it was checked. Then the store must not claim them: the next recovery reads them.
            end = offsets.get(partition)
            whole = end is not None and store.offset(partition) + len(changed) == end
            store.write(partition, dict(changed), end if whole else None)
        self._on_step("stored")
        return True
