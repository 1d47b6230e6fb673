"""Which alerts scores make, and which thresholds keep what they promise: the policy that serves, over a replay.

A level promises that so many of its alerts come true. Thresholds are chosen on scores that a model gave when it did not
know yet what came, and the promise is what these alerts came to, held back by what their scores said where they are
few.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints, stable_order
from streams.columns.layout import Column, Layout, Rows
from streams.decisions.churn_alert import LEVELS, ChurnAlertPolicy, ChurnAlerts
from streams.features.kinds.decay import DAY_MS
from streams.monitoring.alert_truth import (
    Alerts,
    Orders,
    base_rate,
    came_true,
    foretold,
    per_shopper_month,
    share,
    truth,
)
from streams.monitoring.calibration import JUDGED_DAYS, InRow, Recalibration, Tallies, Waiting
from streams.processing.scoring import DECIMALS

#: The output by which the stream recalibrates the others.
JUDGED_OUTPUT = f"lapse_{JUDGED_DAYS}d"
#: What share of a level's alerts is to come true, in every shop. Of the first two some more than the 30% and 50% that
#: are wanted, since a season moves them.
TO_KEEP = {"watch": 0.35, "high": 0.55, "critical": 0.70}
#: The thresholds that are tried. None lies further below what its level is to keep than this: the surest alerts of a
#: level must not make up for others.
GRID, BELOW = np.round(np.arange(0.20, 0.91, 0.02), 2), 0.05
#: A level that cannot be kept begins where no score is.
UNREACHED = 2.0
#: A promise counts the alerts' own scores as so many more alerts.
SAID = 100


@dataclass(frozen=True, slots=True)
class Points:
    """n due points of a history, those of one shopper in the order in which they became due, and its orders."""

    shopper: Ints
    at_ms: Ints
    ordered: Bools
    """Whether an order made the shopper due."""
    orders: Orders

    def select(self, chosen: Bools) -> Points:
        """Some of the due points."""
        return Points(self.shopper[chosen], self.at_ms[chosen], self.ordered[chosen], self.orders)


def turns(shopper: Ints) -> Iterator[Ints]:
    """Places in which no shopper stands twice: everybody's first due point, then everybody's second …"""
    order = stable_order(shopper)
    starts = np.flatnonzero(np.r_[True, np.diff(shopper[order]) != 0][: len(order)])
    turn = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    by_turn = stable_order(turn)
    bounds = np.searchsorted(turn[by_turn], np.arange(int(np.max(turn, initial=-1)) + 2))
    for start, stop in itertools.pairwise(bounds.tolist()):
        yield order[by_turn[start:stop]]


def _state(columns: tuple[Column, ...], points: Points) -> Rows:
    return Rows.zeros(Layout(columns), int(np.max(points.shopper, initial=-1)) + 1)


def alerts_of(policy: ChurnAlertPolicy, points: Points, score: Floats) -> Alerts:
    """The alerts that a policy makes of scores."""
    state, level = _state(ChurnAlerts.columns, points), np.zeros(len(score), np.int64)
    enter = np.tile(policy.thresholds, (len(score), 1))
    for some in turns(points.shopper):
        row, now = points.shopper[some], points.at_ms[some]
        level[some] = policy.decide(state, row, score[some], now, enter[: len(row)], points.ordered[some])
    made = np.flatnonzero(level)
    return Alerts(points.shopper[made], points.at_ms[made], level[made], score[made])


def tallies_of(points: Points, judged: Floats) -> Tallies:
    """What became of the chances of no order within 15 days."""
    in_row = InRow.of("")
    state, waiting = _state(in_row.columns, points), Waiting(in_row)
    for some in turns(points.shopper):
        waiting.observe(state, points.shopper[some], points.at_ms[some], judged[some], points.ordered[some])
    return waiting.sums()


def recalibrated(points: Points, answers: Mapping[str, Floats], days: Mapping[str, int]) -> dict[str, Floats]:
    """Answers as the stream gives them: each day's recalibrated by what was known when the day began."""
    day = points.at_ms // DAY_MS
    tallies, first = tallies_of(points, answers[JUDGED_OUTPUT].round(DECIMALS)), int(day.min())
    learned = [Recalibration.learned(tallies, d) for d in range(first, int(day.max()) + 1)]
    found = {}
    for name, horizon in days.items():
        exponent = np.array([r.exponent(horizon) for r in learned])[day - first]
        found[name] = (answers[name] ** exponent).round(DECIMALS)
    return found


@dataclass(frozen=True, slots=True)
class Validation:
    """One shop's due points up to the cut, with scores of models that were trained before. Alerts count from
    ``from_ms`` on; before that, scores only bring the policy into its state."""

    points: Points
    score: Floats
    from_ms: int

    def promise(self, policy: ChurnAlertPolicy, level: str) -> float:
        """What share of a level's alerts comes true."""
        made = alerts_of(policy, self.points, self.score)
        known, true = came_true(made.shopper, made.at_ms, self.points.orders)
        some = known & (made.at_ms >= self.from_ms) & (made.level == LEVELS.index(level))
        if not some.any():
            return 0.0
        said = float(made.score[some].mean())
        return float((true[some].sum() + SAID * said) / (some.sum() + SAID))


def choose(shops: Mapping[str, Validation]) -> tuple[ChurnAlertPolicy, dict[str, dict[str, float]]]:
    """The policy whose levels keep ``TO_KEEP`` in every shop with as many alerts as that allows; and what each shop's
    alerts promise, by level. Highest level first: what a level alerts depends on those above it only."""
    policy = ChurnAlertPolicy(watch=UNREACHED, high=UNREACHED, critical=UNREACHED)
    for k in range(len(LEVELS) - 1, 0, -1):
        level, chosen = LEVELS[k], getattr(policy, LEVELS[k])
        least, kept = TO_KEEP[level] - BELOW, False
        # From the top down, until it is kept no more: above the threshold it is kept everywhere.
        for threshold in (at for at in GRID[::-1].tolist() if least <= at < chosen):
            tried = replace(policy, **dict.fromkeys(LEVELS[1 : k + 1], threshold))
            if all(shop.promise(tried, level) >= TO_KEEP[level] for shop in shops.values()):
                chosen, kept = threshold, True
            elif kept:
                break
        policy = replace(policy, **dict.fromkeys(LEVELS[1 : k + 1], chosen))
    promised = {
        name: {level: round(shop.promise(policy, level), 4) for level in LEVELS[1:]} for name, shop in shops.items()
    }
    return policy, promised


def as_many(points: Points, score: Floats, count: int, from_ms: int) -> Alerts:
    """The alerts of a score by the same policy with one level: from a time on ``count`` of them or a few more, or as
    many as there can be."""
    low, high = 0.0, 1.0

    def above(threshold: float) -> Alerts:
        policy = ChurnAlertPolicy(watch=threshold, high=UNREACHED, critical=UNREACHED)
        made = alerts_of(policy, points, score)
        return made.select(made.at_ms >= from_ms)

    found = above(low)
    for _ in range(14):
        middle = (low + high) / 2
        tried = above(middle)
        if len(tried) >= count:
            low, found = middle, tried
        else:
            high = middle
    return found


def told(
    points: Points, policy: ChurnAlertPolicy, promised: Mapping[str, float], score: Floats, other: Floats, cut_ms: int
) -> dict[str, Any]:
    """What a card says of one shop's alerts, over the whole history and after the cut; and, since three levels tell of
    one silence up to three times, as many alerts of one level, by our score and by another (``rfm``)."""
    orders, found = points.orders, {}
    made, shoppers = alerts_of(policy, points, score), len(np.unique(points.shopper))
    for part, from_ms in (("whole", int(points.at_ms.min())), ("after_cut", cut_ms)):
        ours, asked = made.select(made.at_ms >= from_ms), points.at_ms >= from_ms
        known, _ = came_true(ours.shopper, ours.at_ms, orders)
        levels = truth(ours, orders)
        for k, (name, cell) in enumerate(levels.items(), start=1):
            some = known & (ours.level == k)
            said = round(float(ours.score[some].mean()), 4) if some.any() else None
            levels[name] = {"promised": promised[name], "said": said, **cell}
        sides = {"ours": ours}
        sides["ours, one level"] = as_many(points, score, len(ours), from_ms)
        sides["rfm, one level"] = as_many(points, other, len(ours), from_ms)
        found[part] = {
            "levels": levels,
            "base_rate": base_rate(points.shopper[asked], points.at_ms[asked], orders),
            "foretold": {
                name: {"alerts": len(side), **_of_alerts(side, orders), **foretold(side, orders, from_ms)}
                for name, side in sides.items()
            },
            "alerts_per_shopper_month": per_shopper_month(ours, shoppers, from_ms, orders.end_ms),
        }
    return found


def _of_alerts(alerts: Alerts, orders: Orders) -> dict[str, Any]:
    known, true = came_true(alerts.shopper, alerts.at_ms, orders)
    return share(true[known], alerts.shopper[known])
