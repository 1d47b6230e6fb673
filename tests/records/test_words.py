"""Records in words: plain, exact, and harmless to a terminal."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from streams.decisions import promotion
from streams.decisions.ads import REFUSALS
from streams.effects.attribution import Journeys, Opened, Ordered, Reacted, Returned, Window
from streams.records import portrait, words
from streams.records.events import SHOPPER_EVENTS, ClockTicked, ShopperEvent, decode_event
from streams.records.items import ITEM_RECORDS, ItemListed, ItemReviewed, ItemTally, StockCounted
from tests import demand
from tests.decisions.test_ads import SURE, asked, decided
from tests.effects.reports import measured, reports
from tests.items import catalogue
from tests.outcomes import alert, item, late, letter, offer, portrayed, profile, withheld
from tests.shoppers import NOON, consented, identified, log_of, ordered, random_history, viewed
from tests.worlds import cut, run_plain


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (alert(), "churn alert: high, 0.61, Days since the last order: 24 days (typical: 7 days); Orders ever: 2"),
        (offer(), "offer: 10% off tea, at most 1,234.56 USD, until 2023-11-21: likely to leave, uses coupons"),
        (withheld(), "no offer: no consent to marketing (would be 10%, score 0.61)"),
        (profile(), "profile: next likely order placed (70%), of tea (25%)"),
        (
            portrayed(),
            "shopper: Loyal regulars (active), 90 days bring 11.5 orders and 110.00 USD (60.00 USD to 170.00",
        ),
        (portrayed(expected=None, stage="at_risk", segment="slipping_away"), "shopper: Slipping away (at risk)"),
        (
            letter(),
            "dead letter: invalid at unit_price_cents: Expected `int`, got `float` [storefront.events.v1/2/17]",
        ),
        (late(), "late: event e1 came 3.0 days behind the watermark [storefront.events.v1/2/18]"),
        (viewed("s1"), "item viewed: i"),
        (ClockTicked(event_time=1), "clock ticked"),
    ],
)
def test_a_record_is_said_in_words(record: object, said: str) -> None:
    assert words.said(record).startswith(said)


def test_a_portrait_answers_what_a_marketer_asks() -> None:
    told = dict(portrait.rows(portrayed()))
    assert told["segment"] == "Loyal regulars: they order in their rhythm (active, 2023-11-14)"
    assert told["value so far"] == "120.00 USD in all, after returns; 4 of 12 orders in the last 30 days"
    assert "half bring less than 105.00 USD" in told["next 90 days"]
    assert told["next order"] == "due in 4 days by their rhythm of 7 days, give or take 2 days"
    assert told["usually"] == "fridays in the morning"
    late = portrayed(next_order_in_days=-5, weekday=None, daypart=None, expected=None)
    told = dict(portrait.rows(late))
    assert told["next order"].startswith("was due 5 days ago")
    assert told["usually"] == "no day or time in particular"
    assert "next 90 days" not in told
    once = portrayed(next_order_in_days=None, rhythm_days=None, weekday=None, orders=1)
    told = dict(portrait.rows(once))
    assert (told["next order"], told["usually"]) == ("no rhythm yet: one purchase", "in the morning")


def test_a_line_says_when_and_whom() -> None:
    assert words.line(alert(), reasons=1) == (
        "2023-11-14 22:13:20Z  s1                churn alert: high, 0.61, "
        "Days since the last order: 24 days (typical: 7 days)"
    )
    assert words.line(letter(key=b"s9")).startswith("2023-11-14 22:13:20Z  s9 ")


def test_every_event_can_be_said() -> None:
    events = [decode_event(value) for _, value in random_history(5, 900, 20) if value]
    events.append(identified("cookie-1", "ann", NOON, "login"))
    assert {type(event) for event in events} == set(SHOPPER_EVENTS)
    for event in events:
        assert isinstance(event, ShopperEvent)
        assert words.said(event).replace(":", "").split()[0] == str(event.__struct_config__.tag).split("_")[0]
        assert "None" not in words.line(event)
        assert event.shopper_id in words.line(event)


def test_every_record_of_an_item_can_be_said() -> None:
    records = [record for _, record in catalogue(3, 20)]
    assert {type(record) for record in records} == set(ITEM_RECORDS) - {ItemTally}
    for record in records:
        assert record.item_id in words.line(record)
        assert "None" not in words.line(record)
    listed = ItemListed(event_id="e", item_id="tea", event_time=NOON, title="Tea", unit_price_cents=450, currency="USD")
    assert words.line(listed) == "2023-11-14 22:13:20Z  tea               item listed: Tea, price 4.50 USD"
    counted = StockCounted(event_id="e", item_id="tea", event_time=NOON, on_hand=1234, on_order=5, location="north")
    assert words.said(counted) == "stock counted: 1,234 on hand, 5 on order, at north"
    reviewed = ItemReviewed(event_id="e", item_id="tea", event_time=NOON, rating=4, text="fine")
    assert words.said(reviewed) == "item reviewed: 4 of 5 stars, fine"


def test_an_items_profile_in_words_leaves_out_what_is_not_known() -> None:
    known = item("tea", on_hand=12, cover_days=6.4, reviews=2, rating=4.5)
    assert words.said(known) == (
        "item: sold 60 in 30 days for 60.00 USD, pace 100%, costs 1.00 USD, 12 in stock for 6 days, "
        "4.5 stars of 2 reviews"
    )
    unknown = item("tea", units_30d=0, revenue_30d_cents=0, price_cents=0, listed=False)
    assert words.line(unknown).endswith("tea               item: not listed, sold 0 in 30 days for 0.00 USD")


def test_what_became_of_an_offer_is_said_in_words() -> None:
    offer, order = Opened("f1", "ann", "win-back", "ten", at_ms=0), Ordered("o1", 9, 2, 3_000, 900, "f1", 150)
    held = Opened("f1", "ann", "win-back", "", at_ms=0, held=True)
    back, shown = Returned("r1", "o1", 20, None, 3_000, 900), Reacted("f1", "shown", 3)
    used, clicked = Reacted("f1", "redeemed", 9), Reacted("f1", "clicked", 4)
    for facts, said in (
        ((offer, order, used), "used in o1 for 30.00 USD; 1 order for 30.00 USD since it began [win-back, ten]"),
        ((offer, order, used, back), "used in o1 for 0.00 USD, came back; 0 orders for 0.00 USD since it began"),
        ((offer, shown, clicked), "followed, not used; 0 orders for 0.00 USD since it began [win-back, ten]"),
        ((offer,), "not used; 0 orders"),
        (
            (held, Ordered("o1", 9, 2, 3_000, 900)),
            "in the holdout, got nothing; 1 order for 30.00 USD since it began [w",
        ),
    ):
        journeys = Journeys(Window(days=1), "USD")
        for fact in facts:
            journeys.feed(fact)
        (outcome,) = journeys.close(10**15)
        assert words.said(outcome).startswith(f"what became of an offer: {said}")
        assert words.whom(outcome) == "ann"


def test_what_a_campaign_brought_is_said_in_words() -> None:
    whole, ten, _ = measured(reports("carts", arms=("ten", "letter")))[-3:]
    assert words.said(whole) == f"effect: {whole.words} [all arms, all segments]"
    assert words.line(ten).endswith(f"  carts             effect: {ten.words} [ten, all segments]")


def test_every_guard_and_reason_has_words() -> None:
    assert set(words.GUARDS) == set(promotion.GUARDS) == set(get_args(promotion.Guard))


def test_money_is_exact() -> None:
    assert [words.money(c, "EUR") for c in (0, 5, 123456789, -150)] == [
        "0.00 EUR",
        "0.05 EUR",
        "1,234,567.89 EUR",
        "-1.50 EUR",
    ]


def test_what_a_shopper_sent_does_not_move_the_cursor() -> None:
    assert "\x1b" not in words.line(alert(shopper="s\x1b[2J\nx"))
    assert "\n" not in words.line(letter(detail="a\nb"))


def test_an_order_costs_what_its_lines_do_less_discounts() -> None:
    order = ordered(cents=500, units=3, discount_cents=200)
    assert words.order_cents(order) == 1300
    assert "3 units, 13.00" in words.said(order)


def test_what_was_decided_about_an_ad_is_said_in_words() -> None:
    log = log_of(consented(), viewed(at=NOON + 1), asked("s1", NOON + 2, "r", ("a", 1, 20_000), ("b", 9_000, 20_000)))
    (shown,) = decided(run_plain(cut(log, []), SURE))
    assert words.said(shown).startswith("ad: a of 2, a click is worth ")
    assert words.said(shown).endswith(" USD: worth most of the slate")
    (nothing,) = decided(run_plain(cut(log_of(asked("s1", NOON, "r", ("a", 1, 9))), []), SURE))
    assert words.said(nothing) == "ad: nothing of 1: no consent to marketing"
    assert set(REFUSALS) <= set(words.AD_REASONS)


def test_what_is_sold_out_is_not_about_to_be() -> None:
    told = demand.alerted("tea", 107)
    assert words.said(told).startswith("about to be sold out: 4 units short within 7 days")
    assert words.said(msgspec.structs.replace(told, on_hand=0)).startswith("sold out: 4 units short within 7 days")


def test_stock_lasts_from_now_on() -> None:
    told = demand.plan("tea", 107)
    assert "12 in stock, lasts about 1 day (" in words.said(msgspec.structs.replace(told, cover_days=1))
    assert "12 in stock, lasts longer than 60 days" in words.said(msgspec.structs.replace(told, cover_days=None))
