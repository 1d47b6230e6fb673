"""The campaigns that are ready to use decide as they say, over small histories folded by the very code that serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from models.registry import TASKS
from streams.campaigns import examples, memory
from streams.campaigns.arms import ItemFacts
from streams.campaigns.deciding import Decided, Inputs, Moment, decide
from streams.campaigns.draws import due_hashes, shopper_hashes
from streams.campaigns.plan import Plans
from streams.campaigns.reading import campaigns_of
from streams.campaigns.reasons import Why
from streams.campaigns.terms import BROWSE, CART, EVENT, OVERDUE, PRICE, SILENCE, STOCK
from streams.columns.arrays import TYPE_CODE, Ints
from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records.campaigns import CampaignSet
from tests.campaigns.builders import WORDS, rows
from tests.shoppers import DAY, HOUR, NOON, carted, consented, log_of, ordered, slice_of, viewed
from tests.worlds import shipped

#: 13:00 UTC: no quiet hours, nowhere near one.
NOW = NOON // DAY * DAY + 13 * HOUR


def wished(shopper: str, at: int, event_id: str) -> e.ItemWishlisted:
    return e.ItemWishlisted(event_id=event_id, shopper_id=shopper, event_time=at, item_id="i1")


def steady(shopper: str, gap: int, times: int, since: float) -> list[Any]:
    """Orders at a steady pace, the last one some days ago."""
    last = NOW - int(since * DAY)
    return [
        ordered(shopper, last - (times - 1 - n) * gap * DAY, f"{shopper}{n}", cents=5000, category="tea")
        for n in range(times)
    ]


def story(name: str) -> tuple[list[Any], dict[str, str], int, float]:
    """Events; shopper → what the example must say; what made them due and how much of it."""
    if name == "win-back":
        events = [*steady("gone", 10, 4, 60), *steady("new", 10, 1, 60), *steady("here", 10, 6, 9)]
        return events, {"gone": "offered", "new": "not_in_audience", "here": "not_in_audience"}, OVERDUE, 2.0
    if name == "cart-abandoned":
        events = [carted("left", NOW - 2 * HOUR), carted("bought", NOW - 3 * HOUR), viewed("looked", NOW - HOUR)]
        events += [ordered("bought", NOW - 2 * HOUR)]
        return events, {"left": "offered", "bought": "not_in_audience", "looked": "not_in_audience"}, CART, 75
    if name == "browse-abandoned":
        events = [viewed("left", NOW - 3 * HOUR + n, f"e{n}") for n in range(4)]
        events += [viewed("once", NOW - 3 * HOUR), *(viewed("put", NOW - 4 * HOUR + n, f"e{n}") for n in range(4))]
        events += [carted("put", NOW - 3 * HOUR)]
        return events, {"left": "offered", "once": "not_in_audience", "put": "not_in_audience"}, BROWSE, 150
    if name in ("back-in-stock", "price-drop"):
        events = [wished("wants", NOW - 9 * DAY, "w"), viewed("looks", NOW - 9 * DAY)]
        kind = STOCK if name == "back-in-stock" else PRICE
        return events, {"wants": "offered", "looks": "not_in_audience"}, kind, 15
    if name == "welcome":
        events = [ordered("first", NOW - 5 * DAY), ordered("resting", NOW - DAY), *steady("second", 5, 2, 5)]
        said = {"first": "offered", "resting": "after_purchase", "second": "not_in_audience"}
        return events, said, EVENT, np.nan
    if name == "for-you":
        events = [*steady("silent", 10, 4, 9), *steady("new", 10, 1, 9), *steady("here", 10, 4, 2)]
        return events, {"silent": "offered", "new": "not_in_audience", "here": "not_in_audience"}, SILENCE, np.nan
    assert name == "replenishment"
    events = [*steady("steady", 14, 5, 13), *steady("rare", 90, 5, 88), *steady("two", 14, 2, 13)]
    return events, {"steady": "offered", "rare": "not_in_audience", "two": "not_in_audience"}, OVERDUE, 0.93


def columns_at(events: list[Any], shoppers: list[str], now: Ints) -> Callable[[str], Any]:
    """Features by the stream's own fold, answers by the model that ships."""
    granted = [consented(s, NOW - 100 * DAY, "k") for s in shoppers]
    every = sorted([*granted, *events], key=lambda event: event.event_time)
    processor = PartitionProcessor(SHOPPER, 0, Rules())
    processor.apply(slice_of(log_of(*every)))
    at = processor.arena.rows.copy(processor.arena.find(shoppers))
    catalogue, (churn,) = SHOPPER.catalogue, [task for task in TASKS if task.name == "churn"]
    answers = shipped().model("churn").score(catalogue.read(at, now, churn.features))
    # As in a stream: of whom the task cannot judge nothing is answered.
    judged = catalogue.read(at, now, ("orders.count",))[:, 0] >= 1

    def column(address: str) -> Any:
        task, _, output = address.partition(".")
        if task == "churn":
            return np.where(judged, answers[output].reshape(len(shoppers), -1)[:, 0], np.nan)
        found = catalogue.read(at, now, (address,))
        return found if found.shape[1] > 1 else found[:, 0]

    return column


def facts(on_hand: float, k: int) -> ItemFacts:
    """So much in stock of whatever an arm offers, with good reviews."""
    no = np.zeros((1, k), np.bool_)
    return ItemFacts(np.full((1, k), on_hand), np.full((1, k), 4.5), no, no)


def decided(name: str, shoppers: list[str], said: Inputs | None = None, instead: list[Any] | None = None) -> Decided:
    """What an example decides of the shoppers of its story; nobody is in a holdout and nobody explores."""
    events, _, kind, amount = story(name)
    events = events if instead is None else instead
    chosen = campaigns_of(examples.text(name), WORDS)
    calm = [msgspec.structs.replace(each, holdout_share=0, exploration_share=0) for each in chosen.campaigns]
    shop = msgspec.structs.replace(chosen.shop, holdout_share=0)
    ready = Plans.of(CampaignSet(shop=shop, campaigns=tuple(calm)), WORDS)
    k = len(shoppers)
    now = np.full(k, NOW)
    moment = Moment(
        now_ms=now,
        kind=np.full(k, kind),
        event_type=np.ones(k, np.int64),
        amount=np.full(k, float(amount)),
        shopper=shopper_hashes(shoppers),
        due=due_hashes(shoppers, ["event:x"] * k),
        columns=columns_at(events, shoppers, now),
    )
    state, at = rows(k), np.arange(k)
    for event in events:
        if isinstance(event, e.OrderPlaced) and event.shopper_id in shoppers:
            row = np.array([shoppers.index(event.shopper_id)])
            assert isinstance(event.event_time, int)
            memory.note_events(state, row, np.array([event.event_time]), np.array([TYPE_CODE[e.OrderPlaced]]))
    (found,) = decide(ready, moment, memory.read(state, at), said)
    return found


@pytest.mark.parametrize("name", examples.NAMES)
def test_an_example_decides_as_it_says(name: str) -> None:
    wanted = story(name)[1]
    plenty = facts(100.0, len(wanted))
    found = decided(name, list(wanted), Inputs(items={name: plenty}))
    assert dict(zip(wanted, [Why(code).word for code in found.why.tolist()], strict=True)) == wanted


def test_what_a_shopper_left_is_offered_where_it_is_known() -> None:
    name, shopper = "browse-abandoned", next(iter(story("browse-abandoned")[1]))
    assert Why(int(decided(name, [shopper], Inputs(items={name: facts(1.0, 1)})).why[0])) == Why.OFFERED
    assert Why(int(decided(name, [shopper], Inputs(items={name: facts(-1.0, 1)})).why[0])) == Why.OUT_OF_STOCK


def test_an_example_does_not_offer_what_cannot_be_bought() -> None:
    name = "back-in-stock"
    shopper = next(iter(story(name)[1]))
    assert Why(int(decided(name, [shopper]).why[0])) == Why.OUT_OF_STOCK  # unknown
    assert Why(int(decided(name, [shopper], Inputs(items={name: facts(0.0, 1)})).why[0])) == Why.OUT_OF_STOCK


def test_a_small_cart_gets_a_reminder_and_a_large_one_its_shipping() -> None:
    items = Inputs(items={"cart-abandoned": facts(9.0, 1)})
    small = decided("cart-abandoned", ["left"], items)  # 5.00 in the cart
    assert small.plan.campaign.arms[int(small.drawn.arm[0])].id == "reminder"
    assert Why(int(small.refused[1, 0])) == Why.BELOW_MARGIN
    large = [carted("left", NOW - 2 * HOUR, f"c{n}") for n in range(30)]
    found = decided("cart-abandoned", ["left"], items, large)
    assert found.plan.campaign.arms[int(found.drawn.arm[0])].id == "shipping"
