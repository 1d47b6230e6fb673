"""An archive's files hold each record once, for whoever reads them raw, wherever runs were killed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import pyarrow.parquet as pq
import pytest
from fsspec.core import url_to_fs
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.admin import Identity
from streams.outside import archive
from streams.outside.archive import Archive, Part
from streams.outside.reading import Place, Reader, Record
from streams.topics import EVENTS

DAY_MS = 86_400_000
TOPIC = EVENTS.name


class Killed(BaseException):
    """Stands for a signal that no program sees."""


class Log:
    """A partition that Kafka holds, which can be read."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def send(self, count: int, day: int = 0) -> None:
        for offset in range(len(self.records), len(self.records) + count):
            self.records.append(Record(TOPIC, 0, offset, day * DAY_MS + offset, b"ann", b"%d" % offset))

    def extent(self, _place: Place) -> tuple[int, int]:
        return 0, len(self.records)

    def between(self, _place: Place, start: int, end: int) -> Iterator[Record]:
        return iter(self.records[start:end])


class Run(Archive):
    """A run that can be killed before its ``kill``-th writing or removing of a file, or that listed the files, as they
    were, before another run did what it did."""

    def __init__(self, url: str, kill: int | None = None, listed: list[Part] | None = None) -> None:
        super().__init__(url)
        self.left, self.listed = kill, listed

    def _found(self, topic: str) -> list[Part]:
        return super()._found(topic) if self.listed is None else list(self.listed)

    def _may(self) -> None:
        if self.left is not None:
            if self.left == 0:
                raise Killed
            self.left -= 1

    def _write(self, topic: str, part: Part, records: list[Record]) -> Part:
        self._may()
        return super()._write(topic, part, records)

    def _remove(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._may()
            super()._remove([path])

    def archive(self, log: Log) -> archive.Added:
        return self.add(cast(Reader, log), TOPIC, Identity("id", 1))


def raw(url: str) -> list[int]:
    """The offsets that a program sees that reads all Parquet files there are."""
    files, root = url_to_fs(url)
    files.invalidate_cache()
    found: list[int] = []
    for path in files.glob(f"{root}/{TOPIC}/**/*.parquet"):
        with files.open(path, "rb") as file:
            found += pq.ParquetFile(file).read(["offset"])["offset"].to_pylist()
    return sorted(found)


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "kept") if request.param == "folder" else f"memory://{uuid.uuid4().hex}"


def test_a_run_after_one_that_was_killed_while_it_merged_leaves_each_record_once(url: str) -> None:
    log = Log()
    for _ in range(5):
        log.send(2)
        Run(url).archive(log)
    log.send(1, day=1)
    with pytest.raises(Killed):
        Run(url, kill=2).archive(log)  # It wrote the new record and the merged file, and removed none.
    assert len(raw(url)) == 21
    assert [r.offset for r in Archive(url).logs(TOPIC)[0]] == list(range(11))
    assert Run(url).archive(log).merged == 5
    assert raw(url) == list(range(11))
    assert len(Archive(url).parts(TOPIC)) == 2


def test_two_runs_at_once_leave_each_record_once(url: str) -> None:
    log = Log()
    log.send(3)
    Run(url).archive(log)
    listed = Archive(url).parts(TOPIC)
    log.send(4)
    Run(url).archive(log)
    log.send(4)
    Run(url, listed=listed).archive(log)  # It began before the one before it wrote.
    assert len(raw(url)) == 15
    Run(url).archive(log)
    assert raw(url) == list(range(11))


def test_a_run_goes_on_where_another_one_merged_what_it_was_to_merge(url: str) -> None:
    log = Log()
    for day in (0, 0, 1):
        log.send(2, day)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Archive, "_merge", lambda _self, _topic: 0)
            Run(url).archive(log)
    listed = Archive(url).parts(TOPIC)
    assert Run(url).archive(log).merged == 2
    assert Run(url, listed=listed).archive(log).merged == 0
    assert raw(url) == list(range(6))


def test_files_on_both_sides_of_records_that_kafka_deleted_stay_two(url: str) -> None:
    log = Log()
    log.send(9)
    kept = Archive(url)
    kept._begin(TOPIC, Identity("id", 1))
    for part in (Part(0, 0, 3, "1970-01-01", ""), Part(0, 5, 7, "1970-01-01", ""), Part(0, 7, 9, "1970-01-01", "")):
        kept._write(TOPIC, part, log.records[part.first : part.next])
    log.send(1, day=1)
    Run(url).archive(log)
    assert [(p.first, p.next) for p in kept.parts(TOPIC)] == [(0, 3), (5, 9), (9, 10)]


STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 1), st.none() | st.integers(0, 4), st.integers(0, 3)), max_size=8
)


@settings(max_examples=40)
@given(STEPS)
def test_no_record_goes_and_the_last_run_leaves_each_once(steps: list[tuple[int, int, int | None, int]]) -> None:
    url, log, day = f"memory://{uuid.uuid4().hex}", Log(), 0
    listings: list[list[Part]] = [[]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "CELL", 6)
        for count, days, kill, ago in steps:
            day += days
            log.send(count, day)
            before = set(raw(url))
            # Now and then, a run that listed the files some runs ago.
            listed = None if ago == 0 else listings[-min(ago, len(listings))]
            try:
                Run(url, kill, listed).archive(log)
            except Killed:
                assert kill is not None
            assert before <= set(raw(url))
            listings.append(Run(url)._found(TOPIC))
        Run(url).archive(log)
        assert raw(url) == list(range(len(log.records)))
        assert [r.value for r in Archive(url).logs(TOPIC)[0]] == [r.value for r in log.records]
