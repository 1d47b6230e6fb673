"""What an offer costs a partition of shoppers: money and a code when it is made, what it came to when it is used."""

from __future__ import annotations

import numpy as np

from streams.budget.candidates import Candidates, worth
from streams.campaigns.asking import Afforded, Asked
from streams.campaigns.table import code_of
from streams.columns.arrays import Bools, Hashes, Ints
from streams.decisions.campaigns import SetAside
from streams.processing.coupon_pools import CouponPools, Given
from streams.processing.spending import Spending


def afford(
    spending: Spending, coupons: CouponPools, currency: str, asked: Asked, offset: Ints, now_ms: Ints, due: Hashes
) -> Afforded:
    """Which offers there is money and a code for; what it costs to send them is spent at once."""
    campaign = asked.plan.campaign
    reserve, ends = asked.plan.arms.reserve[asked.arm], now_ms + asked.plan.arms.valid_ms[asked.arm]
    value = worth(asked.profit, asked.cost, reserve, asked.explored)
    some = Candidates(offset, due, reserve, value, ends, asked.held)

    def ask(which: Ints) -> Bools:
        return spending.afford(campaign.id, currency, some.pick(which))

    if campaign.coupons.source == "pool":
        needs = asked.plan.arms.most[asked.arm] > 0
        given = coupons.give(campaign.coupons.pool, offset, due, needs, asked.held, ask)
    else:
        yes = spending.afford(campaign.id, currency, some)
        given = Given(yes, np.zeros(len(yes), np.bool_), {})
    contact = campaign.economics.contact_cents
    if contact:
        for i in np.flatnonzero(given.yes & ~asked.held).tolist():
            at, until = int(now_ms[i]), int(ends[i])
            spending.settle(campaign.id, currency, int(offset[i]), at, contact, until, contact)
    price = np.where(given.dry, 0.0, spending.prices(campaign.id, currency, offset))
    return Afforded(given.yes, price, given.dry, given.codes)


def redeem(
    spending: Spending, currency: str, code: int, offset: int, at_ms: int, set_aside: SetAside, cost_cents: int | None
) -> None:
    """An offer of the campaign of this code was used: what it came to is spent, all that was set aside for it where the
    record does not say (``cost_cents`` None)."""
    cents, ends_ms = set_aside
    for campaign, of in spending.keys:
        if code_of(campaign) == code and of == currency:
            spending.settle(campaign, of, offset, at_ms, cents, ends_ms, cents if cost_cents is None else cost_cents)
