"""What a worker says on its console: that it is ready, and what alerts, offers, dead letters and late events come.

Never a flood.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from streams.records import words
from streams.records.offers import OfferMade
from streams.records.outcomes import AnyOutcome, ChurnAlerted, DeadLetter, LateEvent

#: By record: what it is called, one and many.
_NAMES: dict[type, tuple[str, str]] = {
    ChurnAlerted: ("alert", "alerts"),
    OfferMade: ("offer", "offers"),
    DeadLetter: ("dead letter", "dead letters"),
    LateEvent: ("late event, which counts in no feature", "late events, which count in no feature,"),
}


@dataclass(slots=True)
class _Kind:
    """What came of one kind since it was last told of."""

    count: int = 0
    since: float = 0.0
    example: AnyOutcome | DeadLetter | LateEvent | None = None
    told: float = float("-inf")


class Announcer:
    """Counts what comes and tells of each kind at most once in ``every_seconds`` (0: never), with the newest one as an
    example. Nothing is told while nothing comes."""

    def __init__(
        self, every_seconds: float, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every, self._tell, self._clock = every_seconds, tell, clock
        self._kinds = {kind: _Kind() for kind in _NAMES}
        self._standing = ""

    def observe(self, *came: Iterable[AnyOutcome | DeadLetter | LateEvent]) -> None:
        """Take note of what came."""
        if self._every <= 0:
            return
        now = self._clock()
        for records in came:
            for record in records:
                kind = self._kinds.get(type(record))
                if kind is not None:
                    kind.since = kind.since if kind.count else now
                    kind.count += 1
                    kind.example = record

    def stands(self, line: str) -> None:
        """Tell how the worker stands, unless that was told last."""
        if line != self._standing:
            self._standing = line
            self._tell(line)

    def announce(self, *, last: bool = False) -> None:
        """Tell what is to be told by now; ``last``: everything, because no other time comes."""
        now = self._clock()
        for (one, many), kind in zip(_NAMES.values(), self._kinds.values(), strict=True):
            if kind.count and (last or now - kind.told >= self._every):
                example = kind.example
                if isinstance(example, OfferMade):  # whoever reads a worker's log need not redeem it
                    example = msgspec.structs.replace(example, coupon_code=msgspec.UNSET)
                whom = words.whom(example) or "-"
                shown = words.printable(f"{whom}: {words.about(example, reasons=1)}")
                if kind.count == 1:
                    self._tell(f"1 {one}: {shown}")
                else:
                    self._tell(f"{kind.count:,} {many} in {max(1, round(now - kind.since))} s, e.g. {shown}")
                kind.count, kind.told = 0, now
