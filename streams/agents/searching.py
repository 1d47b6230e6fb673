"""Answers searches: those in the shoppers' log on ``search.rankings.v1``, and those that are asked over HTTP.

The index is this worker's own and follows a compacted topic, so where it stands is no function of the shoppers' log:
each answer names the catalogue that it was made from, by digest (``docs/decisions/0020``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
import numpy as np

from streams.agents.likeness import Likeness, Vectors
from streams.compacted import Watch
from streams.decisions.favourite import ADDRESS as FAVOURITE
from streams.decisions.recommendations import CODE as BOUGHT
from streams.features.kinds.bought import whole
from streams.features.kinds.taste import code
from streams.metrics import Metrics
from streams.processing.partition import PartitionProcessor
from streams.records.events import Searched
from streams.records.items import ItemChanged, ItemDelisted, ItemListed
from streams.records.outcomes import Due, encode_outcome, outcome_id
from streams.records.searches import Answered, SearchRanked, key_of, sought
from streams.records.slices import Slice
from streams.search.answering import CANDIDATES, NOBODY, Liked, Searcher
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
    """This worker's index, and what is answered by it. Searches before ``publish_from_ms`` are not answered.
    ``shoppers``: the partitions that this worker owns now."""

    def __init__(
        self,
        book: Watch[SearchBook],
        writer: WriteBehind,
        metrics: Metrics,
        publish_from_ms: int,
        shoppers: Mapping[int, PartitionProcessor],
        likeness: Likeness | None = None,
    ) -> None:
        self._book, self._writer, self.metrics, self._shoppers = book, writer, metrics, shoppers
        self._publish_from_ms = publish_from_ms
        self._searcher, self._likeness = Searcher(Index()), likeness
        if likeness is not None:
            metrics.search_items_waiting.set_function(likeness.waiting)

    def follow(self, most: int = AT_ONCE) -> int:
        """Take up to so many changed items into the index; returns how many there were."""
        changed = self._book.newest.drain(most)
        for item, said in changed:
            if said is None:
                self._searcher.index.drop(item)
                if self._likeness is not None:
                    self._likeness.drop(item)
            else:
                self._searcher.index.put(item, said)
                if self._likeness is not None:
                    self._likeness.put(item, said)
        if changed:
            self.metrics.search_items.set(len(self._searcher.index))
        return len(changed)

    async def asked(self, query: str, n: int, shopper: str | None) -> Answered:
        """What a query finds that is asked over HTTP, by nobody in particular or by a shopper: one whose row is in this
        worker's memory is shown what they like before what fits as well. Where there is an encoder, likeness counts."""
        vector = None if self._likeness is None else await self._likeness.of_query(query)
        return self._answer(query, n, "http", NOBODY if shopper is None else self._liked(shopper), vector)

    def _liked(self, shopper: str) -> Liked:
        for processor in self._shoppers.values():
            if shopper in processor.arena:
                rows = processor.arena.rows.pick(processor.arena.find([shopper]))
                now = np.array([processor.newest_ms])
                bought = set(whole(processor.catalogue.read(rows, now, [BOUGHT])).reshape(-1).tolist()) - {0}
                return Liked(int(code(processor.catalogue.read(rows, now, [FAVOURITE]))[0]), frozenset(bought))
        return NOBODY

    def _answer(
        self, query: str, n: int, source: str, liked: Liked = NOBODY, vector: Vectors | None = None
    ) -> Answered:
        began = time.perf_counter()
        if self._likeness is None or vector is None:
            found = self._searcher.answer(query, min(n, CANDIDATES), liked)
        else:
            likeness = self._likeness
            found = self._searcher.answer(
                query, min(n, CANDIDATES), liked, lambda items: likeness.of_items(items, vector)
            )
            found = msgspec.structs.replace(found, encoder=likeness.name)
        self.metrics.search_seconds.observe(time.perf_counter() - began)
        self.metrics.searches.labels(source, found.why).inc()
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
        found = self._answer(event.query, NAMED, "log")
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
