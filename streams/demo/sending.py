"""Sends the households' events, in a thread of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event, Thread

from streams.access import Access
from streams.demo.recording import Recording
from streams.producer.replay import ReplayError, Sent, event_time_ms, records_of, send
from streams.records.words import shown_time
from training.datasets import COMPLETE_JOURNEY


@dataclass
class Sending:
    """The replay of what lies in [start, stop), into Kafka and the recording."""

    kafka: Access
    recording: Recording
    start_ms: int | None
    stop_ms: int | None
    sent: int = 0
    failure: Exception | None = None
    finished: Event = field(default_factory=Event)

    @property
    def part(self) -> str:
        """Which part of the data is sent, as the end of a sentence; nothing for all of it."""
        times = (self.start_ms, self.stop_ms)
        start, stop = ("" if ms is None else shown_time(ms).removesuffix(" 00:00:00Z") for ms in times)
        parts = (start and f" from {start} on", stop and f" before {stop}")
        return " and".join(part for part in parts if part)

    def start(self) -> None:
        """Begin."""
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            events = (event for event in COMPLETE_JOURNEY.read(None) if self._wanted(event_time_ms(event)))
            records = records_of(self.recording.passing(events))
            send(self.kafka, records, acknowledged := Sent(), self._so_far)
            self.sent = acknowledged.records
            if not self.sent:
                raise ReplayError(f"Complete Journey has no event{self.part}: its events are of 2017.")
        except Exception as error:
            self.failure = error
        finally:
            self.finished.set()

    def _wanted(self, at_ms: int) -> bool:
        return (self.start_ms is None or at_ms >= self.start_ms) and (self.stop_ms is None or at_ms < self.stop_ms)

    def _so_far(self, sent: int) -> None:
        self.sent = sent
