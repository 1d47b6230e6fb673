"""What items are like is said by what there is of them, however the log is cut; a part never replaces more."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.demo.samples import PICTURED as SAMPLE
from streams.demo.samples import photos
from streams.entities.item import ITEM
from streams.outside.similar import NoPicture, Pictures
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import items as i
from streams.records.embedded import MODALITIES, Embedded, ItemEmbedded, Modality, in_words
from streams.records.outcomes import Due, ModelUsed
from streams.records.pictured import Likely
from streams.topics import EMBEDDED, TOPIC_OF
from tests.features.files import picture, tone, wav
from tests.items import ItemLog, item_logs, item_slices
from tests.shoppers import NOON
from tests.stubs import ItemModel, ItemModels
from tests.worlds import DictTier

KNOWN = task("multimodal")
RED, BLUE = (picture(np.full((8, 8, 3), colour)) for colour in ([200, 20, 20], [20, 20, 200]))
HIGH = wav(0.3 * tone(2000, seconds=0.1))


class Likes(ItemModel):
    """A model that adds up what it is given: an item is like how much there is of each."""

    def __init__(self, version: str = "one") -> None:
        super().__init__(task("multimodal"), version, ("blue", "green", "red"), {"from": 0.5, "promised": 0.8})
        self.asked = 0

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        self.asked += len(x)
        edges = np.cumsum((0, *self.widths))
        parts = [x[:, a:b] for a, b in pairwise(edges.tolist())]
        has = np.concatenate(parts[::2], axis=1).astype(np.float64)
        words, look, sound = parts[1::2]
        colours = look.reshape(len(x), 96 * 96, 3).mean(axis=1)[:, ::-1].astype(np.float64)
        like = np.zeros((len(x), 64))
        like[:, :3], like[:, 3] = colours, (words > 0).mean(axis=1)
        like[:, 4] = sound.mean(axis=1)
        # Other words, other directions: of sums of their buckets some are alike.
        row, place = np.nonzero(words)
        np.add.at(like, (row, 5 + words[row, place].astype(np.int64) % 59), 0.1)
        like /= np.maximum(np.linalg.norm(like, axis=1, keepdims=True), 1e-9)
        place = np.argsort(-colours, axis=1, kind="stable").astype(np.float64)
        chance = np.tile([0.6, 0.3, 0.1], (len(x), 1))
        return {"confidence": chance[:, 0], "shown": place, "chance": chance, "embedding": like, "made_of": has}


def listed(n: int, **said: Any) -> tuple[str, i.ItemRecord]:
    return "catalog.items.v1", i.ItemListed(event_id=f"l{n}", item_id="a", event_time=NOON + n, **said)


def changed(n: int, **said: Any) -> tuple[str, i.ItemRecord]:
    return "catalog.items.v1", i.ItemChanged(event_id=f"c{n}", item_id="a", event_time=NOON + n, **said)


def delisted(n: int) -> tuple[str, i.ItemRecord]:
    return "catalog.items.v1", i.ItemDelisted(event_id=f"d{n}", item_id="a", event_time=NOON + n)


def log_of(said: Iterable[tuple[str, i.ItemRecord]]) -> ItemLog:
    return next((log for log in item_logs({}, list(said)).values() if log), [])


def run(log: ItemLog, models: Any, cuts: Iterable[int] = (), *, restarts: bool = False) -> list[ItemEmbedded]:
    """What is said, in the order of the log."""
    tier, found = DictTier(), list[ItemEmbedded]()
    processor = PartitionProcessor(ITEM, 0, Rules(), models)
    for slice_ in item_slices(log, 0, cuts):
        if restarts:
            tier.write(processor.drain_changes())
            processor = PartitionProcessor(ITEM, 0, Rules(), models, tier=tier)
        found += [o for o in processor.apply(slice_).outcomes if isinstance(o, ItemEmbedded)]
    return found


SAID = [
    listed(1, title="Tea", image=RED),
    changed(2, unit_price_cents=5),  # nothing of it: not asked
    changed(3, title="Green tea"),  # a part of what holds: the picture stays
    changed(4, title="Green tea", image=RED, audio=HIGH),  # more than what holds
    changed(5, title="Green tea", image=BLUE),  # less again
    listed(6, title="Blue tea"),  # a listing says all there is
    changed(7, audio=HIGH),  # other than what holds
    changed(8, title="Red tea", image=b"no picture"),
    delisted(9),
    delisted(10),
    changed(11, title="Tea", image=RED),  # not for sale
    listed(12, image=BLUE),
]
LOG = log_of(SAID)


def test_it_is_said_by_what_there_is_and_a_part_replaces_no_more() -> None:
    model = Likes()
    said = run(LOG, ItemModels(model))
    assert [each.due.ref for each in said] == ["l1", "c4", "l6", "c8", "d9", "l12"]
    assert [each.embedded and each.embedded.made_of for each in said] == [
        ["text", "picture"], ["text", "picture", "sound"], ["text"], ["text"], None, ["picture"]
    ]  # fmt: skip
    assert model.asked == len(SAID) - 3  # not of a price, nor of what is delisted
    first = said[0].embedded
    assert first is not None
    assert (first.shows, first.likely[0].name) == ("red", "red")
    assert np.linalg.norm(np.frombuffer(first.embedding, np.int8) / 127) == pytest.approx(1, abs=0.02)
    assert in_words(said[0]) == "by its text, picture it is red, 60%"
    assert "not for sale" in in_words(said[4])
    assert TOPIC_OF[ItemEmbedded] == EMBEDDED.name
    assert msgspec.json.decode(msgspec.json.encode(said[0]), type=ItemEmbedded) == said[0]


@pytest.mark.parametrize("cuts", [[1], [3, 5], list(range(1, len(LOG)))])
def test_the_log_decides_however_it_is_cut_and_after_restarts(cuts: list[int]) -> None:
    whole = run(LOG, ItemModels(Likes()))
    assert run(LOG, ItemModels(Likes()), cuts) == whole
    assert run(LOG, ItemModels(Likes()), cuts, restarts=True) == whole


@st.composite
def records(draw: st.DrawFn) -> list[tuple[str, i.ItemRecord]]:
    kinds = st.tuples(st.sampled_from("lcd"), st.booleans(), st.sampled_from((None, RED, BLUE)), st.booleans())
    made = []
    for n, (kind, words, image, sound) in enumerate(draw(st.lists(kinds, min_size=1, max_size=9))):
        said = {"title": f"Tea {n % 2}" if words else None, "image": image, "audio": HIGH if sound else None}
        made.append(delisted(n) if kind == "d" else {"l": listed, "c": changed}[kind](n, **said))
    return made


@given(records(), st.lists(st.integers(1, 8), max_size=4))
@settings(max_examples=25, deadline=None)
def test_what_holds_is_what_a_plain_reading_of_the_log_says(
    said: list[tuple[str, i.ItemRecord]], cuts: list[int]
) -> None:
    sold, holds, expected = False, set[str](), list[tuple[str, list[str] | None]]()
    last: tuple[Any, ...] | None = None
    for _, record in said:
        if isinstance(record, i.ItemDelisted):
            if last is not None:
                expected.append((record.event_id, None))
            sold, holds, last = False, set(), None
            continue
        assert isinstance(record, i.CatalogRecord)
        sold = sold or isinstance(record, i.ItemListed)
        given = dict(zip(MODALITIES, (record.title, record.image, record.audio), strict=True))
        there: set[str] = {name for name, value in given.items() if value}
        if sold and there and (isinstance(record, i.ItemListed) or there >= holds):
            holds = there
            now = tuple(given.values())
            if now != last:
                expected.append((record.event_id, [name for name in MODALITIES if name in there]))
            last = now
    log = log_of(said)
    found = run(log, ItemModels(Likes()), sorted({c for c in cuts if c < len(log)}), restarts=True)
    told = [(each.due.ref, None if each.embedded is None else each.embedded.made_of) for each in found]
    assert told == expected


def test_the_shipped_model_says_something_of_any_subset() -> None:
    shipped: Any = ItemModels(Predictor(load_artifact(KNOWN)))
    photo = photos()[SAMPLE]
    parts = {"title": "Lemon", "image": photo, "audio": HIGH}
    subsets = [[name for k, name in enumerate(parts) if code >> k & 1] for code in range(1, 8)]
    said = run(log_of(listed(n, **{name: parts[name] for name in some}) for n, some in enumerate(subsets)), shipped)
    assert [each.embedded and len(each.embedded.made_of) for each in said] == [len(some) for some in subsets]
    for each in said:
        assert each.embedded is not None
        assert 0 < each.embedded.confidence <= 1
        assert np.linalg.norm(np.frombuffer(each.embedded.embedding, np.int8) / 127) == pytest.approx(1, abs=0.05)


def test_similar_items_are_found_among_what_is_known_of_them() -> None:
    due, shelf = Due(kind="event", ref="e"), Pictures()
    used = ModelUsed(task="multimodal", version="v", digest="d")
    made: tuple[tuple[str, tuple[int, int], Modality], ...] = (
        ("a", (127, 0), "text"), ("b", (90, 90), "picture"), ("c", (120, 9), "sound")
    )  # fmt: skip
    for name, numbers, made_of in made:
        like = np.zeros(64, np.int8)
        like[:2] = numbers
        it = Embedded(
            model=used, shows=None, confidence=0.5, sure_from=None, likely=[Likely(name="x", chance=0.5)],
            embedding=like.tobytes(), made_of=[made_of],
        )  # fmt: skip
        shelf.apply(ItemEmbedded(outcome_id=name, event_time_ms=1, due=due, item_id=name, embedded=it))
    assert "a" in shelf
    assert [one.item_id for one in shelf.near("a")] == ["c", "b"]
    shelf.apply(ItemEmbedded(outcome_id="x", event_time_ms=2, due=due, item_id="c", embedded=None))
    assert [one.item_id for one in shelf.near("a")] == ["b"]
    with pytest.raises(NoPicture):
        shelf.look("c")
