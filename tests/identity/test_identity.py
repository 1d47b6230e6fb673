"""What a login does, one thing at a time."""

from __future__ import annotations

import itertools
from collections import Counter

import msgspec
import numpy as np
import pytest

from streams.campaigns import memory
from streams.columns.layout import Layout, Rows
from streams.decisions import promotion
from streams.decisions.promotion import PromotionPolicy
from streams.entities.shopper import SHOPPER, ShopperSide
from streams.features.shopper import CATALOGUE
from streams.processing import alarms, order_book
from streams.processing.identity import CLOSED, MOST_IDS
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.processing.silence import FIRED, LAST_EVENT
from streams.records import events as e
from streams.records.budget import LeaseGranted, encode_budget_record
from streams.records.events import decode_event, encode_event
from streams.records.outcomes import encode_outcome
from streams.state.codec import NEVER, row_bytes
from streams.state.keys import NAME
from tests.campaigns.builders import PERCENT, campaign
from tests.decisions.test_campaigns import choose, chosen
from tests.identity.shop import GROUP, Shop
from tests.shoppers import DAY, HOUR, NOON, Log, carted, consented, identified, log_of, ordered, slice_of, viewed
from tests.worlds import cut, shipped


def a_shop(*events: e.ShopperEvent, **more: object) -> Shop:
    """After some events, one after the other."""
    shop = Shop(1, **more)  # type: ignore[arg-type]
    shop.run(list(events), 1)
    return shop


def read(shop: Shop, shopper: str, address: str, later_ms: int = 0) -> float:
    """A feature of a shopper now."""
    processor = shop.owners[shop.home(shopper)].processor
    row = processor.arena.find([shopper])
    now = processor.arena.rows.copy(row).column("last_event") + later_ms
    return float(processor.catalogue.read(processor.arena.rows.pick(row), now, (address,))[0, 0])


def cell(shop: Shop, shopper: str, name: str) -> int:
    """What a column of a shopper's row holds."""
    arena = shop.owners[shop.home(shopper)].processor.arena
    return int(arena.rows.data[name][arena.find([shopper])[0]])


def fates(shop: Shop) -> dict[str, int]:
    """Of all records."""
    return +sum((owner.processor.fates for owner in shop.owners), start=type(shop.owners[0].processor.fates)())


LOGIN = identified("cookie", "ann", NOON + HOUR // 6, "login")


def test_a_cart_filled_before_the_login_is_the_shoppers() -> None:
    shop = a_shop(ordered("ann", NOON - DAY), viewed("cookie"), carted("cookie", NOON + 1), LOGIN)
    assert cell(shop, "ann", alarms.UNITS.name) == 0  # no campaign waits for carts
    assert read(shop, "ann", "carts.adds") == 1
    assert read(shop, "ann", "visits.events") == 4
    assert read(shop, "ann", "orders.count") == 1
    assert read(shop, "ann", "visits.session_adds") == 1
    assert cell(shop, "ann", "last_event") == NOON + HOUR // 6


def test_what_comes_later_follows_under_its_own_id_and_time() -> None:
    again = viewed("cookie", NOON + 2 * HOUR, "e9")
    shop = a_shop(viewed("cookie"), LOGIN, again, again, viewed("ann", NOON + 3 * HOUR, "e9"))
    (forwarded,) = (record for record in shop.moved() if isinstance(record, e.EventForwarded))
    assert (forwarded.shopper_id, forwarded.via, forwarded.event) == ("ann", ["cookie"], again)
    # That both ids used one event id makes no duplicate.
    assert read(shop, "ann", "browsing.views") == 3
    assert fates(shop) == {"applied": 4, "forwarded": 1, "merged": 1, "duplicate": 1}


def test_nothing_is_due_any_more_for_an_id_that_was_identified() -> None:
    shop = a_shop(ordered("cookie"), ordered("cookie", NOON + 60, "o2"), LOGIN)
    arena = shop.owners[shop.home("cookie")].processor.arena
    assert arena.timer[arena.find(["cookie"])[0]] == NEVER
    ann = shop.owners[shop.home("ann")].processor.arena
    assert NOON + DAY < ann.timer[ann.find(["ann"])[0]] < NEVER


def test_the_first_word_holds() -> None:
    other = identified("cookie", "bob", NOON + 2 * HOUR, "other")
    shop = a_shop(viewed("cookie"), LOGIN, LOGIN, identified("cookie", "ann", NOON + 2 * HOUR, "again"), other)
    other = identified("cookie", "bob", NOON + 2 * HOUR, "and again")
    assert read(shop, "ann", "browsing.views") == 1
    assert fates(shop) == {"applied": 2, "merged": 1, "duplicate": 2, "dead": 1}
    owner = shop.owners[shop.home("cookie")]
    (dead,) = owner.begin().apply(slice_of(log_of(other), len(owner.log), partition=owner.partition)).dead
    assert (dead.reason, dead.field) == ("identified_before", "identified_as")
    assert "'ann'" in dead.detail


def test_an_id_is_not_itself() -> None:
    assert fates(a_shop(identified("ann", "ann", NOON, "x"))) == {"dead": 1}


def test_it_is_never_too_late_to_say_who_somebody_is() -> None:
    shop = a_shop(viewed("cookie"), viewed("cookie", NOON + 9 * DAY, "e2"), LOGIN, LOGIN, viewed("cookie", NOON, "e3"))
    assert read(shop, "ann", "browsing.views") == 2
    # Said again it is a duplicate; an event that came too late is late, and not forwarded.
    assert fates(shop) == {"applied": 3, "merged": 1, "duplicate": 1, "late": 1}


def test_what_is_forwarded_is_never_late_and_moves_no_time() -> None:
    """One partition has come days further than the other."""
    ahead = a_shop(
        viewed("ann", NOON + 30 * DAY, "a1"), viewed("cookie"), LOGIN, viewed("cookie", NOON + 2 * HOUR, "e2")
    )
    assert read(ahead, "ann", "browsing.views") == 3
    assert read(ahead, "ann", "browsing.views_1h") == 1
    behind = a_shop(
        viewed("cookie", NOON + 30 * DAY, "c1"),
        identified("cookie", "ann", NOON + 30 * DAY, "login"),
        viewed("cookie", NOON + 30 * DAY, "c2"),
        viewed("ann", NOON, "a1"),
    )
    assert behind.home("ann") != behind.home("cookie")
    assert behind.owners[behind.home("ann")].processor.newest_ms == NOON
    assert read(behind, "ann", "browsing.views") == 3
    assert "late" not in fates(behind)


@pytest.mark.parametrize("before", [None, True, False])
@pytest.mark.parametrize("cookie", [None, True, False])
@pytest.mark.parametrize("first", ["ann", "cookie"])
@pytest.mark.parametrize("login", [10, 25])
@pytest.mark.parametrize("seed", [1, 2])
def test_consent_never_widens(before: bool | None, cookie: bool | None, first: str, login: int, seed: int) -> None:
    """Whoever spoke last, whether the cookie spoke before the login or after, and whichever partition came first. Only
    what ann herself says after the login, and after the cookie, undoes its no."""
    at = {"ann": NOON + 20 * (first == "cookie"), "cookie": NOON + 20 * (first == "ann")}
    said = [("ann", before), ("cookie", cookie)]
    words = [consented(name, at[name], f"k-{name}", word) for name, word in said if word is not None]
    events = [*words, identified("cookie", "ann", NOON + login, "login")]
    shop = Shop(seed)
    shop.run(sorted(events, key=lambda event: event.event_time), 1)
    expected = {None: 0, True: 1, False: -1}[before]
    if cookie is False and not (before and at["ann"] > max(at["cookie"], NOON + login)):
        expected = -1
    assert read(shop, "ann", "offers.consent") == expected


def test_ids_that_lead_in_a_circle_end_and_lose_nothing() -> None:
    """Whatever the order: each event is in one of the rows, and those that come later still arrive somewhere."""
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        names = ["ann", "bob", "cookie"]
        logins = [identified(names[k], names[(k + 1) % 3], NOON + 9, f"login-{k}") for k in order]
        later = [viewed(name, NOON + DAY, f"later-{name}") for name in names]
        shop = Shop(1)
        shop.send([*(viewed(name, NOON, f"e-{name}") for name in names), *logins, *later])
        shop.settle()
        shop.run([viewed(name, NOON + 2 * DAY, f"last-{name}") for name in names], 1)
        held = [name for name in names if cell(shop, name, CLOSED.name) <= 0]
        assert held
        assert sum(read(shop, name, "browsing.views") for name in held) == 9
        assert shop.plain(cuts=20)[0] == shop.rows()


def test_a_chain_ends_somewhere() -> None:
    names = [f"id-{k}" for k in range(MOST_IDS + 3)]
    logins = [identified(a, b, NOON + 9, f"login-{a}") for a, b in itertools.pairwise(names)]
    shop = a_shop(viewed(names[0]), *reversed(logins), viewed(names[0], NOON + DAY, "e2"))
    assert read(shop, names[MOST_IDS], "browsing.views") == 2
    assert cell(shop, names[MOST_IDS], CLOSED.name) == -1


def test_what_other_groups_moved_is_passed_over() -> None:
    """Of two groups that share the log each moves its own."""
    shop = a_shop(viewed("cookie"), LOGIN, viewed("cookie", NOON + 2 * HOUR, "e2"), partitions=1)
    (owner,) = shop.owners
    for part in range(3):
        other = owner.begin(type(owner.tier)(), group="other")
        said, counted = owner.work([], other)
        assert counted["tick"] == 2
        if part == 0:
            shop.deliver(said)
    assert counted["merged"] == counted["forwarded"] == 1
    assert +owner.work()[1] == {"tick": 2}
    assert read(shop, "ann", "browsing.views") == 2


def test_what_is_moved_may_be_larger_than_an_event() -> None:
    rules = Rules()
    rules = msgspec.structs.replace(rules) if isinstance(rules, msgspec.Struct) else rules
    small = rules.__class__(decode=rules.decode.__class__(max_event_bytes=200))
    shop = a_shop(viewed("cookie"), LOGIN, viewed("cookie", NOON + 2 * HOUR, "e2"), rules=small)
    assert all(len(encode_event(record)) > 200 for record in shop.moved())
    assert read(shop, "ann", "browsing.views") == 2


def test_a_layout_of_another_version_takes_what_it_knows() -> None:
    """Columns are known by name."""
    shop = a_shop(viewed("cookie"), LOGIN)
    (record,) = (one for one in shop.moved() if isinstance(one, e.ShopperMerged))
    columns = record.columns | {"of a later version": [1, 2], "total/views.count": [1, 2]}
    other = msgspec.structs.replace(record, columns=columns, source_offset=99)
    processor = PartitionProcessor(SHOPPER, 0, Rules(), partitions=1, group=GROUP)
    assert +processor.apply(slice_of([(None, encode_event(other))])).fates == {"merged": 1}
    row = processor.arena.rows.copy(processor.arena.find(["ann"]))
    values = CATALOGUE.read(row, np.array([NOON + HOUR]), ("visits.events", "browsing.views"))
    assert values.tolist() == [[2.0, 0.0]]


def test_categories_keep_their_names() -> None:
    shop = a_shop(viewed("cookie", category="tea"), LOGIN)
    names = shop.owners[shop.home("ann")].processor.side.names  # type: ignore[attr-defined]
    (record,) = (one for one in shop.moved() if isinstance(one, e.ShopperMerged))
    assert record.categories == ["tea"]
    assert len(names) == 1


def one_row(*columns: object) -> Rows:
    return Rows.zeros(Layout(columns), 2)  # type: ignore[arg-type]


def test_of_more_offers_than_a_row_remembers_the_newest_stay() -> None:
    rows = one_row(*memory.COLUMNS)
    for k in range(20):
        memory.remember_offers(
            rows, np.array([k % 2]), 7, np.array([100 + k]), np.array([500]), np.array([1]),
            np.array([k + 1], np.uint64), np.array([0]),
        )  # fmt: skip
    memory.merge(rows, 0, rows.copy(np.array([1])))
    assert sorted(rows.data[memory.AT.name][0].tolist()) == list(range(108, 120))


def test_an_offer_to_either_counts_and_a_holdout_of_either_holds() -> None:
    policy = PromotionPolicy()
    rows = one_row(*promotion.Promotions.columns)
    for row, times in enumerate(([5, 30, 40], [10, 20, 50])):
        rows.data[promotion.TIMES.name][row, :3] = times
        rows.data[promotion.COUNT.name][row] = 3
    promotion.merge(rows, 0, rows.copy(np.array([1])))
    assert promotion.offer_times(rows, 0).tolist() == [20, 30, 40, 50]
    held = next(name for name in (f"cookie-{k}" for k in range(1000)) if policy.in_holdout(name))
    assert not policy.in_holdout("ann")
    shop = a_shop(ordered(held), identified(held, "ann", NOON + HOUR, "login"))
    assert cell(shop, "ann", promotion.HELD_OUT.name) == 1
    shop = a_shop(ordered("cookie"), LOGIN)
    assert cell(shop, "ann", promotion.HELD_OUT.name) == int(policy.in_holdout("cookie")) == 0


def test_orders_of_both_may_come_back() -> None:
    back = e.OrderReturned(event_id="r1", shopper_id="ann", event_time=NOON + DAY, order_id="o-cookie")
    more = e.OrderReturned(event_id="r2", shopper_id="ann", event_time=NOON + DAY, order_id="o-ann")
    twice = ordered("ann", NOON + DAY, "o-cookie")
    shop = a_shop(ordered("cookie", event_id="o-cookie"), ordered("ann", event_id="o-ann"), LOGIN, back, more, twice)
    assert read(shop, "ann", "orders.refunded") == 2000
    assert fates(shop)["duplicate"] == 1


def test_of_two_full_order_books_the_newest_of_both_stay() -> None:
    rows = one_row(*order_book.COLUMNS)
    for row, start in ((0, 100), (1, 200)):
        rows.data[order_book.IDS.name][row] = np.arange(start, start + 12)
        rows.data[order_book.LEFT.name][row] = 5
        rows.data[order_book.COUNT.name][row] = 12
    order_book.merge(rows, 0, rows.copy(np.array([1])))
    assert sorted(rows.data[order_book.IDS.name][0].tolist()) == [*range(106, 112), *range(206, 212)]
    assert rows.data[order_book.IDS.name][0][-1] == 111
    order_book.merge(rows, 0, rows.copy(np.array([0])))
    assert len(set(rows.data[order_book.IDS.name][0].tolist())) == 12


def test_a_moved_record_can_be_read_back() -> None:
    log: Log = a_shop(viewed("cookie"), LOGIN, viewed("cookie", NOON + 2 * HOUR, "e2")).owners[0].log
    for _, value in log:
        record = decode_event(value or b"")
        assert encode_event(record) == value


#: After midnight: leases are for a day.
START = NOON + 2 * HOUR
EARLY = identified("cookie", "ann", START + HOUR // 6, "login")
LEFT = chosen(
    campaign(
        id="left-cart", trigger={"kind": "cart_abandoned", "minutes": 60},
        economics={"basket_cents": 3000, "min_stock": 0},
        budget={"USD": {"total_cents": 100_000}}, caps=[{"offers": 1, "days": 5}],
        arms=[PERCENT | {"valid_days": 0.05, "applies_to": "trigger_item"}],
    ),
    holdout_share=0, default_consent=False, receipt_share=0,
)  # fmt: skip


def offers(*events: e.ShopperEvent, partitions: int = 1) -> tuple[set[str], set[str]]:
    """Who gets an offer for what lay in a cart left behind, and who has it withheld, on the day of some events."""
    shop = Shop(partitions, shelf=shipped())
    for owner in shop.owners:
        owner.log += choose(LEFT, GROUP)
    shop.run([event for event in events if event.event_time < START], 1)  # type: ignore[operator]
    for owner in shop.owners:
        lease = LeaseGranted(
            campaign="left-cart", currency="USD", group=GROUP, partition=owner.partition, sequence=0,
            granted_cents=50_000, lease_cents=50_000, day=START // DAY, expires_at_ms=START + DAY, price_micros=0,
            reference_micros=0,
        )  # fmt: skip
        owner.log += [*log_of(e.ClockTicked(event_time=START)), (None, encode_budget_record(lease))]
    shop.run([event for event in events if event.event_time >= START], 1)  # type: ignore[operator]
    for owner in shop.owners:
        owner.log += log_of(*(e.ClockTicked(event_time=START + hours * HOUR) for hours in (18, 19)))
    shop.settle()
    found = [msgspec.json.decode(value) for owner in shop.owners for value in owner.outcomes.values()]
    of_cart = [one for one in found if one.get("campaign") == "left-cart" and "decision" not in one]
    assert all(one["items"] == ["i1"] for one in of_cart if "expires_at_ms" in one)
    return (
        {one["shopper_id"] for one in of_cart if "expires_at_ms" in one},
        {one["shopper_id"] for one in of_cart if "expires_at_ms" not in one},
    )


YES = consented("ann", START - DAY)
BEFORE = (ordered("ann", START - 9 * DAY), YES, carted("cookie", START))


def test_who_left_a_cart_behind_and_then_logged_in_is_written_to() -> None:
    """Without a login there is a cart of nobody who may be written to."""
    assert offers(*BEFORE) == (set(), {"cookie"})
    assert offers(*BEFORE, EARLY) == ({"ann"}, set())


def test_what_lay_in_a_cart_in_another_partition_is_named_after_the_login() -> None:
    for partitions in (2, 3, 4, 5):
        assert offers(*BEFORE, EARLY, partitions=partitions) == ({"ann"}, set())


def test_who_logs_in_when_the_cart_was_already_left_is_written_to_as_well() -> None:
    late = identified("cookie", "ann", START + 8 * HOUR, "login")
    assert offers(*BEFORE, viewed("clock", START + 5 * HOUR, "t"), late)[0] == {"ann"}


def test_who_ordered_what_lay_in_the_cart_is_not_written_to() -> None:
    """Under either id, before the login or after."""
    for buyer, at in (("cookie", START + 60), ("cookie", START + HOUR // 2), ("ann", START + HOUR // 2)):
        events = sorted([*BEFORE, EARLY, ordered(buyer, at, "o9")], key=lambda event: event.event_time)
        shop = offers(*events)
        assert shop[0] == set(), (buyer, at)


def test_a_no_before_the_login_is_a_no_after_it() -> None:
    assert offers(*BEFORE, consented("cookie", START + 1, "no", marketing=False), EARLY)[0] == set()


def test_an_offer_to_the_cookie_fills_the_shoppers_cap() -> None:
    """One in five days is the most."""
    first = (consented("cookie", START - DAY, "yes"), carted("cookie", START), viewed("cookie", START + 3 * HOUR, "v3"))
    login = identified("cookie", "ann", START + 4 * HOUR, "login")
    made, held = offers(
        *first, YES, viewed("clock", START + 6 * HOUR, "t"), login, carted("ann", START + 7 * HOUR, "c7")
    )
    assert made == {"cookie"}
    assert held >= {"ann"}


def test_a_login_that_is_said_after_an_offer_had_ended_spends_nothing_of_it() -> None:
    """The login itself was while the offer held; what was set aside for it has gone back."""
    first = (consented("cookie", NOON - DAY, "yes"), carted("cookie", START), viewed("cookie", START + HOUR, "v3"))
    clocks = [viewed(f"clock-{k % 9}", START + (9 + k // 9) * HOUR, f"t{k}") for k in range(18)]
    late = identified("cookie", "ann", START + 2 * HOUR + HOUR // 2, "login")
    assert offers(*first, *clocks, late)[0] == {"cookie"}


def test_two_due_points_of_one_event_id_are_two() -> None:
    """Both ids counted their events from 1; outcomes tell them apart."""
    shop = Shop(1, shelf=shipped())
    cart = carted("cookie", NOON + 2 * HOUR, "1")
    shop.run([ordered("ann", NOON - DAY, "o"), LOGIN, carted("ann", NOON + HOUR, "1"), cart], 1)
    outcomes = [msgspec.json.decode(value) for value in shop.owners[shop.home("ann")].outcomes.values()]
    due = {one["due"]["ref"] for one in outcomes if "answers" in one}
    assert {"1", "cookie/1"} <= due


def test_a_login_ends_a_silence() -> None:
    """Who logs in was heard of, though they did nothing under their own id."""
    shop = a_shop(*(ordered("ann", NOON + week * 7 * DAY, f"o{week}") for week in range(4)))
    clocks = [viewed(f"clock-{k}", NOON + 45 * DAY, f"t{k}") for k in range(9)]
    shop.run(clocks, 1)
    assert cell(shop, "ann", FIRED.name) > 0
    shop.run([identified("cookie", "ann", NOON + 45 * DAY, "login")], 1)
    assert cell(shop, "ann", FIRED.name) == 0
    assert cell(shop, "ann", LAST_EVENT.name) == NOON + 45 * DAY


def test_what_was_foretold_of_the_cookie_is_not_held_against_the_model() -> None:
    """It comes no more, because it is somebody else now."""
    shop = Shop(1, shelf=shipped())
    shop.run([ordered("cookie", NOON, "o1"), ordered("cookie", NOON + DAY, "o2")], 1)
    processor = shop.owners[shop.home("cookie")].processor
    row = processor.arena.find(["cookie"])[0]
    side = processor.side
    assert isinstance(side, ShopperSide)
    due = [column.name for column in side.late_labels.waits.due]
    waits = [
        *(column.name for column in side.recalibrating.starts),
        *(name for name in due if name.split("/")[2].startswith(("churn.", "value."))),
    ]
    assert len(waits) > 5
    assert all(processor.arena.rows.data[name][row] for name in waits)
    shop.run([identified("cookie", "ann", NOON + 2 * DAY, "login")], 1)
    assert not any(processor.arena.rows.data[name][row] for name in waits)


def merged(name: str, *events: e.ShopperEvent, at: int) -> Log:
    """What comes of an id of another partition that did some things and logged in as Ann."""
    log = log_of(*events, identified(name, "ann", at, f"login-{name}"))
    source = PartitionProcessor(SHOPPER, 0, Rules(), partitions=1, group=GROUP)
    (said,) = (one for one in source.apply(slice_of(log)).emitted if one.entity == "shopper")
    record = decode_event(said.value)
    # As if its place in that log were the time.
    return [(None, encode_event(msgspec.structs.replace(record, source_offset=at)))]


WEEKLY = tuple(ordered("ann", NOON + week * 7 * DAY, f"o{week}") for week in range(4))
CLOCK = viewed("clock", NOON + 60 * DAY, "t1")
FIRST = merged("first", viewed("first", category="tea"), at=NOON + 22 * DAY)
SECOND = merged("second", ordered("second", NOON + 50 * DAY), at=NOON + 60 * DAY)


@pytest.mark.parametrize(
    "log",
    [
        [*log_of(*WEEKLY, CLOCK), *FIRST],
        [*log_of(*WEEKLY), *FIRST, *log_of(CLOCK), *SECOND],
        [*log_of(viewed("clock", NOON + 22 * DAY, "t0")), *FIRST, *log_of(CLOCK), *SECOND],
        [*log_of(*WEEKLY), *FIRST, *SECOND, *log_of(CLOCK, viewed("ann", NOON + 61 * DAY, "v1"))],
        [*log_of(viewed("other", category="tea"), CLOCK), *FIRST, *log_of(carted("ann", NOON + 61 * DAY))],
        [*FIRST, *log_of(viewed("other", NOON + 23 * DAY, category="tea"), carted("ann", NOON + 61 * DAY)), *SECOND],
    ],
    ids=[
        "after a silence",
        "a silence between",
        "a silence of their own",
        "two at once",
        "named before",
        "named by it",
    ],
)
def test_what_is_taken_at_the_start_of_a_slice_is_as_if_it_were_taken_in_its_place(log: Log) -> None:
    found = []
    for cuts in (range(0), range(1, len(log)), range(2, len(log), 2)):
        processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped(), partitions=1, group=GROUP)
        due, outcomes = Counter[str](), set[bytes]()
        for slice_ in cut(log, cuts):
            result = processor.apply(slice_)
            due += result.due_kinds
            outcomes |= {encode_outcome(outcome) for outcome in result.outcomes}
        changes = processor.drain_changes()
        names = {key: value for key, value in changes.items() if key[:1] == NAME}
        found.append((due, outcomes, names, {k: row_bytes(v) for k, v in changes.items() if v and k[:1] == b"s"}))
    assert found[0] == found[1] == found[2]
