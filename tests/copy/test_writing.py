"""Whatever the attributes and the plan, texts say nothing that is not in them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.copy.checking import LENGTHS, check
from streams.copy.languages import CHINESE, ENGLISH, LANGUAGES, Language
from streams.copy.slots import LEAST, MOST, Slot, enough, slots
from streams.copy.writing import Plan, write
from tests.copy.slots import known, records

places = st.lists(st.integers(0, MOST), max_size=8).map(tuple)
plans = st.builds(Plan, places, places, st.booleans())
LAPTOP = [
    Slot("brand", "Acme", "text"),
    Slot("name", "Acme Note 7", "text"),
    Slot("colour", "black", "text"),
    Slot("memory", "4 GB", "text"),
    Slot("ports", "2", "number"),
    Slot("touchscreen", "yes", "yes"),
    Slot("camera", "no", "no"),
]


@settings(max_examples=300)
@given(
    known, plans, st.sampled_from(LANGUAGES), st.lists(st.sampled_from(["black", "250 g", "four", "黑"]), max_size=2)
)
def test_no_text_says_what_is_not_in_the_attributes(
    slots: list[Slot], plan: Plan, language: Language, forbidden: list[str]
) -> None:
    texts = write(slots, plan, language, forbidden)
    found = check(texts, slots, language, forbidden=forbidden, closed=True)
    assert found.faults == ()
    assert set(texts) in (set(), set(LENGTHS))
    assert texts == write(slots, plan, language, forbidden)


@settings(max_examples=200)
@given(records)
def test_slots_are_plain_and_distinct(record: SimpleNamespace) -> None:
    found = slots(record)
    assert len(found) <= MOST
    for slot in found:
        assert slot.value.isprintable()
        assert "<" not in slot.value
        assert slot.value == " ".join(slot.value.split())
        source = [record.brand, *(record.category_path or ())[-1:], *record.attributes.values()]
        assert slot.value in [" ".join(each.split()) for each in source if each]
    assert enough(found) == (sum(slot.name not in ("brand", "category") for slot in found) >= LEAST) or any(
        slot.name.casefold() in ("brand", "category") for slot in found
    )


def test_a_plan_is_followed_and_the_description_says_the_rest() -> None:
    texts = write(LAPTOP, Plan((1, 0, 3), (1, 5, 4, 2), commas=True), ENGLISH)
    assert texts == {
        "title": "Acme Note 7 4 GB",
        "description": "Acme Note 7 4 GB. Details: Colour: black; Ports: 2; Touchscreen: yes; Camera: no.",
        "offer": "For you: Acme Note 7, Touchscreen, black.",
    }
    assert check(texts, LAPTOP, ENGLISH, closed=True).coverage == 1.0


def test_chinese_says_the_same_values() -> None:
    texts = write(LAPTOP, Plan((1, 3), (1, 2), commas=True), CHINESE)
    assert texts == {
        "title": "Acme Note 7 4 GB",
        "description": "Acme Note 7 4 GB。详情：颜色：black；Ports：2；触摸屏：是；Camera：否。",
        "offer": "为您推荐：Acme Note 7、black。",
    }


def test_a_plan_of_nothing_that_can_be_said_takes_the_name() -> None:
    assert write(LAPTOP, Plan((6, 4, 39), ()), ENGLISH)["title"] == "Acme Note 7 black"
    assert write([Slot("ports", "2", "number")], Plan((0,), (0,)), ENGLISH) == {}


def test_what_would_make_a_claim_together_is_kept_apart() -> None:
    known = [Slot(name, value, "text") for name, value in (("a", "4 -"), ("b", "GB"), ("c", "number"), ("d", "one"))]
    texts = write(known, Plan((0, 1, 2, 3), ()), ENGLISH)
    assert "4 - GB" not in texts["title"]
    assert "number one" not in texts["title"]
    assert "B: GB" in texts["description"]


@pytest.mark.parametrize("bad", ["<script>alert(1)</script>", "a &lt; b", "x\u202ey", "javascript:x", "a\\nb", "＜b＞"])
def test_markup_is_refused(bad: str) -> None:
    record = SimpleNamespace(brand=bad, category_path=[bad], attributes={"size": bad, bad: "1 kg", "colour": "red"})
    assert slots(record) == [Slot("colour", "red", "text")]
