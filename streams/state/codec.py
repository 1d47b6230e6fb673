"""Rows as a changelog and a store hold them: packed, without their zeros. What is read of them without unpacking."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence

import numpy as np

from streams.columns.arrays import Bools, Ints
from streams.columns.layout import Column, Layout, Rows
from streams.state.keys import DIGEST_BYTES, HEADER_BYTES

#: A timer that never fires.
NEVER = np.iinfo(np.int64).max
TIMER = Column("timer/due", "i8")


def row_bytes(value: bytes) -> bytes:
    """A packed row without its header: what two workers' rows must agree on."""
    return value[HEADER_BYTES:]


class Codec:
    """Packs rows and unpacks them, also those that an older layout packed.

    A packed row is the eight-byte name of its layout, the offset up to which its partition was applied when it was
    packed (eight bytes, big-endian), a bit for each eight-byte word of the row that is not zero (the first word's is
    the highest of the first byte), and these words: most of a row is zero. Columns are matched by name (which says
    what a column means), so a column that both layouts have is carried over and a new one starts cold. Raises
    ``ValueError`` for a row whose layout is not known: better to stop than to misread.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._known: dict[bytes, Layout] = {}
        self._dense: set[bytes] = set()
        self._add(layout)
        self.migrated = 0
        self.name = packed_name(layout)
        """The eight bytes that new rows begin with."""

    def learn(self, description: bytes) -> None:
        """Make rows of a described layout readable."""
        self._add(Layout.from_description(description))

    def _add(self, layout: Layout) -> None:
        self._known[packed_name(layout)] = self._known[layout.digest] = layout
        self._dense.add(layout.digest)  # as rows were packed before: all words

    def pack(self, rows: Rows, index: Ints, next_offset: int) -> list[bytes]:
        """The packed form of some rows, as they stand before the partition's record ``next_offset``."""
        words = rows.words[index]
        some = words != 0
        bits = np.packbits(some, axis=1)
        width, held = bits.shape[1], bits.tobytes()
        ends = (8 * np.cumsum(np.count_nonzero(some, axis=1))).tolist()
        values, header = words[some].tobytes(), self.name + next_offset.to_bytes(8, "big")
        starts = [0, *ends]
        return [
            header + held[i * width : (i + 1) * width] + values[a:b]
            for i, (a, b) in enumerate(itertools.pairwise(starts))
        ]

    def blank(self, next_offset: int) -> bytes:
        """The packed form of a row that says nothing of anybody."""
        row = Rows.zeros(self.layout, 1)
        row.data[TIMER.name] = NEVER
        return self.pack(row, np.zeros(1, np.int64), next_offset)[0]

    def unpack(self, packed: Sequence[bytes]) -> Rows:
        """Rows in the current layout."""
        ours = self.name
        if all(p[:DIGEST_BYTES] == ours for p in packed):
            return self._read(self.layout, packed)
        rows = Rows.zeros(self.layout, len(packed))
        by_name: dict[bytes, list[int]] = {}
        for i, value in enumerate(packed):
            by_name.setdefault(bytes(value[:DIGEST_BYTES]), []).append(i)
        for name, index in by_name.items():
            layout = self._known.get(name)
            if layout is None:
                raise ValueError(
                    f"A row has the unknown layout {name.hex()}. The feature table was written by a newer version, or "
                    "lost its layout records: run that version, or empty it and replay the log."
                )
            some = [packed[i] for i in index]
            if name in self._dense:
                old = Rows.from_bytes(layout, b"".join(p[HEADER_BYTES:] for p in some))
            else:
                old = self._read(layout, some)
            for column in self.layout.columns:
                if column in layout.columns:
                    rows.data[column.name][index] = old.data[column.name]
            self.migrated += len(index) * (layout is not self.layout)
        return rows

    def peek(self, packed: Sequence[bytes]) -> Peeked:
        """Rows, to read a few words of."""
        if any(p[:DIGEST_BYTES] != self.name for p in packed):
            rows = self.unpack(packed)
            packed = self.pack(rows, np.arange(len(rows)), 0)
        return Peeked(self.layout, packed)

    @staticmethod
    def _read(layout: Layout, packed: Sequence[bytes]) -> Rows:
        peeked, rows = Peeked(layout, packed), Rows.zeros(layout, len(packed))
        some = np.unpackbits(peeked.bits, axis=1, count=layout.itemsize // 8).astype(np.bool_)
        rows.words[some] = np.frombuffer(b"".join(p[peeked.start :] for p in packed), np.uint64)
        return rows


class Peeked:
    """Packed rows of one layout, of which a few words are read where they stand. ``bits`` [n, bytes]: which words are
    not zero, as in ``Codec``; ``start``: where in each the words begin that are not."""

    def __init__(self, layout: Layout, packed: Sequence[bytes]) -> None:
        self.layout, self._packed = layout, packed
        width = (layout.itemsize // 8 + 7) // 8
        self.start = HEADER_BYTES + width
        joined = b"".join([p[HEADER_BYTES : self.start] for p in packed])
        self.bits = np.frombuffer(joined, np.uint8).reshape(len(packed), width)

    def word(self, column: Column) -> Ints:
        """[n] a column of one cell of eight bytes."""
        byte, bit = divmod(self.layout.cell(column.name), 8)
        some = self.bits[:, byte] & (128 >> bit) > 0
        before = np.bitwise_count(self.bits[:, :byte]).sum(axis=1, dtype=np.int64)
        before += np.bitwise_count(self.bits[:, byte] >> (8 - bit)) if bit else 0
        found = np.zeros(len(self._packed), np.int64)
        at = np.flatnonzero(some).tolist()
        starts = (self.start + 8 * before).tolist()
        found[some] = np.frombuffer(b"".join([self._packed[i][starts[i] : starts[i] + 8] for i in at]), np.int64)
        return found

    def any(self, column: Column) -> Bools:
        """[n] whether a column of cells of eight bytes holds anything but zeros."""
        first = self.layout.cell(column.name)
        skipped = first // 8
        bits = np.unpackbits(self.bits[:, skipped : (first + column.cells + 7) // 8], axis=1)
        first -= 8 * skipped
        return np.asarray(bits[:, first : first + column.cells].any(axis=1))


def packed_name(layout: Layout) -> bytes:
    """Eight bytes that name a layout whose rows are packed without their zeros."""
    return hashlib.blake2b(b"without zeros" + layout.describe(), digest_size=DIGEST_BYTES).digest()
