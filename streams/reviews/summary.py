"""What many reviews of an item say together, in a sentence or two: numbers that were counted, in templates."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

#: So many aspects are spoken of, each of so many reviews at least, as far as there are any.
MOST, LEAST = 3, 2
#: Stars of which a few reviews say little vary so, as if this many of the item had shown it.
USUAL_VARIANCE, USUAL_REVIEWS = 1.2, 5
CHINESE = {
    "quality": "质量", "size": "尺寸", "price": "价格", "delivery": "配送", "service": "服务", "look": "外观",
    "taste": "口味",
}  # fmt: skip


class Counted(NamedTuple):
    """Reviews of an aspect that judge it, praise it, criticise it."""

    aspect: str
    reviews: int
    praise: int
    criticise: int


class Sums(NamedTuple):
    """What is counted of an item's reviews."""

    reviews: int
    chinese: int
    stars: int
    squares: int
    small: int
    large: int
    aspects: Sequence[Counted]
    """Those that any review judges, most reviews first."""

    @property
    def rating(self) -> tuple[float, float, float]:
        """Mean stars, and its 95% interval: the variance is what these reviews show, and what is usual as if five had
        shown it.

        >>> Sums(10, 0, 42, 184, 0, 0, []).rating
        (4.2, 3.61, 4.79)
        """
        n, mean = self.reviews, self.stars / self.reviews
        spread = (self.squares - n * mean * mean + USUAL_REVIEWS * USUAL_VARIANCE) / (n + USUAL_REVIEWS)
        off = 1.96 * sqrt(max(spread, 0.0) / n)
        return round(mean, 2), round(max(1.0, mean - off), 2), round(min(5.0, mean + off), 2)


def summaries(sums: Sums, since: str) -> dict[str, str]:
    """By language: ``en``, and ``zh`` where half of the reviews or more are Chinese. ``since``: the day from which on
    they count.

    >>> size = Counted("size", 15, 4, 12)
    >>> print(*summaries(Sums(20, 0, 70, 260, 9, 1, [size]), "2026-01-05")["en"].split(". "), sep=chr(10))
    20 reviews since 2026-01-05 give 3.5 stars on average
    Of 15 that judge the size, 4 praise and 12 criticise it (9 say it runs small).
    """
    told = [each for each in sums.aspects if each.reviews >= LEAST][:MOST]
    found = {"en": _english(sums, told, since)}
    if 2 * sums.chinese >= sums.reviews:
        found["zh"] = _chinese(sums, told, since)
    return found


def _fit(sums: Sums) -> tuple[bool, int] | None:
    """Whether the size runs small, and how many say so; None where as many say that it runs large, or only one."""
    most = max(sums.small, sums.large)
    return None if most < LEAST or sums.small == sums.large else (sums.small > sums.large, most)


def _english(sums: Sums, told: Sequence[Counted], since: str) -> str:
    n = sums.reviews
    first = f"{n:,} review{'s' if n > 1 else ''} since {since} give{'' if n > 1 else 's'} {sums.stars / n:.1f} stars"
    first += " on average." if n > 1 else "."
    parts = []
    for k, each in enumerate(told):
        if each.praise and each.criticise:
            says = f"{_many(each.praise, 'praise')} and {_many(each.criticise, 'criticise')} it"
        else:
            says = f"{'both' if each.reviews == 2 else 'all'} {'praise' if each.praise else 'criticise'} it"
        if each.aspect == "size" and (fit := _fit(sums)) is not None:
            says += f" ({fit[1]:,} say it runs {'small' if fit[0] else 'large'})"
        parts.append(f"{'of' if k else 'Of'} {each.reviews:,} that judge the {each.aspect}, {says}")
    return f"{first} {'; '.join(parts)}." if parts else first


def _many(some: int, verb: str) -> str:
    return f"{some:,} {verb}{'s' if some == 1 else ''}"


def _chinese(sums: Sums, told: Sequence[Counted], since: str) -> str:
    first = f"{since}以来有{sums.reviews}条评价，平均{sums.stars / sums.reviews:.1f}星。"
    parts = []
    for each in told:
        says = [f"{n}条{verb}" for n, verb in ((each.praise, "称赞"), (each.criticise, "批评")) if n]
        if each.aspect == "size" and (fit := _fit(sums)) is not None:
            says.append(f"{fit[1]}条说偏{'小' if fit[0] else '大'}")
        parts.append(f"评到{CHINESE[each.aspect]}的{each.reviews}条中{'、'.join(says)}")
    return f"{first}{'；'.join(parts)}。" if parts else first
