"""Campaigns on Apache Kafka: applied and paused while workers run and are killed, and every offer is the log's."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli import cli
from streams.topics import EVENTS, OFFERS, RECEIPTS, WITHHELD
from tests.budget.stream import history
from tests.kafka.harness import Cluster

pytestmark = pytest.mark.kafka
FILE = """
shop:
  default_consent: true
  holdout_share: 0.1
  receipt_share: 0.1
  caps: [{offers: 5, days: 30}]
campaigns:
  - id: carts
    approval: approved
    approved_by: marketing
    audience: carts.adds_24h >= 1
    trigger: {kind: event, types: [cart_item_added]}
    arms:
      - {id: ten, kind: percent, percent: 10, max_discount_cents: 1000, assumed_uplift: 0.2}
      - {id: hello, kind: content, assumed_uplift: 0.01, assumed_redemption: 0}
    economics: {basket_cents: 3000, min_stock: 0}
    coupons: {source: generated}
    budget: {USD: {total_cents: 10000000, daily_cents: 300000}}
    pacing: asap
    start: 2016-01-01T00:00:00Z
    end: 2036-01-01T00:00:00Z
    caps: [{offers: 2, days: 3}]
    exploration_share: 0.3
  - id: left
    approval: approved
    approved_by: marketing
    audience: orders.count_24h < 1
    trigger: {kind: cart_abandoned, minutes: 60}
    arms:
      - {id: ship, kind: free_shipping, shipping_cents: 400, assumed_uplift: 0.2}
    economics: {basket_cents: 6000}
    budget: {USD: {total_cents: 10000000, daily_cents: 300000}}
    pacing: asap
    start: 2016-01-01T00:00:00Z
    end: 2036-01-01T00:00:00Z
    quiet_hours: {start: "19:00", end: "09:00"}
"""


def run(cluster: Cluster, *arguments: str) -> Result:
    environment = {"OFFERSTREAM_BROKER": cluster.bootstrap, "OFFERSTREAM_MODELS": cluster.models, "COLUMNS": "250"}
    found = CliRunner().invoke(cli, arguments, env=environment | {"OFFERSTREAM_APP_ID": cluster.app_id})
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def said(cluster: Cluster, topic: str) -> list[dict[str, object]]:
    return [json.loads(value or b"") for *_, value in cluster.read(topic)]


def choices(cluster: Cluster) -> int:
    return sum(b'"campaigns_chosen"' in (value or b"") for *_, value in cluster.read(EVENTS.name))


def test_campaigns_are_applied_and_paused_without_a_restart_and_a_killed_worker_changes_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text(FILE)
    log = history(81, 1600, 60, hours=30)
    cluster.send(log[:150])
    worker = cluster.worker(flush_seconds="0.1")
    worker.wait_ready()
    cluster.wait_caught_up()
    applied = run(cluster, "campaigns", "apply", str(file), "--reason", "spring", "--json")
    assert applied.exit_code == 0, applied.output
    told = json.loads(applied.stdout)
    assert (told["holds"], told["campaigns"]) == (True, ["carts: new, approved", "left: new, approved"])
    assert choices(cluster) == cluster.partitions
    before = Counter(str(offer["campaign"]) for offer in said(cluster, OFFERS.name))
    # Some minutes at a time: leases are answered in between.
    for k in range(150, 800, 16):
        cluster.wait_caught_up()
        cluster.send(log[k : k + 16])
    cluster.wait_caught_up()
    offers = [offer for offer in said(cluster, OFFERS.name) if offer["campaign"] == "carts"]
    assert len(offers) > 4
    assert all(offer["campaigns"] == told["digest"] and offer["coupon_code"] for offer in offers)
    assert {offer["benefit"] for offer in offers} == {"percent", "content"}
    # Another worker takes over what one left in the middle of a flush, and of a slice.
    worker.stop()
    for step in ("changelog_half:1", "mid_slice:2"):
        killed = cluster.worker(step, flush_seconds="0.1")
        cluster.send(log[800:1000] if step.startswith("changelog") else log[1000:1200])
        killed.wait_killed()
    worker = cluster.worker(flush_seconds="0.1")
    worker.wait_ready()
    cluster.wait_caught_up()
    paused = run(cluster, "campaigns", "pause", "carts")
    assert "carts: paused\nThey hold in every partition" in paused.output
    cluster.wait_caught_up()
    count = len([offer for offer in said(cluster, OFFERS.name) if offer["campaign"] == "carts"])
    cluster.send(log[1200:])
    cluster.wait_caught_up()
    after = said(cluster, OFFERS.name)
    assert len([offer for offer in after if offer["campaign"] == "carts"]) == count
    waited = Counter(str(offer["due"]["kind"]) for offer in after if offer["campaign"] == "left")  # type: ignore[index]
    assert waited["cart_abandoned"] > 0
    assert waited["deferred"] > 0
    # The built-in offer spoke before the campaigns, and not since.
    assert Counter(str(offer["campaign"]) for offer in after)["win-back"] == before["win-back"]
    assert {said_["campaign"] for said_ in said(cluster, WITHHELD.name)} >= {"carts"}
    listed = run(cluster, "campaigns", "list", "--json")
    row, _ = json.loads(listed.stdout)
    unique = {str(offer["outcome_id"]) for offer in after if offer["campaign"] == "carts"}
    assert (row["campaign"], row["state"], row["offers"]) == ("carts", "paused", str(len(unique)))
    shown = json.loads(run(cluster, "campaigns", "show", "carts").stdout)
    assert (shown["state"], shown["campaign"]["approved_by"]) == ("paused", "marketing")
    receipts = {str(r["outcome_id"]): r for r in said(cluster, RECEIPTS.name)}
    assert {
        str(r["offer_id"]) for r in receipts.values() if (r["decision"], r["campaign"]) == ("offered", "carts")
    } == unique
    last = next(offer for offer in reversed(after) if offer["campaign"] == "carts")
    assert f"An offer was made: {last['arm']}" in run(cluster, "why", str(last["outcome_id"])).output
    asked = run(cluster, "why", str(last["shopper_id"])).output
    assert "campaign carts (paused): " in asked
    assert re.search(r"Last decisions: carts: \w+", asked)
    newest = {r["shopper_id"]: r for r in sorted(receipts.values(), key=lambda r: int(str(r["event_time_ms"])))}
    nothing = next(r for r in newest.values() if r["decision"] != "offered")
    assert "No offer, because" in run(cluster, "why", str(nothing["shopper_id"])).output
    worker.stop()
    cluster.assert_as_plain()
    assert choices(cluster) == 2 * cluster.partitions


def test_what_cannot_be_applied_says_why_and_sends_nothing(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text(FILE.replace("carts.adds_24h", "carts.ads_24h").replace("percent: 10", "percent: 1000"))
    wrong = run(cluster, "campaigns", "apply", str(file))
    assert wrong.exit_code == 2
    assert "did you mean carts.adds_24h" in wrong.output
    assert "percent" in wrong.output
    with pytest.raises(KeyError, match="none yet"):
        run(cluster, "campaigns", "pause", "carts")
    file.write_text(FILE.replace("approval: approved", "approval: draft"))
    assert "Only drafts" in run(cluster, "campaigns", "apply", str(file)).output
    file.write_text(FILE)
    assert "No worker of group" in run(cluster, "campaigns", "apply", str(file)).output
    assert "unchanged" in run(cluster, "campaigns", "apply", str(file)).output
    with pytest.raises(ValueError, match="is approved already"):
        run(cluster, "campaigns", "resume", "carts")
    assert "carts: stopped" in run(cluster, "campaigns", "stop", "carts").output
    with pytest.raises(ValueError, match="was stopped, which is for good"):
        run(cluster, "campaigns", "apply", str(file))
