"""What workers follow, and what they say of searches in the log."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.agents.searching import NAMED, Searching, tell
from streams.metrics import Metrics
from streams.records import events as e
from streams.records.items import ItemChanged, ItemDelisted, ItemListed, encode_item_record
from streams.records.searches import MOST_TEXT, SearchRanked, key_of, sought
from streams.records.slices import Slice
from streams.search.index import Index
from streams.search_book import SearchBook, decode
from streams.topics import SEARCH_ITEMS, SEARCH_RANKINGS
from tests.shoppers import NOON

TEXT = st.none() | st.text("ab ", max_size=6)
PATH = st.none() | st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=2)
ATTRIBUTES = st.none() | st.dictionaries(st.sampled_from("pq"), st.text("ab", min_size=1, max_size=3))
WORDS = {"title": TEXT, "brand": TEXT, "description": TEXT, "category_path": PATH, "attributes": ATTRIBUTES}
IDS = st.fixed_dictionaries({"event_id": st.just("e"), "item_id": st.sampled_from("ij"), "event_time": st.just(NOON)})


def record(kind: type, words: dict[str, Any]) -> Any:
    return IDS.map(lambda ids: kind(**ids, **words))


SAID = st.fixed_dictionaries(WORDS).flatmap(lambda w: record(ItemListed, w) | record(ItemChanged, w))
CATALOGUE = st.lists(SAID | record(ItemDelisted, {}), max_size=12)


class Log:
    """What was sent, by topic, in order."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes]] = []

    def send(self, topic: str, key: bytes, value: bytes, _partition: int | None = None) -> None:
        self.sent.append((topic, key, value))

    def poll(self) -> None:
        """Nothing waits."""

    def rankings(self) -> list[SearchRanked]:
        return [msgspec.json.decode(v, type=SearchRanked) for t, _, v in self.sent if t == SEARCH_RANKINGS.name]


def slice_of(values: list[bytes]) -> Slice:
    n = len(values)
    return Slice("t", 0, range(n), [NOON] * n, [None] * n, values)


def index_of(book: SearchBook) -> Index:
    index = Index()
    for item, said in book.drain(10**6):
        if said is not None:
            index.put(item, said)
    return index


@settings(max_examples=100, deadline=None)
@given(CATALOGUE)
def test_a_compacted_topic_gives_the_same_items_as_the_whole_one(said: list[Any]) -> None:
    log: Any = Log()
    tell(slice_of([*map(encode_item_record, said), b"{", b'{"type":"item_listed"}']), log)
    assert {topic for topic, _, _ in log.sent} <= {SEARCH_ITEMS.name}
    whole, compacted = SearchBook(), SearchBook()
    for _, _, value in log.sent:
        whole.apply(decode(value))
    newest = {key: value for _, key, value in log.sent}
    for value in newest.values():
        compacted.apply(decode(value))
    assert index_of(whole).digest == index_of(compacted).digest
    held: dict[str, dict[str, Any]] = {}
    listed = {"i": True, "j": True}
    for each in said:
        told = {name: getattr(each, name, None) for name in WORDS}
        held.setdefault(each.item_id, {}).update({name: value for name, value in told.items() if value is not None})
        listed[each.item_id] = not isinstance(each, ItemDelisted) and (
            isinstance(each, ItemListed) or listed[each.item_id]
        )
    found = {item: said for item, said in _drained(log).items() if said is not None}
    # What a first change says nothing of that is searched by does not make an item known.
    assert {item for item in held if listed[item] and (held[item] or item in found)} == set(found)
    for item, words in found.items():
        for name, value in held[item].items():
            assert getattr(words, name) == (tuple(value) if name == "category_path" else value)


def _drained(log: Log) -> dict[str, Any]:
    book = SearchBook()
    for _, _, value in log.sent:
        book.apply(decode(value))
    return dict(book.drain(100))


def test_long_texts_are_cut() -> None:
    long = ItemChanged(
        event_id="e",
        item_id="i",
        event_time=NOON,
        description="d" * 9_000,
        attributes={"a": "x" * 3_000, "b": "y" * 3_000},
    )
    description, attributes = sought(long)
    assert len(description.description or "") == MOST_TEXT
    assert sum(map(len, (attributes.attributes or {}).values())) == MOST_TEXT
    assert len({key_of(description), key_of(attributes)}) == 2


def searching(book: SearchBook, log: Any, publish_from_ms: int = 0) -> Searching:
    watch: Any = SimpleNamespace(newest=book)
    return Searching(watch, log, Metrics(), publish_from_ms, {})


def searched(event_id: str, at: int, query: str = "tea") -> bytes:
    return e.encode_event(e.Searched(event_id=event_id, shopper_id="s", event_time=at, query=query))


def listing(book: SearchBook, item: str) -> None:
    for said in sought(ItemListed(event_id="e", item_id=item, event_time=NOON, title="Tea")):
        book.apply(said)


def test_the_same_search_of_the_same_catalogue_is_the_same_outcome_and_of_another_one_another() -> None:
    book, log = SearchBook(), Log()
    worker = searching(book, log, NOON)
    slice_ = slice_of([searched("old", NOON - 1), searched("new", NOON), b'{"type":"searched"}', b"searched"])
    worker.handle(slice_)
    assert not log.sent  # nothing is known of any item
    listing(book, "a")
    worker.handle(slice_)
    worker.handle(slice_)
    listing(book, "b")
    worker.handle(slice_)
    first, again, other = log.rankings()
    assert first == again
    assert first.due.ref == "new"
    assert other.outcome_id != first.outcome_id
    assert [i.item_id for i in other.answer.items] == ["a", "b"]
    assert {json.loads(value)["shopper_id"].encode() for _, _, value in log.sent} == {key for _, key, _ in log.sent}


def test_an_answer_in_the_log_is_short_and_large_catalogues_come_step_by_step() -> None:
    book, log = SearchBook(), Log()
    for n in range(30):
        listing(book, f"i{n:02}")
    worker = searching(book, log)
    assert [worker.follow(20), worker.follow(20), worker.follow(20)] == [20, 10, 0]
    worker.handle(slice_of([searched("e", NOON)]))
    (ranked,) = log.rankings()
    assert [i.item_id for i in ranked.answer.items] == [f"i{n:02}" for n in range(NAMED)]
    assert len(asyncio.run(worker.asked("tea", 100, None)).items) == 30
