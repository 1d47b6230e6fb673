"""How much each category sold in the last 30 days and in each of the last weeks, in the whole shop: what partitions of
shoppers say of each day.

A sum that is asked for at the begin of a day takes what was said while the watermark stood before it: so it is a
property of the log, however it is cut.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from streams.columns.arrays import Ints
from streams.columns.shopper_events import category_code
from streams.features.kinds.windows import week
from streams.state.keys import OPEN

DAYS = 30
#: Whole weeks of which all days are among them.
WEEKS = 4
#: Sums of so many days are kept: where one source was behind, items are due for weeks of days at once.
MOST = 120


class _Looked:
    """Numbers [m, width] of categories, to be looked up for many at once."""

    def __init__(self, held: Mapping[int, int] | Mapping[int, Iterable[int]], width: int) -> None:
        code = np.fromiter(held, np.int64, len(held))
        order = np.argsort(code)
        # Last what stands for all that are not there.
        self._code = np.r_[code[order], np.iinfo(np.int64).max]
        values = np.array([*held.values()], np.int64).reshape(len(held), width)
        self._values = np.concatenate([values[order], np.zeros((1, width), np.int64)])

    def of(self, code: Ints) -> Ints:
        """[k, width] 0 for those that are not there."""
        place = np.searchsorted(self._code, code)
        return self._values[np.where(self._code[place] == code, place, len(self._code) - 1)]


class CategoryUnits:
    """Units by the day of the sale and the watermark's day when it was said, by category."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], Counter[int]] = {}
        self._sums: dict[int, tuple[Counter[int], _Looked]] = {}
        """By day that was asked for: what is said from now on is said on that day or later, so they stay."""
        self._weeks: dict[int, _Looked] = {}
        """The same of the last weeks."""
        self._until = 0
        self._changed = False
        self._flushed_day: int | None = None

    def add(self, offset: int, said: Mapping[str, int], day: int, said_day: int) -> None:
        """What a source says of a day, in the record at an offset."""
        if offset < self._until or not said:
            return
        held = self._held.setdefault((day, said_day), Counter())
        for name, units in said.items():
            held[category_code(name)] += units
        self._changed = True

    def units(self, code: Ints, day: int) -> Ints:
        """[k] units of categories in the 30 days up to a day, as of its begin: nothing of the day itself."""
        if day not in self._sums:
            sums = self._sums_of(day)
            self._sums[day] = sums, _Looked(sums, 1)
        found = self._sums[day][1].of(code)[:, 0]
        if len(self._sums) > MOST:  # the oldest may be the day that is asked for
            del self._sums[min(self._sums)]
        return found

    def _sums_of(self, day: int) -> Counter[int]:
        found = Counter(self._sums[day - 1][0]) if day - 1 in self._sums else Counter[int]()
        since = day - 1 if day - 1 in self._sums else 0
        for (d, s), units in self._held.items():
            if day - DAYS < d and since <= max(d, s) < day:
                found.update(units)
            elif since and d == day - DAYS and s < since:
                found.subtract(units)
        return found

    def weeks(self, code: Ints, day: int) -> Ints:
        """[k, 4] units of categories in the week that a day is in and in the three before, as of the day's begin."""
        if day not in self._weeks:
            found = defaultdict[int, list[int]](lambda: [0] * WEEKS)
            for (d, s), units in self._held.items():
                age = week(day) - week(d)
                if age < WEEKS and max(d, s) < day:
                    for category, n in units.items():
                        found[category][age] += n
            self._weeks[day] = _Looked(found, WEEKS)
        told = self._weeks[day].of(code)
        if len(self._weeks) > MOST:
            del self._weeks[min(self._weeks)]
        return told

    def drain_changes(self, next_offset: int, today: int) -> dict[bytes, bytes | None]:
        """All of it, when it changed since this was last called, as a record of the feature table.

        Days are forgotten one flush after nothing asks for them: a crash may leave the rows a flush behind.
        """
        flushed_day, self._flushed_day = self._flushed_day, today
        if not self._changed:
            return {}
        self._changed, self._until = False, next_offset
        oldest = 0 if flushed_day is None else flushed_day - DAYS - 2
        self._held = {key: units for key, units in self._held.items() if key[0] >= oldest}
        plain = sorted((code, *key, n) for key, units in self._held.items() for code, n in units.items())
        return {OPEN: next_offset.to_bytes(8, "big") + msgspec.msgpack.encode(plain)}

    def restore(self, value: bytes) -> None:
        """Take it back."""
        self._until = int.from_bytes(value[:8], "big")
        for code, day, said_day, n in msgspec.msgpack.decode(value[8:]):
            self._held.setdefault((day, said_day), Counter())[code] = n
