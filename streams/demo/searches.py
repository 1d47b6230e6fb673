"""SIMULATED searches: the data say nothing of what anybody searched for. When the orders are over, three visitors who
are no households search the shop's real catalogue; one of them misspells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streams.producer.replay import event_time_ms
from streams.records.events import Searched, ShopperEvent

QUERIES = ("fluid milk", "choclate candy", "frozen pizza")


def with_searches(events: Iterable[ShopperEvent]) -> Iterator[ShopperEvent]:
    """The events, and after the last of them the searches; none where there is no event."""
    last = None
    for last in events:
        yield last
    if last is not None:
        for n, query in enumerate(QUERIES):
            who, at = f"searcher-{n}", event_time_ms(last)
            yield Searched(event_id=f"search-{n}", shopper_id=who, event_time=at, query=query)
