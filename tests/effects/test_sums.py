"""Sums merge to the same bits in any order and grouping, and become the moments that numpy computes."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.effects.attribution import Journeys, Opened, Ordered, Window
from streams.effects.moments import Moments
from streams.effects.sums import COLUMNS, UPPER, Cell, Sums, merged, of_outcomes, of_record
from streams.records.effects import EffectTallied

cents = st.integers(-(10**15), 10**15)
rows = st.lists(st.tuples(*[cents] * len(COLUMNS), *[st.integers(0, 9)] * 4), max_size=8)


def summed(some: list[tuple[int, ...]]) -> Sums:
    table = np.array(some, np.int64).reshape(-1, len(COLUMNS) + 4)
    return Sums.of(table[:, : len(COLUMNS)], table[:, len(COLUMNS) :])


@settings(max_examples=100)
@given(rows, st.randoms(use_true_random=False), st.lists(st.integers(0, 8), max_size=3))
def test_any_order_and_any_grouping_give_the_same_integers(
    some: list[tuple[int, ...]], random: object, cuts: list[int]
) -> None:
    mixed = list(some)
    assert hasattr(random, "shuffle")
    random.shuffle(mixed)
    ends = [0, *sorted(cuts), len(mixed)]
    parts = [summed(mixed[a:b]) for a, b in pairwise(ends)]
    assert reduce(lambda a, b: b + a, parts, Sums()) == summed(some)


@settings(max_examples=50)
@given(rows)
def test_sums_are_those_of_plain_integers_also_beyond_64_bits(some: list[tuple[int, ...]]) -> None:
    found = summed(some)
    assert found.totals == tuple(sum(row[i] for row in some) for i in range(len(COLUMNS)))
    assert found.products == tuple(sum(row[i] * row[j] for row in some) for i, j in UPPER)
    assert found.buyers == sum(row[0] != 0 for row in some)


def test_a_record_holds_them_exactly_however_long_they_are() -> None:
    cell, sums = Cell("c", "a", "s", True), summed([(10**15,) * 7 + (1, 1, 0, 0)] * 5)
    assert max(sums.products) > 2**64
    wire = msgspec.json.encode(sums.record(cell))
    assert of_record(msgspec.json.decode(wire, type=EffectTallied)) == (cell, sums)


def test_a_record_of_other_columns_is_refused() -> None:
    record = msgspec.structs.replace(Sums().record(Cell("c", "", "", False)), totals=[1, 2])
    with pytest.raises(ValueError, match="the version that wrote it"):
        of_record(record)


def test_floats_and_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="give cents as int64"):
        Sums.of(np.zeros((2, 7)), np.zeros((2, 4), np.int64))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Shapes"):
        Sums.of(np.zeros((2, 6), np.int64), np.zeros((2, 4), np.int64))


def test_moments_are_those_of_numpy() -> None:
    rng = np.random.default_rng(1)
    table = rng.integers(0, 5_000, (400, len(COLUMNS)))
    found = Moments.of(Sums.of(table, np.zeros((400, 4), np.int64)))
    np.testing.assert_allclose(found.mean, table.mean(0))
    np.testing.assert_allclose(found.cov, np.cov(table.T))
    running = Moments.running(table.astype(float), np.array([1, 37, 400]))
    np.testing.assert_allclose(running.cov[1], np.cov(table[:37].T))
    np.testing.assert_allclose(running.mean[2], found.mean)
    assert np.isnan(running.cov[0]).all()


def test_a_variance_is_exact_where_floats_would_cancel() -> None:
    table = np.zeros((3, len(COLUMNS)), np.int64)
    table[:, 2] = 10**12 + np.arange(3)
    found = Moments.of(Sums.of(table, np.zeros((3, 4), np.int64)))
    assert found.cov[2, 2] == float(Fraction(1))


def test_a_shopper_of_more_cents_than_64_bits_hold_stops_nothing() -> None:
    journeys = Journeys(Window(), "USD")
    journeys.feed(Opened("f", "ann", "c", "a", 0))
    for i in range(6):
        journeys.feed(Ordered(f"o{i}", 5, 1, 2 * 10**18, 0))
    (sums,) = of_outcomes(journeys.close(10**15)).values()
    assert sums.totals[2] == 12 * 10**18
    assert np.isfinite(Moments.of(sums + sums).cov).all()


def test_outcomes_count_once_however_often_they_are_said_and_partitions_merge() -> None:
    def of(shopper: str) -> Journeys:
        journeys = Journeys(Window(), "USD")
        journeys.feed(Opened(f"f-{shopper}", shopper, "c", "a", 0, contact_cents=3))
        journeys.feed(Ordered(f"o-{shopper}", 5, 2, 900, 300))
        return journeys

    one, two = (of(name).close(10**15) for name in ("ann", "bob"))
    twice = of_outcomes([*one, *two, *one])
    assert merged([of_outcomes(one), of_outcomes(two)]) == twice
    (sums,) = twice.values()
    assert (sums.shoppers, sums.totals[:5]) == (2, (2, 4, 1800, 600, 6))
