"""The due points of a slice as deciders are given them: in groups that hold no key twice, in the order of the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from streams.columns.arrays import EventBatch, Ints
from streams.decisions.decider import Group, Seen
from streams.features.kinds.decay import DAY_MS
from streams.processing.due import DuePoints
from streams.processing.wishes import due_kind, due_ref
from streams.records.outcomes import Due


def grouped(
    due: Sequence[DuePoints],
    keys: Sequence[str],
    seen: Seen,
    batch: EventBatch,
    offsets: Ints,
    watermark: Ints,
    timer_kind: Literal["silence", "day"],
    records: Sequence[Any],
) -> list[Group]:
    """A group for each step of a slice. ``keys`` and ``records``: of all due points, one step after the other;
    ``offsets`` and ``watermark`` [len(slice)]: of each record, the watermark once it was seen."""
    groups, start = list[Group](), 0
    for points in due:
        span = slice(start, start := start + len(points))
        # A timer fires at the record whose watermark passes it, before that record is applied.
        by_timer = points.timer
        if points.news is not None:
            position = np.full(len(points), points.position)
        else:
            position = np.searchsorted(watermark, points.set_ms) if by_timer else batch.position[points.event]
        offset = offsets[position]
        groups.append(
            Group(
                seen=seen,
                span=span,
                row=points.row,
                now_ms=points.now_ms,
                key=list(keys[span]),
                due=_refs(points, batch, timer_kind),
                event_type=np.zeros(len(points), np.int64) if by_timer else batch.type[points.event],
                offset=offset,
                day=watermark[position] // DAY_MS,
                before=(offset if by_timer else offset + 1).tolist(),
                record=records[span],
                amount=np.full(len(points), np.nan) if points.amount is None else points.amount,
            )
        )
    return groups


def records_of(due: Sequence[DuePoints], batch: EventBatch) -> list[Any]:
    """[n] the record that made each due point due, or what they had left that did; None where another timer did."""
    found: list[Any] = []
    for points in due:
        if points.left is not None:
            found += points.left
        else:
            found += [batch.records[i] if i >= 0 else points.news for i in points.event.tolist()]
    return found


def _refs(points: DuePoints, batch: EventBatch, timer_kind: Literal["silence", "day"]) -> list[Due]:
    if points.news is not None:
        said = Due(kind=due_kind(points.news), ref=due_ref(points.news))
        return [said] * len(points)
    if points.timer:
        kinds: Sequence[Any] = points.kinds or [timer_kind] * len(points)
        return [Due(kind=kind, ref=str(now)) for kind, now in zip(kinds, points.set_ms.tolist(), strict=True)]
    return [Due(kind="event", ref=batch.event_ids[i]) for i in points.event.tolist()]
