"""What campaigns decided and what followed are read from their topics, and what they lack is said."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from rich.console import Console

from streams.cli import cli
from streams.outside import followed
from streams.topics import OFFER_OUTCOMES, RECEIPTS
from tests.effects.receipts import outcome, receipt
from tests.kafka.harness import Cluster
from tests.shoppers import random_history
from training.asked import Asked
from training.command import run
from training.errors import TrainingError
from training.needs import TooLittle

pytestmark = pytest.mark.kafka


def test_receipts_and_outcomes_are_those_of_their_topics(cluster: Cluster, tmp_path: Path) -> None:
    settings = cluster.settings()
    cluster.send([record for record in random_history(32, 300, 20, hostile=False) if record[0]])
    asked = Asked("promotion", from_broker=True, cuts=("2023-11-20",), work=tmp_path)
    with pytest.raises(TrainingError, match=rf"{RECEIPTS.name} at .* holds no record"):
        run(asked, settings, Console(file=io.StringIO()))
    receipts = [
        receipt(f"s{i}", i, "offered" if i % 3 else "campaign_holdout", "a", offer_id=f"f{i}") for i in range(90)
    ]
    outcomes = [outcome(f"f{i}", f"s{i}", i, "a", held=not i % 3) for i in range(60)]
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for topic, records in ((RECEIPTS, receipts), (OFFER_OUTCOMES, outcomes)):
        for record in records:
            producer.produce(topic.name, msgspec.json.encode(record), record.shopper_id.encode())
    producer.flush(30)
    found = followed.of_topics(settings.access)
    assert (found.receipts, found.outcomes, len(found.decisions)) == (90, 60, 60)
    with pytest.raises(TooLittle, match=r"40 of c/a@what\.whom; of holdouts: 20 of c"):
        run(asked, settings, Console(file=io.StringIO()))
    (tmp_path / "c.yaml").write_text(_CAMPAIGN)
    environment = {"OFFERSTREAM_BROKER": cluster.bootstrap}
    told = CliRunner().invoke(cli, ["evaluate-policy", str(tmp_path / "c.yaml"), "--from-broker"], env=environment)
    assert "Nobody was ever offered a" in str(told.exception), json.dumps(told.output)


_CAMPAIGN = """
campaigns:
  - id: c
    audience: "true"
    trigger: {kind: due_point}
    arms: [{id: a, kind: content, assumed_uplift: 0.1}]
    budget: {USD: {total_cents: 1000}}
    start: 2023-01-01T00:00:00Z
    end: 2026-01-01T00:00:00Z
"""
