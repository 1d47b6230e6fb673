"""Sends the households' events, and what a catalogue would tell of the items, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from threading import Condition, Event, Thread

from streams.access import Access
from streams.demo.ads import with_ads
from streams.demo.catalogue import CatalogueRecord, told
from streams.demo.part import Part
from streams.demo.recording import Recording
from streams.demo.searches import with_searches
from streams.producer.replay import ReplayError, Sent, event_time_ms, records_of, send
from streams.records.events import ShopperEvent
from streams.records.items import ItemListed
from training.datasets import COMPLETE_JOURNEY
from training.datasets.complete_journey_items import Items


@dataclass
class Lane:
    """A thread that sends; ``sent`` so far, ``failure`` if it failed."""

    kafka: Access
    sent: int = 0
    failure: Exception | None = None
    finished: Event = field(default_factory=Event)

    def run(self, work: Callable[[], None]) -> None:
        """Begin."""

        def run() -> None:
            try:
                work()
            except Exception as error:
                self.failure = error
            finally:
                self.finished.set()

        Thread(target=run, daemon=True).start()

    def so_far(self, sent: int) -> None:
        """So many were handed to the client."""
        self.sent = sent


class Catalogue:
    """The catalogue of the items sold in a part of the data, and the stock that is simulated for some of them.

    All listings go first. What comes later goes once the worker has come to its time: a catalogue that ran ahead of
    the shop would tell prices of days that are yet to come.
    """

    def __init__(self, kafka: Access, part: Part) -> None:
        self.lane = Lane(kafka)
        self.listed = Event()
        """Set when the listings are on their way, or nothing will be."""
        self.kinds: dict[type, int] = {}
        """How many of each type of record were sent."""
        self._part = part
        self._items: Items | None = None
        self._reached = Condition()
        self._time_ms: float = 0

    @property
    def items(self) -> Items:
        """The items sold; once the listings are on their way."""
        assert self._items is not None
        return self._items

    def start(self) -> None:
        """Begin."""
        self.lane.run(self._run)

    def reached(self, time_ms: float) -> None:
        """The worker has come to this time."""
        with self._reached:
            self._time_ms = max(self._time_ms, time_ms)
            self._reached.notify()

    def _run(self) -> None:
        try:
            send(self.lane.kafka, records_of(self.records()), acknowledged := Sent(), self.lane.so_far)
            self.lane.sent = acknowledged.records
        finally:
            self.listed.set()

    def records(self) -> Iterator[CatalogueRecord]:
        """What is to be told; each comes once the worker has come to its time."""
        self._items = Items(self._part.start_ms, self._part.stop_ms, self._part.has)
        for record in told(self._items):
            if not isinstance(record, ItemListed):
                self.listed.set()
                self._wait_for(event_time_ms(record))
            self.kinds[type(record)] = self.kinds.get(type(record), 0) + 1
            yield record

    def _wait_for(self, time_ms: int) -> None:
        with self._reached:
            self._reached.wait_for(lambda: time_ms <= self._time_ms)


@dataclass
class Sending:
    """The replay of a part of the data, into Kafka and the recording, ``after`` what is to come first."""

    kafka: Access
    recording: Recording
    part: Part
    after: Event | None = None
    paced: Callable[[Iterable[ShopperEvent]], Iterable[ShopperEvent]] = iter
    """Gives each event when its turn comes."""
    lane: Lane = field(init=False)

    def __post_init__(self) -> None:
        self.lane = Lane(self.kafka)

    def start(self) -> None:
        """Begin."""
        self.lane.run(self._run)

    def _run(self) -> None:
        if self.after is not None:
            self.after.wait()
        events = (event for event in COMPLETE_JOURNEY.read(None) if self.part.wants(event))
        records = records_of(with_searches(with_ads(self.recording.passing(self.paced(events)))))
        send(self.kafka, records, acknowledged := Sent(), self.lane.so_far)
        self.lane.sent = acknowledged.records
        if not acknowledged.records:
            raise ReplayError(f"Complete Journey has no event{self.part.in_words}: its events are of 2017.")
