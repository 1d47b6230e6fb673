"""``python -m training.checks.rehearsal``: campaigns foretold on real households, beside what came.

A year of households goes through one partition, without Kafka. At a day the campaigns of a file are rehearsed as
``offerstream campaigns forecast`` does; then the days that really came go through the same partition under the same
campaigns. A JSON object per line; a few minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from models.store import Shelf
from streams.campaigns.reading import campaigns_of
from streams.effects.moments import Moments
from streams.effects.sums import COLUMNS
from streams.entities.shopper import SHOPPER
from streams.outside.campaigning import shop_vocabulary
from streams.outside.rehearsal import OF_OFFERS, SLICE, Stage, running_always
from streams.outside.rehearsed import DAY_MS, RehearsalError, Rehearsed
from streams.processing.partition import PartitionProcessor
from streams.records.campaigns import CampaignSet
from streams.records.events import ShopperEvent, encode_event
from streams.records.news import AnyItemNews
from streams.records.slices import Slice
from streams.records.words import when_ms
from streams.settings import Settings
from training.datasets import DATASETS
from training.times import parse_time

CAMPAIGNS = Path(__file__).parents[2] / "streams" / "demo" / "campaigns.yaml"


def main() -> None:
    """Measure, and print a JSON object for each campaign and day."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.rehearsal", description=__doc__)
    asked.add_argument("--campaigns", type=Path, default=CAMPAIGNS, help="file of campaigns; default: the demo's")
    asked.add_argument("--cut", action="append", help="day of the forecast; several are possible")
    asked.add_argument("--days", type=int, default=28, help="how long campaigns run")
    given = asked.parse_args()
    chosen = campaigns_of(given.campaigns.read_text(), shop_vocabulary(), "USD")
    running = CampaignSet(shop=chosen.shop, campaigns=tuple(running_always(each) for each in chosen.campaigns))
    events = [(when_ms(event) or 0, event) for event in DATASETS["complete_journey"].read(None)]
    shelf, settings, held = Shelf(), Settings(), dict[bytes, bytes]()
    shop, done = PartitionProcessor(SHOPPER, 0, settings.rules(), shelf, group=settings.app_id), 0
    for cut in sorted(given.cut or ["2017-05-01", "2017-07-01", "2017-09-01"]):
        at = parse_time(cut)
        stop = next((k for k, (time, _) in enumerate(events) if time >= at), len(events))
        for start in range(done, stop, SLICE):
            some = events[start : min(start + SLICE, stop)]
            offsets = range(shop.next_offset, shop.next_offset + len(some))
            keys = [event.shopper_id.encode() for _, event in some]
            values = [encode_event(event) for _, event in some]
            shop.apply(Slice(SHOPPER.log, 0, offsets, [time for time, _ in some], keys, values))
        for key, value in shop.drain_changes().items():
            if value is None:
                held.pop(key, None)
            else:
                held[key] = value
        done, until = stop, at + given.days * DAY_MS
        stage = Stage.of(settings, shelf, 0, held)
        log = [encode_event(event) for _, event in events[:stop]]
        foretold = rehearsed(stage, stage.past(log, given.days), running, given.days)
        stage = Stage.of(settings, shelf, 0, held)
        real = (event for time, event in events[stop:] if time < until and not isinstance(event, OF_OFFERS))
        came = rehearsed(stage, real, running, given.days)
        for one, other in zip(foretold, came, strict=True):
            told = {"foretold": numbers(one), "audience_95": interval(one), "came": numbers(other)}
            print(json.dumps({"cut": cut, "days": given.days, "campaign": one.campaign.id, **told}), flush=True)


def rehearsed(
    stage: Stage, events: Iterable[ShopperEvent | AnyItemNews], chosen: CampaignSet, days: int
) -> list[Rehearsed]:
    """What becomes of campaigns when events come."""
    found = [Rehearsed(each, days, "USD") for each in chosen.campaigns]
    for said in stage.play(events, chosen):
        stage.tell(said, found)
    return found


def numbers(of: Rehearsed) -> dict[str, Any]:
    """What is compared."""
    moments, margin = Moments.of(of.closed), COLUMNS.index("margin")
    some = of.closed.shoppers > 1
    return {
        "entered": of.entered,
        "offers": of.arms.total(),
        "cost_cents": round(of.cost_cents),
        "windows": of.closed.shoppers,
        "margin_mean": round(float(moments.mean[margin]), 1) if some else None,
        "margin_deviation": round(float(moments.cov[margin, margin]) ** 0.5, 1) if some else None,
        "silent": of.silent,
    }


def interval(of: Rehearsed) -> list[int] | None:
    """Of the audience; None where nothing is foretold."""
    try:
        found = of.ahead().audience
    except RehearsalError:
        return None
    return [round(found.low), round(found.high)]


if __name__ == "__main__":
    main()
