"""Nothing that is not in the attributes passes, whoever wrote it; and what is in them does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.copy.checking import LENGTHS, check, coverage
from streams.copy.languages import CHINESE, ENGLISH
from streams.copy.slots import Slot
from streams.copy.tokens import NUMBER_WORDS, folded, number, said
from tests.copy.slots import known

SLOTS = [
    Slot("brand", "Acme", "text"),
    Slot("model", "dv7-1211ea", "text"),
    Slot("memory", "4 GB DDR2", "text"),
    Slot("weight (kg)", "2.50", "number"),
    Slot("resolution", "1,440 x 900", "text"),
    Slot("colour", "Black", "text"),
    Slot("touchscreen", "no", "no"),
]


def kinds(text: str, name: str = "description", language: object = ENGLISH, slots: list[Slot] = SLOTS) -> list[str]:
    return [fault.kind for fault in check({name: text}, slots, language).faults]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A laptop of 4 GB and 2.5 kg, 1440 x 900.", []),
        ("A laptop of ４ ＧＢ, 2.5kg, four gigs.", []),
        ("It has 8 GB.", ["invented_number"]),
        ("It has eight of them.", ["invented_number"]),
        ("It has 4 TB.", ["invented_unit", "invented_word"]),
        ("It has 4-tb.", ["invented_unit"]),
        ("It weighs 2.5 GB.", ["invented_unit"]),
        ("It costs $4.", ["invented_unit"]),
        ("The dv7-1211ea by Acme.", []),
        ("A 900z.", ["invented_code"]),
        ("The dv7-1212ea.", ["invented_number", "invented_code"]),
        ("It has an NVIDIA card.", ["invented_word"]),
        ("Made with Windows inside.", ["invented_word"]),
        ("Windows inside.", []),  # a sentence begins with a capital
        ("A red one.", ["invented_word"]),
        ("A black one.", []),
        ("A black one, the best.", ["forbidden"]),
        ("A <b>black</b> one.", ["markup"]),
        ("A black one &lt;", ["markup"]),
        ("javascript:alert(black)", ["markup"]),
        ("A black\u202eone.", ["markup"]),
        ("", ["too_short"]),
        ("b" * 3001, ["too_long"]),
    ],
)
def test_what_is_not_in_the_attributes_is_found(text: str, found: list[str]) -> None:
    assert kinds(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("黑色的电脑，4 GB 内存", []),
        ("重2.5公斤", ["invented_unit"]),
        ("重2.5kg", []),
        ("三个接口", ["invented_number"]),
        ("红色的电脑", ["invented_word"]),
        ("全网最低价", ["forbidden", "forbidden"]),
        ("这一款电脑", []),
    ],
)
def test_chinese_is_held_to_the_same(text: str, found: list[str]) -> None:
    assert kinds(text, language=CHINESE) == found


def test_a_title_says_nothing_of_its_own() -> None:
    assert kinds("Acme dv7-1211ea with 4 GB", "title") == []
    assert kinds("Acme dv7-1211ea laptop", "title") == ["invented_word"]


def test_more_words_can_be_forbidden_and_coverage_asked_for() -> None:
    found = check({"description": "A black laptop."}, SLOTS, forbidden=("laptop",), least_coverage=0.5)
    assert [fault.kind for fault in found.faults] == ["forbidden", "not_covered"]
    assert found.coverage == pytest.approx(1 / 7)
    assert found.invented == 0


@given(known, st.integers(0, 10**9), st.sampled_from(["", " kg", "%", "mm", " 元"]))
def test_a_number_that_no_attribute_has_is_found(slots: list[Slot], n: int, unit: str) -> None:
    if not any(str(n) in folded(f"{slot.name} {slot.value}").replace(",", "") for slot in slots):
        text = " ".join([*(slot.value for slot in slots), f"about {n}{unit} of it"])
        assert any(f.what == number(str(n)) for f in check({"description": text}, slots).faults) or n in (
            int(w) for w in _in_words(slots)
        )


def _in_words(slots: list[Slot]) -> list[str]:
    return [NUMBER_WORDS[w] for slot in slots for w in said(f"{slot.name} {slot.value}").split() if w in NUMBER_WORDS]


@given(known, st.sampled_from(["XQZW", "azurite-9x", "Zanzibar"]), st.sampled_from(sorted(LENGTHS)))
def test_a_name_that_no_attribute_has_is_found(slots: list[Slot], name: str, text: str) -> None:
    if not any(folded(name) in folded(f"{slot.name} {slot.value}") for slot in slots):
        assert any(fault.kind.startswith("invented") for fault in check({text: f"it is {name}"}, slots).faults)


@given(known)
def test_what_the_attributes_say_is_covered_and_not_invented(slots: list[Slot]) -> None:
    lines = {f"text{k}": f"{slot.name}: {slot.value}" for k, slot in enumerate(slots)}
    assert coverage(lines.values(), slots) == 1.0
    for line in lines.values():
        assert not check({"description": line}, slots, closed=True).invented


@given(known, st.lists(st.text(max_size=30), max_size=3), st.text(max_size=30))
def test_more_text_never_covers_less(slots: list[Slot], texts: list[str], more: str) -> None:
    assert 0.0 <= coverage(texts, slots) <= coverage([*texts, more], slots) <= 1.0


@given(known, st.text(max_size=200), st.sampled_from(sorted(LENGTHS)))
def test_any_text_can_be_checked_and_says_the_same_in_another_width_and_case(
    slots: list[Slot], text: str, name: str
) -> None:
    found = check({name: text}, slots, closed=True)
    assert found == check({name: text}, slots, closed=True)
    upper = [fault for fault in found.faults if fault.kind in ("invented_number", "invented_unit", "invented_code")]
    again = check({name: folded(text)}, slots, closed=True).faults
    assert [f for f in again if f.kind in ("invented_number", "invented_unit", "invented_code")] == upper


@given(known, st.text(min_size=1, max_size=60))
def test_what_is_closed_lets_no_other_word_through(slots: list[Slot], text: str) -> None:
    own = " ".join(ENGLISH.phrases)
    inside = said(" ".join([own, *(f"{slot.name} {slot.value}" for slot in slots)])).split()
    strange = [word for word in said(text).split() if word.isalpha() and word not in inside]
    if strange:
        assert check({"description": text}, slots, closed=True).invented
