"""What is asked last of an offer that nothing else holds back: whether there is money for it, and a coupon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.campaigns.plan import Plan
from streams.columns.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Asked:
    """n offers of a campaign that nothing holds back but money."""

    plan: Plan
    at: Ints
    """[n] the due points, ascending."""
    arm: Ints
    profit: Floats
    """[n] expected, in cents, as is ``cost``."""
    cost: Floats
    explored: Bools
    """[n] whether it is offered to learn from."""
    held: Bools
    """[n] who is in a control group: asked for as all others are, but nothing is set aside."""


@dataclass(frozen=True, slots=True)
class Afforded:
    """What became of them."""

    yes: Bools
    """[n] who gets it: there is money, and the offer is worth the price of the budget."""
    price: Floats
    """[n] that price, the budget's dual variable: what a cent of cost must bring beyond itself."""
    dry: Bools | None = None
    """[n] who gets none because no code of a coupon is left; None: nobody."""
    codes: Mapping[int, str] = field(default_factory=dict)
    """Place among the n → the code of its coupon, where codes are given from a pool."""
