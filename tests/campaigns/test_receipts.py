"""Receipts hold all that was weighed, stay small, and read as plain sentences."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from streams.campaigns import memory
from streams.campaigns.deciding import Decided, Inputs, Moment, decide
from streams.campaigns.plan import Plans
from streams.campaigns.reasons import Why
from streams.campaigns.receipts import Whom, receipts
from streams.campaigns.words import in_words
from streams.records.outcomes import Due, ModelUsed
from streams.records.receipts import Receipt
from streams.records.schema import schema_of
from tests.campaigns.builders import CONTENT, PERCENT, campaign, moment, plans, purses, rows

MODEL = ModelUsed(task="churn", version="1.0", digest="0123456789abcdef")


def whom(shoppers: list[str]) -> Whom:
    return Whom(
        shopper=shoppers,
        due=[Due(kind="event", ref="e1")] * len(shoppers),
        models=lambda task, i: MODEL if task == "churn" else None,
        tasks=frozenset({"churn", "behaviour"}),
        currency="USD",
    )


def decided(ready: Plans, asked: Moment, said: Inputs | None = None) -> Decided:
    return decide(ready, asked, memory.read(rows(len(asked)), np.arange(len(asked))), said)[0]


def one(ready: Plans, said: Inputs | None = None, **columns: float) -> Receipt:
    """The receipt of one shopper."""
    asked = moment(["s1"], columns={name.replace("__", "."): value for name, value in columns.items()})
    ((_, found),) = receipts(ready, asked, decided(ready, asked, said), whom(["s1"]))
    return found


def test_a_receipt_reads_as_a_marketer_speaks() -> None:
    refused = {**PERCENT, "id": "half", "percent": 50, "max_discount_cents": 9000}
    ready = plans(
        campaign(id="win-back", audience="lapse_30d > 0.5", arms=[PERCENT, refused, CONTENT], exploration_share=0.03)
    )
    found = one(ready, Inputs(afford=purses({}, 0.5)), churn__lapse_30d=0.7312)
    assert in_words(found) == [
        "2023-11-14 12:00:00Z, campaign win-back, shopper s1:",
        f"An offer was made: ten (offer {found.offer_id}).",
        "Known of the shopper: churn.lapse_30d 0.7312, orders.average_value 10,000, offers.consent 1.",
        "- ten would bring +20.0 orders per 100 shoppers, cost 1.00 USD and make 5.00 USD more profit, 4.50 USD at the "
        "price of the budget.",
        "- half may not be offered: the discount would leave less of the margin than the floor allows.",
        "- hello would bring +1.0 orders per 100 shoppers, cost 0.00 USD and make 0.30 USD more profit, 0.30 USD at "
        "the price of the budget.",
        "The budget is scarce: a cent of cost must bring 1.50 cents.",
        "Of 2 arms and no contact, ten was chosen: what is worth most. It had a chance of 98.0%.",
        "Nothing against it had: blocked, no consent, age limit, after purchase, after return, after complaint, shop "
        "cap, campaign cap, memory full, live offer, excluded, merged holdout, outranked, quiet hours, campaign "
        "holdout, global holdout.",
        "Models: churn 1.0 (0123456789abcdef).",
    ]
    assert found.propensity == pytest.approx(0.98)
    assert found.models == [MODEL]


def test_a_receipt_says_whether_the_price_decided_or_what_was_at_hand() -> None:
    ready = plans(campaign())
    dear = one(ready, Inputs(afford=purses({}, 6.0)))
    assert (dear.decision, dear.price, dear.arms[0].worth_cents) == ("budget_spent", 6.0, -100.0)
    assert "The budget is scarce: a cent of cost must bring 7.00 cents. That is more than ten would." in in_words(dear)
    empty = one(ready, Inputs(afford=purses({"c": 999}, 0.5)))
    assert (empty.decision, empty.price, empty.arms[0].worth_cents) == ("budget_spent", 0.5, 450.0)
    assert "At that price ten would be worth it, but too little of the budget is at hand." in "\n".join(in_words(empty))


def test_a_receipt_says_every_guard_that_objects_and_the_first_as_the_reason() -> None:
    found = one(plans(campaign(), blocked_shoppers=["s1"]), offers__consent=-1.0)
    assert (found.decision, found.held_back) == ("blocked", ["blocked", "no_consent"])
    assert (found.arm, found.offer_id) == ("ten", None)
    text = "\n".join(in_words(found))
    assert "No offer, because the shopper is on the shop's list" in text
    assert "It would have been ten." in text
    assert "Held back by: blocked, no consent." in text


@pytest.mark.parametrize("why", list(Why))
def test_every_reason_can_be_printed(why: Why) -> None:
    found = msgspec.structs.replace(
        one(plans(campaign())), decision=why.word, reason=why.sentence, held_back=[why.word]
    )
    assert why.sentence in in_words(found)[1] or why == Why.OFFERED


def test_of_those_outside_the_audience_a_share_leaves_a_receipt_the_same_in_a_replay() -> None:
    shoppers = [f"s{i}" for i in range(4000)]
    ready = plans(campaign(audience="orders.count > 1"), receipt_share=0.1)
    asked = moment(shoppers, columns={"orders.count": [0.0, 0.0, 0.0, 2.0]})
    found = decided(ready, asked)
    kept = [(i, r.decision, r.sample_share) for i, r in receipts(ready, asked, found, whom(shoppers))]
    assert [i for i, decision, _ in kept if decision == "offered"] == list(range(3, 4000, 4))
    outside = [share for _, decision, share in kept if decision == "not_in_audience"]
    assert set(outside) == {0.1}
    assert abs(len(outside) / 3000 - 0.1) < 0.025
    assert kept == [(i, r.decision, r.sample_share) for i, r in receipts(ready, asked, found, whom(shoppers))]


def test_a_receipt_is_bounded_however_much_was_weighed() -> None:
    many = [
        *(f"behaviour.next_type[{i}]" for i in range(16)),
        *(f"behaviour.next_category_probability[{i}]" for i in range(8)),
        *("orders.count", "orders.spend", "orders.units", "orders.gaps", "visits.events", "carts.adds", "carts.wishes"),
        *("searching.count", "offers.shown", "offers.clicked", "browsing.views", "lapse_30d", "lapse_60d"),
    ]
    arms = [{**PERCENT, "id": f"{'x' * 60}{i}"} for i in range(8)]
    ready = plans(campaign(id="c" * 63, audience=" or ".join(f"{name} > 0.1" for name in many), arms=arms))
    shopper = "ß" * 256
    columns = {a: np.full(1, 0.123456789) for a in ready.addresses if not a.startswith("behaviour.")}
    wide = {a: np.full((1, 16), 0.123456789) for a in ready.addresses if a.startswith("behaviour.")}
    asked = replace(moment([shopper]), columns=(columns | wide | {"offers.consent": np.ones(1)}).__getitem__)
    ((_, found),) = receipts(ready, asked, decided(ready, asked), whom([shopper]))
    assert len(found.values) == 32
    assert len(msgspec.json.encode(found)) < 6_000


def test_every_field_is_described() -> None:
    for name, schema in schema_of([Receipt]).items():
        for field, said in schema["properties"].items():
            assert said.get("description", "").endswith("."), (name, field)


def test_a_receipt_comes_back_from_the_wire() -> None:
    found = one(plans(campaign(), default_consent=True), offers__consent=0.0, orders__average_value=float("nan"))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Receipt) == found
    assert found.values["orders.average_value"] is None
    assert found.decision == "basket_unknown"
