"""Items that came after a training are shown to those who buy of their category, or what they are like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models import likeness as of_versions
from models.likeness import POWERS
from models.registry import task
from streams.decisions import likeness as of_lists
from streams.processing.rules import Rules
from streams.records.events import OrderPlaced, ShopperEvent, encode_event
from streams.records.items import CatalogRecord, ItemChanged, ItemListed, encode_item_record
from tests.decisions.test_embedded import Likes
from tests.shoppers import DAY, NOON, ordered
from training.checks.new_items import measure
from training.history import history_of
from training.job import CutHistory, Job
from training.new_items import likeness_of
from training.recommending import Catalogue
from training.source import of_files


def test_a_new_item_comes_first_for_whoever_buys_of_its_category() -> None:
    kinds = ("tea", "shoes")
    events: list[ShopperEvent] = []

    def buys(shopper: int, day: int, item: str, kind: str) -> None:
        number = len(events)
        events.append(
            ordered(f"s{shopper:02}", NOON + day * DAY + number, f"o{number}", item_id=f"{kind} {item}", category=kind)
        )

    for day in range(40):
        buys(day % 20, day, "old", kinds[day % 2])
    # New ones, 41 days on: as many of each are sold, to shoppers who bought nothing before.
    for day in range(41, 56):
        for n, kind in enumerate(kinds):
            buys(40 + 2 * day + n, day, "new", kind)
    for n in range(20):
        buys(n, 58, "new", kinds[n % 2])
    cut = (NOON + 40 * DAY) // DAY * DAY
    found = measure(history_of(events, "USD"), cut, 1)
    assert (found["orders"], found["shoppers"]) == (20, 20)
    shares = found["found"]
    assert isinstance(shares, dict)
    assert shares["units"]["1"] == 0.5
    assert shares["units, likelier^0.5"]["1"] == 1
    assert shares["units"]["3"] == 1
    # As many of each were sold; of lists the taste of 30 days tells.
    assert shares["as lists have it"]["1"] == 1


def teas_and_shoes() -> list[ShopperEvent]:
    """A shop without categories: of each kind half of its shoppers buy. Of both kinds something new comes every twenty
    days, is first bought by whoever passes, as often the one as the other, and ten days later by those of the kind."""
    events: list[ShopperEvent] = []

    def buys(shopper: str, day: int, item: str) -> None:
        number = len(events)
        events.append(ordered(shopper, NOON + day * DAY + number, f"o{number}", item_id=item, category=None))

    kinds = ("tea", "shoes")
    for day in range(45):
        for n in range(day % 3, 30, 3):
            buys(f"s{n:02}", day, f"{kinds[n % 2]} {day % 5}")
    for spell in range(4):
        for day in range(45 + 20 * spell, 50 + 20 * spell):
            for kind in kinds:
                buys(f"passing {len(events)}", day, f"{kind} new {spell}")
        for n in range(30):
            buys(f"s{n:02}", 57 + 20 * spell, f"{kinds[n % 2]} new {spell}")
    return events


def test_what_items_are_like_counts_where_it_tells_who_buys_what_is_new(tmp_path: Path) -> None:
    events = teas_and_shoes()
    items = sorted({line.item_id for event in events if isinstance(event, OrderPlaced) for line in event.lines})
    embeds: Any = Likes()
    for title in ("{}", "something"):
        folder = tmp_path / title.strip("{}")
        folder.mkdir(exist_ok=True)
        listings = [
            ItemListed(event_id=f"l{k}", item_id=item, event_time=NOON, title=title.format(item.split()[0]))
            for k, item in enumerate(items)
        ]
        # A change of a price says nothing of what it is like.
        listed: list[CatalogRecord] = [
            *listings,
            ItemChanged(event_id="c", item_id=items[0], event_time=NOON + 1, unit_price_cents=5),
        ]
        lines = [*map(encode_event, events), *(encode_item_record(one) for one in listed)]  # type: ignore[arg-type]
        (folder / "shop.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        source = of_files(folder, Rules())
        history, tally = source.load(tmp_path / "kept", lambda _n: None)
        assert tally is not None
        assert tally.other == len(listed) == len(source.listings())
        cut_ms = history.end_ms + 1
        job = Job(task("recommend"), (CutHistory(source, history, cut_ms),), 1, embeds=embeds)
        catalogue = Catalogue.of(history.touch_item, 9)
        likeness, told = likeness_of(job, job.histories[0], catalogue.item)
        if title == "something":
            assert likeness is None
            assert "to the power 0" in told
            continue
        assert likeness is not None
        assert (likeness.power in POWERS, likeness.by) == (True, embeds.digest[:16])
        known = (likeness.embeddings != 0).any(axis=1).tolist()
        assert (known, len(known)) == ([True] * 9, 9)
        # The first of what is new was as often in an order as not; now it always is.
        assert "(by power, how often the first of them was in an order with a new item: 0: 50.0%, " in told
        assert f"{likeness.power}: 100.0%" in told
    nothing = likeness_of(Job(job.task, job.histories, 1), job.histories[0], catalogue.item)
    assert nothing[0] is None


def test_versions_and_lists_mean_the_same_by_what_an_item_is_like() -> None:
    """Neither side may import the other."""
    assert (of_versions.WIDTH, of_versions.BY_DIGITS) == (of_lists.WIDTH, of_lists.BY_DIGITS)
