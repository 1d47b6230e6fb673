"""What offers of campaigns have set aside in one partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from streams.state.keys import RESERVED


class Reserved:
    """Cents by campaign. Written before the rows of the same flush: when a crash leaves rows ahead of the progress
    record, the sums are ahead of all of them, and offers that are in them already are not counted again."""

    def __init__(self) -> None:
        self._cents: Counter[str] = Counter()
        self._until, self._changed = 0, False

    def __getitem__(self, campaign: str) -> int:
        return self._cents[campaign]

    def add(self, campaign: str, cents: int, offset: int) -> None:
        """Set something aside for an offer that was decided at an offset of the log."""
        if offset >= self._until and cents:
            self._cents[campaign] += cents
            self._changed = True

    def drain_changes(self, next_offset: int) -> dict[bytes, bytes | None]:
        """The sums as a record of the feature table, if they changed."""
        if not self._changed:
            return {}
        self._changed, self._until = False, next_offset
        return {RESERVED: next_offset.to_bytes(8, "big") + msgspec.json.encode(self._cents, order="deterministic")}

    def restore(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the sums back."""
        for key, value in records:
            if key == RESERVED:
                self._until = int.from_bytes(value[:8], "big")
                self._cents = Counter(msgspec.json.decode(value[8:], type=dict[str, int]))
