"""The items that a campaign's arms would offer: those that an arm names, the one that its trigger is about, or the
shopper's recommended ones; and what is known of them when a shopper is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from streams.campaigns import trigger_items
from streams.campaigns.arms import ItemFacts
from streams.campaigns.plan import Plan
from streams.columns.arrays import Bools, Floats, Hashes, Ints
from streams.columns.layout import Rows
from streams.columns.shopper_events import item_code
from streams.records.campaign_parts import AnyOffer
from streams.records.news import BADLY_REVIEWED, DELISTED, RATED_WORSE, SOLD_OUT

#: How much there is against offering items (hashes) at offsets of the log: places in ``LEVELS``.
Unavailable: TypeAlias = Callable[[Hashes, Ints], Ints]
#: An offer names so many recommended items where its arm does not say how many.
MOST_ITEMS = 3
#: What is not known to be sold out counts as so many units …
_SOME = 1.0
#: … and bad reviews as so many stars, the fewest that there are.
_WORST = 1.0


@dataclass(frozen=True, slots=True)
class OfferedItems:
    """Of one campaign."""

    plan: Plan
    named: tuple[Hashes, ...]
    """[A] hashes of the items that each arm names; none where it does not."""

    @staticmethod
    def of(plan: Plan) -> OfferedItems | None:
        """None where no arm is for items."""
        if not plan.arms.of_items.any():
            return None
        arms = plan.campaign.offers
        codes = [[item_code(name) for name in arm.names] if arm.applies_to == "items" else [] for arm in arms]
        return OfferedItems(plan, tuple(np.array(each, np.uint64) for each in codes))

    def trigger(self, state: Rows, rows: Ints, kind: Ints) -> Hashes:
        """[k] hash of the item that the trigger is about; 0: there is none, or no arm is for it."""
        if not trigger_items.names_it(self.plan):
            return np.zeros(len(rows), np.uint64)
        return trigger_items.items(state, rows, self.plan, kind)

    def facts(
        self, state: Rows, rows: Ints, kind: Ints, offset: Ints, unavailable: Unavailable, recommended: Ints
    ) -> ItemFacts:
        """What is known of them at k due points, of kinds and at offsets of the log. ``recommended``: [k] how many
        items may be recommended to each."""
        arms, k = self.plan.campaign.offers, len(rows)
        on_hand, rating = np.full((len(arms), k), np.nan), np.full((len(arms), k), np.nan)
        nothing, worse = (np.zeros((len(arms), k), np.bool_) for _ in range(2))
        for a, (arm, named) in enumerate(zip(arms, self.named, strict=True)):
            if arm.applies_to == "recommended":
                on_hand[a], nothing[a] = _SOME, recommended == 0
            elif len(named):
                level = unavailable(np.broadcast_to(named, (k, len(named))), offset[:, None])
                on_hand[a], rating[a], worse[a] = _known(level, np.full(k, _SOME), rating[a])
            elif arm.applies_to == "trigger_item":
                level = unavailable(self.trigger(state, rows, kind)[:, None], offset[:, None])
                units, stars = trigger_items.facts(state, rows, self.plan, kind)
                on_hand[a], rating[a], worse[a] = _known(level, np.where(np.isnan(units), _SOME, units), stars)
        return ItemFacts(on_hand, rating, nothing, worse)


def _known(level: Ints, units: Floats, stars: Floats) -> tuple[Floats, Floats, Bools]:
    """[k] units and stars as they were said, or worse where that is known by now of any of the items (``level``:
    [k, items]); and whether one is suddenly rated worse."""
    against = (DELISTED, SOLD_OUT, BADLY_REVIEWED, RATED_WORSE)
    gone, out, bad, worse = ((level == each).any(axis=1) for each in against)
    units = np.where(gone, -1.0, np.where(out, np.minimum(units, 0.0), units))
    return units, np.where(bad, _WORST, stars), worse


def recommends(plan: Plan) -> bool:
    """Whether an arm is for recommended items."""
    return any(arm.applies_to == "recommended" for arm in plan.campaign.offers)


def most_items(arm: AnyOffer) -> int:
    """How many recommended items an offer names at most."""
    return arm.most_items or MOST_ITEMS
