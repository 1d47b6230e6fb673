"""Grams: one text gives the same numbers however it is dressed, and no text does harm."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh32_intdigest

from streams.features.payload.grams import BUCKETS, Grams

LISTING = Grams(("title", "description"), 320, needs="title")
PHRASES = Grams(("title", "text"), 64, longest=0, needs="text")


def row(grams: Grams, **said: str | None) -> np.ndarray:
    made = grams.of(SimpleNamespace(**said))
    assert made is not None
    return made


def bucket(gram: str) -> int:
    return xxh32_intdigest(gram.encode()) % BUCKETS + 1


def test_it_is_the_words_their_pairs_and_the_characters_within_them() -> None:
    found = row(Grams(("title",), 40, 2, 3), title="Big TV")
    wanted = ["=big", " b", "bi", "ig", "g ", " bi", "big", "ig ", "=tv", "=big tv", " t", "tv", "v ", " tv", "tv "]
    assert found[: len(wanted)].tolist() == [bucket(gram) for gram in wanted]
    assert not found[len(wanted) :].any()


def test_chinese_is_runs_of_characters() -> None:
    found = row(PHRASES, text="很好 iPhone手机")
    wanted = ["很", "好", "很好", "=iphone", "手", "机", "手机"]
    assert found[: len(wanted)].tolist() == [bucket(gram) for gram in wanted]


@pytest.mark.parametrize(
    "same",
    ["GREEN TEA 5L", "<p>green <b>tea</b> 5l</p>", "ｇｒｅｅｎ ｔｅａ ５ｌ", "green  tea,\n5l!", "green&nbsp;tea 5l"],
)
def test_case_width_spaces_and_html_do_not_matter(same: str) -> None:
    np.testing.assert_array_equal(row(LISTING, title=same), row(LISTING, title="Green tea 5l"))


def test_what_must_be_there_is_and_a_long_title_leaves_a_description_little() -> None:
    assert LISTING.of(SimpleNamespace(description="words")) is None
    assert LISTING.of(SimpleNamespace(title="")) is None
    assert LISTING.of(SimpleNamespace()) is None
    title = " ".join(f"word{n}" for n in range(200))
    np.testing.assert_array_equal(row(LISTING, title=title), row(LISTING, title=title, description="more of it"))
    assert (row(LISTING, title="tea", description="green") > 0).sum() > (row(LISTING, title="tea") > 0).sum()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.sampled_from(["", "<", "&#", "&lt;p&gt;", "\ud800", "́", "茶", "İ"]))
def test_any_text_gives_distinct_buckets_then_nothing_twice_the_same(text: str, oddity: str) -> None:
    for grams in (LISTING, PHRASES):
        said = {"title": text + oddity, "text": oddity * 3 + text}
        made = grams.of(SimpleNamespace(**said))
        if made is None:
            continue
        assert made.shape == grams.shape
        assert made.dtype == np.float32
        held = made[made > 0]
        assert len(set(held.tolist())) == len(held)
        assert not made[len(held) :].any()
        assert (held == np.floor(held)).all()
        assert held.max(initial=1) <= BUCKETS
        np.testing.assert_array_equal(made, grams.of(SimpleNamespace(**said)))


def test_the_largest_text_is_not_read_to_its_end() -> None:
    """What a record may hold at most."""
    for word in ("<" * 7, "&amp;" * 9, "x" * 900, "茶", "ﷺ"):
        text = word * (100_000 // len(word))
        read = row(LISTING, title=text[:2000], description=text[:20_000])
        np.testing.assert_array_equal(row(LISTING, title=text[:2000], description=text), read)
