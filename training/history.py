"""A history in columns: what a data set's events decode to, kept as one Arrow file.

Reading a data set makes an object per event, decoding one more; both are done once. From then on a history is columns,
and ``training.replay`` folds it at the speed of numpy.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import EventBatch, Touches
from streams.columns.shopper_events import FACTS, HASHES
from streams.processing.decode import decode
from streams.processing.rules import DecodeRules
from streams.records.events import ShopperEvent, encode_event
from streams.records.slices import Slice
from training.datasets.dataset import Dataset, DatasetError

#: A historical replay has no append time; "in the future" is not judged.
APPENDED_MS = 4_000_000_000_000
_DECODED_AT_ONCE = 4096
#: Part of a kept history's name: raise it when what is decoded changes.
FORMAT = 3
_TIMES = ("time_ms", "type", *FACTS)
_HASHES = ("id_hash", *HASHES)
Tell = Callable[[int], None]


class HistoryError(ValueError):
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

    def __post_init__(self) -> None:
        if len(self.shopper) and (np.diff(np.maximum.accumulate(self.shopper), prepend=-1) > 1).any():
            raise HistoryError("Shoppers must be numbered as they come: the first is 0, the next new one 1.")

    def __len__(self) -> int:
        return len(self.shopper)

    @property
    def end_ms(self) -> int:
        """When the history ends: what lies after it is not known."""
        return int(self.time_ms[-1]) if len(self) else 0

    def until(self, stop: int) -> History:
        """The first ``stop`` events."""
        touches = int(self.touch_start[stop])
        cut = {"shoppers": len(self.shoppers), "touch_start": stop + 1}
        cut |= {"touch_item": touches, "touch_category": touches, "touch_cents": touches}
        return History(**{f.name: getattr(self, f.name)[: cut.get(f.name, stop)] for f in fields(self)})

    def batch(self, start: int, stop: int) -> EventBatch:
        """Events ``start`` to before ``stop`` as the stream's columns; a record's offset is its place here."""
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
            identity=self.id_hash[some] ^ self.shopper[some].astype(np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15),
            event_ids=[],
            keys=[],
            touches=Touches(event, self.touch_item[touches], self.touch_category[touches], self.touch_cents[touches]),
        )

    def write(self, path: Path) -> None:
        """Keep it; a file that is there is whole."""
        import pyarrow as pa

        touch = pa.StructArray.from_arrays(
            [pa.array(self.touch_item), pa.array(self.touch_category), pa.array(self.touch_cents)],
            ["item", "category", "cents"],
        )
        columns = {name: pa.array(getattr(self, name)) for name in ("shopper", *_TIMES, *_HASHES)}
        columns["touches"] = pa.LargeListArray.from_arrays(pa.array(self.touch_start), touch)
        table = pa.table(columns).replace_schema_metadata({"shoppers": json.dumps(self.shoppers)})
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        with pa.OSFile(str(unfinished), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
            out.write_table(table)
        unfinished.replace(path)

    @staticmethod
    def read(path: Path) -> History:
        """What ``write`` kept. The columns stay in the file, which is mapped into memory: what was folded can be
        dropped from memory again, so a replay needs room for its shoppers, not for its log."""
        import pyarrow as pa

        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()

        def column(name: str) -> Any:
            return table[name].chunk(0)  # written as one block

        touches = column("touches")
        touch = touches.values
        return History(
            shoppers=json.loads(table.schema.metadata[b"shoppers"]),
            **{name: column(name).to_numpy() for name in ("shopper", *_TIMES, *_HASHES)},
            touch_start=touches.offsets.to_numpy(),
            **{f"touch_{name}": touch.field(name).to_numpy() for name in ("item", "category", "cents")},
        )


def history_of(events: Iterable[ShopperEvent], currency: str, tell: Tell = lambda _n: None) -> History:
    """Events in columns, through the wire format and the stream's own decoding. Raises ``HistoryError``."""
    rules = DecodeRules(currency=currency)
    batches: list[EventBatch] = []
    shoppers: dict[str, int] = {}
    codes: list[int] = []
    source, offset, newest = iter(events), 0, 0
    while chunk := list(islice(source, _DECODED_AT_ONCE)):
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
        codes += [shoppers.setdefault(name, len(shoppers)) for name in decoded.batch.keys]
        batches.append(decoded.batch)
        offset += n
        tell(offset)
    if not batches:
        raise HistoryError("The history is empty.")
    touches = [b.touches for b in batches]
    counts = np.concatenate([np.bincount(t.event, minlength=len(b)) for b, t in zip(batches, touches, strict=True)])
    return History(
        shoppers=list(shoppers),
        shopper=np.array(codes, np.int64),
        **{name: np.concatenate([getattr(b, name) for b in batches]) for name in ("time_ms", "type", "id_hash")},
        **{name: np.concatenate([b.facts[name] for b in batches]) for name in FACTS},
        item=np.concatenate([b.facts["item"] for b in batches]).view(np.uint64),
        order=np.concatenate([b.facts["order"] for b in batches]).view(np.uint64),
        touch_start=np.r_[0, np.cumsum(counts)],
        touch_item=np.concatenate([t.item for t in touches]),
        touch_category=np.concatenate([t.category for t in touches]),
        touch_cents=np.concatenate([t.cents for t in touches]),
    )


def kept_history(dataset: Dataset, data_dir: Path | None, kept_in: Path, tell: Tell = lambda _n: None) -> History:
    """A data set's history; read from ``kept_in`` when it was made before by the same reader from the same files."""
    seen = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in dataset.files(data_dir)]
    reader = inspect.getsource(inspect.getmodule(dataset.read))  # type: ignore[arg-type]
    name = hashlib.blake2b(repr((FORMAT, dataset.name, seen, reader)).encode(), digest_size=6).hexdigest()
    path = kept_in / f"{dataset.name}-{name}.arrow"
    if path.exists():
        return History.read(path)
    try:
        history = history_of(dataset.read(data_dir), dataset.currency, tell)
    except HistoryError as error:
        raise DatasetError(f"{dataset.name}: {error}") from error
    history.write(path)
    return history
