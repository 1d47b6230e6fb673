"""What each arm would bring and cost with each shopper, and which arms may not be offered.

The expected incremental profit of an arm is ``uplift · margin - expected cost``: how much likelier an order becomes,
times what an order leaves before discounts, less what sending costs and what the discount costs with everybody who uses
it, also with those who would have ordered anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.campaigns.guards import Case
from streams.campaigns.plan import Plan
from streams.campaigns.reasons import Why
from streams.columns.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What is known of the item that each arm would offer to each of k shoppers, [A, k], or [1, k] where it is the same
    one; NaN where unknown."""

    on_hand: Floats
    rating: Floats
    """Mean stars; 0 or NaN without reviews."""

    def take(self, chosen: Ints) -> ItemFacts:
        """Of some of the shoppers."""
        return ItemFacts(self.on_hand[..., chosen], self.rating[..., chosen])


@dataclass(frozen=True, slots=True)
class Values:
    """A arms for n shoppers, [A, n] each; money in cents."""

    uplift: Floats
    discount: Floats
    """Off the shopper's usual order: what the offer is worth to them."""
    cost: Floats
    """Expected."""
    profit: Floats
    """Expected, incremental."""
    left: Floats
    """Share of the order's value that stays margin after the discount."""

    @staticmethod
    def of(plan: Plan, basket: Floats, uplift: Floats | None) -> Values:
        """``basket``: [n] what an order of each comes to, NaN or 0 where unknown. ``uplift``: [A, n] how much likelier
        an order becomes, NaN where unknown; None: as the campaign assumes."""
        arms, money = plan.arms, plan.campaign.economics
        order = np.maximum(np.where(basket > 0, basket, money.basket_cents), arms.least_order)
        discount = np.minimum(order * arms.rate + arms.fixed, np.minimum(arms.most, order))
        cost = arms.redemption * discount + money.contact_cents
        lift = np.broadcast_to(arms.uplift, discount.shape) if uplift is None else uplift
        profit = lift * money.gross_margin * order - cost
        with np.errstate(divide="ignore", invalid="ignore"):
            left = money.gross_margin - np.where(order > 0, discount / order, np.nan)
        return Values(lift, discount, cost, profit, left)


def refused(case: Case, values: Values, items: ItemFacts | None, budget_left: int | None) -> Ints:
    """[A, n] why each arm may not be offered to each shopper, the first reason in this order; 0 where it may.

    Never an offer that makes an order less likely, eats the margin, is for what cannot be bought or what others
    complain of, is worse than what the shopper holds, or may cost more than is left.
    """
    money, arms = case.plan.campaign.economics, case.plan.arms
    found = np.zeros(values.profit.shape, np.int64)

    def note(why: Why, objects: Bools) -> None:
        np.copyto(found, int(why), where=objects)

    # From the last to the first, so that the first stays.
    if budget_left is not None:
        note(Why.BUDGET, np.broadcast_to((arms.reserve > budget_left)[:, None], found.shape))
    best = np.where(case.live, case.held.worth, 0).max(axis=1, initial=0)
    note(Why.WORSE_THAN_HELD, np.floor(values.discount) < best)
    if arms.of_items.any():
        of_items = arms.of_items[:, None]
        if items is None:
            nothing = np.full(found.shape, np.nan)
            items = ItemFacts(nothing, nothing)
        if money.min_rating > 0:
            note(Why.BAD_REVIEWS, of_items & (items.rating > 0) & (items.rating < money.min_rating))
        if money.min_stock > 0:
            note(Why.OUT_OF_STOCK, of_items & ~(items.on_hand >= money.min_stock))
    # A share such as 0.3 - 0.2 must count as 0.1.
    note(Why.BELOW_MARGIN, values.left < money.margin_floor - 1e-9)
    note(Why.BASKET_UNKNOWN, np.isnan(values.left))
    note(Why.NEGATIVE_UPLIFT, values.uplift < 0)
    note(Why.UPLIFT_UNKNOWN, np.isnan(values.uplift))
    return found


@dataclass(frozen=True, slots=True)
class Draw:
    """What was chosen for n shoppers."""

    arm: Ints
    """[n] -1: no contact."""
    best: Ints
    """[n] the arm worth most at the price, -1: none is worth it."""
    explored: Bools
    propensity: Floats
    """[n] how likely this very choice was, given all that was known."""
    admissible: Ints
    """[n] how many arms might have been offered."""


def draw(allowed: Bools, worth: Floats, share: float, whether: Floats, which: Floats) -> Draw:
    """Choose for n shoppers: the admissible arm worth most, if that is more than nothing; with the probability
    ``share`` instead one of the admissible arms or no contact, all alike. ``whether``, ``which``: [n] uniform in [0,
    1).

    >>> one = np.array([[True]]), np.array([[5.0]])
    >>> draw(*one, 0.5, np.array([0.5]), np.array([0.0])).propensity.tolist()
    [0.75]
    """
    n = allowed.shape[1]
    at = np.arange(n)
    masked = np.where(allowed, worth, -np.inf)
    best = np.argmax(masked, axis=0)
    best = np.where(masked[best, at] > 0, best, -1)
    nth = np.cumsum(allowed, axis=0)
    admissible = nth[-1]
    explored = (whether < share) & (admissible > 0)
    place = np.minimum((which * (admissible + 1)).astype(np.int64), admissible)  # 0: no contact
    found = np.argmax(allowed & (nth == place), axis=0)
    picked = np.where(place > 0, found, -1)
    arm = np.where(explored, picked, best)
    propensity = np.where(admissible > 0, share / (admissible + 1) + (1 - share) * (arm == best), 1.0)
    return Draw(arm, best, explored, propensity, admissible)
