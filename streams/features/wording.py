"""Values of features as people say them: no `1 days`, no `0 gaps`, no 3,650 days that stand for never."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

#: Of a meaning, what is said of values rather than of the feature: `…; 0 when unknown`, `…; 0: never`.
_ZERO = re.compile(r"; 0(?: when|:) ([^,;]+)")
_ONE = {"categories": "category", "searches": "search"}
_UNSAID = ("ratio", "nats", "slots", "flag", "stars²")


def title(meaning: str) -> str:
    """What a feature is, without what its values stand for.

    >>> title("Price of one unit; 0 when unknown")
    'Price of one unit'
    """
    return meaning.partition(";")[0]


def number(value: float) -> str:
    """In as many digits as tell a person something.

    >>> number(1234.5), number(64.087), number(2.126), number(0.01361), number(3.0), number(0.99996)
    ('1,234', '64.1', '2.13', '0.014', '3', '1')
    """
    amount = abs(value)
    if amount >= 100:
        return f"{value:,.0f}"
    decimals = 1 if amount >= 10 else 2 if amount >= 0.995 else 1 - math.floor(math.log10(amount)) if amount else 0
    shown = f"{value:.{min(decimals, 6)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def counted(value: float, unit: str) -> str:
    """A number with its unit, which is named in the plural.

    >>> counted(1.0, "days"), counted(0.0, "orders"), counted(1.0, "searches"), counted(2.5, "ratio")
    ('1 day', 'none', '1 search', '2.5')
    """
    shown = number(value)
    if unit in _UNSAID:
        return shown
    if value == 0:
        return "none"
    return f"{shown} {_ONE.get(unit, unit.removesuffix('s')) if shown == '1' else unit}"


def spoken(value: float, unit: str, meaning: str, high: float, words: Mapping[float, str]) -> str:
    """A value for people. ``words``: of values that stand for something else than a number; ``high``: the most that it
    can be. Money is in whole units of the shop's currency.

    >>> spoken(12.34, "days", "Mean gap", 3650, {}), spoken(0.25, "days", "Mean gap", 3650, {})
    ('12.3 days', '6 hours')
    >>> spoken(0.25, "ratio", "Share of orders with a coupon", 1, {}), spoken(20.0, "ratio", "In gaps", 20, {})
    ('25%', '20 or more')
    """
    if not math.isfinite(value):
        return "not known"
    if value in words:
        return words[value]
    if value == 0 and (said := _ZERO.search(meaning)):
        return said[1]
    if unit == "cents":
        return f"{value / 100:,.2f}" if value >= 0.5 else "less than 0.01" if value else "nothing"
    if unit == "flag":
        return "yes" if value > 0 else "no"
    if unit == "ms":
        minutes = value / 60_000
        return counted(minutes, "minutes") if minutes >= 1 or not value else counted(value / 1000, "seconds")
    if unit == "ratio" and high == 1:
        return f"{number(100 * value)}%"
    if value >= high and (unit == "ratio" or high > 100):  # where it is cut off
        return f"{counted(value, unit)} or more"
    if unit == "days" and 0 < value < 1:
        return counted(round(24 * value), "hours") if value >= 1 / 48 else "less than an hour"
    return counted(value, unit)


def beside(value: str, typical: str) -> str:
    """A value and what is typical; two that differ too little to be told apart in words are said so.

    >>> beside("64.1 days", "44.5 days"), beside("2.13 units", "2.13 units")
    ('64.1 days (typical: 44.5 days)', '2.13 units (typical: nearly the same)')
    """
    return f"{value} (typical: {typical if typical != value else 'nearly the same'})"
