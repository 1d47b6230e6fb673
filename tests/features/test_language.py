"""Which language a review is in: as it is stated, where the letters bear that out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.features.item import CATALOGUE
from streams.features.payload.language import number, tag
from streams.records.items import ItemReviewed

ADDRESS = "payload.language"
SOURCE = CATALOGUE.payloads[ADDRESS].source


def language(text: str | None, stated: str | None = None, title: str | None = None) -> str | None:
    record = ItemReviewed(event_id="r", item_id="a", event_time=1, rating=3, title=title, text=text, language=stated)
    made = SOURCE.of(record)
    return None if made is None else tag(float(made[0]))


@pytest.mark.parametrize(
    ("text", "stated", "found"),
    [
        ("It runs small but I love the fabric", None, "en"),
        ("质量很好，物流也快", None, "zh"),
        ("Der Stoff ist sehr schön und weich", None, ""),
        ("La tela es muy suave y bonita", None, ""),
        ("Le tissu est très doux, je suis ravie", None, ""),
        ("Ткань очень мягкая, размер подошёл", None, ""),
        ("とても柔らかい生地で気に入りました", None, ""),
        ("원단이 아주 부드러워요", None, ""),
        ("nice", None, ""),
        ("nice", "en-GB", "en"),
        ("★★★★★ 5/5", "en", "en"),
        ("Sehr schön", "de", "de"),
        ("Ткань очень мягкая", "en", ""),  # a shop that calls all of its reviews English
        ("质量很好，物流也快", "en", "zh"),
        ("It runs small but I love the fabric", "zh", "en"),
        ("Weich und schön", "german", ""),
        ("<b>It runs small</b> but I love the fabric &amp; the fit", None, "en"),
    ],
)  # fmt: skip
def test_what_is_stated_holds_where_the_letters_bear_it_out(text: str, stated: str | None, found: str) -> None:
    assert language(text, stated) == found


def test_a_title_counts_and_without_words_there_is_none() -> None:
    assert language("nice", title="I love this dress and it is very warm") == "en"
    assert language(None, "en") is None
    assert SOURCE.of(SimpleNamespace(rating=3)) is None


@given(st.text(), st.none() | st.text(max_size=35))
def test_any_text_gives_a_number_that_stands_for_one_language(text: str, stated: str | None) -> None:
    made = SOURCE.of(SimpleNamespace(title=None, text=text, language=stated))
    if made is not None:
        assert np.array_equal(made, SOURCE.of(SimpleNamespace(title=None, text=text, language=stated)))
        assert number(tag(float(made[0]))) == made[0] <= CATALOGUE.payloads[ADDRESS].high
