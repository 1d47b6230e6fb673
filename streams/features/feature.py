"""What a feature is: an address, what it means, and where its value comes from."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any


@dataclass(frozen=True, slots=True)
class Ratio:
    """One feature over another, at most ``cap``; 0 while the denominator is 0. Both are named by address."""

    numerator: str
    denominator: str
    cap: float = 1.0


@dataclass(frozen=True, slots=True)
class Feature:
    """One number per shopper at a time. ``address`` is ``file.name`` under ``streams/features``.

    ``source`` is a declaration of one of the kinds in ``streams/features/kinds``, or a ``Ratio`` of two features.
    ``cold_start`` is the value for a shopper never seen; every value is finite and within [low, high]. A feature of
    ``width`` more than 1 is a tensor: so many numbers side by side.
    """

    address: str
    meaning: str
    unit: str
    source: Any
    low: float = 0.0
    high: float = inf
    cold_start: float = 0.0
    width: int = 1

    def in_words(self, value: float) -> str:
        """A value with its unit, for people; money in whole units of the shop's currency.

        >>> Feature("orders.gap_mean", "Mean gap", "days", None).in_words(12.34)
        '12.3 days'
        >>> Feature("orders.spend", "Money spent", "cents", None).in_words(123456)
        '1,234.56'
        """
        if self.unit == "cents":
            return f"{value / 100:,.2f}"
        shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}".removesuffix(".0")
        return shown if self.unit in ("ratio", "flag", "nats") else f"{shown} {self.unit}"
