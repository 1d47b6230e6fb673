"""Items that came after a training are shown to those who buy of their category."""

from __future__ import annotations

from streams.records.events import ShopperEvent
from tests.shoppers import DAY, NOON, ordered
from training.checks.new_items import measure
from training.history import history_of


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
