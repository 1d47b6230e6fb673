"""Whoever wishes for an item is offered it when there is news of it, as the log decides."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from streams.entities.shopper import SHOPPER
from streams.processing.identity import Identities
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records.news import ItemAvailable, ItemPriceDropped, ItemUnavailable, encode_news
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.receipts import Receipt
from tests.budget.stream import NoModels
from tests.campaigns.builders import CONTENT, PERCENT, campaign
from tests.decisions.test_campaigns import chosen, of, with_choices
from tests.shoppers import (
    DAY,
    HOUR,
    NOON,
    Log,
    consented,
    identified,
    log_of,
    ordered,
    random_history,
    slice_of,
    viewed,
)
from tests.worlds import DictTier, World, crashed, cut

ITEM_ARM = {"applies_to": "trigger_item"}
EVERY = {"economics": {"basket_cents": 3000, "min_stock": 5, "min_rating": 3}}
BACK = campaign(id="back", trigger={"kind": "back_in_stock"}, arms=[PERCENT | ITEM_ARM], **EVERY)
CHEAPER = campaign(
    id="cheaper",
    trigger={"kind": "price_drop", "percent": 10},
    arms=[CONTENT | ITEM_ARM, PERCENT],
    quiet_hours={"start": "02:00", "end": "05:00"},
    **EVERY,
)
SET = chosen(BACK, CHEAPER, holdout_share=0, time_zone="UTC", caps=[{"offers": 12, "days": 0.001}])


def wished(shopper: str, at: int, item: str = "tea", event_id: str = "") -> e.ItemWishlisted:
    return e.ItemWishlisted(event_id=event_id or f"w{shopper}{at}", shopper_id=shopper, event_time=at, item_id=item)


def restocked(offset: int, item: str = "tea", **more: Any) -> Log:
    plain: dict[str, Any] = {"group": "", "source_partition": 0, "event_time": NOON, "on_hand": 9, "restocked": True}
    return [(None, encode_news(ItemAvailable(item_id=item, source_offset=offset, **(plain | more))))]


def dropped(offset: int, percent: float = 20, item: str = "tea", **more: Any) -> Log:
    plain: dict[str, Any] = {"group": "", "source_partition": 0, "event_time": NOON, "on_hand": 9}
    plain |= {"unit_price_cents": 400, "percent": percent}
    return [(None, encode_news(ItemPriceDropped(item_id=item, source_offset=offset, **(plain | more))))]


def processor(tier: DictTier | None = None) -> PartitionProcessor:
    shelf: Any = NoModels()
    return PartitionProcessor(SHOPPER, 0, Rules(), shelf, tier=tier, limit=8, partitions=1)


def run(log: Log, cuts: Iterable[int] = (), into: PartitionProcessor | None = None, start: int = 0) -> World:
    world, into = World(), into or processor()
    for slice_ in cut(log, cuts):
        slice_ = slice_of(log[slice_.offsets[0] : slice_.offsets[-1] + 1], start + slice_.offsets[0])
        world.take_result(into.apply(slice_))
    world.packed = DictTier(into.drain_changes()).held
    return world


def offers(log: Log) -> list[tuple[str, str, str, object]]:
    """(shopper, campaign, arm, items) of all offers; however the log is cut there are the same."""
    leased = with_choices(log, (0, SET))
    whole, single = run(leased), run(leased, range(1, len(leased)))
    assert single.outcomes == whole.outcomes
    assert single.rows == whole.rows
    assert whole.kinds["OfferMade"] == len(of(whole, OfferMade))
    return [(o.shopper_id, o.campaign, o.arm, o.items) for o in of(whole, OfferMade)]


def test_whoever_wishes_for_an_item_is_offered_it_when_it_is_back() -> None:
    wishes = log_of(
        wished("ann", NOON), wished("bob", NOON + 1), wished("cid", NOON + 2, "milk"), viewed("dan", NOON + 3)
    )
    found = run(with_choices([*wishes, *restocked(7)], (0, SET)))
    made = of(found, OfferMade)
    assert [(o.shopper_id, o.campaign, o.arm, o.applies_to, o.items) for o in made] == [
        (shopper, "back", "ten", "items", ["tea"]) for shopper in ("ann", "bob")
    ]
    assert {(o.due.kind, o.due.ref) for o in made} == {("back_in_stock", "0:7:tea")}
    assert found.due["back_in_stock"] == 2
    # They are looked at where the news stands: when they were last heard of, or at the watermark.
    assert [o.event_time_ms for o in made] == [NOON, NOON + 1]


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (restocked(1), [("ann", "back", "ten", ["tea"])]),
        (dropped(1), [("ann", "cheaper", "ten", msgspec.UNSET)]),
        # Of an item that nobody knows; of another group; what was ordered meanwhile, and wished for again.
        (restocked(1, "milk"), []),
        (restocked(1, group="others"), []),
        ([*log_of(ordered("ann", NOON + 1, item_id="tea")), *restocked(1)], []),
        ([*log_of(ordered("ann", NOON + 1, item_id="milk")), *restocked(1)], [("ann", "back", "ten", ["tea"])]),
        (
            [*log_of(ordered("ann", NOON + 1, item_id="tea"), wished("ann", NOON + 2)), *restocked(1)],
            [("ann", "back", "ten", ["tea"])],
        ),
        # A wish that came after the news; too small a drop; too few, or nobody knows how many; bad reviews.
        ([*restocked(1, "milk"), *log_of(wished("ann", NOON + 1, "milk"))], []),
        (dropped(1, 9.9), []),
        (restocked(1, on_hand=4), []),
        (restocked(1, on_hand=None), []),
        (restocked(1, rating=2.5), []),
        (restocked(1, rating=3.5), [("ann", "back", "ten", ["tea"])]),
    ],
)
def test_who_is_offered_what(log: Log, expected: list[Any]) -> None:
    assert offers([*log_of(consented("ann"), wished("ann", NOON)), *log]) == expected


def test_news_that_comes_again_changes_nothing_and_later_news_is_new() -> None:
    log = [
        *log_of(wished("ann", NOON)),
        *restocked(5),
        *restocked(5),
        *restocked(3),
        *dropped(5),
        *restocked(6, restocked=False),
        *restocked(4, source_partition=1),
    ]
    found = run(with_choices(log, (0, SET)))
    assert [(r.campaign, r.due.ref, r.decision) for r in of(found, Receipt)] == [
        ("back", "0:5:tea", "offered"),
        ("cheaper", "0:5:tea", "offered"),
        ("back", "1:4:tea", "live_offer"),
    ]


def test_of_many_wishes_the_newest_are_remembered() -> None:
    wishes = [wished("ann", NOON + k, f"item-{k}") for k in range(20)]
    log = [
        *log_of(*wishes, wished("ann", NOON + 99, "item-4", "again")),
        *(n for k in range(20) for n in restocked(k, f"item-{k}")),
    ]
    found = run(with_choices(log, (0, SET)))
    assert [r.due.ref for r in of(found, Receipt)] == [f"0:{k}:item-{k}" for k in range(4, 20)]


def test_an_offer_that_waits_for_quiet_hours_to_end_is_still_for_the_item() -> None:
    only_item = msgspec.structs.replace(CHEAPER, arms=CHEAPER.arms[:1])
    night = NOON // DAY * DAY + DAY + 3 * HOUR
    ticks = log_of(*(e.ClockTicked(event_time=night + k * HOUR) for k in range(14)))
    said: dict[str, Any] = {"group": "", "item_id": "tea", "event_time": NOON, "source_partition": 0}
    fell: Log = [(None, encode_news(ItemUnavailable(**said, source_offset=2, why="rated_worse")))]
    bought = log_of(ordered("ann", night + 1, item_id="tea"))
    for between, expected in (([], ["tea"]), (bought, None), (fell, None)):
        log = [*log_of(wished("ann", night)), *dropped(1), *between, *ticks]
        leased = with_choices(log, (0, chosen(only_item, holdout_share=0, time_zone="UTC")))
        tier, world = DictTier(), World()
        # Each record by a worker that reads back what the one before left.
        for offset, record in enumerate(leased):
            one = processor(tier)
            world.take_result(one.apply(slice_of([record], offset)))
            tier.write(one.drain_changes())
        found = [(o.due.kind, o.items) for o in of(world, OfferMade)]
        assert found == ([("deferred", expected)] if expected else [])
        reasons = [said.reason for said in of(world, OfferWithheld)]
        assert reasons == ["quiet_hours"] if expected else "quiet_hours" in reasons
        assert ("rated_worse" in reasons) == (between is fell)
        assert run(leased).outcomes == world.outcomes


def history(seed: int, n: int = 130) -> Log:
    """A clickstream in which shoppers wish for a few items that are in the news all the time, often twice, and turn
    out to be other ones."""
    rng, log = random.Random(seed), random_history(seed, n, 12)
    found, at = list[tuple[bytes | None, bytes | None]](), NOON
    items = [f"item-{k}" for k in range(6)]
    said: Log = []
    for k, (key, value) in enumerate(log):
        found.append((key, value))
        event = e.decode_event(value or b"")
        at = max(at, event.event_time)  # type: ignore[union-attr, assignment]
        if rng.random() < 0.25:
            found += log_of(wished(f"shopper-{rng.randrange(12)}", at, rng.choice(items), f"w{k}"))
        if rng.random() < 0.03 or k == len(log) // 2:
            cookie, person = rng.choice([(a, b) for a in range(6, 12) for b in range(12) if a != b])
            found += log_of(identified(f"shopper-{cookie}", f"shopper-{person}", at, f"login-{k}"))
        if rng.random() < 0.2:
            for item in rng.sample(items, rng.randint(1, 3)):
                make, more = (
                    rng.choice((restocked, dropped)),
                    {"on_hand": rng.choice((3, 9)), "source_partition": k % 2},
                )
                said += make(1000 + len(said), item=item, **more)
                found += said[-1:] if rng.random() < 0.9 else said[-5:]
    return with_moved(with_choices(found, (20, SET)), rng)


def with_moved(log: Log, rng: random.Random) -> Log:
    """The log with what is moved to whom it belongs, some records later."""
    found: Log = []
    some: Log = []
    one, waiting = processor(), list[bytes]()
    for n, record in enumerate(log):
        some.append(record)
        if rng.random() < 0.1 or n == len(log) - 1:
            some += [(None, value) for value in waiting]
            emitted = one.apply(slice_of(some, len(found))).emitted
            waiting = [moved.value for moved in emitted if moved.entity == SHOPPER.name]
            found, some = found + some, []
    return found


@settings(max_examples=4, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 300), max_size=30))
def test_any_cut_gives_the_same_bits_and_the_same_offers(seed: int, cuts: list[int]) -> None:
    log = history(seed)
    whole, parts = run(log), run(log, [c for c in cuts if c < len(log)])
    assert parts.rows == whole.rows
    assert parts.outcomes == whole.outcomes
    assert {o.due.kind for o in of(whole, OfferMade)} >= {"back_in_stock", "price_drop"}
    assert whole.fates["merged"] > 0


@settings(max_examples=4, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 10**6), at=st.floats(0.1, 0.9), lost=st.floats(0, 1))
def test_a_crash_in_the_middle_of_a_flush_changes_nothing(seed: int, at: float, lost: float) -> None:
    """Some of the last flush reached the table, the progress record did not. Rows are evicted all along."""
    log = history(seed)
    crash = max(int(at * len(log)), 2)
    whole, found = run(log), crashed(log, crash, lost, random.Random(seed), make=processor)
    assert found.rows == whole.rows
    assert found.outcomes == whole.outcomes


def test_what_an_id_wished_for_is_wished_for_by_whom_it_belongs_to() -> None:
    shelf: Any = NoModels()
    one = PartitionProcessor(SHOPPER, 0, Rules(), shelf, partitions=1)
    assert isinstance(one.side.identities, Identities)
    log, world = with_choices(log_of(consented("ann"), wished("cookie", NOON)), (0, SET)), World()
    result = one.apply(slice_of([*log, *log_of(identified("cookie", "ann", NOON + 1, "login"))]))
    (moved,) = [emitted.value for emitted in result.emitted if emitted.entity == SHOPPER.name]
    world.take_result(one.apply(slice_of([(None, moved), *restocked(3)], one.next_offset)))
    assert [(o.shopper_id, o.items) for o in of(world, OfferMade)] == [("ann", ["tea"])]
