"""What campaigns brought, written into the topic of an Apache Kafka as ledgers write it, and read by the command; and
what a campaign will bring, from what a worker made of the past."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

from streams.campaign_book import UnknownCampaign, publish
from streams.campaigns import examples
from streams.campaigns.reading import campaigns_of
from streams.cli import cli
from streams.outside.campaigning import shop_vocabulary
from streams.outside.rehearsed import RehearsalError
from streams.records.campaign_changes import CampaignApplied
from streams.records.outcomes import encode_outcome
from streams.topics import EFFECTS, EVENTS
from tests.campaigns.test_rehearsal import DAYS, PAST, orders
from tests.effects.reports import measured, reports
from tests.kafka.harness import Cluster
from tests.pages import Page
from tests.shoppers import log_of

pytestmark = pytest.mark.kafka


def run(cluster: Cluster, *arguments: str) -> Result:
    environment = {"OFFERSTREAM_BROKER": cluster.bootstrap, "OFFERSTREAM_MODELS": cluster.models, "COLUMNS": "80"}
    environment |= {"OFFERSTREAM_APP_ID": cluster.app_id}
    found = CliRunner().invoke(cli, arguments, env=environment)
    if found.exception is not None:
        raise found.exception
    return found


def test_what_campaigns_brought_is_read_from_the_topic(cluster: Cluster, tmp_path: Path) -> None:
    assert run(cluster, "effect").stdout.startswith("No campaign: nothing is measured yet.")
    (welcome,) = campaigns_of(examples.text("welcome"), shop_vocabulary(), "USD").campaigns
    publish(cluster.settings().access, [CampaignApplied(campaign=welcome, change_id="1", reason="", changed_at_ms=1)])
    pays, carts = measured(reports(days=30, lift=0.3)), measured(reports("carts", arms=("ten", "letter")))
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    # The last days are said twice, as after a crash.
    for each in [*pays[:20], *carts, *pays[20:], *pays[15:25]]:
        producer.produce(EFFECTS.name, encode_outcome(each), each.campaign.encode())
    assert producer.flush(60) == 0

    listed = run(cluster, "effect").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["campaign", "carts", "win-back"]
    page = tmp_path / "page.html"
    told = run(cluster, "effect", "win-back", "--page", str(page))
    assert f"win-back: {pays[-1].words}" in told.stdout
    assert pays[-1].sides in told.stdout
    assert "budget   not known" in told.stdout
    assert pays[-1].words in Page(page.read_text()).texts
    found = json.loads(run(cluster, "effect", "carts", "--json").stdout)
    assert [(each["arm"], each["outcome_id"]) for each in found["estimates"]] == [
        (each.arm, each.outcome_id) for each in carts[-3:]
    ]
    assert len(found["course"]) == 40
    assert run(cluster, "effect", "welcome").stdout.startswith("welcome: nothing is measured yet.")
    with pytest.raises(UnknownCampaign, match=r"did you mean win-back\? There are: carts, welcome, win-back") as wrong:
        run(cluster, "effect", "winback")
    assert wrong.value.exit_code == 2

    # Live, in words and as records; schema tells of every field.
    watched = run(cluster, "watch", "effects", "--from", "beginning", "--limit", "3", "--json").stdout.splitlines()
    assert [json.loads(line)["campaign"] for line in watched] == ["win-back"] * 3
    line = run(cluster, "watch", "effects", "--from", "beginning", "--limit", "1").stdout
    assert f"win-back          effect: {pays[0].words} [all arms, all segments]" in line
    for name in ("EffectMeasured", "OfferOutcome"):
        assert json.loads(run(cluster, "schema", name).stdout)["$ref"].endswith(name)


THANKS = """
shop: {default_consent: true, holdout_share: 0}
campaigns:
  - id: thanks
    audience: orders.count >= 1
    trigger: {kind: event, types: [order_placed]}
    arms:
      - {id: five, kind: percent, percent: 5, max_discount_cents: 9000, assumed_uplift: 0.1, assumed_redemption: 0.2}
    economics: {min_stock: 0, contact_cents: 3}
    budget: {USD: {total_cents: 100000}}
    cooldown: {after_purchase_days: 0}
    holdout_share: 0.2
    exploration_share: 0
    start: 2030-01-01T00:00:00Z
    end: 2031-01-01T00:00:00Z
"""


def test_a_draft_is_rehearsed_on_what_a_worker_kept(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "thanks.yaml").write_text(THANKS)
    log = log_of(*PAST)
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    worker.stop()
    before = cluster.end(EVENTS.name)
    found = run(cluster, "campaigns", "forecast", str(tmp_path / "thanks.yaml"), "--days", str(DAYS), "--json")
    (told,) = json.loads(found.stdout)["campaigns"]
    assert told["rehearsed"]["entered"] == len(orders()) == sum(told["past"]["entered"])
    assert told["detectable_always_cents"] > told["detectable_cents"] > 0
    assert {each["share"] for each in told["holdouts"]} == {0.02, 0.05, 0.1, 0.2, 0.5}
    text = run(cluster, "campaigns", "forecast", str(tmp_path / "thanks.yaml")).stdout
    assert text.startswith(f"thanks: {told['words']}")
    with pytest.raises(RehearsalError, match=r"goes back 5\d\.\d days, and 90 are to come again: --days 5\d\."):
        run(cluster, "campaigns", "forecast", str(tmp_path / "thanks.yaml"), "--days", "90")
    # Nothing was sent.
    assert cluster.end(EVENTS.name) == before
