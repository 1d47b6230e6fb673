"""Why a shopper got what they got, told from Kafka alone, agrees with what the worker decided."""

from __future__ import annotations

import json
import os

import msgspec
import pytest

from streams.decisions.promotion import PromotionPolicy
from streams.records.events import ShopperEvent
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.outcomes import ChurnAlerted, Scored
from streams.topics import ALERTS, OFFERS, SCORES, SHOPPER_PROFILES, WITHHELD
from tests import processes
from tests.kafka.harness import Cluster
from tests.shoppers import DAY, NOON, Log, consented, log_of, ordered, viewed

pytestmark = pytest.mark.kafka


def ask(cluster: Cluster, *arguments: str, code: int = 0, command: str = "why") -> str:
    done = processes.run(
        "streams",
        command,
        *arguments,
        text=True,
        env={
            **os.environ,
            "OFFERSTREAM_BROKER": cluster.bootstrap,
            "OFFERSTREAM_APP_ID": cluster.app_id,
            "OFFERSTREAM_MODELS": cluster.models,
            "COLUMNS": "80",
        },
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else " ".join(done.stderr.split())


def history() -> Log:
    """``yes`` and ``no`` bought weekly and fell silent, ``new`` only looked; the others carry time forward."""
    policy = PromotionPolicy()
    in_holdout = next(f"held-{i}" for i in range(1000) if policy.in_holdout(f"held-{i}"))
    events: list[ShopperEvent] = []
    for week in range(8):
        for shopper in ("yes", "no", in_holdout):
            events.append(ordered(shopper, NOON + week * 7 * DAY, f"{shopper}-{week}"))
    events += [consented("yes", NOON + 49 * DAY + 1, "k1"), consented(in_holdout, NOON + 49 * DAY + 2, "k2")]
    events += [viewed("new", NOON + 50 * DAY, "v1")]
    for day in range(51, 170):
        events += [viewed(f"clock-{i}", NOON + day * DAY, f"c{day}-{i}") for i in range(9)]
    return log_of(*events)


def test_a_shopper_is_explained_as_the_worker_decided(cluster: Cluster) -> None:
    log = history()
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    worker.stop()

    def of(topic: str, kind: type[msgspec.Struct], shopper: str) -> list[msgspec.Struct]:
        found = [record for record in cluster.read(topic) if record[3] == shopper.encode()]
        return [msgspec.json.decode(record[4] or b"", type=kind) for record in found]

    holdout = next(r[3].decode() for r in cluster.read(SCORES.name) if r[3] and r[3].startswith(b"held"))
    for shopper in ("yes", "no", holdout):
        told = json.loads(ask(cluster, shopper, "--json"))
        assert told["scored"] == msgspec.to_builtins(of(SCORES.name, Scored, shopper)[-1])
        for name, topic, kind in (
            ("last_alert", ALERTS.name, ChurnAlerted),
            ("last_offer", OFFERS.name, OfferMade),
            ("last_withheld", WITHHELD.name, OfferWithheld),
        ):
            said = of(topic, kind, shopper)
            assert told[name] == (msgspec.to_builtins(said[-1]) if said else None)
        assert told["orders"] == 8
        assert told["favourite_category"] == "tea"
        assert told["usual_basket_cents"] == 1000
        assert told["last_event_ms"] - NOON in (49 * DAY, 49 * DAY + 1, 49 * DAY + 2)
        assert told["silence_due_ms"] is None or told["silence_due_ms"] > told["as_of_ms"] - 3_600_000
        assert told["holdout"] == (shopper == holdout)
    yes, no = (json.loads(ask(cluster, shopper, "--json")) for shopper in ("yes", "no"))
    assert (yes["consent"], no["consent"]) == ("allowed", "never_said")
    assert yes["offers_ms"], "they fell silent, so the model must have thought of leaving"
    assert yes["offers_ms"][-1] == yes["last_offer"]["event_time_ms"]
    text = ask(cluster, "no")
    assert "no consent (never said)" in text.splitlines()[-1]
    assert text.splitlines()[-1].startswith("Missing for an offer: ")
    assert "last withheld" in text
    assert "no consent to marketing" in text
    assert "in the holdout" in ask(cluster, holdout).splitlines()[-1]
    assert "they have never ordered" in ask(cluster, "new").splitlines()[-1]
    segments = json.loads(ask(cluster, "--json", command="segments"))
    assert sum(one["shoppers"] for one in segments) == len({r[3] for r in cluster.read(SHOPPER_PROFILES.name)}) == 3
    refused = ask(cluster, "nobody", code=1)
    assert "Nothing is known of shopper 'nobody'" in refused
    assert "offerstream watch events dead late --from beginning --shopper nobody" in refused
