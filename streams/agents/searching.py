"""Answers searches: those in the shoppers' log on ``search.rankings.v1``, and those that are asked over HTTP.

The index is this worker's own and follows a compacted topic, so where it stands is no function of the shoppers' log:
each answer names the catalogue that it was made from, by digest (``docs/decisions/0020``).
"""

from __future__ import annotations

import time

import msgspec

from streams.compacted import Watch
from streams.metrics import Metrics
from streams.records.events import Searched
from streams.records.items import ItemChanged, ItemDelisted, ItemListed
from streams.records.outcomes import Due, encode_outcome, outcome_id
from streams.records.searches import Answered, SearchRanked, key_of, sought
from streams.records.slices import Slice
from streams.search.answering import CANDIDATES, Searcher
from streams.search.index import Index
from streams.search_book import SearchBook
from streams.state.write_behind import WriteBehind
from streams.topics import SEARCH_ITEMS, SEARCH_RANKINGS

#: So many items are named for a search in the log.
NAMED = 10
#: So many items are taken into the index at once, some 0.1 s of work: a large catalogue must not hold up events.
AT_ONCE = 1_000
_TAG = b'"searched"'
_event = msgspec.json.Decoder(Searched)
_listing = msgspec.json.Decoder(ItemListed | ItemChanged | ItemDelisted)
_encode = msgspec.json.Encoder().encode


class Searching:
    """This worker's index, and what is answered by it. Searches before ``publish_from_ms`` are not answered."""

    def __init__(self, book: Watch[SearchBook], writer: WriteBehind, metrics: Metrics, publish_from_ms: int) -> None:
        self._book, self._writer, self._metrics = book, writer, metrics
        self._publish_from_ms = publish_from_ms
        self._searcher = Searcher(Index())

    def follow(self, most: int = AT_ONCE) -> int:
        """Take up to so many changed items into the index; returns how many there were."""
        changed = self._book.newest.drain(most)
        for item, said in changed:
            if said is None:
                self._searcher.index.drop(item)
            else:
                self._searcher.index.put(item, said)
        if changed:
            self._metrics.search_items.set(len(self._searcher.index))
        return len(changed)

    def answer(self, query: str, n: int, source: str) -> Answered:
        """What a query finds now."""
        began = time.perf_counter()
        found = self._searcher.answer(query, min(n, CANDIDATES))
        self._metrics.search_seconds.observe(time.perf_counter() - began)
        self._metrics.searches.labels(source, found.why).inc()
        return found

    def handle(self, slice_: Slice) -> None:
        """Answer the searches of a slice of shoppers. Nothing is said while no item is known."""
        self.follow()
        if not len(self._searcher.index):
            return
        for value in slice_.values:
            if value is None or _TAG not in value:
                continue
            try:
                event = _event.decode(value)
            except msgspec.DecodeError:
                continue  # another event, or a dead letter: the shoppers' log says which
            at = event.event_time
            at_ms = at if isinstance(at, int) else int(at.timestamp() * 1000)
            if at_ms >= self._publish_from_ms:
                self._say(event, at_ms)
        self._writer.poll()

    def _say(self, event: Searched, at_ms: int) -> None:
        found = self.answer(event.query, NAMED, "log")
        due = Due(kind="event", ref=event.event_id)
        ranked = SearchRanked(
            outcome_id=outcome_id("search_ranked", event.shopper_id, f"event:{event.event_id}", found.catalogue),
            shopper_id=event.shopper_id,
            event_time_ms=at_ms,
            due=due,
            answer=found,
        )
        self._writer.send(SEARCH_RANKINGS.name, ranked.key.encode(), encode_outcome(ranked))


def tell(slice_: Slice, writer: WriteBehind) -> None:
    """Hand on what a slice of a catalogue says that items are searched by, for the index of every worker. What cannot
    be used is a dead letter of the items' log."""
    for value in slice_.values:
        try:
            record = _listing.decode(value or b"")
        except msgspec.DecodeError:
            continue
        for said in sought(record):
            writer.send(SEARCH_ITEMS.name, key_of(said), _encode(said), 0)
