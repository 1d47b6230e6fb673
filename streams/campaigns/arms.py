"""What each arm would bring and cost with each shopper, and which arms may not be offered.

The expected incremental profit of an arm is ``uplift · margin - expected cost``: how much likelier an order becomes,
times what an order leaves before discounts, less what sending costs and what the discount costs with everybody who uses
it, also with those who would have ordered anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.campaigns.guards import Case
from streams.campaigns.reasons import Why
from streams.campaigns.table import Table
from streams.columns.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What is known of the items that each arm would offer to each of k shoppers, [A, k], or [1, k] where they are the
    same; NaN where unknown."""

    on_hand: Floats
    """-1 where there is no such item."""
    rating: Floats
    """Mean stars; 0 or NaN without reviews."""
    nothing: Bools
    """Whether the arm is for recommended items, and none is."""
    worse: Bools
    """Whether one of them is suddenly rated worse."""


@dataclass(frozen=True, slots=True)
class Values:
    """A arms of n pairs of campaign and shopper, [A, n] each; money in cents."""

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
    def of(table: Table, campaign: Ints, basket: Floats, uplift: Floats) -> Values:
        """``campaign``: [n] places in the table. ``basket``: [n] what an order of each shopper comes to, NaN or 0 where
        unknown. ``uplift``: [A, n] how much likelier an order becomes, NaN where unknown."""
        usual = np.where(basket > 0, basket, table.basket_cents[campaign])
        order = np.maximum(usual, table.least_order[:, campaign])
        most = np.minimum(table.most[:, campaign], order)
        discount = np.minimum(order * table.rate[:, campaign] + table.fixed[:, campaign], most)
        cost = table.redemption[:, campaign] * discount + table.contact_cents[campaign]
        margin = table.gross_margin[campaign]
        with np.errstate(divide="ignore", invalid="ignore"):
            left = margin - np.where(order > 0, discount / order, np.nan)
        return Values(uplift, discount, cost, uplift * margin * order - cost, left)

    def select(self, arms: int, pairs: slice) -> Values:
        """Of the first arms of some pairs."""
        return Values(*(getattr(self, name)[:arms, pairs] for name in self.__dataclass_fields__))


def refused(case: Case, values: Values, items: ItemFacts) -> Ints:
    """[A, n] why each arm may not be offered to each shopper, the first reason in this order; 0 where it may, and where
    there is no such arm.

    Never an offer that makes an order less likely, eats the margin, is for what cannot be bought, what is
    suddenly rated worse or what others complain of, or is worse than what the shopper holds.
    """
    table, campaign = case.table, case.campaign
    found = np.zeros(values.profit.shape, np.int64)

    def note(why: Why, objects: Bools) -> None:
        np.copyto(found, int(why), where=objects)

    # From the last to the first, so that the first stays.
    note(Why.WORSE_THAN_HELD, np.floor(values.discount) < case.best_held)
    if table.of_items.any():
        of_items, stars, units = table.of_items[:, campaign], table.min_rating[campaign], table.min_stock[campaign]
        note(Why.BAD_REVIEWS, of_items & (items.rating > 0) & (items.rating < stars))
        note(Why.RATED_WORSE, of_items & items.worse)
        some = (units > 0) | (items.on_hand < 0)
        note(Why.OUT_OF_STOCK, of_items & some & ~(items.on_hand >= units))
        note(Why.NOTHING_TO_RECOMMEND, of_items & items.nothing)
    # A share such as 0.3 - 0.2 must count as 0.1.
    note(Why.BELOW_MARGIN, values.left < table.margin_floor[campaign] - 1e-9)
    note(Why.BASKET_UNKNOWN, np.isnan(values.left))
    note(Why.NEGATIVE_UPLIFT, values.uplift < 0)
    note(Why.UPLIFT_UNKNOWN, np.isnan(values.uplift))
    found *= table.arm_is[:, campaign]
    return found


@dataclass(frozen=True, slots=True)
class Draw:
    """What was chosen for n pairs of campaign and shopper."""

    arm: Ints
    """[n] -1: no contact."""
    best: Ints
    """[n] the arm worth most, -1: none is worth it."""
    explored: Bools
    propensity: Floats
    """[n] how likely this very choice was, given all that was known."""
    admissible: Ints
    """[n] how many arms might have been offered."""

    def select(self, pairs: slice) -> Draw:
        """Of some pairs."""
        return Draw(*(getattr(self, name)[pairs] for name in self.__dataclass_fields__))


def draw(allowed: Bools, worth: Floats, share: Floats, whether: Floats, which: Floats) -> Draw:
    """Choose for n pairs: the admissible arm worth most, if that is more than nothing; with the probability
    ``share`` instead one of the admissible arms or no contact, all alike. ``whether``, ``which``: [n] uniform in [0,
    1).

    >>> one = np.array([[True]]), np.array([[5.0]])
    >>> draw(*one, np.array([0.5]), np.array([0.5]), np.array([0.0])).propensity.tolist()
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
