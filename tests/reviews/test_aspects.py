"""What the rules read in reviews, also in such as nobody should send."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.features.payload.language import language_of, readable
from streams.records.items import ItemReviewed
from streams.records.reviewed import ASPECTS
from streams.reviews.aspects import NOTHING, lists, read, signs
from streams.reviews.clauses import MOST, clauses
from training.checks.aspects import by_rules, f1
from training.datasets.aspects import sample

WORDS = tomllib.loads(files("streams.reviews").joinpath("words.toml").read_text("utf-8"))
EVERY = sorted({word for kinds in WORDS.values() for by in kinds.values() for words in by.values() for word in words})


def by_patterns(clause: str) -> dict[str, list[int]]:
    """The same by a regular expression for each list: slow and plain."""
    found = {}
    for about, kinds in WORDS.items():
        for kind, languages in kinds.items():
            longest = sorted({word for words in languages.values() for word in words}, key=lambda w: (-len(w), w))
            pattern = "|".join(rf"\b{re.escape(w)}\b" if w.isascii() else re.escape(w) for w in longest)
            values = [-1 if turned(clause[: m.start()], m.group()) else 1 for m in re.finditer(pattern, clause)]
            if values:
                found[f"{about}.{kind}"] = values
    return found


def turned(before: str, word: str) -> bool:
    if not word.isascii():
        return re.search(r"(?:[不没无](?:是|太|很|算|会|够|怎么)?|不怎么)$", before) is not None
    near = " ".join(before.split()[-3:])
    no = r"\b(?:not|no|n't|never|isn't|wasn't|don't|doesn't|didn't|hardly|nothing|without)\b"
    return re.search(no, near) is not None


said = st.lists(
    st.one_of(st.sampled_from(EVERY), st.sampled_from(["not", "very", "isn't", "不", "没", "很", "x", "_", "2", "-"])),
    max_size=8,
)


@given(said, st.sampled_from([" ", "", "  ", "-"]))
def test_words_are_found_as_plain_patterns_find_them(words: list[str], between: str) -> None:
    clause = between.join(words)
    assert signs(clause) == by_patterns(clause)


def test_every_list_speaks_of_an_aspect_or_of_anything() -> None:
    assert set(WORDS) == {*ASPECTS, "any"}
    assert {"size.small", "size.large", "any.good", "any.bad"} <= set(lists().names)
    for kind in ("small", "large"):
        for language, words in WORDS["size"][kind].items():
            assert set(words) <= set(WORDS["size"]["complaint"][language])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("It is soft but it runs small.", [("quality", True, "It is soft"), ("size", False, "it runs small")]),
        ("The fabric is not soft at all!", [("quality", False, "The fabric is not soft at all")]),
        ("I love the color of it.", [("look", True, "I love the color of it")]),
        ("质量很好，但是快递太慢了。", [("quality", True, "质量很好"), ("delivery", False, "快递太慢了")]),
        ("不便宜，客服态度恶劣", [("price", False, "不便宜"), ("service", False, "客服态度恶劣")]),
        ("It has a lovely taste, that is all.", [("taste", True, "It has a lovely taste")]),
        ("This is a lovely dress.", [("look", True, "This is a lovely dress")]),
        ("It is not a lovely style of shoe.", [("look", False, "It is not a lovely style of shoe")]),
        ("Much smaller than expected.", [("size", False, "Much smaller than expected")]),
        ("It has a button and it is made of cotton.", []),
    ],
)  # fmt: skip
def test_a_clause_is_told_of_with_the_aspect_it_speaks_of(text: str, told: list[tuple[str, bool, str]]) -> None:
    assert [tuple(each) for each in read(None, text).told] == told


def test_a_size_that_is_too_small_is_told_from_one_that_is_too_large() -> None:
    small, large, fits = (read(None, text) for text in ("it is way too small", "it runs large", "it is not too big"))
    assert [(each.small, each.large) for each in (small, large, fits)] == [(True, False), (False, True), (False, False)]
    assert [each.told[0].praised for each in (small, large, fits)] == [False, False, True]
    small, large = (read(None, f"It is much {size} than I expected.") for size in ("smaller", "bigger"))
    assert [(each.small, each.large) for each in (small, large)] == [(True, False), (False, True)]
    assert not read(None, "My waist is smaller than my hips.").small


@pytest.mark.parametrize(
    ("text", "stated", "language"),
    [
        ("", None, None),
        ("   \n\t ", None, None),
        ("👍👍👍❤️", None, None),
        ("هذا القميص جميل جدا والسعر مناسب", None, None),
        ("この生地はとても柔らかくて気に入りました", None, None),
        ("Das Hemd ist sehr weich und gut", None, None),
        ("The shirt is soft", "fr", None),
        ("The shirt is soft and 很好", None, "en"),
        ("这件 shirt 的质量很好", None, "zh"),
        ("The shirt is soft 👍", "en-GB", "en"),
    ],
)
def test_languages_that_the_rules_do_not_know_are_not_read(text: str, stated: str | None, language: str | None) -> None:
    assert language_of(readable(text), stated) == language
    found = read(None, text, stated)
    assert found.language == language
    assert language is not None or found == NOTHING


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert('it is soft')</script> The fabric is soft, <img src=x onerror=alert(1)> and it runs small",
        "The fabric is &lt;b&gt;soft&lt;/b&gt; &amp; it is warm",
        "The fabric is s\u202eo\u202cft and \u2066soft\u2069, it is \x00\x1b[31mwarm\x07",
        "ＴＨＥ ＦＡＢＲＩＣ ＩＳ ＳＯＦＴ",
    ],
)
def test_quotes_have_no_tag_of_html_and_nothing_that_is_not_seen(text: str) -> None:
    found = read(None, text)
    assert ("quality", True) in {(each.aspect, each.praised) for each in found.told}
    for each in found.told:
        assert not re.search(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]|<script|<img", each.clause)


@given(st.text(max_size=400), st.one_of(st.none(), st.text(max_size=8)))
def test_any_text_is_read(text: str, stated: str | None) -> None:
    found = read(text, text, stated)
    for each in found.told:
        assert each.clause == each.clause.strip() != ""
        assert each.aspect in ASPECTS
    assert len(found.told) <= 2 * len(ASPECTS)


@pytest.mark.parametrize(
    "text", ["soft, " * 170_000, "a" * 1_000_000, "<" * 1_000_000, "好" * 340_000, "but " * 250_000]
)
def test_of_a_long_text_the_beginning_is_read(text: str) -> None:
    found = read(None, text)
    assert found == read(None, text[:9_000])
    assert len(list(clauses(readable(text)))) <= MOST


def test_the_rules_read_the_sample_as_the_docs_say() -> None:
    pieces = sample()
    assert (len(pieces.records), int(pieces.test.sum())) == (310, 206)
    found = by_rules(pieces.records)[pieces.test]
    assert round(float(f1(pieces.both[pieces.test], found).mean()), 3) == 0.590


def test_a_title_alone_is_read() -> None:
    record = ItemReviewed(event_id="r", item_id="i", event_time=1, rating=5, title="So soft and warm", text=None)
    assert [each.aspect for each in read(record.title, record.text).told] == ["quality"]
