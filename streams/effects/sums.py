"""Sums over closed windows, in whole numbers: adding them in any order, in any grouping, gives the same bits.

What a cell (campaign, arm, segment, side) keeps of its shoppers: how many they are, what they did, and for seven
columns the sums and the sums of all products of two. Of these come every mean, variance, covariance, ratio and
adjustment for the time before, of each column and of each combination such as profit = margin - cost.

>>> one = Sums.of(np.array([[1, 2, 900, 300, 50, 3, 1200]]), np.array([[1, 1, 0, 1]]))
>>> (one + one).totals, (one + Sums()) == one
((2, 4, 1800, 600, 100, 6, 2400), True)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streams.columns.arrays import Ints
from streams.records.effects import EffectTallied, OfferOutcome

#: What is measured in the window, then what is known from before; the order of ``Sums.totals``.
MEASURES = ("orders", "units", "revenue", "margin", "cost")
COVARIATES = ("before_orders", "before_revenue")
COLUMNS = MEASURES + COVARIATES
REACTIONS = ("offers", "shown", "clicked", "redeemed")
UPPER = tuple(zip(*(index.tolist() for index in np.triu_indices(len(COLUMNS))), strict=True))
"""Which two columns each entry of ``Sums.products`` multiplies."""
_LIMIT = 2**63


class Cell(NamedTuple):
    """Whose windows are summed up together."""

    campaign: str
    arm: str
    segment: str
    held: bool


@dataclass(frozen=True, slots=True)
class Sums:
    """One cell's sums. A commutative monoid: ``Sums()`` is its zero, ``+`` is exact, integers have no largest one."""

    shoppers: int = 0
    buyers: int = 0
    reactions: tuple[int, ...] = (0,) * len(REACTIONS)
    totals: tuple[int, ...] = (0,) * len(COLUMNS)
    products: tuple[int, ...] = (0,) * len(UPPER)

    @staticmethod
    def of(columns: Ints, reactions: Ints) -> Sums:
        """Sums over shoppers, a row each: ``columns`` (n, 7) as ``COLUMNS``, ``reactions`` (n, 4) as ``REACTIONS``.

        int64 where no partial sum can leave it, Python's integers (also as an array of objects) otherwise; both give
        the same. Raises ``ValueError``
        for arrays of another shape or that are not integers.
        """
        if columns.shape[1:] != (len(COLUMNS),) or reactions.shape != (len(columns), len(REACTIONS)):
            raise ValueError(
                f"Shapes {columns.shape}, {reactions.shape}: (n, {len(COLUMNS)}), (n, {len(REACTIONS)}) are."
            )
        if columns.dtype.kind not in "iO" or reactions.dtype.kind != "i":
            raise ValueError(
                f"Sums are of integers, these are {columns.dtype}, {reactions.dtype}: give cents as int64."
            )
        if not len(columns):
            return Sums()
        largest = max(-int(columns.min()), int(columns.max()))
        wide = columns.astype(np.int64) if largest**2 * len(columns) < _LIMIT else columns.astype(object)
        square = wide.T @ wide
        return Sums(
            shoppers=len(columns),
            buyers=int(np.count_nonzero(columns[:, 0])),
            reactions=tuple(int(each) for each in reactions.sum(0, dtype=np.int64)),
            totals=tuple(int(each) for each in wide.sum(0)),
            products=tuple(int(square[i, j]) for i, j in UPPER),
        )

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.shoppers + other.shoppers,
            self.buyers + other.buyers,
            _added(self.reactions, other.reactions),
            _added(self.totals, other.totals),
            _added(self.products, other.products),
        )

    def record(self, cell: Cell) -> EffectTallied:
        """The same as a record."""
        return EffectTallied(
            campaign=cell.campaign,
            arm=cell.arm,
            segment=cell.segment,
            held=cell.held,
            shoppers=self.shoppers,
            buyers=self.buyers,
            **dict(zip(REACTIONS, self.reactions, strict=True)),
            totals=list(self.totals),
            products=list(self.products),
        )


def of_record(record: EffectTallied) -> tuple[Cell, Sums]:
    """A record's cell and sums. Raises ``ValueError`` where it is of another version of the columns."""
    if len(record.totals) != len(COLUMNS) or len(record.products) != len(UPPER):
        raise ValueError(
            f"{len(record.totals)} totals, {len(record.products)} products: this version keeps {len(COLUMNS)} and "
            f"{len(UPPER)}. Read it with the version that wrote it."
        )
    reactions = (record.offers, record.shown, record.clicked, record.redeemed)
    cell = Cell(record.campaign, record.arm, record.segment, record.held)
    return cell, Sums(record.shoppers, record.buyers, reactions, tuple(record.totals), tuple(record.products))


def of_outcomes(outcomes: Iterable[OfferOutcome]) -> dict[Cell, Sums]:
    """Sums by cell of outcomes as they stand in ``offer.outcomes.v1``, each counted once however often it stands there.

    Keeps the ids of what it has seen; give it a slice at a time (``merged``) where ids are known to be new.
    """
    rows: dict[Cell, list[tuple[int, ...]]] = {}
    seen = set()
    for each in outcomes:
        m = each.measured
        if m is None or each.offer_id in seen:
            continue
        seen.add(each.offer_id)
        rows.setdefault(Cell(each.campaign, each.arm, each.segment, each.held), []).append(
            (
                *(m.orders, m.units, m.revenue_cents, m.margin_cents, m.cost_cents),
                *(m.before_orders, m.before_revenue_cents),
                *(m.offers, m.shown, m.clicked, m.redeemed),
            )
        )
    found = {}
    for cell, some in rows.items():
        try:
            table: Any = np.array(some, np.int64)
        except OverflowError:  # more than 9 * 10^18 cents of one shopper: nonsense, but it must stop nothing
            table = np.array(some, object)
        found[cell] = Sums.of(table[:, : len(COLUMNS)], table[:, len(COLUMNS) :].astype(np.int64))
    return found


def merged(parts: Iterable[dict[Cell, Sums]]) -> dict[Cell, Sums]:
    """Sums by cell of several parts: partitions, days, slices."""
    total: dict[Cell, Sums] = {}
    for part in parts:
        for cell, sums in part.items():
            total[cell] = total.get(cell, Sums()) + sums
    return total


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
