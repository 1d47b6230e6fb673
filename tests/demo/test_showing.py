"""What is shown: in order, in words, of the period that was replayed, and on a page that needs nothing else."""

from __future__ import annotations

import base64
import random
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from streams.demo.items import RANKINGS
from streams.demo.page import SECTIONS, page
from streams.demo.recording import Recording
from streams.demo.samples import PICTURED, SHOWN, photos, samples
from streams.demo.scrape import quantile
from streams.demo.summary import rows, show
from streams.demo.systems import SYSTEMS
from streams.demo.watching import Newest, lines
from streams.features.payload.picture import points
from streams.records.items import ItemListed
from tests.demo.recordings import READ, day, foretold, numbers, orders, recording
from tests.outcomes import alert, offer
from tests.pages import Page

HOSTILE = "</style><script>alert(1)</script>\x1b[2J\"'&"


def printed(n: dict[str, Any], width: int = 100) -> str:
    out = StringIO()
    show(Console(file=out, width=width), n, Path("build/demo.json"), Path("build/demo.html"))
    return out.getvalue()


def test_lines_come_in_order_of_event_time_and_the_newest_stay() -> None:
    said = [alert(f"s{k}", f"a{k}", at=day(k)) for k in range(9)]
    said += [offer(f"s{k}", f"o{k}", day(k + 0.5)) for k in range(9)]  # type: ignore[misc]
    random.Random(7).shuffle(said)
    newest = Newest(10)
    for each in said:
        newest.add(each)
    times = [each.event_time_ms for each in newest]
    assert times == sorted(times) == [day(k / 2) for k in range(8, 18)]


def test_lines_say_day_shopper_and_reasons_in_words() -> None:
    newest = Newest()
    newest.add(offer("s2", "o", day(1)))
    newest.add(alert("s\x1b1", "a", at=day(0)))
    out = StringIO()
    Console(file=out, width=160).print(lines(newest))
    first, second = out.getvalue().splitlines()
    assert re.split(r"\s{2,}", first.strip()) == [
        "2023-11-14",
        "s\ufffd1",
        "churn alert: high, 0.61, Days since the last order: 24 days (typical: 7 days)",
    ]
    assert "likely to leave, uses coupons" in second


def test_the_terminal_shows_story_page_and_period() -> None:
    text = printed(numbers(recording()))
    assert "7 households, 2023-11-14 to 2024-02-22 (101 days)" in text
    assert "101 days in 2 s" in text
    assert "One shopper's story: bea" in text
    assert "build/demo.html" in text
    story = text[text.index("One shopper's story") : text.index("Why this one")].splitlines()
    assert 8 <= len(story) <= 20


@pytest.mark.parametrize("shown", [printed, page], ids=["terminal", "page"])
def test_a_part_of_the_year_is_not_called_a_year(shown: Any) -> None:
    made = Recording()
    for _ in made.passing(orders("ann", 0, 12)):
        pass
    text = shown(numbers(made))
    assert "2023-11-14 to 2023-11-26 (13 days)" in text
    assert not re.search(r"\byear\b", text.split("</style>")[-1])


def test_it_adds_up_only_when_nothing_is_missing() -> None:
    assert numbers(recording())["adds_up"]
    assert numbers(recording(), applied=8, late=1, dead=1)["adds_up"]
    short = numbers(recording(), applied=8, tick=2)
    assert not short["adds_up"]
    assert "NO" in dict(rows(short))["adds up"]
    assert "It does NOT add up" in page(short)
    assert not numbers(recording(), read={**READ, "scored": 11})["adds_up"]
    assert not numbers(recording(), read={**READ, "item_profiles": 9})["adds_up"]
    assert not numbers(recording(), items_in=26)["adds_up"]


@pytest.mark.parametrize("shown", [printed, page], ids=["terminal", "page"])
def test_items_are_shown_with_what_they_are_ranked_by_and_stock_as_simulated(shown: Any) -> None:
    text = shown(numbers(recording()))
    for told in ("Best sellers", "Tea, 20 CT", "60.00 USD", "Falling", "20%", "tea-1", "simulated"):
        assert told in text
    assert dict(rows(numbers(recording())))["items' log"].startswith(
        "25 = 20 applied + 0 duplicate + 0 late + 0 dead + 5"
    )


def test_a_quantile_of_nothing_is_nothing() -> None:
    assert quantile({}, "offerstream_decision_seconds", 0.5) == 0.0


def test_the_page_needs_nothing_else() -> None:
    text = page(numbers(recording()))
    found = Page(text)
    assert not {tag for tag, _ in found.seen} & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in found.seen:
        assert not attributes.keys() & {"src", "href", "srcset", "action", "data"}
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"https?:|url\(|@import", text)
    assert "default-src 'none'" in text


def test_the_photos_of_samples_stand_in_the_page_itself() -> None:
    n = numbers(recording())
    one, two = list(photos())[:2]
    similar = [{"item_id": two, "cosine": 0.5, "shows": HOSTILE}, {"item_id": "no photo", "cosine": 0.1, "shows": None}]
    shown = {"answers": 2, "meaning": "what pictures show", "topic": "items.pictured.v1", "in_words": "a lemon"}
    n["systems"]["image"] = shown | {"example": {"item_id": one}, "similar": similar}
    found = Page(page(n))
    pictures = found.all("img")
    assert [str(each["alt"]) for each in pictures] == [one, two]
    held = [base64.b64decode(str(each["src"]).removeprefix("data:image/jpeg;base64,")) for each in pictures]
    assert held == [photos()[one], photos()[two]]
    assert not found.all("script")
    assert any("<script>" in text and "cosine 0.50" in text for text in found.texts)


def test_items_are_shown_before_and_after_with_picture_reviews_and_what_is_like_them() -> None:
    n = numbers(recording())
    n["enriched"]["items"] = [{**n["enriched"]["items"][0], "item_id": PICTURED, "title": HOSTILE}]
    n["enriched"]["items"][0]["similar"][0]["item_id"] = next(iter(photos()))
    found = Page(page(n))
    assert [str(each["alt"]) for each in found.all("img")] == [PICTURED, next(iter(photos()))]
    whole = " ".join(found.texts)
    for said in ("<script>alert(1)</script>", "Home", "colour: red", "Bright, but too large.", "shows a lamp (90%)",
                 "cosine 0.75", "Searched: “lmap”, read as “lamp”, Home", "Lamp (lamp-1)"):  # fmt: skip
        assert said in whole, said
    assert "whose it is" not in whole
    n["enriched"] = {"items": [{**n["enriched"]["items"][0], "answers": {}}], "searches": []}
    assert "before-after" not in page(n)


def test_the_samples_shown_are_samples() -> None:
    assert {one.item_id for one in samples(0) if isinstance(one, ItemListed)} >= {*SHOWN}


def test_sample_photos_are_small_and_say_whose_they_are() -> None:
    assert sum(map(len, photos().values())) < 200_000
    assert all(points(photo, 96).shape == (96, 96, 3) for photo in photos().values())
    listed = [each for each in samples(0) if isinstance(each, ItemListed) and each.image]
    assert {(each.attributes or {})["sample"] for each in listed} == {
        "Grocery Store Dataset, (c) 2019 Marcus Klasson, MIT"
    }
    assert PICTURED in photos()


def test_every_picture_is_told_and_has_a_table_beside_it() -> None:
    text = page(numbers(recording()))
    found = Page(text)
    pictures = found.all("svg")
    assert len(pictures) == 9
    ids = {attributes.get("id") for _, attributes in found.seen}
    for picture in pictures:
        assert picture["role"] == "img"
        assert set(str(picture["aria-labelledby"]).split()) <= ids
    assert len(re.findall(r"<svg[^>]*><title[^>]*>[^<]+</title><desc[^>]*>[^<]+</desc>", text)) == 9
    assert len(found.all("table")) >= 5
    assert len(ids - {None}) == sum("id" in attributes for _, attributes in found.seen)


def test_whatever_stands_in_the_data_is_text() -> None:
    n = numbers(recording())
    n["story"]["shopper_id"] = HOSTILE
    n["story"]["lines"].append([HOSTILE, HOSTILE])
    n["systems"]["churn"] |= {"example": {"shopper_id": HOSTILE}, "in_words": HOSTILE, "meaning": HOSTILE}
    n["items"]["falling"][0]["title"] = HOSTILE
    n["systems"][HOSTILE] = n["systems"]["churn"]
    text = page(n)
    assert not Page(text).all("script")
    assert "\x1b" not in text
    assert sum("<script>alert(1)</script>" in each for each in Page(text).texts) >= 4
    assert "\x1b" not in printed(n)


def test_the_page_shows_what_there_is_when_little_was_replayed() -> None:
    made = Recording()
    for _ in made.passing(orders("ann", 0)):
        pass
    nothing: dict[str, Any] = {"campaigns": [], "recommended": None, "enriched": {"items": [], "searches": []}}
    nothing["demand"] = foretold() | {"drawn": []}
    found = Page(page(numbers(made, ranked={name: [] for name in RANKINGS}) | nothing))
    headings = [attributes["id"] for attributes in found.all("h2")]
    assert headings == ["alerts", "offers", "answers", "adds-up"]
    assert "No story" in printed(numbers(made))


def test_systems_and_sections_are_tables_of_contents() -> None:
    assert len({system.name for system in SYSTEMS}) == len(SYSTEMS)
    text = page(numbers(recording()))
    assert text.count("<section") == len(SECTIONS)
    assert "news: nothing yet" in text
