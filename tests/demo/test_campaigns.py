"""The demo's campaigns: the file is good, they are set and the worker is killed when their time comes."""

from __future__ import annotations

import pytest

from streams.demo import campaigns
from streams.demo.campaigns import Campaigns, cells
from streams.settings import Settings
from tests.demo.recordings import CAMPAIGN
from tests.shoppers import DAY, ordered


def test_events_wait_until_campaigns_are_set_and_the_worker_is_killed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "DAY_SECONDS", 0.0)
    happened: list[str] = []
    acting = Campaigns(Settings(), lambda: happened.append("killed"))

    def set_campaigns(self: Campaigns) -> None:
        happened.append("set")
        self.begun = True

    monkeypatch.setattr(Campaigns, "_set", set_campaigns)
    acting.processed(1000, 0)
    start, end = acting.start_ms, acting.end_ms
    assert end - start == 8 * DAY
    times = [start - 2, start - 1, start, start + DAY, start + 5 * DAY, start + 6 * DAY, end, end + DAY]
    events = [ordered("ann", at, f"o{i}") for i, at in enumerate(times)]
    for event in acting.paced(events):
        happened.append(event.event_id)
    assert happened == ["o0", "o1", "set", "o2", "o3", "killed", "o4", "o5", "o6", "o7"]


def test_where_the_days_of_the_campaigns_are_not_replayed_nothing_is_set() -> None:
    acting = Campaigns(Settings(), lambda: pytest.fail("killed"))
    events = [ordered("ann", acting.end_ms + i, f"o{i}") for i in range(3)]
    assert [event.event_id for event in acting.paced(events)] == ["o0", "o1", "o2"]
    assert not acting.begun


def test_a_campaign_is_told_with_its_interval_or_without() -> None:
    assert cells(CAMPAIGN)[-1] == "-0.16 USD (-5.00 USD to 4.80 USD)"
    for unknown in ([None, 12.0, None], None):
        assert cells(CAMPAIGN | {"incremental_profit_cents": unknown})[-1] == "too few orders to say"
