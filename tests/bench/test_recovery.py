"""The table that a worker comes back to in the bench is one that a worker may have written."""

from __future__ import annotations

import click
import pytest

from models.store import Shelf
from streams.bench.filled import filled, folded
from streams.bench.recovery import summarize
from streams.commands.bench import Sizes
from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.partitioning import WORKERS, homes
from streams.processing.rules import Rules
from streams.state.codec import row_bytes
from streams.state.keys import PROGRESS
from tests.worlds import DictTier

PARTITIONS, FOLDED, ALL = 2, 40, 300


def test_the_changelog_holds_every_shopper_once_in_their_partition_with_rows_that_were_folded() -> None:
    records, held = folded(FOLDED, PARTITIONS, "bench")
    tables: list[dict[bytes, bytes]] = [{} for _ in range(PARTITIONS)]
    for partition, key, value in filled(held, ALL):
        assert key not in tables[partition]
        tables[partition][key] = value
    found = 0
    for partition, table in enumerate(tables):
        assert list(table)[-1] == PROGRESS
        back = PartitionProcessor(SHOPPER, partition, Rules(), Shelf(), tier=DictTier(table), group="bench")
        keys = [name.encode() for names, _ in back.arena.evicted() for name in names]
        assert set(homes(keys, WORKERS, PARTITIONS).tolist()) == {partition}
        own = [key for key, _ in records if homes([key], WORKERS, PARTITIONS)[0] == partition]
        assert back.next_offset == len(own)
        distinct = {row_bytes(value) for key, value in held[partition].items() if key[:1] == b"s"}
        assert {row_bytes(value) for key, value in table.items() if key[:1] == b"s"} == distinct
        found += len(keys)
    assert found == ALL


def test_growth_is_what_a_shopper_more_costs() -> None:
    points = [
        {"shoppers": n, "ready_seconds": 5 + s, "cpu_seconds": 2 + s, "rss_bytes": 1000 + 9 * n}
        for n, s in ((0, 0), (100_000, 6), (300_000, 20))
    ]
    summary = summarize(points)
    assert summary["shoppers"] == 300_000
    assert [p["more_seconds_per_100000"] for p in summary["growth"]] == [6.0, 7.0]
    assert [p["more_bytes_per_shopper"] for p in summary["growth"]] == [9, 9]


@pytest.mark.parametrize("said", ["", "0", "1,", "many", "1 000", "99999999999"])
def test_sizes_that_are_none_are_refused(said: str) -> None:
    with pytest.raises(click.BadParameter, match="such as 10000,50000"):
        Sizes().convert(said, None, None)
