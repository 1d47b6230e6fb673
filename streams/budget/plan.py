"""How a day's budget is spread over the day: whole numbers only, so that every ledger comes to the same."""

from __future__ import annotations

from collections.abc import Sequence

from streams.records.budget import Pacing

#: A day is planned in so many parts; shares are whole numbers of ``WHOLE``.
PARTS, WHOLE = 48, 10**9
#: Every part of a day gets at least this part of what it would get if all were alike.
LEAST = 20
#: The plan is the mean of the days seen; from this many days on, older ones fade.
LONGEST = 4


class DayPlan:
    """``weights`` [PARTS]: the demand that is expected in each half hour (of a day of 24 hours), whole numbers of any
    unit, at least one above 0.

    >>> plan = DayPlan([1] * PARTS, "even")
    >>> plan.share(0, 0, 86_400_000), plan.share(43_200_000, 0, 86_400_000) == WHOLE // 2
    (0, True)
    >>> DayPlan([1] * PARTS, "front_loaded").share(43_200_000, 0, 86_400_000) == WHOLE * 3 // 4
    True
    """

    def __init__(self, weights: Sequence[int], pacing: Pacing) -> None:
        self._pacing = pacing
        total = sum(weights)
        self._before = [sum(weights[:i]) * WHOLE // total for i in range(PARTS + 1)]

    def share(self, at_ms: int, starts_ms: int, ends_ms: int) -> int:
        """Which part of the day's budget is to be committed by a time, 0 to ``WHOLE``. Days of 23 or 25 hours are
        stretched."""
        if self._pacing == "asap":
            return WHOLE
        x = min(max(at_ms - starts_ms, 0), ends_ms - starts_ms) * PARTS
        part, within = divmod(x, ends_ms - starts_ms)
        if part >= PARTS:
            return WHOLE
        before, after = self._before[part : part + 2]
        share = before + (after - before) * within // (ends_ms - starts_ms)
        return WHOLE - (WHOLE - share) ** 2 // WHOLE if self._pacing == "front_loaded" else share


def part_of(at_ms: int, starts_ms: int, ends_ms: int) -> int:
    """Which part of a day a time lies in."""
    return min(max(at_ms - starts_ms, 0) * PARTS // (ends_ms - starts_ms), PARTS - 1)


def learned(weights: Sequence[int], days: int, demand: Sequence[int]) -> list[int]:
    """[PARTS] the weights (of a sum of about ``WHOLE``) after another day; so far they are the mean of ``days`` days. A
    day without demand teaches nothing.

    >>> learned([WHOLE // PARTS] * PARTS, 0, [3] + [0] * 47)[:2]
    [1000000000, 1041666]
    """
    total = sum(demand)
    if not total:
        return list(weights)
    n, floor = min(days + 1, LONGEST), WHOLE // (PARTS * LEAST)
    today = [one * WHOLE // total for one in demand]
    mean = [(old * (n - 1) + new) // n for old, new in zip(weights, today, strict=True)]
    return [max(one, floor) for one in mean]
