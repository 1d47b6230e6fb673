"""Several files become one history in order of event time, whatever the order within each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import msgspec
import pytest

from streams.outside.lines import Lines
from streams.producer import merging
from streams.producer.merging import SortedLines, disorder, merged
from streams.producer.replay import Record, records_of_lines
from streams.records.items import StockCounted
from streams.topics import EVENTS, STOCK
from tests.shoppers import HOUR, NOON, viewed


def written(path: Path, records: list[object]) -> Lines:
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    return Lines(str(path))


def test_files_of_several_topics_are_one_history_in_order_of_event_time(tmp_path: Path) -> None:
    views = [viewed("s", NOON + n * HOUR, f"v{n}") for n in range(6)]
    counts = [StockCounted(event_id=f"c{n}", item_id="i", event_time=NOON + n * HOUR, on_hand=n) for n in (1, 4)]
    with written(tmp_path / "a", [*views]) as events, written(tmp_path / "b", [*counts]) as stock:
        assert not disorder(events)
        found = list(merged([stock, events]))
        assert [record.topic for record in found].count(STOCK.name) == 2
        times = [record.time_ms for record in found]
        assert times == sorted(NOON + n * HOUR for n in (0, 1, 1, 2, 3, 4, 4, 5))
        # Of one time the file that is named first comes first.
        assert [record.topic for record in found][1:3] == [STOCK.name, EVENTS.name]


@pytest.mark.parametrize("part_bytes", [1, 500, 1 << 20])
def test_a_file_that_is_not_in_order_is_sorted_and_nothing_is_lost(tmp_path: Path, part_bytes: int) -> None:
    views = [viewed("s", NOON + n // 2 * HOUR, f"v{n}") for n in range(40)]
    mixed = views[::2] + views[1::2]
    Random(1).shuffle(mixed)
    with ExitStack() as stack, written(tmp_path / "a", [*mixed]) as lines:
        assert disorder(lines).startswith("line ")
        sorted_ = SortedLines(lines, stack, part_bytes)
        for _ in range(2):  # it may be read again
            assert not disorder(sorted_)
            assert sorted(value for _, value in sorted_) == sorted(value for _, value in lines)


def test_what_says_no_time_stays_behind_the_line_before_it_and_little_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"junk\n" + msgspec.json.encode(viewed("s", NOON, "e")) + b"\nmore junk\n")
    read = list[bytes]()

    def counted(lines: merging.Numbered) -> Iterator[Record]:
        for record in records_of_lines(lines):
            read.append(record.value or b"")
            yield record

    monkeypatch.setattr(merging, "records_of_lines", counted)
    late = [viewed("t", NOON + n * HOUR, f"t{n}") for n in range(1, 1000)]
    with Lines(str(tmp_path / "a"), raw=True) as one, written(tmp_path / "b", [*late]) as other:
        found = merged([one, other])
        assert [next(found).value for _ in range(3)][::2] == [b"junk", b"more junk"]
        assert len(read) <= 5  # a record of each file, and those that were taken
