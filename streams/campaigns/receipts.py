"""Receipts of what campaigns decided, and what a marketer reads of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from msgspec import UNSET

from streams.campaigns.deciding import Decided, Moment
from streams.campaigns.draws import digest, uniform
from streams.campaigns.guards import EVERY_GUARD
from streams.campaigns.offered_items import recommends
from streams.campaigns.plan import CONSENT, Plan, Plans
from streams.campaigns.reasons import Why
from streams.columns.arrays import Ints
from streams.records.outcomes import Due, ModelUsed, outcome_id
from streams.records.receipts import MAX_MODELS, MAX_VALUES, ArmWeighed, Receipt

_RECEIPTS = np.array([digest("receipt")], np.uint64)


@dataclass(frozen=True, slots=True)
class Whom:
    """Who the k shoppers of a moment are."""

    shopper: Sequence[str]
    due: Sequence[Due]
    models: Callable[[str, int], ModelUsed | None]
    """Whose answer of a task the i-th shopper's is; None where it has none."""
    tasks: frozenset[str]
    """Names of the tasks whose outputs addresses may name."""
    currency: str
    told: Mapping[str, Sequence[ModelUsed | None]] = field(default_factory=dict)
    """By campaign, [k] the model that told of its arms; None where they are as assumed."""
    items: Callable[[Plan, int, int], Sequence[str]] = lambda _plan, _i, _arm: ()
    """The items that an offer of an arm names to the i-th shopper; none in particular."""
    recommender: Callable[[int], ModelUsed | None] = lambda _i: None
    """Whose list of items campaigns take for the i-th shopper; None where nobody has one."""

    def offer_id(self, plan: Plan, i: int) -> str:
        """The id that an offer of a campaign to the i-th shopper has."""
        due = self.due[i]
        return outcome_id("offer_made", self.shopper[i], f"{due.kind}:{due.ref}", plan.id)


def places(plans: Plans, moment: Moment, decided: Decided) -> Ints:
    """[m] which of the k due points leave a receipt of a campaign: all that it addresses, and of those outside its
    audience a share, drawn by digest, so that a replay leaves the same ones."""
    outside = (decided.why == Why.NOT_IN_AUDIENCE) | (decided.why == Why.AUDIENCE_UNKNOWN)
    if not outside.any():
        return decided.at
    salt = _RECEIPTS ^ np.uint64(decided.plan.code)
    drawn = outside & (uniform(moment.due, salt) < plans.shop.receipt_share)
    drawn[decided.at] = True
    return np.flatnonzero(drawn)


def receipts(plans: Plans, moment: Moment, decided: Decided, whom: Whom) -> Iterator[tuple[int, Receipt]]:
    """(place among the k, receipt) of every due point that leaves one."""
    among = {int(i): n for n, i in enumerate(decided.at)}
    for i in places(plans, moment, decided).tolist():
        yield i, _receipt(plans, moment, decided, whom, i, among.get(i))


def _receipt(plans: Plans, moment: Moment, decided: Decided, whom: Whom, i: int, n: int | None) -> Receipt:
    plan, why = decided.plan, Why(int(decided.why[i]))
    arm, chosen, propensity, passed, held_back, again = None, -1, None, list[str](), list[str](), 0
    if n is not None:
        chosen, again = int(decided.drawn.arm[n]), int(decided.due_again_ms[n])
        arm = plan.campaign.offers[chosen].id if chosen >= 0 else None
        propensity = _rounded(decided.drawn.propensity[n]) if decided.drawn.admissible[n] else None
        for guard, objects in zip(EVERY_GUARD, decided.guards[:, n].tolist(), strict=True):
            (held_back if objects else passed).append(guard.word)
        if why.word not in held_back and why > Why.OUTRANKED:
            held_back.append(why.word)
    due = whom.due[i]
    named = dict.fromkeys(a.partition(".")[0] for a in plan.audience.addresses)
    used = [whom.models(task, i) for task in named if task in whom.tasks]
    if plan.id in whom.told:
        used.append(whom.told[plan.id][i])
    if recommends(plan):
        used.append(whom.recommender(i))
    return Receipt(
        outcome_id=outcome_id("receipt", whom.shopper[i], f"{due.kind}:{due.ref}", plan.id),
        shopper_id=whom.shopper[i],
        event_time_ms=int(moment.now_ms[i]),
        due=due,
        campaign=plan.id,
        campaigns=plans.digest,
        decision=why.word,
        reason=why.sentence,
        arm=arm,
        items=(list(whom.items(plan, i, chosen)) if chosen >= 0 else []) or UNSET,
        offer_id=whom.offer_id(plan, i) if why == Why.OFFERED else None,
        propensity=propensity,
        explored=n is not None and bool(decided.drawn.explored[n]),
        admissible=0 if n is None else int(decided.drawn.admissible[n]),
        price=0.0 if n is None else round(float(decided.price[n]), 6),
        arms=[] if n is None else _arms(decided, n),
        passed=passed,
        held_back=held_back,
        values=_values(plan, moment, i),
        models=[model for model in used if model is not None][:MAX_MODELS],
        due_again_ms=again or None,
        sample_share=1.0 if n is not None else plans.shop.receipt_share,
        currency=whom.currency,
    )


def _arms(decided: Decided, n: int) -> list[ArmWeighed]:
    values, found = decided.values, []
    for a, arm in enumerate(decided.plan.campaign.offers):
        refused = int(decided.refused[a, n])
        found.append(
            ArmWeighed(
                arm=arm.id,
                key=decided.plan.keys[a],
                uplift=_rounded(values.uplift[a, n]),
                discount_cents=_rounded(values.discount[a, n], 2),
                cost_cents=_rounded(values.cost[a, n], 2),
                profit_cents=_rounded(values.profit[a, n], 2),
                worth_cents=_rounded(values.profit[a, n] - decided.price[n] * values.cost[a, n], 2),
                refused=Why(refused).word if refused else None,
            )
        )
    return found


def _values(plan: Plan, moment: Moment, i: int) -> dict[str, float | None]:
    wanted = [*plan.audience.reads, (plan.campaign.economics.basket, None), (CONSENT, None)]
    found: dict[str, float | None] = {}
    for address, index in dict.fromkeys(wanted):
        value = moment.columns(address)[i]
        name = address if index is None else f"{address}[{index}]"
        found[name] = _rounded(value if index is None else value[index])
        if len(found) == MAX_VALUES:
            break
    return found


def _rounded(value: float, decimals: int = 6) -> float | None:
    return round(float(value), decimals) if isfinite(value) else None
