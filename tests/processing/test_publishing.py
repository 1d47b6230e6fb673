"""A history that is replayed is decided, remembered and counted, but marketing hears only of what is new enough."""

from __future__ import annotations

import msgspec
import pytest

from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.settings import Settings, SettingsError
from tests.shoppers import random_history, slice_of
from tests.worlds import DictTier, cut, run_plain, shipped

#: Fields of what marketing acts on: alerts, offers, decisions about ads.
MARKETING = {"level", "max_discount_cents", "propensity_of_nothing"}


def test_what_is_too_old_is_not_published_and_changes_nothing_else() -> None:
    log = random_history(75, 900, 40)
    all_of_it = run_plain([slice_of(log)])
    told = {i: msgspec.json.decode(said) for i, said in all_of_it.outcomes.items()}
    for_marketing = {i for i, said in told.items() if MARKETING & said.keys()}
    times = sorted(told[i]["event_time_ms"] for i in for_marketing)
    start = times[len(times) // 2]
    old = {i for i in for_marketing if told[i]["event_time_ms"] < start}
    assert old
    assert old != for_marketing
    rules = Rules(publish_from_ms=start)
    world = run_plain(cut(log, [100, 450]), rules)
    assert world.outcomes.keys() == all_of_it.outcomes.keys() - old
    assert world.rows == all_of_it.rows
    counted = PartitionProcessor(SHOPPER, 0, rules, shipped()).apply(slice_of(log)).suppressed
    assert counted.keys() == {"AdDecided", "ChurnAlerted", "OfferMade"}
    assert counted.total() == len(old)


def test_the_log_names_it() -> None:
    assert Rules(publish_from_ms=1).digest != Rules().digest
    assert Settings(publish_from="2026-01-31").rules().publish_from_ms == 1_769_817_600_000
    assert Settings(publish_from="2026-01-31T02:00+02:00").rules().publish_from_ms == 1_769_817_600_000
    assert Settings().rules().publish_from_ms == 0
    with pytest.raises(SettingsError, match="OFFERSTREAM_PUBLISH_FROM is 'soon'"):
        Settings(publish_from="soon")


def test_the_progress_record_counts_every_fate_however_the_log_is_cut() -> None:
    log = random_history(11, 600, 30)
    whole = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    fates = whole.apply(slice_of(log)).fates
    assert whole.fates == fates
    assert sum(fates.values()) == len(log)
    assert fates["late"] > 0
    assert fates["duplicate"] > 0
    tier = DictTier()
    for slice_ in cut(log, [1, 77, 300]):
        processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier)  # as after a restart
        processor.apply(slice_)
        tier.write(processor.drain_changes())
    assert processor.fates == fates
