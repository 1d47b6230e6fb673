"""A campaign of ads on Apache Kafka, from its file to what it brought."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from streams.outside.rehearsed import RehearsalError
from streams.records.ads import AdDecided
from streams.topics import ADS
from tests.decisions.test_ads import decided
from tests.kafka.harness import Cluster
from tests.kafka.test_campaigns import run
from tests.processing.test_ad_campaigns import ad, asked, clicked
from tests.shoppers import DAY, HOUR, NOON, consented, log_of, ordered, viewed

pytestmark = pytest.mark.kafka
FILE = """
shop: {holdout_share: 0}
campaigns:
  - id: spring
    approval: approved
    approved_by: marketing
    audience: "true"
    trigger: {kind: ad_requested}
    arms: [{id: tea, kind: ad}]
    budget: {USD: {total_cents: 2000, daily_cents: 2000}}
    pacing: asap
    start: 2016-01-01T00:00:00Z
    end: 2036-01-01T00:00:00Z
    holdout_share: 0.3
    effect: {window_days: 0.25, return_days: 0.25, expected_shoppers: 100}
"""
COST, MINUTE = 40, 60_000


def decisions(cluster: Cluster) -> list[AdDecided]:
    found = {
        one.outcome_id: one
        for *_, raw in cluster.read(ADS.name)
        if (one := msgspec.json.decode(raw or b"", type=AdDecided))
    }
    return sorted(found.values(), key=lambda one: one.event_time_ms)


def test_what_an_ad_campaign_spends_and_brings(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "spring.yaml"
    file.write_text(FILE)
    people = [f"s{i}" for i in range(40)]
    cluster.send(log_of(*(consented(who, NOON, f"k-{who}") for who in people)))
    worker = cluster.worker(flush_seconds="0.1")
    worker.wait_ready()
    applied = run(cluster, "campaigns", "apply", str(file), "--json")
    assert json.loads(applied.stdout)["campaigns"] == ["spring: new, approved"], applied.output
    # Some minutes at a time: leases are answered in between.
    for k in range(12):
        at = NOON + k * 2 * MINUTE
        some = people[k % 4 :: 4]
        cluster.send(
            log_of(
                *(viewed(who, at, f"v{k}-{who}") for who in some),
                *(asked(who, at + 1, f"r{k}-{who}", ad("tea-1", COST), ad("own", 90, None)) for who in some),
            )
        )
        cluster.wait_caught_up()
    said = decisions(cluster)
    assert len(said) == 120
    shown = [one for one in said if one.campaign_id == "spring"]
    held = {one.shopper_id for one in said if one.slate[0].refused == "campaign_holdout"}
    assert held
    assert not held & {one.shopper_id for one in shown}
    assert {one.slate[0].refused for one in said} >= {None, "campaign_holdout", "budget_spent"}
    assert 0 < sum(one.reserved_cents for one in shown) == COST * len(shown) <= 2_000
    used = [shown[0], shown[-1]]
    at = NOON + 30 * MINUTE
    cluster.send(
        log_of(
            *(clicked(one, at, f"x-{one.outcome_id}", cost_cents=33) for one in used),
            *(ordered(one.shopper_id, at + 1, f"o-{one.outcome_id}", 5_000) for one in used),
        )
    )
    # Time passes in every partition.
    for n, later in enumerate((3 * HOUR, 5 * HOUR, DAY, 2 * DAY, 2 * DAY + HOUR)):
        cluster.send(log_of(*(viewed(who, NOON + later, f"late{n}-{who}") for who in people)))
        cluster.wait_caught_up()
    told = json.loads(run(cluster, "effect", "spring", "--json").stdout)
    whole = told["estimates"][0]
    entered = {one.shopper_id for one in shown}
    assert (whole["shoppers"], whole["campaign"]) == (len(entered), "spring")
    assert 0 < whole["held"] <= len(held)
    assert whole["per_shopper"]["cost"]["mean"] == pytest.approx(66 / len(entered), abs=1e-4)
    assert whole["roi"] is not None
    balance = json.loads(run(cluster, "features", "show", "campaign", "spring", "--json").stdout)
    values = {name: value[0] for name, value in balance["features"].items() if name.startswith("budget.")}
    assert values["budget.spent"] == 66
    assert values["budget.total"] == 2_000 == sum(values[f"budget.{part}"] for part in ("remaining", "leased", "spent"))
    with pytest.raises(RehearsalError, match="spring: campaigns of ads are not rehearsed"):
        run(cluster, "campaigns", "forecast", str(file))
    worker.stop()
    # What the worker said, one slice after the other, a plain loop over the whole log says as well.
    plain = cluster.expected()
    assert cluster.rows() == plain.rows
    assert {one.outcome_id: one for one in decided(plain)} == {one.outcome_id: one for one in decisions(cluster)}
