"""How much each category sold in the last 30 days, in the whole shop: what partitions of shoppers say of each day.

A sum that is asked for at the begin of a day takes what was said while the watermark stood before it: so it is a
property of the log, however it is cut.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import msgspec

from streams.columns.shopper_events import category_code
from streams.state.keys import OPEN

DAYS = 30


class CategoryUnits:
    """Units by category, by the day of the sale and the watermark's day when it was said."""

    def __init__(self) -> None:
        self._held: dict[int, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
        self._until = 0
        self._changed = False
        self._flushed_day: int | None = None

    def take(self, offset: int, said: Mapping[str, int], day: int, said_day: int) -> None:
        """What a source says of a day, in the record at an offset."""
        if offset < self._until:
            return
        for name, units in said.items():
            self._held[category_code(name)][day, said_day] += units
            self._changed = True

    def units(self, code: int, day: int) -> int:
        """Units of a category in the 30 days up to a day, as of its begin: nothing of the day itself."""
        held = self._held.get(code)
        return 0 if held is None else sum(n for (d, s), n in held.items() if day - DAYS < d < day and s < day)

    def take_changes(self, next_offset: int, today: int) -> dict[bytes, bytes | None]:
        """All of it, when it changed since this was last called, as a record of the feature table.

        Days are forgotten one flush after nothing asks for them: a crash may leave the rows a flush behind.
        """
        flushed_day, self._flushed_day = self._flushed_day, today
        if not self._changed:
            return {}
        self._changed, self._until = False, next_offset
        oldest = 0 if flushed_day is None else flushed_day - DAYS - 2
        for code, held in list(self._held.items()):
            kept = {key: n for key, n in held.items() if key[0] >= oldest}
            if kept:
                self._held[code] = defaultdict(int, kept)
            else:
                del self._held[code]
        plain = [(code, d, s, n) for code, held in sorted(self._held.items()) for (d, s), n in sorted(held.items())]
        return {OPEN: next_offset.to_bytes(8, "big") + msgspec.msgpack.encode(plain)}

    def restore(self, value: bytes) -> None:
        """Take it back."""
        self._until = int.from_bytes(value[:8], "big")
        for code, day, said_day, n in msgspec.msgpack.decode(value[8:]):
            self._held[code][day, said_day] = n
