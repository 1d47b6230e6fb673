"""Which of a shopper's items are kept, where they bought more than a row holds."""

from __future__ import annotations

import random

import numpy as np
import pytest

from streams.entities.shopper import SHOPPER
from streams.features.kinds.bought import ITEMS_KEPT, ITEMS_TOLD, Bought, halves, whole
from streams.features.shopper import CATALOGUE
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import OrderLine, OrderPlaced
from tests.laws.oracles import Asked
from tests.laws.shopper_oracles import SHOPPERS, item_code
from tests.shoppers import DAY, NOON, log_of, slice_of

WHATS = ("code", "days", "times")
Numbers = np.ndarray[tuple[int], np.dtype[np.float32]]


def orders(seed: int, n: int = 60, items: int = 400) -> list[OrderPlaced]:
    """A shopper's weekly orders of a few items again and again, and of many once; some items stand twice in one."""
    rng = random.Random(seed)
    found = []
    for k in range(n):
        named = [f"i{min(int(rng.expovariate(0.01)), items)}" for _ in range(rng.randint(1, 20))]
        lines = [OrderLine(item_id=name, quantity=1, unit_price_cents=100) for name in named]
        at = NOON + 7 * k * DAY
        found.append(OrderPlaced(event_id=f"o{k}", shopper_id="ann", event_time=at, order_id=f"o{k}", lines=lines))
    return found


def told(events: list[OrderPlaced], at_once: int) -> tuple[bytes, list[Numbers]]:
    """The row after orders that came so many in a slice, and what it tells of what was bought a day later."""
    processor, log = PartitionProcessor(SHOPPER, 0, Rules()), log_of(*events)
    for a in range(0, len(log), at_once):
        processor.apply(slice_of(log[a : a + at_once], a))
    rows = processor.arena.rows.copy(processor.arena.find(["ann"]))
    now = rows.column("last_event") + DAY
    read = [CATALOGUE.read(rows, now, (f"items.bought_{what}",))[0] for what in WHATS]
    return rows.column(f"bought/kept{ITEMS_KEPT}").tobytes() + rows.column(f"bought/times{ITEMS_KEPT}").tobytes(), read


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_is_what_plain_python_keeps_however_the_log_is_cut(seed: int) -> None:
    events = orders(seed)
    assert len({line.item_id for event in events for line in event.lines}) > ITEMS_KEPT
    one, read = told(events, 1)
    for at_once in (7, len(events)):
        other, again = told(events, at_once)
        assert other == one
        assert all((a == b).all() for a, b in zip(read, again, strict=True))
    at = [int(event.event_time) for event in events]  # type: ignore[arg-type]
    asked = Asked(list(zip(at, events, strict=True)), at[-1] + DAY, CATALOGUE.features, SHOPPERS)
    for what, values in zip(WHATS, read, strict=True):
        np.testing.assert_allclose(values, SHOPPERS[Bought](Bought(what), asked), rtol=1e-6, err_msg=what)  # type: ignore[arg-type]


def test_what_is_bought_every_week_outlives_what_is_bought_once() -> None:
    def order(k: int, names: list[str]) -> OrderPlaced:
        lines = [OrderLine(item_id=name, quantity=1, unit_price_cents=100) for name in names]
        at = NOON + 7 * k * DAY
        return OrderPlaced(event_id=f"o{k}", shopper_id="ann", event_time=at, order_id=f"o{k}", lines=lines)

    often = [order(k, ["milk"]) for k in range(8)]
    once = [order(8 + k, [f"new{k}-{j}" for j in range(ITEMS_KEPT)]) for k in range(4)]
    _, (code, days, times) = told(often + once, 1)
    codes = whole(code[None])[0].tolist()
    assert len(set(codes)) == ITEMS_TOLD
    at = codes.index(item_code("milk"))
    assert at == 0
    assert (days[at], times[at]) == (29.0, 8.0)
    assert halves(whole(code[None]))[0].tolist() == code.tolist()
