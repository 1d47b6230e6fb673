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

from streams.columns.layout import Rows
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.features.days import Days
from streams.features.item import CATALOGUE as ITEM_CATALOGUE
from streams.features.shopper import CATALOGUE
from streams.processing.day_end import DayEnd
from streams.processing.in_force import OtherRules
from streams.processing.partition import PartitionProcessor, row_layout
from streams.processing.rules import Rules
from streams.settings import Settings, SettingsError
from streams.state.codec import NEVER
from tests.shoppers import DAY, HOUR, log_of, ordered, random_history, slice_of, viewed
from tests.worlds import DictTier, cut, run_plain

ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")
#: Some whose clocks change at midnight, or across it, and some that left out a day.
ODD_ZONES = (
    *ZONES, "America/Sao_Paulo", "America/Havana", "America/Asuncion", "America/St_Johns", "Antarctica/Casey",
    "Asia/Beirut", "Asia/Gaza", "Asia/Tehran", "Africa/Cairo", "Atlantic/Azores", "Pacific/Kwajalein",
)  # fmt: skip
DAYS = ("visits.active_days_7d", "visits.active_days_30d", "orders.count_7d", "browsing.views_30d")


def at(zone: str, text: str) -> int:
    """A local time as UTC milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def days_of(zone: str, times: Iterable[int], now: int) -> list[float]:
    """``DAYS`` of a shopper who orders and looks at these times."""
    events = [viewed(at=t, event_id=f"v{t}") for t in times] + [ordered(at=t, event_id=f"o{t}") for t in times]
    processor = PartitionProcessor(SHOPPER, 0, Rules(time_zone=zone, allowed_lateness_ms=10**11))
    processor.apply(slice_of(log_of(*events)))
    return processor.catalogue.read(processor.arena.rows.copy(np.array([0])), np.array([now]), DAYS)[0].tolist()


@settings(max_examples=200)
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


def local_day(zone: ZoneInfo, ms: int) -> int:
    """Which day the clocks of a zone show."""
    return (datetime.fromtimestamp(ms / 1000, zone).date() - date(1970, 1, 1)).days


@pytest.mark.parametrize("name", ODD_ZONES)
def test_a_day_begins_with_its_first_moment(name: str) -> None:
    zone, days = ZoneInfo(name), np.arange(7305, 18263)  # 1990 to 2019
    starts = Days(name).start_ms(days).tolist()
    ahead = [datetime.fromtimestamp(start / 1000, zone).utcoffset() for start in starts]
    for i, (day, start) in enumerate(zip(days.tolist(), starts, strict=True)):
        shown = local_day(zone, start)
        assert shown == day or (shown == day + 1 and local_day(zone, start - 1) == day - 1)  # a day left out
        assert local_day(zone, start - 1) < day
        if ahead[i] != ahead[i - 1] or ahead[i] != ahead[min(i + 1, len(ahead) - 1)]:
            # Clocks changed: the day was not shown a while before either.
            assert all(local_day(zone, start - minutes * 60_000) < day for minutes in range(1, 5 * 60, 7))


@settings(max_examples=300)
@given(
    name=st.sampled_from(ODD_ZONES),
    ms=st.one_of(
        st.integers(at("UTC", "1990-01-02"), at("UTC", "2099-11-30")),
        st.sampled_from([
            at("America/New_York", "2023-11-05T23:30"), at("America/St_Johns", "2006-10-29T00:00:30"),
            at("America/St_Johns", "2006-10-28T23:30") + HOUR, at("Antarctica/Casey", "2010-03-04T23:30") + 3 * HOUR,
            at("Pacific/Apia", "2011-12-29T12:00"), at("America/Sao_Paulo", "2017-10-14T23:59:59"),
        ]),
    ),
    seen=st.integers(0, 40 * DAY),
)  # fmt: skip
def test_the_end_of_a_day_comes_after_what_it_waits_for(name: str, ms: int, seen: int) -> None:
    """After the last record and the watermark (``ms`` is the later of the two), and at the first moment of a day."""
    timer, zone, days = DayEnd(name), ZoneInfo(name), Days(name)
    last, none = np.full(4, ms), Rows.zeros(row_layout(ITEM), 4)
    due = timer.due_ms(none, ITEM_CATALOGUE, last, np.arange(4)).tolist()
    assert due[3] == NEVER
    assert ms < due[0] < due[1] < due[2]
    for at_ms, later in zip(due, timer.after_days, strict=False):
        number = local_day(zone, at_ms)
        assert local_day(zone, at_ms - 1) < number
        assert days.start_ms(np.array([number])).tolist() == [at_ms]
        # One day more where the day before is shown once more, or where that day was left out.
        assert number - local_day(zone, ms) - later in (0, 1)
    # A round of folding ends wherever the timer may fire, however the log is cut.
    if due[0] <= ms + seen:
        assert timer.may_fire(last[:1], np.array([ms + seen])).all()


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
    assert all(name.startswith("cycle/") or "1d×30" in name for name in moved)
    first = PartitionProcessor(SHOPPER, 0, Rules())
    first.apply(slice_of(random_history(1, 300, 5)))
    tier = DictTier(first.drain_changes())
    with pytest.raises(OtherRules, match="OFFERSTREAM_TIME_ZONE"):
        PartitionProcessor(SHOPPER, 0, Rules(time_zone="Asia/Shanghai"), tier=tier)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../UTC", "", "Asia"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="TIME_ZONE"):
        Settings(time_zone=name)


def test_the_setting_is_a_rule_of_the_log() -> None:
    settings = Settings.from_environment({"OFFERSTREAM_TIME_ZONE": "Asia/Shanghai"})
    assert settings.rules().time_zone == "Asia/Shanghai"
