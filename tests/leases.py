"""Leases in a log of shoppers, as campaigns' ledgers write them: plenty for every campaign, on every day."""

from __future__ import annotations

import msgspec
import numpy as np

from streams.features.days import Days
from streams.records.budget import LeaseGranted, encode_budget_record
from streams.records.campaigns import CampaignSet
from streams.records.events import ClockTicked, encode_event
from streams.records.serving import CampaignsChosen
from tests.shoppers import DAY, Log

MINUTE = 60_000


def leased(log: Log, cents: int = 10**9, *, days: int = 10**6) -> Log:
    """The log with ticks at the begin and at the end of every day from the first event on, and at each begin a lease
    of every campaign that was chosen by then, on so many ``days``."""
    found: Log = []
    granted: dict[str, int] = {}
    day, zone = -1, Days("UTC")

    def lease(name: str) -> None:
        if granted[name] < days * cents:
            granted[name] += cents
            found.append((None, encode_budget_record(_lease(name, granted[name], cents, day))))

    for key, value in log:
        said = {} if value is None else msgspec.json.decode(value)
        time = said.get("event_time", 0) if key is not None else 0
        (now,) = zone.number(np.array([time])).tolist()
        while time and day < now:
            if day >= 0:
                found.append((None, encode_event(ClockTicked(event_time=(day + 1) * DAY - MINUTE))))
            day = now if day < 0 else day + 1
            found.append((None, encode_event(ClockTicked(event_time=day * DAY))))
            for name in granted:
                lease(name)
        found.append((key, value))
        if value is not None and said["type"] == "campaigns_chosen":
            chosen = CampaignSet.of(msgspec.json.decode(value, type=CampaignsChosen).campaigns)
            assert chosen is not None
            for campaign in chosen.campaigns:
                if campaign.id not in granted:
                    granted[campaign.id] = 0
                    if day >= 0:
                        lease(campaign.id)
    return found


def _lease(campaign: str, granted_cents: int, cents: int, day: int) -> LeaseGranted:
    return LeaseGranted(
        campaign=campaign,
        currency="USD",
        partition=0,
        sequence=granted_cents // cents - 1,
        granted_cents=granted_cents,
        lease_cents=cents,
        day=day,
        expires_at_ms=(day + 1) * DAY,
        price_micros=0,
        reference_micros=0,
    )
