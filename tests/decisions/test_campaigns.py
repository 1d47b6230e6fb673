"""Campaigns in the log: from where they stand they decide, however the log is cut and whoever goes on with it."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.shopper import SHOPPER, ShopperSide
from streams.processing.in_force import OtherRules
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.campaigns import CampaignSet
from streams.records.effects import OfferOutcome
from streams.records.events import encode_event
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.outcomes import outcome_id
from streams.records.profiled import Segment, Stage
from streams.records.receipts import Receipt
from streams.records.serving import CampaignsChosen
from streams.state.keys import CAMPAIGNS
from tests.campaigns.builders import CONTENT, PERCENT, campaign
from tests.leases import leased
from tests.shoppers import DAY, NOON, Log, carted, consented, log_of, ordered, random_history, slice_of
from tests.worlds import DictTier, World, crashed, cut, run_plain, shipped

AMOUNT = {"kind": "amount", "id": "five-off", "amount_cents": 500, "min_order_cents": 2000, "assumed_uplift": 0.4}
LEAVING = campaign(
    id="leaving",
    priority=200,
    audience="lapse_30d > 0.2",
    trigger={"kind": "silence"},
    arms=[PERCENT | {"applies_to": "favourite"}, CONTENT],
    caps=[{"offers": 1, "days": 5}],
    exploration_share=0.3,
    quiet_hours={},
    holdout_share=0.1,
)
CART = campaign(
    id="cart",
    audience="carts.adds_24h >= 1 and orders.count_24h < 1",
    economics={"basket_cents": 3000},
    arms=[PERCENT, AMOUNT, CONTENT],
    coupons={"source": "generated", "prefix": "CART-"},
    caps=[{"offers": 2, "days": 3}],
    exploration_share=0.5,
)
SHOP: dict[str, Any] = {
    "time_zone": "Europe/Berlin",
    "default_consent": True,
    "receipt_share": 0.2,
    "holdout_share": 0.1,
}


def chosen(*campaigns: Any, **shop: Any) -> CampaignSet:
    return msgspec.convert({"shop": SHOP | shop, "campaigns": campaigns}, CampaignSet)


def choose(found: CampaignSet, group: str = "") -> Log:
    record = CampaignsChosen(group=group, digest=found.digest, campaigns=found.described())
    return [(None, encode_event(record))]


SET = chosen(LEAVING, CART)
#: One for everything that makes due without an event.
WAITING = chosen(
    LEAVING,
    *(
        campaign(id=name, trigger=trigger, economics={"basket_cents": 3000}, caps=[{"offers": 3, "days": 5}], **more)
        for name, trigger, more in (
            (
                "left-cart",
                {"kind": "cart_abandoned", "minutes": 60},
                {"quiet_hours": {"start": "20:00", "end": "09:30"}},
            ),
            ("left-goods", {"kind": "browse_abandoned", "minutes": 45}, {}),
            ("overdue", {"kind": "overdue", "gaps": 1.5}, {"quiet_hours": {"start": "12:00", "end": "12:30"}}),
            ("night", {"kind": "event", "types": ["cart_item_added"]}, {"quiet_hours": {}, "priority": 300}),
        )
    ),
    holdout_share=0,
)


def of(world: World, kind: type[Any]) -> list[Any]:
    """The outcomes of one kind, of campaigns."""
    found = []
    for raw in world.outcomes.values():
        said = json.loads(raw)
        of_field = {"decision": Receipt, "expires_at_ms": OfferMade, "opened_ms": OfferOutcome}
        named = next((found for field, found in of_field.items() if field in said), OfferWithheld)
        if "campaign" in said and named is kind:
            found.append(msgspec.json.decode(raw, type=kind))
    return found


def with_choices(log: Log, *at: tuple[int, CampaignSet], **lease: int) -> Log:
    """The log with campaigns chosen before its records, and money for them."""
    found: Log = []
    bounds = [0, *(place for place, _ in at), len(log)]
    for n, (start, stop) in enumerate(itertools.pairwise(bounds)):
        found += choose(at[n - 1][1]) if n else []
        found += log[start:stop]
    return leased(found, **lease)


@settings(max_examples=4)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 351), max_size=30))
def test_any_cut_of_the_log_gives_the_same_bits_and_the_same_outcomes(seed: int, cuts: list[int]) -> None:
    """Also around choices: other campaigns read other features."""
    log = with_choices(random_history(seed, 350, 20), (60, SET), (150, WAITING), (280, chosen(CART)))
    whole, parts = run_plain(cut(log, [])), run_plain(cut(log, cuts))
    assert parts.rows == whole.rows
    assert parts.outcomes == whole.outcomes


@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 400), max_size=40))
def test_an_audience_asks_for_the_segment_of_the_very_due_point(seed: int, cuts: list[int]) -> None:
    """A slice has many due points of a shopper, of which a row only has what the last one came to."""
    audience = "profile.segment in [new_customers, promising, deal_seekers] and profile.stage != lapsed"
    by_profile = campaign(audience=audience, exploration_share=0.5, effect={"segments": ["fresh"]})
    shop = chosen(by_profile, receipt_share=1, segments={"fresh": "profile.stage == new"})
    log = with_choices(random_history(seed, 400, 12), (0, shop))
    whole, parts = run_plain(cut(log, [])), run_plain(cut(log, cuts))
    assert parts.rows == whole.rows
    assert parts.outcomes == whole.outcomes
    found = [msgspec.json.decode(raw) for raw in whole.outcomes.values()]
    told = {"stage": get_args(Stage), "segment": get_args(Segment)}
    profiles = {(one["shopper_id"], *one["due"].values()): one for one in found if "segment_text" in one}
    receipts = [one for one in found if "decision" in one]
    both = [(one, profiles.get((one["shopper_id"], *one["due"].values()))) for one in receipts]
    for receipt, profile in both:
        for word, names in told.items():
            if profile is None:
                continue
            assert names[int(receipt["values"][f"profile.{word}"]) - 1] == profile[word]
    assert sum(profile is not None for _, profile in both) > 10
    asked = {receipt["decision"] for receipt in receipts}
    assert {"audience_unknown", "not_in_audience", "offered"} <= asked


@settings(max_examples=4)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 300), max_size=40), total=st.integers(600, 6000))
def test_who_gets_the_rest_of_a_budget_does_not_depend_on_the_cut(seed: int, cuts: list[int], total: int) -> None:
    scarce = chosen(CART, holdout_share=0)
    log = with_choices(random_history(seed, 300, 20), (0, scarce), cents=total, days=1)
    whole, parts = run_plain(cut(log, [])), run_plain(cut(log, cuts))
    assert parts.outcomes == whole.outcomes
    assert parts.rows == whole.rows
    assert sum(offer.reserved_cents for offer in of(whole, OfferMade)) <= total


@settings(max_examples=4)
@given(seed=st.integers(0, 10**6), crash=st.integers(2, 350), lost=st.floats(0, 1))
def test_a_crash_in_the_middle_of_a_flush_changes_nothing(seed: int, crash: int, lost: float) -> None:
    """Some of the last flush reached the table, the progress record did not; campaigns change all along."""
    log = with_choices(random_history(seed, 350, 20), (10, SET), (100, chosen(CART)), (150, WAITING))
    whole, found = run_plain(cut(log, [])), crashed(log, crash, lost, random.Random(seed))
    assert found.rows == whole.rows
    assert found.outcomes == whole.outcomes


def test_one_record_at_a_time_gives_the_same_as_all_at_once_where_campaigns_wait() -> None:
    log = with_choices(random_history(11, 600, 15), (0, WAITING))
    whole, single = run_plain(cut(log, [])), run_plain(cut(log, range(1, len(log))))
    assert single.rows == whole.rows
    assert single.outcomes == whole.outcomes
    made = {(offer.campaign, offer.due.kind) for offer in of(whole, OfferMade)}
    assert {("left-cart", "cart_abandoned"), ("left-goods", "browse_abandoned"), ("overdue", "overdue")} <= made
    assert {("left-cart", "deferred"), ("night", "deferred")} <= made


@pytest.fixture(scope="module")
def history() -> World:
    """What 40 shoppers came to."""
    log = with_choices(random_history(7, 2500, 40), (0, SET))
    return run_plain(cut(log, range(500, len(log), 500)))


def test_an_offer_says_all_that_is_needed_to_make_it(history: World) -> None:
    offers = of(history, OfferMade)
    assert {offer.campaign for offer in offers} == {"leaving", "cart"}
    by_arm = {offer.arm: offer for offer in offers if offer.campaign == "cart"}
    assert by_arm.keys() == {"ten", "five-off", "hello"}
    ten, five, hello = (by_arm[arm] for arm in ("ten", "five-off", "hello"))
    assert (ten.benefit, ten.discount_percent, ten.max_discount_cents, ten.reserved_cents) == (
        "percent",
        10,
        1000,
        1000,
    )
    assert (five.benefit, five.amount_cents, five.min_order_cents, five.discount_percent) == (
        "amount",
        500,
        2000,
        msgspec.UNSET,
    )
    assert (hello.benefit, hello.max_discount_cents, hello.amount_cents) == ("content", 0, msgspec.UNSET)
    for offer in offers:
        ref = f"{offer.due.kind}:{offer.due.ref}"
        assert offer.outcome_id == outcome_id("offer_made", offer.shopper_id, ref, offer.campaign)
        assert offer.expires_at_ms == offer.event_time_ms + 7 * DAY
        assert 0 < offer.propensity <= 1
        assert offer.campaigns == SET.digest
        assert (offer.coupon_code is msgspec.UNSET) == (offer.campaign == "leaving")
    codes = [offer.coupon_code for offer in offers if offer.campaign == "cart"]
    assert len(set(codes)) == len(codes) > 20
    assert all(code.startswith("CART-") for code in codes)
    assert any(offer.applies_to == "category" and offer.category for offer in offers if offer.campaign == "leaving")


def test_control_groups_are_told_with_the_arm_that_they_would_have_got(history: World) -> None:
    held = [said for said in of(history, OfferWithheld) if said.reason in ("campaign_holdout", "global_holdout")]
    assert {said.reason for said in held} == {"campaign_holdout", "global_holdout"}
    assert all(isinstance(said.arm, str) and 0 < said.propensity <= 1 for said in held)
    ever = {(offer.shopper_id, offer.campaign) for offer in of(history, OfferMade)}
    for said in held:
        mine = {campaign for shopper, campaign in ever if shopper == said.shopper_id}
        assert not (mine & {said.campaign} if said.reason == "campaign_holdout" else mine)


def test_every_offer_and_every_withheld_one_leaves_a_receipt(history: World) -> None:
    receipts = {(r.shopper_id, r.due.ref, r.campaign): r for r in of(history, Receipt)}
    for offer in of(history, OfferMade):
        receipt = receipts[offer.shopper_id, offer.due.ref, offer.campaign]
        assert (receipt.decision, receipt.offer_id, receipt.arm) == ("offered", offer.outcome_id, offer.arm)
    for said in of(history, OfferWithheld):
        assert receipts[said.shopper_id, said.due.ref, said.campaign].decision == said.reason
    decisions = Counter(receipt.decision for receipt in receipts.values())
    assert {"offered", "not_in_audience", "quiet_hours", "audience_unknown", "explored_nothing"} <= decisions.keys()
    digest = shipped().model("churn").digest[:16]
    leaving = [r for r in receipts.values() if r.campaign == "leaving" and r.values.get("churn.lapse_30d") is not None]
    assert leaving
    assert {model.digest for receipt in leaving for model in receipt.models} == {digest}


def test_with_campaigns_the_built_in_offer_says_nothing_and_without_it_is_as_before() -> None:
    log = random_history(12345, 700, 30)
    plain = run_plain(cut(log, []))
    paused = msgspec.structs.replace(CART, approval="paused")
    for found in (chosen(), chosen(paused)):
        held = run_plain(cut([*choose(found), *log], []))
        assert held.kinds["OfferMade"] == held.kinds["OfferWithheld"] == 0
        assert held.kinds["ChurnAlerted"] == plain.kinds["ChurnAlerted"] > 0
    assert plain.kinds["OfferMade"] > 0


def test_a_shopper_who_ordered_before_the_campaign_began_rests_all_the_same() -> None:
    rests = chosen(
        msgspec.structs.replace(CART, cooldown=msgspec.convert({"after_purchase_days": 30}, type(CART.cooldown))),
        holdout_share=0,
    )
    before, after = log_of(consented(), ordered(at=NOON)), log_of(carted(at=NOON + 5 * DAY))
    world = run_plain(cut([*before, *choose(rests), *after], []))
    assert [said.reason for said in of(world, OfferWithheld)] == ["after_purchase"]


def test_campaigns_survive_a_restart_and_those_no_longer_named_are_deleted() -> None:
    tier = DictTier()

    def go_on(log: Log, start: int) -> PartitionProcessor:
        processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier)
        processor.apply(slice_of(log, start))
        tier.write(processor.drain_changes())
        return processor

    first = go_on(choose(SET), 0)
    again = PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier)
    assert again.in_force.campaigns == first.in_force.campaigns == SET
    assert again.in_force.plans is not None
    last = go_on(choose(chosen(CART)), 1)
    # A crash before the progress record would bring the set before back: it is there for one flush more.
    assert sum(key[:1] == CAMPAIGNS for key in tier.held) == 2
    last.apply(slice_of(log_of(carted()), 2))
    tier.write(last.drain_changes())
    assert [key[1:].decode() for key in tier.held if key[:1] == CAMPAIGNS] == [chosen(CART).digest]


def test_what_offers_set_aside_is_a_function_of_the_log() -> None:
    log = with_choices(random_history(3, 400, 20), (0, SET))
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    world = run_plain(cut(log, []), processor=processor)
    assert isinstance(processor.side, ShopperSide)
    spent = sum(offer.reserved_cents for offer in of(world, OfferMade) if offer.campaign == "cart")
    n = sum(offer.campaign == "cart" for offer in of(world, OfferMade))
    assert processor.side.spending.described()["cart"] == (n, spent)
    assert n


def test_campaigns_that_are_none_are_a_dead_letter_and_newer_ones_stop_the_worker() -> None:
    def said(digest: str, **more: Any) -> Log:
        return [(None, encode_event(CampaignsChosen(digest=digest, campaigns=SET.described() | more)))]

    assert run_plain(cut(said(SET.digest, campaigns=[{"id": 5}]), [])).fates["dead"] == 1
    for newer in (said("0" * 12), said(SET.digest, weather="rain")):
        with pytest.raises(OtherRules, match="newer version"):
            run_plain(cut(newer, []))
    unknown = chosen(campaign(audience="payload.mood > 1"))
    with pytest.raises(OtherRules, match=r"payload\.mood"):
        run_plain(cut(choose(unknown), []))
