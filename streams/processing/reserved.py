"""What offers of campaigns have set aside in one partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from streams.state.keys import RESERVED


class Reserved:
    """How many offers each campaign made, and the cents that they set aside.

    Written before the rows of the same flush: when a crash leaves rows ahead of the progress record, the sums are ahead
    of all of them, and offers that are in them already are not counted again.
    """

    def __init__(self) -> None:
        self.offers: Counter[str] = Counter()
        self.cents: Counter[str] = Counter()
        self._until, self._changed = 0, False

    def add(self, campaign: str, cents: int, offset: int) -> None:
        """Set something aside for an offer that was decided at an offset of the log."""
        if offset >= self._until:
            self.offers[campaign] += 1
            self.cents[campaign] += cents
            self._changed = True

    def mark(self) -> tuple[Counter[str], Counter[str]]:
        """What stands now, to go back to."""
        return self.offers.copy(), self.cents.copy()

    def go_back(self, mark: tuple[Counter[str], Counter[str]]) -> None:
        """Forget what was added since a mark."""
        self.offers, self.cents = mark

    def drain_changes(self, next_offset: int) -> dict[bytes, bytes | None]:
        """The sums as a record of the feature table, if they changed."""
        if not self._changed:
            return {}
        self._changed, self._until = False, next_offset
        return {RESERVED: next_offset.to_bytes(8, "big") + msgspec.json.encode(self.described(), order="deterministic")}

    def restore(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the sums back."""
        for key, value in records:
            if key == RESERVED:
                self._until = int.from_bytes(value[:8], "big")
                for campaign, (offers, cents) in msgspec.json.decode(
                    value[8:], type=dict[str, tuple[int, int]]
                ).items():
                    self.offers[campaign], self.cents[campaign] = offers, cents

    def described(self) -> dict[str, tuple[int, int]]:
        """By campaign, offers and cents."""
        return {campaign: (n, self.cents[campaign]) for campaign, n in sorted(self.offers.items())}
