"""Reads alerts and offers as a marketing system would, and keeps the newest to show."""

from __future__ import annotations

import time
from bisect import insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from streams.access import Access
from streams.demo.recording import Recording
from streams.outside.reading import Place, Reader
from streams.records import words
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.outcomes import ChurnAlerted
from streams.topics import ALERTS, OFFERS, WITHHELD

SHOWN = 10


@dataclass
class Newest:
    """The newest alerts and offers in order of event time, from whichever partition and however early they come."""

    kept: int = SHOWN
    _lines: list[tuple[int, str, ChurnAlerted | OfferMade]] = field(default_factory=list)

    def add(self, outcome: ChurnAlerted | OfferMade) -> None:
        """Take one, and forget the oldest where there are too many."""
        insort(self._lines, (outcome.event_time_ms, outcome.outcome_id, outcome), key=lambda line: line[:2])
        del self._lines[: -self.kept]

    def __iter__(self) -> Iterator[ChurnAlerted | OfferMade]:
        return iter([outcome for _, _, outcome in self._lines])


class Watch:
    """The reader, in a thread of its own."""

    KINDS: dict[str, tuple[str, Any]] = {  # noqa: RUF012 (constant)
        ALERTS.name: ("alerts", ChurnAlerted),
        OFFERS.name: ("offers", OfferMade),
        WITHHELD.name: ("withheld", OfferWithheld),
    }

    def __init__(self, kafka: Access, recording: Recording) -> None:
        self._recording = recording
        self._counts: Counter[str] = Counter()
        self._again: Counter[str] = Counter()
        self._newest = Newest()
        self._ids: set[str] = set()
        self._stop = Event()
        self._last_read = time.monotonic()
        self._reader = Reader(kafka)
        # From the topics' present ends: a broker that was there before may hold older outcomes.
        here: list[Place] = [(name, p) for name in self.KINDS for p in range(self._reader.partitions(name))]
        self._starts = {place: self._reader.extent(place)[1] for place in here}
        self._thread = Thread(target=self._read, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End reading."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)
        self._reader.close()

    def settle(self, quiet_seconds: float = 2.0) -> None:
        """Wait until nothing new has come for a while."""
        end = time.monotonic() + 20
        while time.monotonic() - self._last_read < quiet_seconds and time.monotonic() < end:
            time.sleep(0.1)

    def read(self) -> dict[str, int]:
        """How many of each kind were read."""
        return {kind: self._counts[kind] for kind, _ in self.KINDS.values()}

    def again(self) -> dict[str, int]:
        """How many of each kind were said again, under the ids that they had."""
        return {kind: self._again[kind] for kind, _ in self.KINDS.values()}

    def _read(self) -> None:
        for records in self._reader.follow(self._starts, 0.2):
            if self._stop.is_set():
                return
            for record in records:
                kind, cls = self.KINDS[record.topic]
                outcome = msgspec.json.decode(record.value or b"", type=cls)
                if outcome.outcome_id in self._ids:
                    self._again[kind] += 1  # the same outcome said again: ids make it effectively once
                    continue
                self._ids.add(outcome.outcome_id)
                self._last_read = time.monotonic()
                self._counts[kind] += 1
                self._recording.add(outcome)
                if not isinstance(outcome, OfferWithheld):
                    self._newest.add(outcome)

    def view(self, status: str) -> Group:
        """What to show right now."""
        return Group(lines(self._newest), Text(f"\n{status}", style="bold"))

    def status(self, sent: int, done: int, items: int, held: int | None, seconds: float) -> str:
        """How far it is; ``held``: how many records of items there are, once that is known."""
        numbers = ", ".join(f"{n:,} {kind}" for kind, n in self.read().items())
        of_all = "" if held is None else f" of {held:,}"
        return f"{seconds:5.1f} s   {sent:,} sent, {done:,} processed, {items:,}{of_all} of items   {numbers}"


def lines(outcomes: Newest) -> Table:
    """A line each: the day, whom, and what was said and why, in words."""
    table = Table.grid(padding=(0, 2))
    for outcome in outcomes:
        said = words.printable(words.said(outcome, reasons=1))
        style = "red" if isinstance(outcome, ChurnAlerted) else "green"
        cells = (words.shown_day(outcome.event_time_ms), words.printable(words.whom(outcome)), said)
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table
