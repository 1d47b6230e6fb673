"""From a catalogue's records to offers on Apache Kafka: what is back in stock, or costs less, is offered to whoever
wishes for it, in every partition, what cannot be bought to nobody, what is new is recommended, and a killed worker
changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.campaigns.examples import text
from streams.demo.recommending import FOLDER
from streams.records import events as e
from streams.records.events import decode_event
from streams.records.items import ItemChanged, ItemDelisted, ItemListed, ItemReviewed, StockCounted
from streams.records.news import ITEM_NEWS
from streams.topics import CATALOG, EVENTS, OFFERS, RECOMMENDATIONS, REVIEWS, STOCK, WITHHELD
from tests.kafka.harness import Cluster
from tests.kafka.test_campaigns import run, said
from tests.shoppers import DAY, HOUR, NOON, Log, carted, log_of, viewed

pytestmark = pytest.mark.kafka
SHOPPERS, BASKETS = [f"shopper-{k}" for k in range(12)], [f"basket-{k}" for k in range(12)]
MINUTE = 60_000
#: Whoever puts something into the cart is offered tea.
NAMED = """
  - id: tea-time
    approval: approved
    approved_by: tests
    audience: "true"
    trigger: {kind: event, types: [cart_item_added]}
    arms: [{id: tea, kind: content, applies_to: items, names: [tea], assumed_uplift: 0.1, valid_days: 0.001}]
    economics: {basket_cents: 3000}
    budget: {USD: {total_cents: 50000}}
    start: 2000-01-01T00:00:00Z
    end: 2100-01-01T00:00:00Z
    caps: [{offers: 12, days: 0.001}]
    cooldown: {after_purchase_days: 0}
"""


def wishes(at: int) -> Log:
    """All wish for tea."""
    return log_of(
        *(e.ItemWishlisted(event_id=f"w{at}", shopper_id=who, event_time=at, item_id="tea") for who in SHOPPERS)
    )


def looked(cluster: Cluster, start: int, times: int) -> None:
    """All look at things, some minutes at a time: leases are answered in between."""
    for k in range(times):
        at = start + 10 * MINUTE * k
        cluster.send(log_of(*(viewed(who, at, f"v{at}", item_id="milk") for who in SHOPPERS)))
        cluster.wait_caught_up()


def counted(at: int, on_hand: int) -> tuple[str, StockCounted]:
    return STOCK.name, StockCounted(event_id=f"c{at}", item_id="tea", event_time=at, on_hand=on_hand)


def filled(cluster: Cluster, at: int) -> set[object]:
    """Some fill their carts; who of them is offered something then. Whatever it is, it is tea."""
    cluster.send(log_of(*(carted(who, at, f"c{at}") for who in BASKETS)))
    cluster.wait_caught_up()
    found = [offer for offer in said(cluster, OFFERS.name) if offer["campaign"] == "tea-time"]
    assert all(offer["items"] == ["tea"] for offer in found)
    return {offer["shopper_id"] for offer in found if offer["event_time_ms"] == at}


def offered(cluster: Cluster) -> dict[tuple[object, ...], dict[str, object]]:
    """By whom and campaign."""
    return {(offer["shopper_id"], offer["campaign"]): offer for offer in said(cluster, OFFERS.name)}


def recommended_new(cluster: Cluster, at: int) -> None:
    """A version serves that was taught before an item was listed; whoever looks at three of its items without a history
    is shown that one."""
    promoted = run(cluster, "models", "promote", "recommend", str(FOLDER), "--to", "live")
    assert promoted.exit_code == 0, promoted.output
    sessions = [f"session-{who}" for who in range(12)]
    # Items hear of an hour when it is over.
    cluster.send(log_of(*(viewed(who, at - 40 * DAY + k * HOUR, f"b{k}") for k in range(3) for who in sessions)))
    cluster.wait_caught_up()
    card = json.loads((FOLDER / "card.json").read_text())
    listed = ItemListed(event_id="n", item_id="kettle", event_time=at, unit_price_cents=900, category_path=["kitchen"])
    cluster.send_catalogue([(CATALOG.name, listed)])
    cluster.wait_caught_up()
    for k, item in enumerate(card["names"][:3]):
        cluster.send(log_of(*(viewed(who, at + HOUR * k, f"n{k}", item_id=item) for who in sessions)))
    cluster.wait_caught_up()
    every: list[dict[str, Any]] = said(cluster, RECOMMENDATIONS.name)
    lists = [one for one in every if one["event_time_ms"] >= at]
    assert {one["shopper_id"] for one in lists} == {*sessions}
    assert {len(one["items"]) for one in lists} == {20}
    for one in lists:
        assert [item["item_id"] for item in one["items"] if item["because"] == "new"] == ["kettle"]
        assert one["items"][9]["item_id"] == "kettle"


def test_news_of_items_becomes_offers(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "campaigns.yaml"
    texts = [text(name).partition("campaigns:\n")[2] for name in ("back-in-stock", "price-drop")]
    caps = "caps: [{offers: 12, days: 0.001}]"
    file.write_text(f"shop: {{default_consent: true, {caps}}}\ncampaigns:\n" + "".join([*texts, NAMED]))
    worker = cluster.worker()
    worker.wait_ready()
    recommended_new(cluster, NOON - 3 * HOUR)
    cluster.send(wishes(NOON))
    cluster.wait_caught_up()
    applied = run(cluster, "campaigns", "apply", str(file))
    assert applied.exit_code == 0, applied.output
    assert "not yet" not in applied.output
    assert "workers do not" not in applied.output
    looked(cluster, NOON, 3)
    listed = ItemListed(event_id="l", item_id="tea", event_time=NOON, unit_price_cents=1000)
    cluster.send_catalogue([(CATALOG.name, listed), counted(NOON, 0)])
    cluster.wait_caught_up()
    assert not offered(cluster)
    assert not filled(cluster, NOON + 30 * MINUTE)
    cluster.send_catalogue([counted(NOON + HOUR, 7)])
    cluster.wait_caught_up()
    back = offered(cluster)
    assert len(filled(cluster, NOON + 70 * MINUTE)) > len(BASKETS) / 2
    assert {campaign for _, campaign in back} == {"back-in-stock"}
    # Some are in a control group.
    assert len(back) > len(SHOPPERS) / 2
    for offer in back.values():
        assert (offer["applies_to"], offer["items"], offer["arm"]) == ("items", ["tea"], "news")
        assert offer["due"]["kind"] == "back_in_stock"  # type: ignore[index]

    # Whoever takes over goes on where one was killed, in the middle of a flush.
    looked(cluster, NOON + 2 * HOUR, 1)
    worker.stop()
    killed = cluster.worker("changelog_half:1")
    changed = ItemChanged(event_id="p", item_id="tea", event_time=NOON + 2 * HOUR, unit_price_cents=850)
    cluster.send_catalogue([(CATALOG.name, changed)])
    killed.wait_killed()
    worker = cluster.worker()
    worker.wait_ready()
    cluster.wait_caught_up()
    cheaper = [offer for (_, campaign), offer in offered(cluster).items() if campaign == "price-drop"]
    assert len(cheaper) > len(SHOPPERS) / 2
    assert all(offer["items"] == ["tea"] for offer in cheaper)
    again = json.loads(run(cluster, "campaigns", "show", "price-drop").stdout)
    assert again["state"] == "active"
    stars = [
        ItemReviewed(event_id=f"r{k}", item_id="tea", event_time=NOON + 3 * HOUR, rating=5 if k < 12 else 1)
        for k in range(14)
    ]
    cluster.send_catalogue([(REVIEWS.name, review) for review in stars])
    cluster.wait_caught_up()
    assert not filled(cluster, NOON + 3 * HOUR)
    withheld = [one for one in said(cluster, WITHHELD.name) if one["event_time_ms"] == NOON + 3 * HOUR]
    assert "rated_worse" in {one["reason"] for one in withheld}
    cluster.send_catalogue([(CATALOG.name, ItemDelisted(event_id="d", item_id="tea", event_time=NOON + 3 * HOUR))])
    cluster.wait_caught_up()
    assert not filled(cluster, NOON + 3 * HOUR)
    news = [(p, decode_event(value or b"")) for p, *_, value in cluster.read(EVENTS.name)]
    told = {(p, type(one).__name__) for p, one in news if isinstance(one, ITEM_NEWS)}
    assert told == {
        (p, name)
        for p in range(cluster.partitions)
        for name in ("ItemArrived", "ItemAvailable", "ItemPriceDropped", "ItemUnavailable")
    }
    worker.stop()
    cluster.assert_as_plain()
