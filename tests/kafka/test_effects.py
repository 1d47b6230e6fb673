"""What campaigns brought, written into the topic of an Apache Kafka as ledgers write it, and read by the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

from streams.campaign_book import UnknownCampaign, publish
from streams.campaigning import shop_vocabulary
from streams.campaigns import examples
from streams.campaigns.reading import campaigns_of
from streams.cli import cli
from streams.records.campaign_changes import CampaignApplied
from streams.records.outcomes import encode_outcome
from streams.topics import EFFECTS
from tests.effects.reports import measured, reports
from tests.kafka.harness import Cluster
from tests.pages import Page

pytestmark = pytest.mark.kafka


def run(cluster: Cluster, *arguments: str) -> Result:
    environment = {"OFFERSTREAM_BROKER": cluster.bootstrap, "OFFERSTREAM_APP_ID": cluster.app_id, "COLUMNS": "80"}
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
