"""Waits until everything that was sent is processed, and shows meanwhile what comes."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from rich.live import Live

from streams.demo.campaigns import Campaigns
from streams.demo.running import DemoError, Running, console
from streams.demo.scrape import RECORD_FATES, Samples, added, by, records, scrape, values
from streams.demo.sending import Catalogue, Lane, Sending
from streams.demo.watching import Watch
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.outside.inspect import progress
from streams.outside.reading import Reader
from streams.records.items import ITEM_RECORDS
from streams.records.tags import tag_of
from streams.terminal import TELL_SECONDS

#: The slowest step has no end in sight for longer than this only when something is wrong.
PATIENCE_SECONDS = 150
#: So long nothing more may come of it: what the worker has handed to its producer is on its way.
QUIET_SECONDS = 2.0
#: So often the worker's metrics are read: each time costs some 30 ms of a core, which the worker needs.
SCRAPE_SECONDS = 0.5
#: Also ticks, and what workers chose, stand in the items' log.
ITEM_FATES = (*RECORD_FATES, "tick", "choice")
CATALOGUE_TYPES = {tag_of(record) for record in ITEM_RECORDS[:-1]}


@dataclass
class Followed:
    """How it went."""

    progress: list[tuple[float, int, int]] = field(default_factory=lambda: [(0.0, 0, 0)])
    """(seconds, events sent, events processed) as the time passed, until all were."""
    items_seconds: float = 0.0
    """When the items' log was applied as well."""
    items_in: int = 0
    """How many records it held."""
    samples: Samples = field(default_factory=dict)
    """What workers counted. One that was killed took with it what it had counted in the moment before, and what it had
    not written down was done again: these numbers are close, and ``fates`` are exact."""
    killed: int = 0
    """How often the worker was killed."""
    fates: dict[str, Counter[str]] = field(default_factory=dict)
    """By entity, what became of each record of its log, as it stands beside the state that came of it."""


class ItemsLog:
    """The items' log, from outside: how many records of this run it holds, and whether all are applied."""

    def __init__(self, reader: Reader, app_id: str) -> None:
        self._reader, log = reader, ITEM.topic(app_id)
        self._places = [(log, p) for p in range(reader.partitions(log))]
        self._start = self._end()

    def __len__(self) -> int:
        return self._end() - self._start

    def _end(self) -> int:
        return sum(self._reader.extent(place)[1] for place in self._places)

    def applied(self, samples: Samples, carried: int, held: int) -> bool:
        """Whether the worker has applied all records that the log holds (``held``), and ``carried`` of a catalogue
        among them, as far as its counters tell."""
        kinds = by(samples, "offerstream_events_total", "type", entity="item")
        dead = by(samples, "offerstream_records_total", "fate", entity="item")["dead"]
        if sum(kinds[kind] for kind in CATALOGUE_TYPES) + dead < carried:
            return False
        if any(values(samples, "offerstream_lag_records", "item")):
            return False
        return held <= records(samples, "item", ITEM_FATES)


def follow(
    running: Running, sending: Sending, catalogue: Catalogue, campaigns: Campaigns, watch: Watch, log: ItemsLog
) -> Followed:
    """Show what comes until the worker is through with all that was sent and with what followed from it. Raises
    ``DemoError``, ``BrokerError``."""
    found, before, last, started = Followed(), Samples(), Samples(), running.worker.started
    began = changed = told = time.monotonic()
    quiet, counted = began, (0, 0)
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while True:
            # A worker that is busy for seconds has the numbers it had.
            seen, now, again = scrape(running.port), time.monotonic(), running.worker.started
            if again != started:
                before, last, started = added(before, last), Samples(), again
            last, found.killed = seen or last, again - 1
            samples = added(before, last)
            done, items = counted_now = records(samples), records(samples, "item", ITEM_FATES)
            if counted_now != counted:
                counted, changed = counted_now, now
            _fail(running, (sending.lane, catalogue.lane), now - changed)
            waiting = [lag for (name, _), lag in samples.items() if name == "offerstream_lag_records"]
            campaigns.processed(int(done), sum(waiting) if waiting else 1)
            sent = sending.lane.sent
            if found.progress[-1][2] < sent or not sending.lane.finished.is_set():
                found.progress.append((now - began, sent, done))
            lags = values(samples, "offerstream_lag_records", "shopper")
            catalogue.reached(1000 * min(values(samples, "offerstream_watermark_seconds", "shopper"), default=0))
            held = len(log) if sending.lane.finished.is_set() else None
            status = watch.status(sent, done, items, held, now - began)
            live.update(watch.view(status))
            if not console.is_terminal and now - told >= TELL_SECONDS:
                told = now
                console.print(status, highlight=False, soft_wrap=True)
            if sending.lane.finished.is_set() and done >= sending.lane.sent and lags and not any(lags):
                catalogue.reached(float("inf"))
                whole = catalogue.lane.finished.is_set() and log.applied(samples, catalogue.lane.sent, held or 0)
                if not whole or held != found.items_in:
                    quiet, found.items_in, found.items_seconds = now, (held or 0) * whole, now - began
                elif now - quiet >= QUIET_SECONDS:
                    found.samples = samples
                    break
            time.sleep(SCRAPE_SECONDS)
        watch.settle()
    return found


def fates(reader: Reader, running: Running, log: ItemsLog) -> tuple[dict[str, Counter[str]], int]:
    """By entity, what became of each record of its log, once all that stands in it is written down; and how many
    records of the run the items' log holds then. Raises ``DemoError``."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        held, all_written = len(log), True
        found = dict[str, Counter[str]]()
        for entity in (SHOPPER, ITEM):
            written, topic = progress(reader, running.settings, entity), entity.topic(running.app_id)
            all_written &= all(one.next_offset >= reader.extent((topic, p))[1] for p, one in written.items())
            found[entity.name] = sum((one.fates for one in written.values()), Counter[str]())
        if all_written and held == len(log):
            return found, held
        if time.monotonic() > until:
            raise running.fail(f"Not all that was applied was written down within {PATIENCE_SECONDS} s")
        time.sleep(0.2)


def _fail(running: Running, lanes: tuple[Lane, ...], idle_seconds: float) -> None:
    """Raises ``DemoError`` or ``BrokerError`` where nothing more will come."""
    if running.broker is not None:
        running.broker.require()
    for lane in lanes:
        if lane.failure is not None:
            raise DemoError(f"The replay failed: {lane.failure}")
    ended = running.worker.ended
    if ended is not None:
        raise running.fail(f"The worker ended with code {ended}")
    if idle_seconds > PATIENCE_SECONDS:
        raise running.fail(f"Nothing was processed for {PATIENCE_SECONDS} s")
