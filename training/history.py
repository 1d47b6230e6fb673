"""A history in columns: what events decode to, kept as one Arrow file.

Reading events makes an object per event, decoding one more; both are done once. From then on a history is columns,
and ``training.replay`` folds it at the speed of numpy.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, EventBatch, Ints, Touches
from streams.columns.layout import Layout, Rows
from streams.columns.shopper_events import FACTS, HASHES
from streams.processing import order_book
from streams.processing.decode import NO_TIME, decode
from streams.processing.fates import APPLIED, judge, watermarks
from streams.processing.rules import DecodeRules, Rules
from streams.records.events import ShopperEvent, encode_event
from streams.records.slices import Slice
from streams.state.applied_ids import AppliedIds
from training.errors import TrainingError

#: A historical replay has no append time; "in the future" is not judged.
APPENDED_MS = 4_000_000_000_000
#: Records that are decoded at once.
BLOCK = 4096
_JUDGED_AT_ONCE = 1 << 18
_TIMES = ("time_ms", "type", *FACTS)
_HASHES = ("id_hash", *HASHES)
#: In the order of ``Touches``.
_TOUCHED = ("item", "category", "cents", "quantity", "discount_cents")
Tell = Callable[[int], None]


class HistoryError(TrainingError):
    """A history holds what the stream would refuse, or is not in order of time."""


@dataclass(frozen=True, slots=True)
class History:
    """n events in order of event time, and m touches (``Touches``) in the same order.

    ``shopper``: index into ``shoppers``, who are numbered as they come. The other columns are those of ``EventBatch``.
    ``touch_start`` [n + 1] says which touches are an event's.
    """

    shoppers: list[str]
    shopper: npt.NDArray[np.int64]
    time_ms: npt.NDArray[np.int64]
    type: npt.NDArray[np.int64]
    cents: npt.NDArray[np.int64]
    discount_cents: npt.NDArray[np.int64]
    quantity: npt.NDArray[np.int64]
    dwell_ms: npt.NDArray[np.int64]
    flag: npt.NDArray[np.int64]
    category: npt.NDArray[np.int64]
    id_hash: npt.NDArray[np.uint64]
    item: npt.NDArray[np.uint64]
    order: npt.NDArray[np.uint64]
    touch_start: npt.NDArray[np.int64]
    touch_item: npt.NDArray[np.uint64]
    touch_category: npt.NDArray[np.int64]
    touch_cents: npt.NDArray[np.int64]
    touch_quantity: npt.NDArray[np.int64]
    touch_discount_cents: npt.NDArray[np.int64]
    item_ids: list[str] = field(default_factory=list)
    """The ids of the items that are touched, in order of their names: what their hashes stand for."""
    kept_in: str = field(default="", compare=False)
    """The file of which these are the first events, by its whole path; empty: they are in none."""

    def __post_init__(self) -> None:
        if len(self.shopper) and (np.diff(np.maximum.accumulate(self.shopper), prepend=-1) > 1).any():
            raise HistoryError("Shoppers must be numbered as they come: the first is 0, the next new one 1.")

    def __len__(self) -> int:
        return len(self.shopper)

    def contents(self) -> str:
        """How much there is, in words."""
        return f"{len(self):,} events of {len(self.shoppers):,} shoppers"

    @property
    def end_ms(self) -> int:
        """When the history ends: what lies after it is not known."""
        return int(self.time_ms[-1]) if len(self) else 0

    def until(self, stop: int) -> History:
        """The first ``stop`` events."""
        touches = int(self.touch_start[stop])
        cut = {"shoppers": len(self.shoppers), "touch_start": stop + 1, "item_ids": len(self.item_ids)}
        cut |= {f"touch_{name}": touches for name in _TOUCHED}
        columns = [f.name for f in fields(self) if f.name != "kept_in"]
        return History(**{name: getattr(self, name)[: cut.get(name, stop)] for name in columns}, kept_in=self.kept_in)

    def take(self, index: Ints) -> History:
        """These events, in this order; shoppers are numbered anew."""
        counts = np.diff(self.touch_start)[index]
        start = np.r_[0, np.cumsum(counts)]
        touches = np.arange(start[-1]) + np.repeat(self.touch_start[index] - start[:-1], counts)
        old = self.shopper[index]
        _, first = np.unique(old, return_index=True)
        came = old[np.sort(first)]
        number = np.zeros(len(self.shoppers), np.int64)
        number[came] = np.arange(len(came))
        return History(
            shoppers=[self.shoppers[i] for i in came.tolist()],
            shopper=number[old],
            **{name: getattr(self, name)[index] for name in (*_TIMES, *_HASHES)},
            touch_start=start,
            **{f"touch_{name}": getattr(self, f"touch_{name}")[touches] for name in _TOUCHED},
            item_ids=self.item_ids,
        )

    def batch(self, start: int, stop: int) -> EventBatch:
        """Events ``start`` to before ``stop`` as the stream's columns. A record's offset is its place here. So is what
        tells it from others: duplicates were judged before (``repeated``), and are not here."""
        some, n = slice(start, stop), stop - start
        first, last = self.touch_start[start], self.touch_start[stop]
        touches = slice(first, last)
        event = np.repeat(np.arange(n), np.diff(self.touch_start[start : stop + 1]))
        return EventBatch(
            position=np.arange(n),
            offset=np.arange(start, stop),
            time_ms=self.time_ms[some],
            type=self.type[some],
            id_hash=self.id_hash[some],
            facts={name: getattr(self, name)[some] for name in FACTS}
            | {name: getattr(self, name)[some].view(np.int64) for name in HASHES},
            identity=np.arange(start + 1, stop + 1, dtype=np.uint64),
            event_ids=[],
            keys=[],
            touches=Touches(event, *(getattr(self, f"touch_{name}")[touches] for name in _TOUCHED)),
        )

    def write(self, path: Path, note: str = "") -> None:
        """Keep it, with a note; a file that is there is whole."""
        import pyarrow as pa

        touched = [pa.array(getattr(self, f"touch_{name}")) for name in _TOUCHED]
        touch = pa.StructArray.from_arrays(touched, list(_TOUCHED))
        columns = {name: pa.array(getattr(self, name)) for name in ("shopper", *_TIMES, *_HASHES)}
        columns["touches"] = pa.LargeListArray.from_arrays(pa.array(self.touch_start), touch)
        said = {"shoppers": json.dumps(self.shoppers), "item_ids": json.dumps(self.item_ids), "note": note}
        table = pa.table(columns).replace_schema_metadata(said)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        with pa.OSFile(str(unfinished), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
            out.write_table(table)
        unfinished.replace(path)

    @staticmethod
    def read(path: Path) -> tuple[History, str]:
        """What ``write`` kept, and the note. The columns stay in the file, which is mapped into memory: what was folded
        can be dropped from memory again, so a replay needs room for its shoppers, not for its log."""
        import pyarrow as pa

        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()

        def column(name: str) -> Any:
            return table[name].chunk(0)  # written as one block

        touches = column("touches")
        touch = touches.values
        history = History(
            shoppers=json.loads(table.schema.metadata[b"shoppers"]),
            **{name: column(name).to_numpy() for name in ("shopper", *_TIMES, *_HASHES)},
            touch_start=touches.offsets.to_numpy(),
            **{f"touch_{name}": touch.field(name).to_numpy() for name in _TOUCHED},
            item_ids=json.loads(table.schema.metadata[b"item_ids"]),
            kept_in=str(path.absolute()),
        )
        return history, table.schema.metadata[b"note"].decode()


def repeated(history: History, allowed_lateness_ms: int = Rules().allowed_lateness_ms) -> Bools:
    """[n] which events change nothing, because their id, or the order that they place, was there before."""
    state = Rows.zeros(Layout((APPLIED, *order_book.COLUMNS)), max(1, len(history.shoppers)))
    ids, newest = AppliedIds(), NO_TIME
    found = np.zeros(len(history), np.bool_)
    for start in range(0, len(history), _JUDGED_AT_ONCE):
        stop = min(start + _JUDGED_AT_ONCE, len(history))
        shopper = history.shopper[start:stop]
        identity = history.id_hash[start:stop] ^ shopper.astype(np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)
        batch = replace(history.batch(start, stop), identity=identity)
        ahead, before, _ = watermarks(batch.time_ms, newest, allowed_lateness_ms, NO_TIME)
        _, fates = judge(batch, shopper, state, ids, before)
        found[start:stop], newest = fates.duplicate, int(ahead[-1])
    return found


def in_columns(batches: Iterable[EventBatch]) -> History:
    """Decoded events, as they stand."""
    shoppers: dict[str, int] = {}
    kept: list[EventBatch] = []
    codes: list[int] = []
    for batch in batches:
        codes += [shoppers.setdefault(name, len(shoppers)) for name in batch.keys]
        kept.append(batch)
    touches = [b.touches for b in kept]
    counts = [np.bincount(t.event, minlength=len(b)) for b, t in zip(kept, touches, strict=True)]

    def joined(parts: Sequence[Any], dtype: Any) -> Any:
        return np.concatenate(parts) if parts else np.zeros(0, dtype)

    return History(
        shoppers=list(shoppers),
        shopper=np.array(codes, np.int64),
        time_ms=joined([b.time_ms for b in kept], np.int64),
        type=joined([b.type for b in kept], np.int64),
        id_hash=joined([b.id_hash for b in kept], np.uint64),
        **{name: joined([b.facts[name] for b in kept], np.int64) for name in FACTS},
        item=joined([b.facts["item"] for b in kept], np.int64).view(np.uint64),
        order=joined([b.facts["order"] for b in kept], np.int64).view(np.uint64),
        touch_start=np.r_[0, np.cumsum(joined(counts, np.int64))],
        touch_item=joined([t.item for t in touches], np.uint64),
        touch_category=joined([t.category for t in touches], np.int64),
        touch_cents=joined([t.cents for t in touches], np.int64),
        touch_quantity=joined([t.quantity for t in touches], np.int64),
        touch_discount_cents=joined([t.discount_cents for t in touches], np.int64),
        item_ids=sorted({item for t in touches for item in t.item_ids}),
    )


def history_of(events: Iterable[ShopperEvent], currency: str, tell: Tell = lambda _n: None) -> History:
    """Events that a reader makes, in order of time, through the wire format and the stream's own decoding; none of them
    may be one that the stream would refuse, or have applied before. Raises ``HistoryError``."""
    rules = DecodeRules(currency=currency)
    batches: list[EventBatch] = []
    source, offset, newest = iter(events), 0, 0
    while chunk := list(islice(source, BLOCK)):
        n = len(chunk)
        keys = [event.shopper_id.encode() for event in chunk]
        values = [encode_event(event) for event in chunk]
        decoded = decode(Slice("history", 0, range(offset, offset + n), [APPENDED_MS] * n, list(keys), values), rules)
        if decoded.dead:
            raise HistoryError(f"The history holds a record that the stream would refuse: {decoded.dead[0]}")
        times = np.r_[newest, decoded.batch.time_ms]
        if (np.diff(times) < 0).any():
            raise HistoryError(f"Event {offset + int((np.diff(times) < 0).argmax())} is older than the one before it.")
        newest = int(times[-1])
        batches.append(decoded.batch)
        offset += n
        tell(offset)
    if not batches:
        raise HistoryError("The history is empty.")
    history = in_columns(batches)
    if (again := repeated(history)).any():
        raise HistoryError(f"Event {int(again.argmax())} has the id, or places the order, of one before it.")
    return history
