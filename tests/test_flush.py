"""A flush takes changes out of the state: what it did not write must never be claimed by a later one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from faust.types import TP

from streams.agents.durability import Durability
from streams.agents.entity_log import EntityLog, TableBehind
from streams.entities.shopper import SHOPPER
from streams.kafka_watch import Extent
from streams.metrics import Metrics
from streams.processing.partition import OtherLog
from streams.processing.rules import Rules
from streams.state.keys import PROGRESS
from streams.state.write_behind import DeliveryError
from streams.topics import EVENTS
from streams.transport.sliced import Consumer
from tests.shoppers import random_history, slice_of
from tests.worlds import EmptyTable


class Writer:
    """Fails, refuses or writes, as told."""

    outcome: Any = True

    def __init__(self) -> None:
        self.written: dict[bytes, bytes] = {}

    def send(self, *_: Any) -> None:
        """Outcomes do not matter here."""

    def poll(self) -> None:
        """Nothing waits."""

    async def flush(self, changes: Any, owns: Any) -> bool:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if not self.outcome or not await owns():
            return False
        for change in changes:
            self.written |= change.changed
        return True


def shopper_log(writer: Writer) -> EntityLog:
    return EntityLog(SHOPPER, "test", Rules(), None, EmptyTable(), writer, Metrics(), 1000, log_id="x")  # type: ignore[arg-type]


def durability(log: EntityLog, extent: Extent | None = None) -> Durability:
    async def owns(_tps: set[TP]) -> bool:
        return True

    async def confirm() -> dict[str, Extent]:
        assert extent is not None
        return {EVENTS.name: extent}

    told = None if extent is None else confirm
    return Durability({EVENTS.name: log}, log.writer, log.metrics, owns, told)


def lost(log: EntityLog) -> float:
    labels = {"entity": "shopper", "fate": "lost"}
    return log.metrics.registry.get_sample_value("offerstream_records_total", labels) or 0.0


LOG = slice_of(random_history(5, 200, 20))
OFFSETS: Mapping[TP, int] = {TP(EVENTS.name, 0): len(LOG)}


@pytest.mark.parametrize("outcome", [DeliveryError("refused"), False])
def test_after_a_flush_that_did_not_end_nothing_is_flushed_until_the_state_was_read_back(outcome: Any) -> None:
    writer = Writer()
    events = shopper_log(writer)
    kept = durability(events)
    events.handle(LOG.cut(0, 100), 0)
    writer.outcome = outcome
    if isinstance(outcome, Exception):
        with pytest.raises(DeliveryError):
            asyncio.run(kept.flush(OFFSETS))
    else:
        assert not asyncio.run(kept.flush(OFFSETS))
    writer.outcome = True
    events.handle(LOG.cut(100, len(LOG)), 100)
    assert not asyncio.run(kept.flush(OFFSETS))
    assert PROGRESS not in writer.written
    kept.forget()
    events.handle(LOG, 0)
    assert asyncio.run(kept.flush(OFFSETS))
    whole = Writer()
    again = shopper_log(whole)
    again.handle(LOG, 0)
    assert asyncio.run(durability(again).flush(OFFSETS))
    assert writer.written == whole.written


def test_nothing_is_flushed_for_partitions_without_a_state() -> None:
    events = shopper_log(Writer())
    kept = durability(events)
    events.handle(LOG, 0)
    assert not asyncio.run(kept.flush({**OFFSETS, TP(EVENTS.name, 1): 5}))
    assert asyncio.run(kept.flush(OFFSETS))


def test_what_is_missing_between_slices_is_lost_as_far_as_the_log_does_not_hold_it() -> None:
    """The rest of the gap were markers of transactions."""
    events = shopper_log(Writer())
    kept = durability(events, Extent({0: 130}, {0: len(LOG)}))
    events.handle(LOG.cut(0, 100), 0)
    events.handle(LOG.cut(150, len(LOG)), 100)
    assert lost(events) == 0
    assert asyncio.run(kept.flush(OFFSETS))
    assert lost(events) == 30


def test_a_log_that_ends_before_what_was_applied_is_not_written_on() -> None:
    events = shopper_log(Writer())
    kept = durability(events, Extent({0: 0}, {0: len(LOG) - 1}))
    events.handle(LOG, 0)
    with pytest.raises(OtherLog, match="Kafka lost what it had accepted"):
        asyncio.run(kept.flush(OFFSETS))


def test_reading_goes_on_where_the_state_stands() -> None:
    events = shopper_log(Writer())
    events.handle(LOG.cut(0, 100), 0)
    for committed in (0, 60, 100, 150):
        assert events.read_from(0, committed, Extent({0: 0}, {0: 200})) == 100
    assert events.read_from(0, 100, Extent({0: 150}, {0: 200})) == 100  # 100 to 149 are lost; the next slice shows it
    with pytest.raises(TableBehind, match="state was lost"):
        events.read_from(0, 150, Extent({0: 120}, {0: 200}))


def test_owning_some_partitions_of_a_flush_is_not_owning_them() -> None:
    committed: list[Mapping[TP, int]] = []
    mine = {TP(EVENTS.name, 0)}

    class Member(Consumer):
        def __init__(self) -> None:
            self.last_committed = {}

        def assignment(self) -> set[TP]:
            return mine

        async def _commit(self, offsets: Mapping[TP, int]) -> bool:
            committed.append(offsets)
            return True

    consumer = Member()
    assert asyncio.run(consumer.owns(mine))
    assert not asyncio.run(consumer.owns({*mine, TP(EVENTS.name, 1)}))
    assert len(committed) == 1
