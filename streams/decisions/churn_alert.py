"""When to tell marketing that a shopper is about to leave, and all that is needed to act on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streams.columns.arrays import TYPE_CODE, Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Names, Said
from streams.decisions.favourite import ADDRESS, favourite
from streams.features.kinds.decay import DAY_MS
from streams.records.events import OrderPlaced
from streams.records.outcomes import ChurnAlerted, Consent, UsualBasket, outcome_id

LEVEL = Column("churn_alert/level", "u1")
ALERTED = Column("churn_alert/alerted_level", "u1")
TOLD = Column("churn_alert/told_level", "u1")
LAST = Column("churn_alert/last", "i8")
ORDER = TYPE_CODE[OrderPlaced]
LEVELS = ("none", "watch", "high", "critical")
#: The task and output that alerts stand on, and the horizon that it answers for.
TASK, OUTPUT, HORIZON_DAYS = "churn", "lapse_30d", 30
STAKE_DAYS = 90
#: A pace is not told from less than this.
PACE_DAYS = 30.0
REASONS = 3
CONSENT: dict[int, Consent] = {1: "allowed", -1: "forbidden", 0: "never_said"}


@dataclass(frozen=True, slots=True)
class ChurnAlertPolicy:
    """Levels with hysteresis and a cooldown.

    Prevents four accidents: a score that trembles around a threshold alerting again and again (a level is left only
    ``hysteresis`` below where it was entered), a silence that lasts being reported each time it is due (a level is told
    once, until it was left or the shopper ordered), a shopper being reported while they order (what an order leaves to
    say is said when they fall silent), and a shopper being reported daily (never twice within the cooldown, except to
    report a higher level than the last one).

    The thresholds of a model's card go before those here: a level is a promise of how many such alerts come true, and
    only the model's validation can make it.
    """

    watch: float = 0.3
    high: float = 0.5
    critical: float = 0.7
    hysteresis: float = 0.1
    cooldown_days: float = 14.0

    @property
    def thresholds(self) -> tuple[float, float, float]:
        """Where watch, high and critical begin, for a model whose card does not say."""
        return self.watch, self.high, self.critical

    def decide(self, state: Rows, row: Ints, score: Floats, now_ms: Ints, enter: Floats, ordered: Bools) -> Ints:
        """[k] the level to alert, 0 for no alert; moves the level and what was alerted last, and when.

        ``enter`` [k, 3] are each row's thresholds, ascending; ``ordered``: an order made the shopper due. Only a level
        that the score reaches by itself (not one that only hysteresis keeps) alerts, and only above what was told since
        the last order and since the score was that low; within the cooldown only above the last alert.
        """
        levels, lasts = state.flat["u1"], state.flat["i8"]
        held = levels[state.cells(LEVEL, row)].astype(np.int64)
        last = lasts[state.cells(LAST, row)]
        entered = (score[:, None] >= enter).sum(axis=1)
        kept = (score[:, None] >= enter - self.hysteresis).sum(axis=1)
        level = np.maximum(entered, np.minimum(held, kept))
        told = np.where(ordered, 0, np.minimum(levels[state.cells(TOLD, row)], level))
        cooled = (last == 0) | (now_ms - last >= int(self.cooldown_days * DAY_MS))
        alert = ~ordered & (entered == level) & (level > told)
        alert &= cooled | (level > levels[state.cells(ALERTED, row)])
        levels[state.cells(LEVEL, row)] = level.astype(np.uint8)
        levels[state.cells(TOLD, row)] = np.where(alert, level, told).astype(np.uint8)
        levels[state.cells(ALERTED, row[alert])] = level[alert].astype(np.uint8)
        lasts[state.cells(LAST, row[alert])] = now_ms[alert]
        return np.where(alert, level, 0)


def merge(state: Rows, row: int, other: Rows) -> None:
    """Take what was alerted of the one row of ``other`` into a row: what was told of either was told."""
    for column in ChurnAlerts.columns:
        held = state.data[column.name]
        held[row] = max(held[row], other.data[column.name][0])


def thresholds(models: Sequence[Any], fallback: tuple[float, float, float]) -> Floats:
    """[models, 3] where watch, high and critical begin for the scores of each model."""
    cards = [model.levels.get("thresholds", {}) if model.levels.get("output") == OUTPUT else {} for model in models]
    return np.array(
        [[card.get(level, other) for level, other in zip(LEVELS[1:], fallback, strict=True)] for card in cards],
        np.float64,
    )


class ChurnAlerts:
    """Alerts of shoppers whose chance to lapse reaches a level; ``currency``, ``gross_margin`` and ``rules`` are said
    with them."""

    columns = (LEVEL, ALERTED, TOLD, LAST)
    reads = (
        "offers.consent",
        "orders.average_value",
        "orders.average_units",
        "orders.gaps",
        "orders.gap_mean",
        "orders.count",
        "orders.days_since_first",
        ADDRESS,
    )

    def __init__(self, policy: ChurnAlertPolicy, currency: str, gross_margin: float, rules: str, names: Names) -> None:
        self._names = names
        self._policy, self._currency, self._margin, self._rules = policy, currency, gross_margin, rules

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        score = group.answer(TASK, OUTPUT)
        known = np.flatnonzero(np.isfinite(score))
        if not len(known):
            return []
        scores = group.seen.scores[TASK]
        enter = group.seen.once((TASK, "thresholds"), lambda: thresholds(scores.models, self._policy.thresholds))
        mine = enter[scores.used[group.span][known]]
        ordered = group.event_type[known] == ORDER
        level = self._policy.decide(state, group.row[known], score[known], group.now_ms[known], mine, ordered)
        alerted = known[level > 0].tolist()
        if not alerted:
            return []
        reasons = scores.explained([group.span.start + i for i in alerted], REASONS)
        levels = [LEVELS[k] for k in level[level > 0].tolist()]
        said = zip(alerted, levels, reasons, strict=True)
        return [(i, self._alert(group, i, float(score[i]), name, why)) for i, name, why in said]

    def _alert(self, group: Group, i: int, score: float, level: Any, reasons: list[Any]) -> ChurnAlerted:
        shopper = group.key[i]
        seen = {address: float(group.feature(address)[i]) for address in self.reads if address != ADDRESS}
        model = group.seen.scores[TASK].models[int(group.seen.scores[TASK].used[group.span.start + i])]
        pace = seen["orders.count"] / max(seen["orders.days_since_first"], PACE_DAYS)
        return ChurnAlerted(
            outcome_id=outcome_id("churn_alerted", shopper, group.ref(i), ""),
            shopper_id=shopper,
            event_time_ms=int(group.now_ms[i]),
            due=group.due[i],
            model=group.model(TASK, i),
            score=score,
            level=level,
            promised=model.levels.get("promised", {}).get(level),
            reasons=reasons,
            consent=CONSENT[int(seen["offers.consent"])],
            favourite_category=favourite(self._names, group, i),
            usual_basket=UsualBasket(
                value_cents=round(seen["orders.average_value"]),
                units=round(seen["orders.average_units"], 1),
                days_between=round(seen["orders.gap_mean"], 1) if seen["orders.gaps"] > 0 else None,
            ),
            value_at_stake_cents=round(STAKE_DAYS * pace * seen["orders.average_value"] * self._margin),
            currency=self._currency,
            rules=self._rules,
        )
