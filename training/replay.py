"""Replays a history through the streaming features and takes a training row at every due point.

It is the very code that serves: records are encoded as a storefront would send them, decoded, folded and read by
``PartitionProcessor``. That is why a training row equals a serving row, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from streams.processing.batch import EventBatch
from streams.processing.decode import DecodeRules
from streams.processing.partition import DuePoints, PartitionProcessor, Rules
from streams.processing.slices import Slice
from streams.records.events import ShopperEvent, encode_event
from streams.state.arena import Arena

#: A historical replay has no append time; "in the future" is not judged.
APPENDED_MS = 4_000_000_000_000
SLICE = 4096


@dataclass(frozen=True, slots=True)
class Rows:
    """n training rows, in the order in which they fell due in the log."""

    x: npt.NDArray[np.float32]
    """[n, f] features in serving order."""
    due_ms: npt.NDArray[np.int64]
    silence: npt.NDArray[np.bool_]
    """Whether silence made the shopper due, rather than an event."""
    shopper: npt.NDArray[np.int64]
    """[n] index into ``shoppers``."""
    shoppers: list[str]


def replay(
    events: Iterable[ShopperEvent],
    features: tuple[str, ...],
    currency: str,
    progress: Callable[[int], None] = lambda _n: None,
) -> Rows:
    """Every due point's row. ``progress`` is told the number of events taken so far."""
    blocks: list[DuePoints] = []
    names: list[list[str]] = []

    def collect(due: DuePoints, batch: EventBatch, arena: Arena) -> None:
        blocks.append(due)
        names.append([arena.shopper(row) for row in due.row.tolist()])

    processor = PartitionProcessor(
        0, Rules(decode=DecodeRules(currency=currency)), collector=collect, collected=features
    )
    source, offset = iter(events), 0
    while chunk := list(islice(source, SLICE)):
        n = len(chunk)
        result = processor.apply(
            Slice(
                "history",
                0,
                range(offset, offset + n),
                [APPENDED_MS] * n,
                [event.shopper_id.encode() for event in chunk],
                [encode_event(event) for event in chunk],
            )
        )
        if result.dead or result.late:
            first = result.dead[0] if result.dead else result.late[0]
            raise ValueError(f"The history holds records that the stream would refuse, first: {first}")
        offset += n
        progress(offset)
    index = {shopper: i for i, shopper in enumerate(dict.fromkeys(name for block in names for name in block))}
    return Rows(
        x=np.concatenate([b.features for b in blocks]),
        due_ms=np.concatenate([b.now_ms for b in blocks]),
        silence=np.concatenate([np.full(len(b.row), b.silence) for b in blocks]),
        shopper=np.array([index[name] for block in names for name in block], np.int64),
        shoppers=list(index),
    )
