"""What a campaign brought: sums of its cells in, estimates, a verdict and a sentence out.

>>> rng = np.random.default_rng(4)
>>> def side(n, lift, cost):
...     buys = rng.random(n) < 0.2
...     margin = np.where(buys, rng.integers(500, 1500, n) + lift, 0)
...     zero = np.zeros(n, int)
...     columns = np.c_[buys, buys, 3 * margin, margin, cost * buys, zero, zero].astype(int)
...     return Sums.of(columns, np.zeros((n, 4), int))
>>> cells = {Cell("win-back", "10%", "", False): side(18_000, 150, 100)}
>>> cells[Cell("win-back", "", "", True)] = side(2_000, 0, 0)
>>> (told,) = measure("win-back", cells, Plan(shoppers=20_000), "USD", at_ms=0)
>>> told.verdict, told.words.partition(":")[0]
('not_yet', 'Not yet enough')
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import NamedTuple

import numpy as np

from streams.columns.arrays import Floats
from streams.effects import boundaries
from streams.effects.difference import LEAST_BUYERS, PROFIT, Difference, difference
from streams.effects.moments import Moments
from streams.effects.sums import MEASURES, Cell, Sums
from streams.effects.words import about
from streams.records.effects import EffectMeasured, Range
from streams.records.outcomes import Due, outcome_id
from streams.records.words import money

EVERY = "*"
#: What is told, and what it is of the measures.
TOLD: dict[str, Floats] = {name: np.eye(len(MEASURES))[i] for i, name in enumerate(MEASURES)} | {"profit": PROFIT}
_MARGIN, _COST = MEASURES.index("margin"), MEASURES.index("cost")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed before a campaign starts, and must not be changed by what is seen: or intervals promise too much.

    Prevents that somebody who looks every day, at every arm and segment, finds an effect where none is.
    """

    shoppers: int = 10_000
    """Shoppers expected in all, holdout and all: intervals are narrowest there, and valid everywhere."""
    alpha: float = 0.05
    """Chance that any interval of a measure is ever wrong, all arms and segments together."""
    arms: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    """Named, they get estimates of their own: half of alpha is for them, in equal parts, half for the whole."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or self.shoppers < 1:
            raise ValueError(f"{self}: alpha lies between 0 and 1 (0.05 is usual), shoppers is at least 1.")

    def rows(self) -> list[tuple[str, str]]:
        """(arm, segment) of every estimate, the whole first."""
        arms = (EVERY, *(self.arms if len(self.arms) > 1 else ()))
        segments = (EVERY, *(self.segments if len(self.segments) > 1 else ()))
        return [(arm, segment) for arm in arms for segment in segments]

    def alpha_of(self, arm: str, segment: str) -> float:
        """The part of alpha that an estimate's intervals may use."""
        parts = len(self.rows()) - 1
        if not parts:
            return self.alpha
        return self.alpha / 2 if arm == segment == EVERY else self.alpha / 2 / parts


class Called(NamedTuple):
    """What an experiment is of, in words."""

    unit: str = "shopper"
    treated: str = "with an offer"
    held: str = "of the holdout"
    beyond: str = "the holdout"
    ordered: str = "have ordered"


SHOPPERS = Called()


class _Sides(NamedTuple):
    treated: Sums
    held: Sums


def measure(
    campaign: str,
    cells: Mapping[Cell, Sums],
    plan: Plan,
    currency: str,
    *,
    at_ms: int,
    ref: str = "",
    shoppers_per_day: float | None = None,
    called: Called = SHOPPERS,
) -> list[EffectMeasured]:
    """Every estimate of the plan, the whole campaign's first, from the sums of its cells (those of others are left
    out).

    An arm is held against the shoppers of the holdout who would have got it; where the holdout does not say (arm ""),
    because arms are drawn and not chosen, against all of it. ``shoppers_per_day``: how fast windows close, to say how
    long it still takes. ``at_ms``: windows that closed before are in the sums; ``ref`` names the record that brought
    the last of them. ``called``: in which words, where units are no shoppers.
    """
    mine = {cell: sums for cell, sums in cells.items() if cell.campaign == campaign}
    return [
        _told(
            campaign, arm, segment, _sides(mine, arm, segment), plan, currency, (at_ms, ref), shoppers_per_day, called
        )
        for arm, segment in plan.rows()
    ]


def _sides(cells: Mapping[Cell, Sums], arm: str, segment: str) -> _Sides:
    def total(held: bool, arms: Iterable[str]) -> Sums:
        found = [
            s
            for c, s in cells.items()
            if c.held is held and (arm == EVERY or c.arm in arms) and segment in (EVERY, c.segment)
        ]
        return sum(found, Sums())

    return _Sides(total(False, (arm,)), total(True, (arm, "")))


def _told(
    campaign: str,
    arm: str,
    segment: str,
    sides: _Sides,
    plan: Plan,
    currency: str,
    at: tuple[int, str],
    per_day: float | None,
    called: Called,
) -> EffectMeasured:
    alpha, n = plan.alpha_of(arm, segment), sides.treated.shoppers
    per_shopper: dict[str, Range] = {}
    roi, left, to_go, enough = None, 1.0, None, False
    if min(n, sides.held.shoppers) > 1:
        gap = difference(Moments.of(sides.treated), Moments.of(sides.held))
        enough = bool(gap.enough)
        reach = float(boundaries.always(gap.n, plan.shoppers, alpha)) if enough else np.inf
        per_shopper = {name: _range(*gap.of(weights), reach) for name, weights in TOLD.items()}
        roi = return_on_cost(gap, reach)
        plain = float(PROFIT @ gap.unadjusted @ PROFIT)
        left = min(1.0, float(gap.of(PROFIT)[1]) ** 2 / plain) if plain > 0 else 1.0
        if enough:
            mean, error = (float(each) for each in gap.of(PROFIT))
            total = boundaries.to_show(mean, error, float(gap.n), plan.shoppers, alpha)
            to_go = None if total is None or total <= gap.n else total - int(gap.n)
    profit = per_shopper.get("profit", Range(low=None, mean=0.0, high=None))
    verdict = "not_yet" if enough else "too_few"
    if enough and profit.low is not None and profit.high is not None:
        verdict = "pays" if profit.low > 0 else "loses" if profit.high < 0 else verdict
    words = {
        "too_few": _too_few(sides, per_day, called),
        "not_yet": _not_yet(profit, currency, to_go, per_day, called),
        "pays": _shown("It pays", profit, n, currency, called),
        "loses": _shown("It loses", profit, n, currency, called),
    }[verdict]
    return EffectMeasured(
        outcome_id=outcome_id("effect_measured", campaign, f"event:{at[1]}", f"{arm}/{segment}"),
        event_time_ms=at[0],
        due=Due(kind="event", ref=at[1]),
        campaign=campaign,
        arm=arm,
        segment=segment,
        currency=currency,
        shoppers=n,
        held=sides.held.shoppers,
        alpha=alpha,
        verdict=verdict,  # type: ignore[arg-type]
        words=words,
        shoppers_to_go=to_go if verdict == "not_yet" else None,
        per_shopper=per_shopper,
        incremental={name: _times(each, n) for name, each in per_shopper.items()},
        roi=roi,
        variance_left=round(left, 4),
    )


def _range(mean: Floats, error: Floats, reach: float) -> Range:
    at = float(mean)
    if not isfinite(reach):
        return Range(low=None, mean=round(at, 4), high=None)
    wide = reach * float(error)
    return Range(low=round(at - wide, 4), mean=round(at, 4), high=round(at + wide, 4))


def _times(each: Range, n: int) -> Range:
    low, high = (None if end is None else round(end * n, 2) for end in (each.low, each.high))
    return Range(low=low, mean=round(each.mean * n, 2), high=high)


def return_on_cost(gap: Difference, reach: float) -> Range | None:
    """Profit over cost, ``reach`` standard errors to either side; None: it has cost nothing.

    All returns r for which margin - (1 + r) cost may be 0 by an interval of its own (Fieller 1954): it holds as the
    others do, where a ratio's own standard error would not. Ends are None while cost itself may be 0.
    """
    margin, cost = float(gap.mean[_MARGIN]), float(gap.mean[_COST])
    if cost <= 0:
        return None
    mean = round(margin / cost - 1, 4)
    square = reach**2
    of_margin, of_cost, of_both = gap.error[_MARGIN, _MARGIN], gap.error[_COST, _COST], gap.error[_MARGIN, _COST]
    if not isfinite(reach) or (a := cost**2 - square * of_cost) <= 0:
        return Range(low=None, mean=mean, high=None)
    b, c = margin * cost - square * of_both, margin**2 - square * of_margin
    root = sqrt(max(0.0, b * b - a * c))
    return Range(low=round(float((b - root) / a) - 1, 4), mean=mean, high=round(float((b + root) / a) - 1, 4))


def _cash(cents: float, currency: str) -> str:
    return money(round(cents), currency)


def _between(each: Range, currency: str, times: int = 1) -> str:
    assert each.low is not None
    assert each.high is not None
    return f"between {_cash(each.low * times, currency)} and {_cash(each.high * times, currency)}"


def _days(shoppers: float, per_day: float | None) -> str:
    return f" (about {about(shoppers / per_day)} days)" if per_day else ""


def _too_few(sides: _Sides, per_day: float | None, called: Called) -> str:
    fewest = min(sides, key=lambda side: side.buyers)
    who, units = called.held if fewest is sides.held else called.treated, f"{called.unit}s"
    text = f"Too few orders to say: {fewest.buyers:,} {units} {who} {called.ordered}, {LEAST_BUYERS} are needed."
    if not fewest.buyers:
        return text
    seen = sides.treated.shoppers + sides.held.shoppers
    more = ceil(seen * (LEAST_BUYERS / fewest.buyers - 1))
    return f"{text} That takes about {about(more)} more {units}{_days(more, per_day)}."


def _not_yet(profit: Range, currency: str, to_go: int | None, per_day: float | None, called: Called) -> str:
    if profit.low is None:
        return ""
    text = f"Not yet enough: profit per {called.unit} beyond {called.beyond} lies {_between(profit, currency)}."
    if to_go is None:
        return f"{text} If it stays at {_cash(profit.mean, currency)}, no number of {called.unit}s will show it."
    more = f"{about(to_go)} more {called.unit}s{_days(to_go, per_day)}"
    return f"{text} If it stays at {_cash(profit.mean, currency)}, about {more} will show it."


def _shown(verdict: str, profit: Range, n: int, currency: str, called: Called) -> str:
    if profit.low is None:
        return ""
    return (
        f"{verdict}: profit beyond {called.beyond} lies {_between(profit, currency)} per {called.unit}, "
        f"{_between(profit, currency, n)} of all {n:,} so far."
    )
