"""A rehearsal foretells what plain Python counts in the past days, and says what it cannot tell."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import msgspec
import numpy as np
import pytest

from streams.entities.shopper import SHOPPER
from streams.outside.rehearsal import Stage, running_always
from streams.outside.rehearsed import RehearsalError, Rehearsed
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records.campaigns import CampaignSet
from streams.records.news import ItemAvailable, encode_news
from streams.settings import Settings
from tests.budget.stream import NoModels
from tests.campaigns.builders import campaign
from tests.shoppers import DAY, NOON, Log, carted, consented, log_of, ordered, slice_of

DAYS, SHOPPERS = 28, 300
NOW = NOON + 60 * DAY
SHOP: dict[str, Any] = {"default_consent": True, "holdout_share": 0.0, "receipt_share": 0.0}
HOUR = 3_600_000


def past() -> list[e.ShopperEvent]:
    """Sixty days; every third shopper came in the last three weeks, some carts are left, nobody is asked twice."""
    rng, found = random.Random(11), list[e.ShopperEvent]()
    for k in range(SHOPPERS):
        first = NOON + (40 if k % 3 == 0 else 0) * DAY
        gap = rng.uniform(3, 25) * DAY
        at, n = first + rng.random() * gap, 0
        while at < NOW:
            found.append(ordered(f"s{k}", int(at), f"o{k}-{n}", cents=rng.randrange(500, 9_000)))
            if rng.random() < 0.3:
                found.append(carted(f"s{k}", int(at + 3 * HOUR), f"c{k}-{n}"))
            at, n = at + rng.expovariate(1 / gap) + HOUR * 5, n + 1
    found = [event for event in found if event.event_time < NOW]  # type: ignore[operator]
    found.append(consented("s1", NOW, "last", marketing=False))
    return sorted(found, key=lambda event: event.event_time)


PAST = past()


@pytest.fixture(scope="module")
def stage_values() -> dict[bytes, bytes]:
    """The partition as its owner flushed it."""
    processor = PartitionProcessor(SHOPPER, 0, Rules(), NoModels(), group="shop")  # type: ignore[arg-type]
    processor.apply(slice_of(log_of(*PAST)))
    return {key: value for key, value in processor.drain_changes().items() if value is not None}


def rehearsed(
    values: dict[bytes, bytes],
    days: int = DAYS,
    shop: dict[str, Any] = SHOP,
    log: Log | None = None,
    **changed: Any,
) -> Rehearsed:
    five = {"kind": "percent", "id": "five", "percent": 5, "max_discount_cents": 9_000, "assumed_uplift": 0.1,
            "assumed_redemption": 0.2}  # fmt: skip
    said = {
        "id": "thanks", "audience": "orders.count >= 1", "trigger": {"kind": "event", "types": ["order_placed"]},
        "arms": [five],
        "economics": {"contact_cents": 3, "min_stock": 0, "gross_margin": 0.3},
        "holdout_share": 0.2, "exploration_share": 0.0, "cooldown": {"after_purchase_days": 0},
        "caps": [{"offers": 1, "days": 90}],
    } | changed  # fmt: skip
    chosen = msgspec.convert({"shop": shop, "campaigns": [campaign(**said)]}, CampaignSet)
    chosen = CampaignSet(shop=chosen.shop, campaigns=tuple(running_always(each) for each in chosen.campaigns))
    stage = Stage.of(Settings(app_id="shop"), NoModels(), 0, values)  # type: ignore[arg-type]
    found = Rehearsed(chosen.campaigns[0], days, "USD")
    for outcomes in stage.play(stage.past([value for _, value in log or log_of(*PAST) if value], days), chosen):
        stage.tell(outcomes, [found])
    return found


#: Who said no at the end.
REFUSES = "s1"


def orders() -> dict[str, list[tuple[int, int]]]:
    """Shopper → (time, cents) of orders of the days that come again; newcomers are there twice."""
    found, first = defaultdict[str, list[tuple[int, int]]](list), dict[str, int]()
    for event in PAST:
        at = int(event.event_time)  # type: ignore[arg-type]
        first.setdefault(event.shopper_id, at)
        if isinstance(event, e.OrderPlaced) and at > NOW - DAYS * DAY:
            cents = sum(line.quantity * line.unit_price_cents for line in event.lines)
            found[event.shopper_id].append((at, cents))
            if NOW - first[event.shopper_id] < DAYS * DAY:
                found[f"again:{event.shopper_id}"].append((at, cents))
    return {shopper: mine for shopper, mine in found.items() if shopper != REFUSES}


def test_who_enters_and_what_they_bring_is_what_plain_python_counts(stage_values: dict[bytes, bytes]) -> None:
    found, told = rehearsed(stage_values), orders()
    assert found.entered == len(told) > SHOPPERS / 2
    assert 0.1 < found.held / found.entered < 0.3
    assert found.arms == {"five": found.entered - found.held}
    window, margins = 14 * DAY, list[int]()
    # The watermark is an hour behind the newest event: windows that end later have not closed.
    for mine in told.values():
        entered = mine[0][0]
        if entered + window <= NOW - HOUR:
            margins.append(sum(round(0.3 * cents) for at, cents in mine if entered < at <= entered + window))
    assert found.past.shoppers == len(margins) > 50
    assert found.past.margin_mean == pytest.approx(np.mean(margins))
    assert found.past.margin_deviation == pytest.approx(np.std(margins, ddof=1))
    assert found.past.entered.sum() == found.entered
    # As the file assumes: 0.2 of 5% off and 3 for the letter, for 0.1 of 30% margin: profit is twice the cost less 9.
    cost = found.offer.contact_cents + found.offer.redeemed_share * found.offer.redeemed_cents
    assert (found.offer.contact_cents, found.offer.redeemed_share) == pytest.approx((3, 0.2))
    assert found.belief == pytest.approx((-cost, 2 * cost - 9, 5 * cost - 18), rel=1e-4)
    ahead = found.ahead()
    assert ahead.audience.low < found.entered < ahead.audience.high
    assert ahead.cost_cents.mean == pytest.approx(cost * found.entered * 0.8)
    assert ahead.detectable_always_cents > ahead.detectable_cents > 0


def test_what_holds_shoppers_back_is_told_and_nobody_enters_who_may_not(stage_values: dict[bytes, bytes]) -> None:
    found = rehearsed(stage_values, shop=SHOP | {"default_consent": False})
    assert found.entered == 0
    assert found.withheld.keys() == {"no_consent"}
    assert found.withheld["no_consent"] == orders().keys() | {REFUSES}
    with pytest.raises(
        RehearsalError, match=r"thanks: nobody would enter in 28 days. Held back: no_consent \d+ shoppers"
    ):
        found.ahead()


def test_carts_are_left_as_in_the_stream(stage_values: dict[bytes, bytes]) -> None:
    left = set[str]()
    first = {event.shopper_id: int(event.event_time) for event in reversed(PAST)}  # type: ignore[arg-type]
    for event in PAST:
        at = int(event.event_time)  # type: ignore[arg-type]
        if isinstance(event, e.CartItemAdded) and NOW - DAYS * DAY < at < NOW - 3 * HOUR:
            left.add(event.shopper_id)
            if NOW - first[event.shopper_id] < DAYS * DAY:
                left.add(f"again:{event.shopper_id}")
    left.discard(REFUSES)
    found = rehearsed(stage_values, trigger={"kind": "cart_abandoned", "minutes": 60}, audience="carts.adds_24h >= 1")
    assert found.entered == len(left) > 20


def test_without_a_holdout_or_a_closed_window_nothing_is_foretold(stage_values: dict[bytes, bytes]) -> None:
    with pytest.raises(RehearsalError, match="without shoppers held back, no effect can be told"):
        rehearsed(stage_values, holdout_share=0.0).ahead()
    with pytest.raises(RehearsalError, match=r"in a window of 14 days that ended within them. Held back: .* More days"):
        rehearsed(stage_values, days=7).ahead()


def test_who_did_nothing_in_the_past_days_is_not_taken_for_lost(stage_values: dict[bytes, bytes]) -> None:
    """A silence that is longer than what comes again lasts for ever in it."""
    found = rehearsed(stage_values, trigger={"kind": "silence"}, audience="orders.days_since_last > 35")
    active = {event.shopper_id for event in PAST if event.event_time > NOW - DAYS * DAY}  # type: ignore[operator]
    assert found.silent > 0.25 * found.entered > 0
    assert found.silent <= SHOPPERS - len(active)
    with pytest.raises(RehearsalError, match=r"did nothing in the past 28 days, and so do nothing"):
        found.ahead()


def test_who_logged_in_comes_again_as_somebody_new_and_goes_on_under_the_lasting_id() -> None:
    """What was forwarded stands in the log once more, under the lasting id: it comes again once."""
    at = NOW - 10 * DAY
    events = [carted("cookie", at, "c1"), e.ShopperIdentified(event_id="i", shopper_id="cookie", event_time=at + 1,
              identified_as="ann"), carted("cookie", at + 2, "c2"), carted("ann", NOW, "c3")]  # fmt: skip
    log = [value for _, value in log_of(*events) if value]
    moved = {"via": ["cookie"], "source_partition": 0, "source_offset": 2, "shopper_id": "ann"}
    log += [e.encode_event(e.EventForwarded(group=g, event=events[2], **moved)) for g in ("shop", "other")]  # type: ignore[arg-type]
    processor = PartitionProcessor(SHOPPER, 0, Rules(), NoModels(), group="shop")  # type: ignore[arg-type]
    processor.apply(slice_of(log_of(*events)))
    values = {key: value for key, value in processor.drain_changes().items() if value is not None}
    stage = Stage.of(Settings(app_id="shop"), NoModels(), 0, values)  # type: ignore[arg-type]
    again = [(event.shopper_id, event.event_id) for event in stage.past(log, DAYS) if isinstance(event, e.ShopperEvent)]
    assert [one for one in again if not one[0].startswith("again:")] == [("ann", "again:c3"), ("ann", "again:c2")]
    assert ("again:cookie", "again:c1") in again
    assert not any(shopper == "again:cookie" and name != "again:c1" for shopper, name in again)


def test_news_of_items_comes_again_to_whoever_wishes_for_them_by_then() -> None:
    def wished(who: str, at: int, item: str) -> e.ItemWishlisted:
        return e.ItemWishlisted(event_id=f"{who}-{item}", shopper_id=who, event_time=at, item_id=item)

    def news(item: str, offset: int, group: str = "shop") -> Log:
        said = ItemAvailable(
            restocked=True,
            group=group,
            item_id=item,
            event_time=NOW,
            source_partition=0,
            source_offset=offset,
            on_hand=9,
        )
        return [(None, encode_news(said))]

    long_ago, lately = NOW - 2 * DAYS * DAY, NOW - 3 * DAY
    log = [
        *log_of(
            wished("ann", long_ago, "tea"), wished("bob", long_ago + 1, "milk"), wished("cid", long_ago + 2, "salt")
        ),
        *news("milk", 1),
        *log_of(wished("ann", lately, "soap")),
        *news("tea", 2),
        *news("salt", 3, group="others"),
        *log_of(wished("dan", NOW, "tea")),
    ]
    processor = PartitionProcessor(SHOPPER, 0, Rules(), NoModels(), group="shop")  # type: ignore[arg-type]
    processor.apply(slice_of(log))
    values = {key: value for key, value in processor.drain_changes().items() if value is not None}
    changed: dict[str, Any] = {"trigger": {"kind": "back_in_stock"}, "audience": "true", "holdout_share": 0.0}
    economics = {"min_stock": 5, "basket_cents": 3000}
    found = rehearsed(values, log=log, economics=economics, **changed)
    # Ann, and Dan, who wished for it since; Bob's news is older than what comes again, Cid's is another group's.
    assert (found.entered, found.arms) == (2, {"five": 2})
