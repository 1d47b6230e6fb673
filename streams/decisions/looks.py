"""Says what a model makes of what an item's record shows, and what it is like, so that like items can be found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Floats, Hashes, Ints
from streams.columns.digest import START, digest
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Answered, Group, Said
from streams.decisions.likeness import STEPS
from streams.records.outcomes import AnyOutcome
from streams.records.pictured import Likely, why_unsure

LISTED = "listing.listed"


class Looks:
    """Says what a task answers at a listing or change that it is asked at, where that is something else than before,
    and once where an item of which something was said is delisted. A record that the task is not asked at changes
    nothing. What holds is in the newest record of an item, so a row remembers no more than a digest of it.
    """

    task: ClassVar[str]
    said: ClassVar[Column]
    """A digest of what was said last; 0: nothing, or that the item is not for sale."""
    others: ClassVar[tuple[str, ...]] = ()
    """Outputs of the task that are said beside the classes and the embedding."""
    columns: tuple[Column, ...]
    reads: tuple[str, ...] = (LISTED,)

    def record(self, group: Group, i: int, look: dict[str, Any] | None) -> AnyOutcome:
        """The outcome; ``look``: what a model made of it, None where the item is not for sale any more."""
        raise NotImplementedError

    def holds(self, state: Rows, group: Group, some: Ints) -> Ints:
        """Of the due points (places) that were answered, those whose answer is to hold from there on."""
        return some

    def forget(self, state: Rows, group: Group, gone: Ints) -> None:
        """Items are not for sale any more: nothing holds of them."""

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        cells = state.cells(self.said, group.row)
        before = state.flat["u8"][cells]
        sold = group.feature(LISTED) > 0
        gone = np.flatnonzero(~sold & (before > 0))
        state.flat["u8"][cells[gone]] = 0
        self.forget(state, group, gone)
        for i in gone.tolist():
            yield i, self.record(group, i, None)
        scores = group.seen.scores.get(self.task)
        if scores is None:
            return
        some = self.holds(state, group, np.flatnonzero(sold & group.whole(self.task)))
        if not len(some):
            return
        shown, chances, confidence, like, *others = (
            group.answer(self.task, name)[some] for name in ("shown", "chance", "confidence", "embedding", *self.others)
        )
        steps = in_steps(like)
        spoke = scores.used[group.span][some]
        now = _digest(scores, spoke, [shown, chances * 10_000, steps.astype(np.float64), *others])
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
            unsure = why_unsure(bool(likely), sureness, sure)
            look = {
                "model": group.model(self.task, i),
                "shows": likely[0].name if unsure is None else None,
                "unsure": unsure,
                "confidence": sureness,
                "sure_from": sure,
                "likely": likely,
                "embedding": steps[k].tobytes(),
            }
            yield (
                i,
                self.record(group, i, look | {name: each[k] for name, each in zip(self.others, others, strict=True)}),
            )


def in_steps(embedding: Floats) -> npt.NDArray[np.int8]:
    """Numbers from -1 to 1 in 127ths."""
    return np.clip(np.round(embedding * STEPS), -STEPS, STEPS).astype(np.int8)


def _digest(scores: Answered, spoke: Ints, said: list[npt.NDArray[Any]]) -> Hashes:
    """[k] a digest, never 0, of all that would be said of each."""
    models = np.array([int(model.digest[:16], 16) for model in scores.models], np.uint64)[spoke]
    whole = np.round(np.concatenate(said, axis=1)).astype(np.int64)
    return digest(models ^ START, whole.T)
