"""Which part of the data the demo replays: some households, in a period."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from streams.producer.replay import event_time_ms
from streams.records.events import ShopperEvent
from streams.records.words import shown_time

#: All households take longer than somebody who looks for the first time waits.
SHARE = 0.4


@dataclass(frozen=True)
class Part:
    """A ``share`` of the households, always the same ones, in [start_ms, stop_ms); None: from the first event, to the
    last."""

    start_ms: int | None = None
    stop_ms: int | None = None
    share: float = SHARE

    @property
    def in_words(self) -> str:
        """Which part it is, as the end of a sentence; nothing for all of it.

        >>> Part(stop_ms=1514764800000).in_words
        ', 40% of the households, before 2018-01-01'
        """
        times = (self.start_ms, self.stop_ms)
        start, stop = ("" if ms is None else shown_time(ms).removesuffix(" 00:00:00Z") for ms in times)
        parts = (start and f" from {start} on", stop and f" before {stop}")
        period = " and".join(part for part in parts if part)
        return period if self.share == 1 else f", {self.share:.0%} of the households{',' if period else ''}{period}"

    def wants(self, event: ShopperEvent) -> bool:
        """Whether an event lies in it."""
        return self.within(event_time_ms(event)) and self.has(event.shopper_id)

    def within(self, at_ms: int) -> bool:
        """Whether a moment lies in the period."""
        return (self.start_ms is None or at_ms >= self.start_ms) and (self.stop_ms is None or at_ms < self.stop_ms)

    def has(self, shopper_id: str) -> bool:
        """Whether a household is one of those chosen."""
        drawn = hashlib.blake2b(shopper_id.encode(), digest_size=4).digest()
        return int.from_bytes(drawn) < self.share * 2**32
