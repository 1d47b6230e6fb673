"""The index against BM25F in plain Python, and against itself by another path."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.shopper_events import category_code, item_code
from streams.records.searches import Answered
from streams.search.answering import CANDIDATES, Liked, Searcher
from streams.search.index import FIELDS, LATELY, SATURATION, Document, Index
from streams.search.spelling import distance
from streams.search.words import query_words, stems

WORDS = st.sampled_from(["tea", "teas", "green", "cup", "cups", "tn2110", "绿茶", "绿茶叶", "box", "USB", "Ｂlack"])
TEXT = st.lists(WORDS, max_size=5).map(" ".join)
SAID = st.builds(
    Document,
    title=TEXT,
    brand=WORDS,
    category_path=st.lists(WORDS, max_size=2).map(tuple),
    description=TEXT,
    attributes=st.dictionaries(WORDS, WORDS, max_size=2),
)
IDS = st.sampled_from([f"i{n}" for n in range(9)])
STEPS = st.lists(st.tuples(IDS, SAID | st.none()), max_size=25)


def plain(items: dict[str, Document], query: list[str]) -> dict[str, float]:
    """BM25F as it is written down."""
    said = {i: [stems(t, f.most) for t, f in zip(s.texts(), FIELDS, strict=True)] for i, s in items.items()}
    means = [max(sum(len(w[f]) for w in said.values()) / max(len(said), 1), 1e-9) for f in range(len(FIELDS))]
    found: dict[str, float] = {}
    for word in query:
        many = sum(any(word in text for text in texts) for texts in said.values())
        idf = math.log(1 + (len(said) - many + 0.5) / (many + 0.5))
        for item, texts in said.items():
            if any(word in text for text in texts):
                tf = 0.0
                for field, text, mean in zip(FIELDS, texts, means, strict=True):
                    long = 1 - field.length + field.length * len(text) / mean
                    tf += field.weight * text.count(word) / max(long, 1e-9)
                found[item] = found.get(item, 0.0) + idf * tf / (SATURATION + tf)
    return found


def listed(steps: list[tuple[str, Document | None]]) -> dict[str, Document]:
    items: dict[str, Document] = {}
    for item, said in steps:
        if said is None:
            items.pop(item, None)
        else:
            items[item] = said
    return items


def indexed(steps: list[tuple[str, Document | None]], sort_each: int = 1000) -> Index:
    index = Index()
    for n, (item, said) in enumerate(steps):
        if said is None:
            index.drop(item)
        else:
            index.put(item, said)
        if n % sort_each == 0:
            index.sort()
    return index


@settings(max_examples=150, deadline=None)
@given(STEPS, TEXT, st.integers(1, 9))
def test_items_score_as_bm25f_says_whenever_they_are_sorted_in(
    steps: list[tuple[str, Document | None]], query: str, sort_each: int
) -> None:
    words = query_words(query)
    found = indexed(steps, sort_each).best(words, 100)
    wanted = plain(listed(steps), words)
    assert set(found.items) == set(wanted)
    np.testing.assert_allclose(found.scores, [wanted[item] for item in found.items], rtol=1e-12)


@settings(max_examples=150, deadline=None)
@given(STEPS, TEXT, st.integers(1, 9))
def test_the_same_listed_items_give_the_same_bits_by_whatever_path(
    steps: list[tuple[str, Document | None]], query: str, sort_each: int
) -> None:
    one, other = indexed(steps, sort_each), indexed(list(reversed(listed(steps).items())))
    assert one.digest == other.digest
    assert len(one) == len(other) == len(listed(steps))
    assert Searcher(one).answer(query, CANDIDATES) == Searcher(other).answer(query, CANDIDATES)


def test_the_digest_changes_with_what_is_said() -> None:
    found = {indexed([("a", Document(title="tea", brand=brand))]).digest for brand in ("", "x", "y")}
    assert len(found) == 3
    assert indexed([("a", Document(title="tea"))]).digest != indexed([("b", Document(title="tea"))]).digest


def test_many_changes_are_sorted_in_and_old_words_forgotten() -> None:
    index = Index()
    for n in range(4 * LATELY):
        index.put(f"i{n % 50}", Document(title=f"tea word{n}"))
        if n % 100 == 0:
            index.best(["tea"], 10)
    index.tidy()
    assert len(index) == 50
    assert len(index.words) <= 50 + 1 + LATELY
    assert index.frequency("tea") == 50
    assert index.frequency("word3") == 0


SHOP = {
    "tea": Document(title="Green tea, 20 bags", brand="Acme", category_path=("Food", "Tea")),
    "cup": Document(title="Tea cup of glass", category_path=("Kitchen", "Cups")),
    "set": Document(title="Wireless headset X200", brand="Soundly", category_path=("Audio", "Headsets")),
    "耳": Document(title="蓝牙耳机 黑色", category_path=("数码", "耳机")),
    "茶": Document(title="龙井绿茶叶 250克", category_path=("食品", "茶")),
}


def ask(query: str, n: int = 10, liked: Liked = Liked()) -> Answered:  # noqa: B008
    return Searcher(indexed(list(SHOP.items()))).answer(query, n, liked)


def test_what_was_meant_is_found() -> None:
    found = ask("haedset")
    assert (found.corrected, [i.item_id for i in found.items], found.why) == ("headset", ["set"], "all_words")
    assert [i.item_id for i in ask("wirelesheadsets").items] == []
    assert ask("wirelessheadset").corrected == "wireless headset"
    assert [i.item_id for i in ask("head set").items] == ["set"]
    assert ask("wirel").corrected == "wireless"
    assert ask("x2000").why == "nothing_found"  # a model is not another one
    assert ask("teas").corrected is None


def test_chinese_is_found_by_pairs_and_by_one_character() -> None:
    assert [i.item_id for i in ask("耳机").items] == ["耳"]
    assert [i.item_id for i in ask("绿茶").items] == ["茶"]
    assert [i.item_id for i in ask("茶").items] == ["茶"]
    assert ask("蓝牙耳机").category == "耳机"


def test_without_an_item_that_says_all_the_rarest_words_are_dropped() -> None:
    found = ask("green tea headset unheardof99")
    assert found.why == "some_words"
    assert found.dropped[0] == "unheardof99"
    assert found.items[0].item_id == "tea"
    assert found.category is not None


def test_nothing_says_why() -> None:
    assert ask("?!").why == ask("").why == "no_words"
    assert ask("zzzz").why == "nothing_found"
    assert ask("zzzz").items == []
    assert Searcher(Index()).answer("tea", 5).why == "nothing_found"


def test_what_a_shopper_likes_decides_only_between_items_that_fit_about_alike() -> None:
    plain_items = [(i.item_id, i.score) for i in ask("tea").items]
    liked = ask("tea", liked=Liked(category_code("Cups"), {item_code("cup") & 0xFFFF_FFFF}))
    assert {i.item_id: i.score for i in liked.items}["cup"] > dict(plain_items)["cup"]
    assert {i.item_id for i in liked.items} == {item for item, _ in plain_items}
    for item in liked.items:
        assert dict(plain_items)[item.item_id] <= item.score <= 1.0501 * dict(plain_items)[item.item_id] + 1e-4
    assert ask("tea", liked=Liked(category_code("Nowhere"), {1})).items == ask("tea").items


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400) | st.lists(WORDS, max_size=60).map("".join), st.integers(1, CANDIDATES))
def test_every_query_has_an_answer(query: str, n: int) -> None:
    found = ask(query, n)
    assert len(found.items) <= n
    assert bool(found.items) == (found.why in ("all_words", "some_words", "category"))
    scores = [item.score for item in found.items]
    assert scores == sorted(scores, reverse=True)
    assert found == ask(query, n)


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_distance_is_that_of_edits(one: str, other: str) -> None:
    def slow(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        best = min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))
        if len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0]:
            best = min(best, slow(a[2:], b[2:]) + 1)
        return best

    assert distance(one, other, 2) == min(slow(one, other), 3)
