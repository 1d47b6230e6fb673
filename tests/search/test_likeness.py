"""An encoder beside the event loop: what it is asked over HTTP counts, what is in the log does not wait for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.artifact import ArtifactError
from models.encoder import of_folder
from models.store import Store
from streams import worker
from streams.agents.likeness import WAITING, Likeness
from streams.agents.searching import Searching
from streams.metrics import Metrics
from streams.records.items import ItemListed
from streams.records.searches import sought
from streams.search.answering import Searcher
from streams.search.index import Document, Index
from streams.search.likeness import together
from streams.search_book import SearchBook
from streams.settings import Settings, SettingsError
from tests.models.encoders import DECLARED, SEES, folder
from tests.search.test_following import Log, searched, slice_of
from tests.shoppers import NOON

WORDS = ("tea", "green", "cup", "kettle")


def encode(texts: Sequence[str]) -> Any:
    """Which words a text has; a kettle makes tea."""
    rows = np.array([[word in text.lower() for word in WORDS] for text in texts], np.float32)
    rows[:, 0] += rows[:, 3]
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


class Slow:
    """An encoder that waits until it is let, and may fail."""

    def __init__(self) -> None:
        self.let, self.asked, self.fails = threading.Event(), list[str](), False

    def __call__(self, texts: Sequence[str]) -> Any:
        self.asked += texts
        assert self.let.wait(5)
        if self.fails:
            raise RuntimeError("broken")
        return encode(texts)


@pytest.fixture
def slow() -> Iterator[tuple[Slow, Likeness]]:
    encoder = Slow()
    found = Likeness(encoder, "slow 1")
    yield encoder, found
    encoder.let.set()
    found.stop()


def settled(likeness: Likeness, items: Sequence[str]) -> None:
    """Until the items are encoded."""
    until = time.monotonic() + 5
    while np.isnan(likeness.of_items(items, encode(["tea"])[0])).any():
        assert time.monotonic() < until
        time.sleep(0.001)


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=8),
    st.data(),
)
def test_what_is_not_known_to_be_like_moves_nothing(scores: list[float], data: st.DataObject) -> None:
    like = data.draw(st.lists(st.floats(-1, 1) | st.just(np.nan), min_size=len(scores), max_size=len(scores)))
    plain, both = np.array(scores), together(np.array(scores), np.array(like))
    assert np.isfinite(both).all()
    unknown = np.isnan(like)
    by_score = plain[unknown] / max(plain.max(), 1e-9)
    np.testing.assert_array_equal(both[unknown], by_score)
    assert np.array_equal(together(plain, np.full(len(plain), np.nan)), plain / max(plain.max(), 1e-9))


def test_of_items_that_say_the_same_the_likest_comes_first() -> None:
    index = Index()
    for item in "abc":
        index.put(item, Document(title="tea"))
    like = {"a": 0.1, "b": 0.9, "c": 0.5}
    found = Searcher(index).answer("tea", 3, like=lambda items: np.array([like[item] for item in items]))
    assert [each.item_id for each in found.items] == ["b", "c", "a"]
    assert [each.score for each in found.items] == sorted((each.score for each in found.items), reverse=True)
    assert found.items[-1].score >= 0


def test_queries_come_before_items_and_only_so_many_wait(slow: tuple[Slow, Likeness]) -> None:
    encoder, likeness = slow
    for item in "abc":
        likeness.put(item, Document(title=f"tea {item}"))

    async def ask() -> list[Any]:
        asked = [asyncio.create_task(likeness.of_query(f"green {i}")) for i in range(WAITING + 3)]
        await asyncio.sleep(0.01)
        encoder.let.set()
        return await asyncio.gather(*asked)

    answered = asyncio.run(ask())
    assert sum(vector is None for vector in answered) == 3
    settled(likeness, "abc")
    assert sorted(encoder.asked[-2:]) == ["tea b", "tea c"]  # "tea a" was begun before anybody asked


def test_an_item_is_as_it_was_said_last(slow: tuple[Slow, Likeness]) -> None:
    encoder, likeness = slow
    for item in "abc":
        likeness.put(item, Document(title="cup"))
    while not encoder.asked:
        time.sleep(0.001)
    likeness.drop("a")  # while it is being encoded
    likeness.put("b", Document(title="green", description="tea"))
    likeness.put("c", Document(brand="nothing that is read"))
    encoder.let.set()
    settled(likeness, "b")
    assert np.isnan(likeness.of_items("ac", encode(["tea"])[0])).all()
    assert likeness.of_items("b", encode(["green tea"])[0])[0] == pytest.approx(1, abs=1e-3)
    assert likeness.waiting() == 0


def test_an_encoder_that_fails_holds_nobody_up(slow: tuple[Slow, Likeness]) -> None:
    encoder, likeness = slow
    encoder.fails = True

    async def ask() -> list[Any]:
        asked = [asyncio.create_task(likeness.of_query("tea")) for _ in range(3)]
        await asyncio.sleep(0.01)
        encoder.let.set()
        return [*await asyncio.gather(*asked), await likeness.of_query("tea")]

    assert asyncio.run(asyncio.wait_for(ask(), 5)) == [None] * 4


def test_likeness_counts_over_http_and_the_log_says_the_same_without(slow: tuple[Slow, Likeness]) -> None:
    encoder, likeness = slow
    book, logs = SearchBook(), (Log(), Log())
    titles = {"a": "tea cup", "b": "tea kettle", "c": "green tea"}
    for item, title in titles.items():
        for said in sought(ItemListed(event_id="e", item_id=item, event_time=NOON, title=title)):
            book.apply(said)
    watch: Any = SimpleNamespace(newest=book)
    writers: Any = logs
    metrics = Metrics()
    with_it = Searching(watch, writers[0], metrics, 0, {}, likeness)
    with_it.handle(slice_of([searched("e", NOON)]))  # the encoder is still waiting
    while not encoder.asked:  # until it holds the first item
        time.sleep(0.001)
    waiting = metrics.registry.get_sample_value
    assert waiting("offerstream_search_items_waiting") == 2
    assert len(logs[0].rankings()) == 1
    for item in titles:
        book.apply(sought(ItemListed(event_id="e", item_id=item, event_time=NOON, title=titles[item]))[0])
    without = Searching(watch, writers[1], Metrics(), 0, {})
    without.handle(slice_of([searched("e", NOON)]))
    assert logs[0].sent == logs[1].sent
    assert b'"encoder"' not in logs[0].sent[0][2]
    encoder.let.set()
    settled(likeness, list(titles))
    assert waiting("offerstream_search_items_waiting") == 0
    found = asyncio.run(with_it.asked("green tea", 3, None))
    assert found.encoder == "slow 1"
    assert found.items[0].item_id == "c"
    plain = asyncio.run(without.asked("tea", 3, None))
    assert plain.encoder is msgspec.UNSET
    alike = asyncio.run(with_it.asked("tea", 3, None))
    assert [each.item_id for each in plain.items] == ["a", "b", "c"]
    assert [each.item_id for each in alike.items] == ["b", "a", "c"]


def test_a_worker_takes_an_encoder_of_texts_by_name_and_version(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    for said in (DECLARED, SEES):
        store.keep_encoder(of_folder(folder(tmp_path / said["name"], said)))
    version = store.encoder("tiny").version

    def chosen(name: str) -> Likeness | None:
        return worker._likeness(Settings(models=store.url, search_encoder=name))

    assert chosen("") is None
    for name in ("tiny", f"tiny@{version[:4]}"):
        found = chosen(name)
        assert found is not None
        assert found.name == f"tiny {version}"
        found.stop()
    with pytest.raises(SettingsError, match="encodes pictures"):
        chosen("eye")
    with pytest.raises(ArtifactError, match="did you mean tiny"):
        chosen("tinny")
