r"""What to expect of a campaign before it starts: audience, cost, effect, and the smallest effect that it could show.

From how many shoppers would have entered on each of past days, what such shoppers did in a window after (nobody treated
them: they are what the holdout will be), and what is believed of the effect.

>>> import numpy as np
>>> days = np.array([310, 290, 305, 280, 300, 150, 140] * 4)
>>> past = Past(days, shoppers=7_300, margin_mean=310.0, margin_deviation=900.0, explained=0.3)
>>> told = forecast(past, Offer(contact_cents=2.0, redeemed_share=0.08, redeemed_cents=150.0), Belief(5.0, 25.0, 45.0),
...                 days=28, holdout=0.1)
>>> [round(end) for end in told.audience], round(told.cost_cents.mean), round(told.detectable_cents)
([6866, 7100, 7334], 89460, 83)
>>> print(told.words.replace(". ", ".\n"))
In 28 days about 7,100 shoppers enter, 710 of them the holdout.
The least profit per shopper that would show is 84 cents at the end, 116 when you look all the time; you expect 25.
That would take about 180,000 shoppers, 710 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import NamedTuple

from streams.columns.arrays import Ints
from streams.effects import boundaries
from streams.effects.words import about


class Span(NamedTuple):
    """An interval and its middle."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True)
class Past:
    """Shoppers like those of the audience, without the campaign; money in cents per shopper and window."""

    entered: Ints
    """How many would have entered on each of past days, int64 (days,); best whole weeks, at least 7 days."""
    shoppers: int
    """How many shoppers the mean and deviation are of."""
    margin_mean: float
    margin_deviation: float
    explained: float = 0.0
    """Share of the margin's variance that the time before explains (1 - ``variance_left`` of an earlier campaign)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a shopper who gets an offer costs, in cents."""

    contact_cents: float
    redeemed_share: float
    redeemed_cents: float


class Belief(NamedTuple):
    """Incremental profit per shopper in cents, with the 95% interval in which it is believed to lie."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to expect; intervals of 95%, money in cents."""

    audience: Span
    held: float
    cost_cents: Span
    profit_cents: Span
    """Beyond the holdout, of all who get an offer."""
    detectable_cents: float
    """Smallest profit per shopper that one look at the end finds with the power asked for."""
    detectable_always_cents: float
    """The same when it is looked at all the time."""
    shoppers_needed: int | None
    """How many must enter until the effect believed in shows, looked at all the time; None: never."""
    words: str


def forecast(
    past: Past,
    offer: Offer,
    belief: Belief,
    *,
    days: int,
    holdout: float,
    alpha: float = 0.05,
    power: float = 0.8,
) -> Forecast:
    """Of a campaign over ``days`` with a share ``holdout`` held back. Raises ``ValueError`` for what cannot be."""
    if not 0 < holdout < 1:
        raise ValueError(f"holdout is {holdout}: without shoppers held back, no effect can be told. 0.1 is usual.")
    if len(past.entered) < 7 or past.entered.sum() <= 0:
        raise ValueError(
            f"{len(past.entered)} past days with {past.entered.sum():,} shoppers: give at least 7, not empty."
        )
    if not 0 <= past.explained < 1 or days < 1 or past.shoppers < 1:
        raise ValueError(f"explained {past.explained} lies in [0, 1), days {days} and shoppers are at least 1.")
    audience = _audience(past.entered, days)
    treated = audience.mean * (1 - holdout)
    each_cost = offer.contact_cents + offer.redeemed_share * offer.redeemed_cents
    spread = offer.redeemed_cents * sqrt(offer.redeemed_share * (1 - offer.redeemed_share) * max(treated, 1.0))
    cost = Span(
        *(max(0.0, size * (1 - holdout) * each_cost + z * spread) for size, z in zip(audience, (-Z, 0, Z), strict=True))
    )
    deviation = past.margin_deviation * sqrt((1 - past.explained) / (holdout * (1 - holdout)))
    reach = NormalDist().inv_cdf(power)
    error = deviation / sqrt(audience.mean)
    one_look = (boundaries.once(alpha) + reach) * error
    always = (float(boundaries.always(audience.mean, audience.mean, alpha)) + reach) * error
    needed = boundaries.to_find(belief.mean, deviation, audience.mean, alpha, power) if belief.mean else None
    ends = [end * size for end in (belief.low, belief.high) for size in (audience.low, audience.high)]
    profit = Span(min(ends) * (1 - holdout), belief.mean * treated, max(ends) * (1 - holdout))
    return Forecast(
        audience=audience,
        held=audience.mean * holdout,
        cost_cents=cost,
        profit_cents=profit,
        detectable_cents=one_look,
        detectable_always_cents=always,
        shoppers_needed=needed,
        words=_words(audience, holdout, days, one_look, always, belief.mean, needed),
    )


Z = boundaries.once(0.05)


def holdouts(
    past: Past, shoppers: float, shares: tuple[float, ...], alpha: float = 0.05, power: float = 0.8
) -> list[float]:
    """The smallest profit per shopper, in cents, that each holdout share would show when looked at all the time.

    >>> import numpy as np
    >>> past = Past(np.full(28, 300), 7_300, margin_mean=310.0, margin_deviation=900.0)
    >>> [round(each) for each in holdouts(past, 8_400, (0.02, 0.05, 0.1, 0.2, 0.5))]
    [272, 175, 127, 95, 76]
    """
    reach = float(boundaries.always(shoppers, shoppers, alpha)) + NormalDist().inv_cdf(power)
    return [
        reach * past.margin_deviation * sqrt((1 - past.explained) / (share * (1 - share) * shoppers))
        for share in shares
    ]


def _audience(entered: Ints, days: int) -> Span:
    """Days vary more than by chance: their own variance counts, of as many days to come and of the mean of past
    ones."""
    mean = float(entered.mean())
    # Weekdays are not noise: what is left after each weekday's mean, where there are whole weeks.
    weeks = len(entered) // 7
    noise = entered[: weeks * 7].reshape(weeks, 7) - (
        entered[: weeks * 7].reshape(weeks, 7).mean(0) if weeks > 1 else mean
    )
    freedom = max(1, noise.size - (7 if weeks > 1 else 1))
    variance = max(float((noise**2).sum()) / freedom, mean)
    wide = Z * sqrt(variance * (days + days**2 / len(entered)))
    return Span(max(0.0, mean * days - wide), mean * days, mean * days + wide)


def _words(
    audience: Span, holdout: float, days: int, one_look: float, always: float, believed: float, needed: int | None
) -> str:
    text = (
        f"In {days:,} days about {round(audience.mean):,} shoppers enter, {round(audience.mean * holdout):,} of them "
        f"the holdout. The least profit per shopper that would show is {ceil(one_look):,} cents at the end, "
        f"{ceil(always):,} when you look all the time; you expect {believed:,.0f}."
    )
    if needed is None:
        return f"{text} That can never show: expect an effect above 0, or do not run it."
    if needed <= audience.mean:
        return f"{text} That shows after about {about(needed)} shoppers."
    return f"{text} That would take about {about(needed)} shoppers, {about(needed * days / audience.mean)} days."
