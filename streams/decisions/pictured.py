"""Says what the pictures of items show, and what they are like, so that like items can be found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Hashes, Ints
from streams.columns.digest import START, digest
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Answered, Group, Said
from streams.records.outcomes import outcome_id
from streams.records.pictured import ItemPictured, Likely, Look

TASK = "image"
LISTED = "listing.listed"
#: A number of an embedding is said in so many steps from 0 to 1.
STEPS = 127

SAID = Column("pictured/said", "u8")
"""A digest of what was said last; 0: nothing, or that the item is not for sale."""


class Pictured:
    """Says ``ItemPictured`` at a listing or change with a picture that can be read, where it shows or is like something
    else than before, and once where an item of which something was said is delisted.

    A record without a picture changes nothing; nor does a picture that cannot be read. What holds is in the newest
    record of an item, so a row remembers no more than a digest of it.
    """

    columns: tuple[Column, ...] = (SAID,)
    reads = (LISTED,)

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        cells = state.cells(SAID, group.row)
        before = state.flat["u8"][cells]
        sold = group.feature(LISTED) > 0
        gone = np.flatnonzero(~sold & (before > 0))
        state.flat["u8"][cells[gone]] = 0
        for i in gone.tolist():
            yield i, _record(group, i, None)
        scores = group.seen.scores.get(TASK)
        if scores is None:
            return
        some = np.flatnonzero(sold & group.whole(TASK))
        if not len(some):
            return
        shown, chances, confidence, like = (
            group.answer(TASK, name)[some] for name in ("shown", "chance", "confidence", "embedding")
        )
        steps = np.clip(np.round(like * STEPS), -STEPS, STEPS).astype(np.int8)
        spoke = scores.used[group.span][some]
        now = _digest(scores, spoke, shown, chances, steps)
        changed = now != before[some]
        state.flat["u8"][cells[some[changed]]] = now[changed]
        for k in np.flatnonzero(changed).tolist():
            i = int(some[k])
            model = scores.models[int(spoke[k])]
            sure, sureness = model.sure.get("from"), float(confidence[k])
            likely = [
                Likely(name=model.names[int(place)], chance=chance)
                for place, chance in zip(shown[k].tolist(), chances[k].tolist(), strict=True)
                if place >= 0
            ]
            look = Look(
                model=group.model(TASK, i),
                shows=likely[0].name if likely and sure is not None and sureness >= sure else None,
                confidence=sureness,
                sure_from=sure,
                likely=likely,
                embedding=steps[k].tobytes(),
            )
            yield i, _record(group, i, look)


def _record(group: Group, i: int, look: Look | None) -> ItemPictured:
    return ItemPictured(
        outcome_id=outcome_id("item_pictured", group.key[i], group.ref(i), ""),
        event_time_ms=int(group.now_ms[i]),
        due=group.due[i],
        item_id=group.key[i],
        picture=look,
    )


def _digest(
    scores: Answered, spoke: Ints, shown: npt.NDArray[Any], chance: npt.NDArray[Any], steps: npt.NDArray[np.int8]
) -> Hashes:
    """[k] a digest, never 0, of all that would be said of each."""
    models = np.array([int(model.digest[:16], 16) for model in scores.models], np.uint64)[spoke]
    whole = np.round(np.concatenate([shown, chance * 10_000, steps.astype(np.float64)], axis=1)).astype(np.int64)
    return digest(models ^ START, whole.T)
