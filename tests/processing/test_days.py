"""Days are the shop's, from its midnight to its midnight."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.shopper import SHOPPER
from streams.features.days import Days
from streams.features.shopper import CATALOGUE
from streams.processing.partition import OtherRules, PartitionProcessor, row_layout
from streams.processing.rules import Rules
from streams.settings import Settings, SettingsError
from tests.shoppers import log_of, ordered, random_history, slice_of, viewed
from tests.worlds import DictTier, cut, run_plain

ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")
DAYS = ("visits.active_days_7d", "visits.active_days_30d", "orders.count_7d", "browsing.views_30d")


def at(zone: str, text: str) -> int:
    """A local time as UTC milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def days_of(zone: str, times: Iterable[int], now: int) -> list[float]:
    """``DAYS`` of a shopper who orders and looks at these times."""
    events = [viewed(at=t, event_id=f"v{t}") for t in times] + [ordered(at=t, event_id=f"o{t}") for t in times]
    processor = PartitionProcessor(SHOPPER, 0, Rules(time_zone=zone, allowed_lateness_ms=10**11))
    processor.apply(slice_of(log_of(*events)))
    return processor.catalogue.read(processor.arena.rows.take(np.array([0])), np.array([now]), DAYS)[0].tolist()


@settings(max_examples=200, deadline=None)
@given(zone=st.sampled_from(ZONES), ms=st.integers(at("UTC", "1990-01-02"), at("UTC", "2099-12-30")))
def test_a_day_is_that_of_the_zones_calendar(zone: str, ms: int) -> None:
    local = datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)).date()
    assert Days(zone).number(np.array([ms]))[0] == (local - date(1970, 1, 1)).days


@pytest.mark.parametrize("zone", ZONES)
def test_every_day_begins_at_midnight(zone: str) -> None:
    day = date(2023, 1, 1)
    while day < date(2025, 1, 1):
        midnight = at(zone, f"{day}T00:00")
        before, after = Days(zone).number(np.array([midnight - 1, midnight])).tolist()
        assert (before, after) == ((day - date(1970, 1, 2)).days, (day - date(1970, 1, 1)).days)
        day += timedelta(days=1)


def test_a_shop_in_shanghai_has_its_evening_and_morning_on_two_days() -> None:
    times = [at("Asia/Shanghai", text) for text in ("2024-05-01T23:30", "2024-05-02T00:30", "2024-05-02T09:30")]
    assert days_of("Asia/Shanghai", times, times[-1])[:2] == [2, 2]
    assert days_of("UTC", times, times[-1])[:2] == [2, 2]
    assert days_of("Asia/Shanghai", times[:2], times[1])[0] == 2  # to UTC one day
    assert days_of("UTC", times[:2], times[1])[0] == 1


@pytest.mark.parametrize(("change", "hours"), [("2024-03-10", 23), ("2024-11-03", 25)])
def test_a_shop_in_new_york_across_a_change_of_clocks(change: str, hours: int) -> None:
    zone = "America/New_York"
    day = date.fromisoformat(change)
    starts = [at(zone, f"{day + timedelta(days=d)}T00:00") for d in range(-7, 8)]
    assert starts[8] - starts[7] == hours * 3_600_000
    edges = [t for a, b in itertools.pairwise(starts) for t in (a, b - 1)]
    # Seven days back from the end of each day: both edges of each of them, whether it has 23, 24 or 25 hours.
    for d in range(7, 14):
        past = [t for t in edges if t < starts[d + 1]]
        assert days_of(zone, past, starts[d + 1] - 1) == [7, d + 1, 14, 2 * (d + 1)]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_any_cut_gives_the_same_bits_in_any_zone(zone: str) -> None:
    log, rules = random_history(3, 500, 20), Rules(time_zone=zone)
    whole, parts = run_plain(cut(log, []), rules), run_plain(cut(log, range(1, 500, 7)), rules)
    assert parts.rows == whole.rows
    assert parts.outcomes == whole.outcomes


def test_days_of_two_zones_are_never_mixed() -> None:
    """Their columns have other names, and a worker set to another zone than the table's refuses it."""
    utc, shanghai = (row_layout(SHOPPER, CATALOGUE.in_zone(zone)) for zone in ("UTC", "Asia/Shanghai"))
    moved = {c.name for c in utc.columns} ^ {c.name for c in shanghai.columns}
    assert moved
    assert all("1d×30" in name for name in moved)
    first = PartitionProcessor(SHOPPER, 0, Rules())
    first.apply(slice_of(random_history(1, 300, 5)))
    tier = DictTier(first.take_changes())
    with pytest.raises(OtherRules, match="OFFERSTREAM_TIME_ZONE"):
        PartitionProcessor(SHOPPER, 0, Rules(time_zone="Asia/Shanghai"), tier=tier)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../UTC", "", "Asia"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="TIME_ZONE"):
        Settings(time_zone=name)


def test_the_setting_is_a_rule_of_the_log() -> None:
    settings = Settings.from_environment({"OFFERSTREAM_TIME_ZONE": "Asia/Shanghai"})
    assert settings.rules().time_zone == "Asia/Shanghai"
