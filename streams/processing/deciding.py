"""From scores to outcomes: what is said of each due point, and whether to alert and to offer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from streams.decisions import promotion
from streams.decisions.churn_alert import LEVELS, ChurnAlertPolicy
from streams.decisions.promotion import Offer, PromotionPolicy, Prospect
from streams.features.columns import Rows
from streams.monitoring.late_labels import LateLabels, code_of
from streams.processing.batch import Bools, Ints
from streams.processing.profiles import NEEDED, Profiles
from streams.processing.scoring import TaskScores
from streams.records.outcomes import (
    ChurnAlerted,
    Due,
    ModelUsed,
    OfferMade,
    OfferWithheld,
    Outcome,
    Reason,
    Scored,
    outcome_id,
)

#: The task and the output that drive alerts and offers.
DRIVING_TASK, DRIVING_OUTPUT, DRIVING_HORIZON_DAYS = "churn", "lapse_30d", 30
#: What promotions look at, besides the score.
PROMOTION_FEATURES = (
    "orders.discount_rate",
    "orders.coupon_share",
    "orders.average_value",
    "orders.count",
    "offers.consent",
)
REASONS = 3


@dataclass(slots=True)
class _Group:
    """k shoppers due at the same step, none twice; their scores start at ``place``."""

    row: Ints
    now_ms: Ints
    shopper: list[str]
    due: list[Due]
    category: list[str | None]
    ordered: Bools
    place: int


@dataclass(slots=True)
class Deciding:
    """The decisions of one slice; they move the decision columns of ``state``."""

    churn_alert: ChurnAlertPolicy
    promotion: PromotionPolicy
    currency: str
    late_labels: LateLabels
    state: Rows
    _groups: list[_Group] = field(default_factory=list)

    def take(
        self,
        row: Ints,
        now_ms: Ints,
        shopper: list[str],
        due: list[Due],
        category: list[str | None],
        ordered: Bools,
        place: int,
    ) -> None:
        """Take due points of one step. ``category``: each shopper's favourite; ``ordered``: an order made them due."""
        self._groups.append(_Group(row, now_ms, shopper, due, category, ordered, place))

    def outcomes(
        self,
        scores: Mapping[str, TaskScores],
        features: npt.NDArray[np.float32],
        places: Mapping[str, slice],
        category_of: Callable[[int], str | None],
    ) -> tuple[list[Outcome], float]:
        """Everything to be said, in order of the due points; and the seconds it took to explain alerts."""
        found: list[Outcome] = []
        alerts: list[tuple[int, int]] = []
        used = {task: [_used(model) for model in s.models] for task, s in scores.items()}
        spoken = [_Spoken(task, s, used[task], category_of) for task, s in scores.items()]
        driving = scores.get(DRIVING_TASK)
        codes = np.array([code_of(m.digest) for m in driving.models] if driving is not None else [], np.int64)
        seen = {a: features[:, places[a].start] for a in PROMOTION_FEATURES} if driving is not None else {}
        for group in self._groups:
            k = len(group.row)
            span = slice(group.place, group.place + k)
            level = np.zeros(k, np.int64)
            if driving is not None:
                score = driving.answers[DRIVING_OUTPUT][span]
                known = np.isfinite(score)
                row, now_ms = group.row[known], group.now_ms[known]
                level[known] = self.churn_alert.decide(self.state, row, score[known], now_ms)
                model_code = codes[driving.used[span][known]]
                self.late_labels.take(self.state, row, now_ms, score[known], model_code, group.ordered[known])
            for i in range(k):
                at = group.place + i
                shopper, now, due = group.shopper[i], int(group.now_ms[i]), group.due[i]
                ref = f"{due.kind}:{due.ref}"
                for task in spoken:
                    found += task.at(at, shopper, now, due, ref)
                if driving is None or not known[i]:
                    continue
                model = used[DRIVING_TASK][int(driving.used[at])]
                if level[i]:
                    alerts.append((len(found), at))
                    found.append(
                        ChurnAlerted(
                            outcome_id=outcome_id("churn_alerted", shopper, ref, ""),
                            shopper_id=shopper,
                            event_time_ms=now,
                            due=due,
                            model=model,
                            score=float(score[i]),
                            level=LEVELS[int(level[i])],  # type: ignore[arg-type]
                            reasons=[],
                        )
                    )
                if score[i] >= self.promotion.threshold:
                    values = {a: float(c[at]) for a, c in seen.items()}
                    offer = self._offer(group, i, float(score[i]), values, model)
                    if offer is not None:
                        found.append(offer)
        began = time.perf_counter()
        if alerts and driving is not None:
            _explain(driving, alerts, found)
        return found, time.perf_counter() - began

    def _offer(
        self, group: _Group, i: int, score: float, seen: dict[str, float], model: ModelUsed
    ) -> OfferMade | OfferWithheld | None:
        shopper, now = group.shopper[i], int(group.now_ms[i])
        decision = self.promotion.decide(
            self.state,
            Prospect(
                row=int(group.row[i]),
                shopper_id=shopper,
                now_ms=now,
                score=score,
                discount_rate=seen["orders.discount_rate"],
                coupon_share=seen["orders.coupon_share"],
                average_order_cents=seen["orders.average_value"],
                orders=seen["orders.count"],
                consent=seen["offers.consent"],
            ),
        )
        if decision is None:
            return None
        return _offer_outcome(decision, self.promotion.campaign, self.currency, group, i, score, model)


class _Spoken:
    """What one task says at each due point: its scores, and a profile when it has one; nothing where it failed."""

    def __init__(
        self, task: str, s: TaskScores, used: list[ModelUsed], category_of: Callable[[int], str | None]
    ) -> None:
        outputs = s.models[0].outputs
        self._task = task
        finite = [np.isfinite(s.answers[o.name]).reshape(len(s.used), -1).all(axis=1) for o in outputs]
        self._speaks = np.logical_and.reduce(finite).tolist()
        self._models = [used[k] for k in s.used.tolist()]
        self._scalars = [(o.name, s.answers[o.name].tolist()) for o in outputs if o.scalar]
        profiled = {o.name for o in outputs} >= NEEDED
        self._profiles = Profiles(s.answers, category_of) if profiled else None

    def at(self, at: int, shopper: str, now: int, due: Due, ref: str) -> list[Outcome]:
        """What is said at one due point."""
        said: list[Outcome] = []
        if not self._speaks[at]:
            return said
        model = self._models[at]
        if self._scalars:
            said.append(
                Scored(
                    outcome_id=outcome_id("scored", shopper, ref, self._task),
                    shopper_id=shopper,
                    event_time_ms=now,
                    due=due,
                    model=model,
                    scores={name: values[at] for name, values in self._scalars},
                )
            )
        if self._profiles is not None:
            known_as = outcome_id("profile", shopper, ref, self._task)
            said.append(self._profiles.at(at, known_as, shopper, now, due, model))
        return said


def _offer_outcome(
    decision: Offer | promotion.Withheld,
    campaign: str,
    currency: str,
    group: _Group,
    i: int,
    score: float,
    model: ModelUsed,
) -> OfferMade | OfferWithheld:
    shopper, now, due = group.shopper[i], int(group.now_ms[i]), group.due[i]
    ref = f"{due.kind}:{due.ref}"
    if isinstance(decision, Offer):
        return OfferMade(
            outcome_id=outcome_id("offer_made", shopper, ref, campaign),
            shopper_id=shopper,
            event_time_ms=now,
            due=due,
            model=model,
            campaign=campaign,
            category=group.category[i],
            discount_percent=decision.discount_percent,
            max_discount_cents=decision.max_discount_cents,
            currency=currency,
            expires_at_ms=decision.expires_at_ms,
            score=score,
            reasons=list(decision.reasons),
        )
    return OfferWithheld(
        outcome_id=outcome_id("offer_withheld", shopper, ref, campaign),
        shopper_id=shopper,
        event_time_ms=now,
        due=due,
        model=model,
        campaign=campaign,
        reason=decision.reason,
        discount_percent=decision.discount_percent,
        score=score,
    )


def _used(model: object) -> ModelUsed:
    return ModelUsed(task=model.task, version=model.version, digest=model.digest[:16])  # type: ignore[attr-defined]


def _explain(driving: TaskScores, alerts: list[tuple[int, int]], found: list[Outcome]) -> None:
    """Give each alert the features that raised its score most, by one more run per model over its alerts. A canary that
    raises here gives no reasons; it must not stop the worker."""
    for which, model in enumerate(driving.models):
        mine = [(place, at) for place, at in alerts if driving.used[at] == which]
        if not mine:
            continue
        rows = driving.inputs[which][[at for _, at in mine]]
        starts = np.cumsum((0, *model.widths[:-1]))
        try:
            moved = np.round(model.contributions(rows), 4)
        except Exception:
            if which == 0:
                raise
            continue
        strongest = np.argsort(-moved, axis=1, kind="stable")[:, :REASONS]
        for (place, _), row, effect, top in zip(mine, rows, moved, strongest, strict=True):
            reasons = [
                Reason(
                    feature=model.features[j],
                    value=float(row[starts[j]]) if model.widths[j] == 1 else None,
                    contribution=float(effect[j]),
                )
                for j in top.tolist()
                if effect[j] > 0
            ]
            found[place] = msgspec.structs.replace(found[place], reasons=reasons)
