"""What an experiment with prices brought: items tried at another price, held against those that were to stay."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from streams.access import Access
from streams.effects.campaign import Called, Plan, measure
from streams.effects.sums import COLUMNS, REACTIONS, Cell, Sums
from streams.outside.reading import Reader
from streams.records.effects import EffectMeasured
from streams.records.prices import PriceTested
from streams.topics import PRICE_TESTS

NAME, ARMS = "prices", ("up", "down")
CALLED = Called("item", "to be tried", "that were to stay", "those that were to stay", "have sold")
#: Items at which intervals are narrowest; they hold at any number.
PLANNED = 1_000


def read(kafka: Access) -> list[PriceTested]:
    """Every item that was measured, once. Raises ``TopicError`` and ``Unreachable``."""
    decode, found = msgspec.json.Decoder(PriceTested).decode, dict[str, PriceTested]()
    with Reader(kafka) as reader:
        for record in reader.whole(PRICE_TESTS.name):
            if record.value is not None:
                one = decode(record.value)
                found.setdefault(one.item_id, one)
    return list(found.values())


def effects(tested: Iterable[PriceTested]) -> list[EffectMeasured]:
    """What it brought per item in 14 days, of all and by side; an empty list where nothing was measured.

    An item counts once, where it was drawn to, whether its price was changed or not. What it sold in the 14 days before
    is taken off as far as it explains the difference; orders are counted as units.
    """
    rows: dict[Cell, list[tuple[int, ...]]] = {}
    currency, newest = "", 0
    for one in tested:
        rows.setdefault(Cell(NAME, one.arm, "", one.held), []).append(
            (
                *(one.units, one.units, one.revenue_cents, one.margin_cents, 0),
                *(one.before_units, one.before_revenue_cents),
            )
        )
        currency, newest = one.currency, max(newest, one.event_time_ms)
    if not rows:
        return []
    cells = {
        cell: Sums.of(
            np.array(some, np.int64).reshape(-1, len(COLUMNS)), np.zeros((len(some), len(REACTIONS)), np.int64)
        )
        for cell, some in rows.items()
    }
    return measure(NAME, cells, Plan(shoppers=PLANNED, arms=ARMS), currency, at_ms=newest, called=CALLED)


def changed(tested: Iterable[PriceTested]) -> tuple[int, int]:
    """How many items were to be tried, and of how many the price was another one at the end."""
    some = [one for one in tested if not one.held]
    return len(some), sum(one.price_cents != one.price_before_cents for one in some)
