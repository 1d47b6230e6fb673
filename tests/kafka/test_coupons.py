"""Coupons on Apache Kafka: loaded while workers run and are killed, every code is given once over all partitions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from streams.topics import EVENTS, OFFERS, WITHHELD
from tests.budget.stream import history
from tests.kafka.harness import Cluster
from tests.kafka.test_campaigns import run, said

pytestmark = pytest.mark.kafka
FILE = """
shop: {default_consent: true, holdout_share: 0, caps: [{offers: 12, days: 30}]}
campaigns:
  - id: carts
    approval: approved
    approved_by: marketing
    audience: carts.adds_24h >= 1
    trigger: {kind: event, types: [cart_item_added]}
    arms:
      - {id: five, kind: amount, amount_cents: 500, assumed_uplift: 0.3, valid_days: 0.02}
    economics: {basket_cents: 6000, min_stock: 0}
    coupons: {source: pool, pool: spring}
    budget: {USD: {total_cents: 90000000, daily_cents: 90000000}}
    pacing: asap
    start: 2016-01-01T00:00:00Z
    end: 2036-01-01T00:00:00Z
    caps: [{offers: 12, days: 3}]
    holdout_share: 0.1
"""


def test_each_code_is_given_once_over_all_partitions_whoever_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    file, codes = tmp_path / "campaigns.yaml", tmp_path / "codes.txt"
    file.write_text(FILE)
    log = history(81, 1200, 60, hours=12)
    cluster.send(log[:60])
    worker = cluster.worker(flush_seconds="0.1")
    worker.wait_ready()
    cluster.wait_caught_up()
    applied = run(cluster, "campaigns", "apply", str(file))
    assert "makes no offers with a discount while pool spring has no codes" in applied.output
    early = [f"EARLY-{i}" for i in range(20)]
    codes.write_text("\n".join([*early, early[3]]))
    told = run(cluster, "campaigns", "coupons", "spring", str(codes)).output
    assert told.startswith("spring: 20 codes (1 stand twice in the file), split over 3 partitions of shoppers.")

    def send(start: int, stop: int) -> None:
        """Some minutes at a time: leases are answered in between."""
        for k in range(start, stop, 24):
            cluster.wait_caught_up()
            cluster.send(log[k : k + 24])
        cluster.wait_caught_up()

    send(60, 500)
    worker.stop()
    # The file again, with more, while nobody works; then workers that are killed within flushes and slices.
    later = [f"LATER-{i}" for i in range(24)]
    codes.write_text("\n".join(early + later))
    run(cluster, "campaigns", "coupons", "spring", str(codes))
    for n, step in enumerate(("changelog_half:1", "mid_slice:2", "changelog_delivered:1", "outputs_delivered:1")):
        killed = cluster.worker(step, flush_seconds="0.1")
        cluster.send(log[500 + 60 * n : 560 + 60 * n])
        killed.wait_killed()
    worker = cluster.worker(flush_seconds="0.1")
    worker.wait_ready()
    send(740, len(log))

    offers = {str(offer["outcome_id"]): offer for offer in said(cluster, OFFERS.name) if offer["campaign"] == "carts"}
    given = [str(offer["coupon_code"]) for offer in offers.values()]
    assert len(set(given)) == len(given) > 20
    assert set(given) <= {*early, *later}
    assert any(code.startswith("LATER") for code in given)
    assert any(record["reason"] == "pool_empty" for record in said(cluster, WITHHELD.name))
    (row,) = json.loads(run(cluster, "campaigns", "coupons", "spring", "--json").stdout)
    assert (row["codes left"], row["given"]) == (str(44 - len(given)), str(len(given)))
    shown = json.loads(run(cluster, "campaigns", "show", "carts").stdout)
    assert shown["coupons"] == {"left": 44 - len(given), "given": len(given)}
    shown_codes = re.findall(r'offerstream_coupon_codes\{[^}]*part="(\w+)"[^}]*\} (\d+)', worker.get("/metrics")[1])
    assert sum(int(count) for part, count in shown_codes if part == "given") == len(given)
    # Codes stand in the offers and where they were loaded, in no log of a worker.
    texts = [each.log.read_text(errors="replace") for each in cluster.workers]
    assert not any(code in text for code in given for text in texts)
    worker.stop()
    cluster.assert_as_plain()
    assert sum(b'"coupons_loaded"' in (value or b"") for *_, value in cluster.read(EVENTS.name)) <= 6
