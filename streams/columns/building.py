"""The contract of what turns an entity's records into columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from streams.columns.arrays import EventBatch, Hashes, Ints, Touches
from streams.records.slices import Slice

#: An order above this total (in cents) is a mistake. Ninety million of them fit into a row's sums.
MAX_ORDER_CENTS = 10**11


class Refused(Exception):
    """A record cannot be used: the reason (``streams/records/dead_reasons.py``), what to tell, and the field."""

    def __init__(self, reason: str, detail: str, where: str | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.where = reason, detail, where


class Columns(Protocol):
    """Collects the records of one slice. One is made per slice."""

    @property
    def names(self) -> dict[int, tuple[int, str]]:
        """Names that the records say, by hash: the offset of the first one that says it, and the name."""

    def add(self, position: int, offset: int, time_ms: int, record: Any) -> bool:
        """Take a record; False for one that only says what time it is. Raises ``Refused``."""

    def batch(self) -> EventBatch:
        """What was taken."""


class Wire:
    """How an entity's records are read from its log."""

    def __init__(self, records: Any, columns: type, *, key: str, bytes: int = 0) -> None:
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(records)
        self._columns = columns
        self.key = key
        """The field that names whom or what a record is about: its key as well. Workers' records have none."""
        self.bytes = bytes
        """A record may be so large, whatever the settings say of shopper events."""

    def columns(self, slice_: Slice, currency: str) -> Columns:
        """A builder for a slice of a shop that adds up this currency."""
        found: Columns = self._columns(slice_, currency)
        return found


def hashes_of(key: str, record_id: str) -> tuple[int, int]:
    """64-bit hashes of a record's id, and of key and id together: two records with the same one are the same."""
    known = record_id.encode()
    # The byte between the two is in no UTF-8. 0 stands for a record without an id.
    return xxh3_64_intdigest(known), xxh3_64_intdigest(key.encode() + b"\xff" + known) or 1


def columns(rows: Sequence[tuple[int, ...]], n: int, dtype: type[np.integer[Any]]) -> npt.NDArray[Any]:
    """[n, rows] whole numbers that were collected row by row, each column in one piece.

    >>> columns([(1, 2), (3, 4)], 2, np.int64).tolist()
    [[1, 3], [2, 4]]
    """
    return np.fromiter(chain.from_iterable(rows), dtype, n * len(rows)).reshape(-1, n).T.copy()


class Table:
    """Rows of whole numbers that are collected one by one and become columns at once."""

    def __init__(self, facts: tuple[str, ...]) -> None:
        self._facts = facts
        self._rows: list[tuple[int, ...]] = []
        self._hashes: list[tuple[int, int]] = []
        self._event_ids: list[str] = []
        self._keys: list[str] = []
        self._records: list[Any] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        place: tuple[int, int, int, int],
        facts: tuple[int, ...],
        hashes: tuple[int, int],
        event_id: str,
        key: str,
        record: Any,
    ) -> None:
        """``place``: position, offset, time and type; ``facts`` in the order of the names; ``hashes``: those of
        ``hashes_of``, the second 0 for a record without an id to know by."""
        self._rows.append(place + facts)
        self._hashes.append(hashes)
        self._event_ids.append(event_id)
        self._keys.append(key)
        self._records.append(record)

    def extend(self, rows: Sequence[tuple[int, ...]], hashes: Sequence[tuple[int, int]], keys: Sequence[str]) -> None:
        """The same for many at once, each row its place and facts, of what has no id and is of no use as a record."""
        self._rows += rows
        self._hashes += hashes
        self._event_ids += [""] * len(rows)
        self._keys += keys
        self._records += [None] * len(rows)

    def batch(self, touches: Touches, more: dict[str, Ints] | None = None) -> EventBatch:
        """The columns; ``more`` are facts that were collected elsewhere."""
        ints = columns(self._rows, 4 + len(self._facts), np.int64)
        hashes: Hashes = columns(self._hashes, 2, np.uint64)
        return EventBatch(
            position=ints[0],
            offset=ints[1],
            time_ms=ints[2],
            type=ints[3],
            id_hash=hashes[0],
            identity=hashes[1],
            facts=dict(zip(self._facts, ints[4:], strict=True)) | (more or {}),
            event_ids=self._event_ids,
            keys=self._keys,
            touches=touches,
            records=self._records,
        )
