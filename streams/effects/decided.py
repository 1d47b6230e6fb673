"""What campaigns decided with known chances, and what came of it: receipts joined with the outcomes of offers.

A row is a decision that nothing but chance stood behind: the campaign addressed the shopper, no guard objected, and
among arms and no contact one was chosen with a propensity that the receipt says. What a shopper did in the window after
is known where an offer was made, or kept back by the holdout alone; shoppers of the holdout are what no contact does.

>>> from streams.records.receipts import ArmWeighed
>>> weighed = dict(uplift=0.1, discount_cents=0.0, cost_cents=1.0)
>>> arms = [ArmWeighed(arm="a", key="c/a@1", profit_cents=5.0, worth_cents=5.0, refused=None, **weighed)]
>>> arms += [ArmWeighed(arm="b", key="c/b@1", profit_cents=2.0, worth_cents=2.0, refused=None, **weighed)]
>>> chances(arms, "b", 0.1, explored=True)[0].round(2).tolist(), round(chances(arms, "b", 0.1, explored=True)[1], 2)
([0.8, 0.1], 0.1)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from streams.columns.arrays import Floats
from streams.records.effects import OfferOutcome
from streams.records.receipts import ArmWeighed, Receipt

_NEVER = 1 << 62
#: Decisions after which no guard stood: an offer, a control group, or no contact.
OPEN = ("offered", "campaign_holdout", "global_holdout", "explored_nothing", "not_worth_it")


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision and what came of it."""

    receipt: Receipt
    chance: Floats
    """[arms] how likely each arm was, in the order of the receipt's …"""
    nothing: float
    """… and no contact."""
    outcome: OfferOutcome | None
    """What the shopper did in the window; None: no window began with it (no contact was chosen)."""

    @property
    def held(self) -> bool:
        """Whether the holdout kept back what was chosen."""
        return self.outcome is not None and self.outcome.held

    @property
    def chosen(self) -> int:
        """Place of the arm that was chosen, also where it was then kept back; -1: no contact."""
        return next((i for i, arm in enumerate(self.receipt.arms) if arm.arm == self.receipt.arm), -1)

    @property
    def profit_cents(self) -> int:
        """What the shopper brought in the window, less what the offer cost."""
        measured = None if self.outcome is None else self.outcome.measured
        assert measured is not None, "Only where a window began is it known."
        return measured.margin_cents - measured.cost_cents


@dataclass(slots=True)
class Joined:
    """Decisions in order of time, and what became of the records."""

    decisions: list[Decision] = field(default_factory=list)
    receipts: int = 0
    outcomes: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Receipts that are no row, by why."""

    def told(self) -> str:
        """In words."""
        said = f"{self.receipts:,} receipts, {self.outcomes:,} outcomes of offers: {len(self.decisions):,} decisions"
        known = sum(each.outcome is not None for each in self.decisions)
        held = sum(each.held for each in self.decisions)
        said += f", of which {known:,} with a window that is over ({held:,} of the holdout)"
        if left := [f"{n:,} {why}" for why, n in self.left_out.most_common() if n]:
            said += f"; left out: {', '.join(left)}"
        return said


def join(receipts: Iterable[Receipt], outcomes: Iterable[OfferOutcome]) -> Joined:
    """Decisions with what came of them. Records may come in any order, and more than once."""
    found = Joined()
    by_id: dict[str, Receipt] = {}
    for receipt in receipts:
        found.receipts += 1
        found.left_out["said before"] += receipt.outcome_id in by_id
        by_id[receipt.outcome_id] = receipt
    by_offer: dict[str, OfferOutcome] = {}
    by_moment: dict[tuple[str, str, int], OfferOutcome] = {}
    entered: dict[tuple[str, str], int] = {}
    for outcome in outcomes:
        found.outcomes += 1
        if outcome.offer_id in by_offer:
            continue
        by_offer[outcome.offer_id] = outcome
        by_moment[outcome.shopper_id, outcome.campaign, outcome.opened_ms] = outcome
        if outcome.measured is not None:
            entered[outcome.shopper_id, outcome.campaign] = outcome.opened_ms
    last_ms = max(entered.values(), default=0)
    for receipt in sorted(by_id.values(), key=lambda each: (each.event_time_ms, each.outcome_id)):
        if receipt.decision not in OPEN or receipt.propensity is None:
            found.left_out[f"of {receipt.decision}"] += 1
            continue
        mine = by_offer.get(receipt.offer_id or "") or by_moment.get(
            (receipt.shopper_id, receipt.campaign, receipt.event_time_ms)
        )
        if receipt.arm is not None and mine is None:
            found.left_out["whose window is not over, or not told"] += 1
            continue
        if mine is not None and mine.measured is None:
            found.left_out["of shoppers who had entered before"] += 1
            continue
        if mine is None and receipt.event_time_ms > last_ms:
            found.left_out["after the last window that is over"] += 1
            continue
        if mine is None and entered.get((receipt.shopper_id, receipt.campaign), _NEVER) < receipt.event_time_ms:
            found.left_out["of shoppers who had entered before"] += 1
            continue
        each, nothing = chances(receipt.arms, receipt.arm, receipt.propensity, explored=receipt.explored)
        found.decisions.append(Decision(receipt, each, nothing, mine))
    return found


def chances(
    arms: Sequence[ArmWeighed], chosen: str | None, propensity: float, *, explored: bool
) -> tuple[Floats, float]:
    """([arms] how likely each was, how likely no contact was) in a decision that chose with this propensity: the arm
    worth most, if that is more than nothing, but in a share of decisions one of the admissible arms or no contact, all
    alike (``streams.campaigns.arms.draw``)."""
    worth = np.array([-np.inf if a.refused or a.profit_cents is None else a.profit_cents for a in arms])
    place = next((i for i, arm in enumerate(arms) if arm.arm == chosen), -1)
    best = place if not explored else int(worth.argmax()) if len(worth) and worth.max() > 0 else -1
    n = int(np.isfinite(worth).sum())
    # What is worth most has 1 - share + share / (n + 1), all else share / (n + 1).
    share = (1 - propensity) * (n + 1) / n if place == best and n else propensity * (n + 1)
    share = min(max(share, 0.0), 1.0)
    found = np.where(np.isfinite(worth), share / (n + 1), 0.0)
    nothing = share / (n + 1)
    if best >= 0:
        found[best] += 1 - share
    else:
        nothing += 1 - share
    return found, nothing
