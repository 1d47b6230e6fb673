"""Simulated shoppers, what they do of themselves, and what each offer really does with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.features.kinds.decay import DAY_MS
from streams.records.events import CartItemAdded, OfferRedeemed, OrderLine, OrderPlaced, ShopperEvent

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MARGIN, CONTACT_CENTS, PERCENT = 0.3, 30, 5
#: What a campaign may give, in the order of the columns of ``Shoppers.effect``; no offer is none of them.
ARMS = ("five", "letter")
#: Orders of a shopper lie within so many days before their first visit under the campaign.
DAYS_BEFORE = 120
#: A Monday.
BEGIN_MS = 1_700_438_400_000
CAMPAIGN = f"""
shop:
  default_consent: true
  holdout_share: 0
campaigns:
  - id: cart
    approval: approved
    approved_by: simulation
    audience: "true"
    trigger: {{kind: event, types: [cart_item_added]}}
    arms:
      - {{id: five, kind: percent, percent: {PERCENT}, max_discount_cents: 5000, assumed_uplift: 0.09,
         assumed_redemption: 0.3}}
      - {{id: letter, kind: content, assumed_uplift: 0.03, assumed_redemption: 0}}
    economics: {{gross_margin: {MARGIN}, contact_cents: {CONTACT_CENTS}, basket_cents: 6000}}
    budget:
      USD: {{total_cents: 10000000000}}
    start: 2023-11-20T00:00:00Z
    end: 2026-01-01T00:00:00Z
    caps: [{{offers: 1, days: 6}}]
    cooldown: {{after_purchase_days: 0, after_return_days: 0, after_complaint_days: 0}}
    holdout_share: 0.15
    exploration_share: 0.3
    effect: {{window_days: 5, return_days: 0, expected_shoppers: 20000}}
"""


@dataclass(frozen=True, slots=True)
class Shoppers:
    """n shoppers. Each puts something into the cart on the Monday of one week, and orders in the days after, or not."""

    week: Ints
    """[n] of the campaign, from 0."""
    due_ms: Ints
    orders_ms: list[Ints]
    """Times of their orders before."""
    value_cents: Floats
    """[n] what their orders come to."""
    hunts: npt.NDArray[np.bool_]
    """[n] whether they buy what is reduced: their orders before had discounts."""

    def __len__(self) -> int:
        return len(self.week)

    @staticmethod
    def drawn(rng: np.random.Generator, n: int, weeks: int) -> Shoppers:
        """Shoppers who come in so many weeks, alike in each."""
        week = np.sort(rng.integers(0, weeks, n))
        due = BEGIN_MS + week * 7 * DAY_MS + rng.integers(0, DAY_MS - 3_600_000, n)
        last = rng.exponential(30.0, n)
        orders = []
        for i, count in enumerate(rng.negative_binomial(1.2, 0.3, n).tolist()):
            ago = last[i] + np.cumsum(np.r_[0.0, rng.exponential(20.0, max(0, count - 1))])[:count]
            ago = ago[(ago > 0.5) & (ago < DAYS_BEFORE)]
            orders.append(np.sort(due[i] - (ago * DAY_MS).astype(np.int64)))
        return Shoppers(week, due, orders, np.round(6_000 * rng.lognormal(0, 0.4, n)), rng.random(n) < 0.35)

    @property
    def count(self) -> Ints:
        """[n] orders before."""
        return np.array([len(times) for times in self.orders_ms])

    @property
    def recency(self) -> Floats:
        """[n] days since the last one; as many as are looked back to where there is none."""
        last = [times[-1] if len(times) else 0 for times in self.orders_ms]
        return np.minimum((self.due_ms - np.array(last)) / DAY_MS, DAYS_BEFORE)

    def base(self) -> Floats:
        """[n] the chance of an order without an offer."""
        score = -1.4 + 0.55 * np.log1p(self.count) - 0.012 * (self.recency - 30)
        return np.clip(1 / (1 + np.exp(-score)), 0.04, 0.7)

    def effect(self) -> Floats:
        """[n, arms] how much likelier each arm makes an order: the truth. A discount moves those who hunt for it, and
        is a present to who comes anyway; a letter wakes who was away, and bores who was just here."""
        known = self.count > 0  # whether someone hunts shows in what they bought
        five = np.where(self.hunts & known, 0.18, np.where(self.count >= 4, 0.0, 0.05))
        letter = np.where(self.recency > 45, 0.09, np.where(self.recency < 14, -0.04, 0.02))
        base = self.base()[:, None]
        return np.clip(base + np.stack([five, letter], 1), 0.01, 0.95) - base

    def value(self) -> Floats:
        """[n, 1 + arms] what each choice really brings, in cents, beyond no offer, which is the first: margin of the
        orders that it makes, less the discount of all who use it, and the contact."""
        effect, base = self.effect(), self.base()
        discount = np.stack([self.value_cents * PERCENT / 100, np.zeros(len(self))], 1)
        cost = (base[:, None] + effect) * discount + CONTACT_CENTS
        return np.c_[np.zeros(len(self)), effect * (MARGIN * self.value_cents)[:, None] - cost]

    def before(self, some: Ints) -> Iterator[ShopperEvent]:
        """What some of them did before the campaign saw them, and that they put something into the cart."""
        for i in some.tolist():
            for k, at in enumerate(self.orders_ms[i].tolist()):
                yield self._order(i, f"b{k}", at, 0.15 if self.hunts[i] else 0.0)
            yield CartItemAdded(
                event_id="cart",
                shopper_id=f"s{i}",
                event_time=int(self.due_ms[i]),
                item_id="i1",
                quantity=1,
                category="all",
                unit_price_cents=int(self.value_cents[i]),
            )

    def _order(self, i: int, name: str, at: int, off: float) -> OrderPlaced:
        cents = int(self.value_cents[i])
        line = OrderLine(
            item_id="i1", quantity=1, unit_price_cents=cents, category="all", discount_cents=round(off * cents)
        )
        return OrderPlaced(event_id=name, shopper_id=f"s{i}", event_time=at, order_id=f"s{i}-{name}", lines=[line])

    def after(self, rng: np.random.Generator, some: Ints, offers: dict[int, tuple[str, str]]) -> list[ShopperEvent]:
        """What some of them do within the window, by chance. ``offers``: whom an offer was made → its arm and id."""
        chance = np.c_[np.zeros(len(self)), self.effect()] + self.base()[:, None]
        found: list[ShopperEvent] = []
        for i, lot, at in zip(some.tolist(), rng.random(len(some)), rng.uniform(1.0, 4.0, len(some)), strict=True):
            arm, offer = offers.get(i, ("", ""))
            place = 1 + ARMS.index(arm) if arm else 0
            if lot < chance[i, place]:
                time = int(self.due_ms[i] + at * DAY_MS)
                off = PERCENT / 100 if arm == "five" else 0.0
                order = self._order(i, "after", time, off)
                found.append(order)
                if arm == "five":
                    found.append(
                        OfferRedeemed(
                            event_id="used",
                            shopper_id=f"s{i}",
                            event_time=time + 1,
                            offer_id=offer,
                            order_id=order.order_id,
                            discount_cents=round(off * self.value_cents[i]),
                        )
                    )
        return found
