"""Where aiokafka is polled: only what may be delivered, each partition in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol, cast

from aiokafka.consumer.fetcher import Fetcher
from faust.transport.drivers import aiokafka
from faust.types import TP

#: How long Kafka may hold a fetch until there is something to read: of all partitions, and of those that are left while
#: records of others lie here. Nothing else is read from that broker meanwhile.
HELD_MS, HELD_BESIDE_MS = 250, 20


class Owner(Protocol):
    """The consumer that a thread polls for."""

    def may_deliver(self, tps: Iterable[TP]) -> set[TP]:
        """Those of these partitions whose records may be handed on now."""


class ConsumerThread(aiokafka.AIOKafkaConsumerThread):
    """Where aiokafka polls. A poll may outlast a rebalance; what it then must not deliver, it gives back.

    Faust drops such records. Their position has moved on, and when the recovery had already sought (the poll began
    before the rebalance and ended between seek and resumption), the changelog was never read and the worker waited
    for it for ever.
    """

    def _create_worker_consumer(self, transport: Any) -> Any:
        # What a producer took back must not count; Faust asks for this only under its own transactions.
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer

    async def on_start(self) -> None:
        """Start aiokafka's consumer, with the fetcher below."""
        await super().on_start()
        self._ensure_consumer()._fetcher.__class__ = _Fetcher

    async def stop(self) -> None:
        """Stop it, and close its loop once nobody runs in it any more."""
        await super().stop()
        if not self.thread_loop.is_running() and not self.thread_loop.is_closed():
            self.thread_loop.close()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """See whether records of a partition come through; not while its position is being found anew, because what it
        stood at was deleted: Faust takes that there is none for a failure, and the worker ended."""
        with suppress(AssertionError):
            super().verify_event_path(now, tp)

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        owner = cast(Owner, self.consumer)
        # Not the caller's own set: it may become empty meanwhile, which means "all" to aiokafka.
        wanted = owner.may_deliver(active_partitions)
        if not wanted:
            await asyncio.sleep(0.05)
            return {}
        records = await super()._fetch_records(consumer, wanted, timeout, max_records)
        _take_turns(consumer, records)
        # Nothing is awaited from here on, so the positions are still those that the poll left.
        given = owner.may_deliver(active_partitions)
        assigned = consumer.assignment()
        for tp, found in records.items():
            if tp not in given and tp in assigned:
                consumer.seek(tp, found[0].offset)
        return {tp: found for tp, found in records.items() if tp in given}


class _Fetcher(Fetcher):  # type: ignore[misc]
    """Fetches when it is asked, and ahead only while records lie here that were not taken.

    aiokafka fetches as soon as its records are taken. Kafka answers at the first few that come, and the next poll gets
    these few, however many came while slices were applied. And once records have lain here for 100 ms it fetches from
    the partitions that are left, often only those that nobody writes to: Kafka held that fetch for Faust's 1.5 s, and
    nothing else was read meanwhile.
    """

    _ahead = True
    _wanted: frozenset[TP] = frozenset()

    @property
    def _fetch_max_wait_ms(self) -> int:
        return HELD_BESIDE_MS if self._left() else HELD_MS

    def _left(self) -> bool:
        """Whether there is something to take; what came of a changelog as it was paused stays for ever."""
        return not self._wanted.isdisjoint(self._records)

    def _get_actions_per_node(self, assignment: Any) -> Any:
        requests, *others = super()._get_actions_per_node(assignment)
        return requests if self._ahead else [], *others

    async def fetched_records(self, partitions: Any, timeout: float = 0, max_records: int | None = None) -> Any:
        """What was fetched, or comes within ``timeout`` seconds."""
        self._ahead, self._wanted = True, frozenset(partitions)
        self._notify(self._wait_consume_future)
        taken = await super().fetched_records(partitions, timeout, max_records)
        self._ahead = self._left()
        return taken


def _take_turns(consumer: Any, taken: Iterable[TP]) -> None:
    """Let the partitions that were just taken from come last in the next poll. aiokafka empties what it holds of one
    partition, which may be all of its backlog, before it comes to the next: shoppers waited minutes for items."""
    held = consumer._fetcher._records
    for tp in taken:
        if tp in held:
            held.move_to_end(tp)
