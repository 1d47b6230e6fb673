"""What came too late counts in a table made anew with a larger allowed lateness, as if it had come in time."""

from __future__ import annotations

import numpy as np

from streams.entities.shopper import SHOPPER
from streams.features.shopper import CATALOGUE
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from tests.shoppers import HOUR, NOON, Log, carted, log_of, ordered, slice_of, viewed

OFFLINE = [
    carted("phone", NOON - 2 * HOUR, "offline-1"),
    ordered("phone", NOON - 2 * HOUR + 60_000, "offline-2", cents=7000),
]
LOG = log_of(
    viewed("phone", NOON - 3 * HOUR, "v1"), viewed("laptop", NOON, "v2"), *OFFLINE, viewed("laptop", NOON, "v3")
)
IN_TIME = log_of(
    viewed("phone", NOON - 3 * HOUR, "v1"), *OFFLINE, viewed("laptop", NOON, "v2"), viewed("laptop", NOON, "v3")
)
LARGE = Rules(allowed_lateness_ms=3 * HOUR)


def features(processor: PartitionProcessor) -> list[list[float]]:
    rows = processor.arena.rows.copy(processor.arena.find(["phone", "laptop"]))
    return CATALOGUE.read(rows, np.full(2, NOON + HOUR), tuple(CATALOGUE.features)).tolist()


def applied(log: Log, rules: Rules) -> PartitionProcessor:
    processor = PartitionProcessor(SHOPPER, 0, rules)
    processor.apply(slice_of(log))
    return processor


def test_a_phone_that_was_offline_is_late_by_default() -> None:
    result = PartitionProcessor(SHOPPER, 0, Rules()).apply(slice_of(LOG))
    assert [late.event_id for late in result.late] == ["offline-1", "offline-2"]


def test_a_table_made_anew_with_a_larger_lateness_counts_them_in_their_place() -> None:
    assert features(applied(LOG, LARGE)) == features(applied(IN_TIME, Rules()))


def test_what_was_sent_again_meanwhile_counts_once_in_a_table_made_anew() -> None:
    originals: Log = [
        (late.key.encode(), late.original) for late in PartitionProcessor(SHOPPER, 0, Rules()).apply(slice_of(LOG)).late
    ]
    whole = PartitionProcessor(SHOPPER, 0, LARGE)
    assert +whole.apply(slice_of(LOG + originals)).fates == {"applied": len(LOG), "duplicate": len(originals)}
    assert features(whole) == features(applied(IN_TIME, Rules()))
