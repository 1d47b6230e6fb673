"""Where aiokafka is polled: only what may be delivered, each partition in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol, cast

from faust.transport.drivers import aiokafka
from faust.types import TP


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

    async def stop(self) -> None:
        """Stop it, and close its loop once nobody runs in it any more."""
        await super().stop()
        if not self.thread_loop.is_running() and not self.thread_loop.is_closed():
            self.thread_loop.close()

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


def _take_turns(consumer: Any, taken: Iterable[TP]) -> None:
    """Let the partitions that were just taken from come last in the next poll. aiokafka empties what it holds of one
    partition, which may be all of its backlog, before it comes to the next: shoppers waited minutes for items."""
    held = consumer._fetcher._records
    for tp in taken:
        if tp in held:
            held.move_to_end(tp)
