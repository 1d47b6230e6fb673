"""Which day a time belongs to: a shop's days begin at its own midnight, not at UTC's."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from streams.columns.arrays import Ints

UTC = "UTC"
DAY_MS = 86_400_000
_DAY = 86_400
#: Seconds since 1970 of 1990 (no event is older) and 2100; beyond them a zone's offset stays as it is there.
_FROM, _TO = 631_152_000, 4_102_444_800


class Days:
    """Days of a time zone (IANA name), numbered; day 0 is 1970-01-01. A day at which clocks change has 23 or 25 hours.

    Raises ``zoneinfo.ZoneInfoNotFoundError`` or ``ValueError`` for a zone that is not known.
    """

    def __init__(self, time_zone: str = UTC) -> None:
        self.time_zone = time_zone
        self._offsets = None if time_zone == UTC else _offsets(time_zone)

    def number(self, time_ms: Ints) -> Ints:
        """[n] the day of each time (UTC milliseconds)."""
        return self.local_ms(time_ms) // DAY_MS

    def local_ms(self, time_ms: Ints) -> Ints:
        """[n] each time (UTC milliseconds) as the zone's clocks show it: milliseconds since 1970 there."""
        if self._offsets is None:
            return time_ms
        since_ms, offset_ms = self._offsets
        return time_ms + offset_ms[np.searchsorted(since_ms, time_ms, side="right") - 1]

    def start_ms(self, number: Ints) -> Ints:
        """[n] when each day begins, UTC milliseconds: its first moment, also where clocks change at midnight. A day
        that a zone left out begins with the one after it.

        >>> Days("America/Sao_Paulo").start_ms(np.array([17454])).tolist() == [17454 * DAY_MS + 3 * 3_600_000]
        True
        """
        return self.utc_ms(number * DAY_MS)

    def utc_ms(self, local: Ints) -> Ints:
        """[n] when the zone's clocks first show each time (milliseconds since 1970 there), UTC milliseconds; where they
        leave it out, when they first show a later one."""
        if self._offsets is None:
            return local
        since_ms, offset_ms = self._offsets
        # What the clocks have shown at most when each offset ends: the first one under which they come to the time.
        shown = np.maximum.accumulate(since_ms[1:] + offset_ms[:-1])
        first = np.searchsorted(shown, local, side="right")
        return np.maximum(since_ms[first], local - offset_ms[first])


@cache
def _offsets(time_zone: str) -> tuple[Ints, Ints]:
    """From when on (UTC milliseconds) local time is how far ahead of UTC (milliseconds)."""
    zone = ZoneInfo(time_zone)

    def offset(at: int) -> int:
        ahead = datetime.fromtimestamp(at, zone).utcoffset()
        assert ahead is not None
        return int(ahead.total_seconds() * 1000)

    since, offsets = [np.iinfo(np.int64).min], [offset(_FROM)]
    for day in range(_FROM, _TO, _DAY):
        before, after = day, day + _DAY
        if offset(after) == offsets[-1]:
            continue
        while after - before > 1:  # clocks change at a whole second
            middle = (before + after) // 2
            before, after = (middle, after) if offset(middle) == offsets[-1] else (before, middle)
        since.append(after * 1000)
        offsets.append(offset(after))
    return np.array(since), np.array(offsets)
