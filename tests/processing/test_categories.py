"""Sums of categories: the same in whatever order days are asked for, also of more days than are kept."""

from __future__ import annotations

import numpy as np
import pytest

from streams.columns.shopper_events import category_code
from streams.processing.categories import MOST, CategoryUnits

DAYS = MOST + 40
TEA = np.array([category_code("tea")])


def told() -> CategoryUnits:
    """A unit of tea on each day, said on the same day."""
    found = CategoryUnits()
    for offset, day in enumerate(range(1_000, 1_000 + DAYS)):
        found.add(offset, {"tea": 1}, day, day)
    return found


@pytest.mark.parametrize("what", ["units", "weeks"])
def test_a_day_that_is_older_than_all_that_are_kept_is_told_as_well(what: str) -> None:
    days = range(1_030, 1_000 + DAYS)
    upwards, downwards = told(), told()
    by_day = {day: getattr(upwards, what)(TEA, day).tolist() for day in days}
    assert {day: getattr(downwards, what)(TEA, day).tolist() for day in reversed(days)} == by_day
