"""Several files of records as one history, in order of event time.

Files are read side by side, a record of each at a time, so memory is bounded however long they are. One that is not in
order itself is sorted in parts on disk before.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from operator import itemgetter
from typing import IO

from streams.outside.lines import Lines
from streams.producer.replay import Record, records_of_lines, said_ms
from streams.records.words import shown_time

#: So many bytes of a file that is not in order are sorted in memory at once.
PART_BYTES = 64 << 20
Numbered = Iterable[tuple[int, bytes]]


def disorder(lines: Numbered) -> str:
    """Where lines are out of order of event time for the first time, in words; empty where they are in order.

    >>> view = '{"type":"item_viewed","event_id":"e","shopper_id":"s","item_id":"i","event_time":%d}'
    >>> disorder((n, (view % (n % 3 * 86_400_000)).encode()) for n in (1, 2, 3))
    'line 3 is of 1970-01-01 00:00:00Z, line 2 of 1970-01-03 00:00:00Z'
    """
    newest, where = -1, 0
    for number, value in lines:
        if (at := said_ms(value)) is None:
            continue
        if at < newest:
            return f"line {number:,} is of {shown_time(at)}, line {where:,} of {shown_time(newest)}"
        newest, where = at, number
    return ""


class SortedLines:
    """The lines of a file in order of event time; may be read several times. Those of one time stay in their order,
    and one that says no time stays behind the line before it. Parts of ``part_bytes`` wait in temporary files, which
    ``stack`` closes."""

    def __init__(self, lines: Lines, stack: ExitStack, part_bytes: int = PART_BYTES) -> None:
        self._stack, self._parts = stack, list[IO[bytes]]()
        part, size = list[tuple[int, bytes]](), 0
        for timed in _timed(lines):
            part.append(timed)
            if (size := size + len(timed[1])) >= part_bytes:
                self._keep(part)
                part, size = [], 0
        self._keep(part)

    def _keep(self, part: list[tuple[int, bytes]]) -> None:
        file = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (the stack closes it)
        file.writelines(value + b"\n" for _, value in sorted(part, key=itemgetter(0)))
        self._parts.append(file)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """(number, line) in the new order."""
        found = heapq.merge(*map(_timed, map(_lines, self._parts)), key=itemgetter(0))
        return ((number, value) for number, (_, value) in enumerate(found, 1))


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    file.seek(0)
    return ((0, line.removesuffix(b"\n")) for line in file)


def _timed(lines: Numbered) -> Iterator[tuple[int, bytes]]:
    """(the time by which a line is put in order, line)."""
    at = 0
    for _, value in lines:
        at = at if (said := said_ms(value)) is None else said
        yield at, value


def merged(files: Sequence[Numbered]) -> Iterator[Record]:
    """The records of several files, each in order of event time, in one order of event time; of one time those of the
    file that is named first come first."""
    yield from map(itemgetter(1), heapq.merge(*map(_records, files), key=itemgetter(0)))


def _records(lines: Numbered) -> Iterator[tuple[int, Record]]:
    at = 0
    for record in records_of_lines(lines):
        at = at if record.time_ms is None else record.time_ms
        yield at, record
