"""The contract of everything that decides: what it remembers, what it reads, and what it says at due points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard, TypeVar

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Kept, Rows
from streams.records.outcomes import AnyOutcome, Due, ModelUsed, Reason

_T = TypeVar("_T")
#: (place in the group, what is said of it)
Said = tuple[int, AnyOutcome]


class Answered(Protocol):
    """What one task answered at the n due points of a slice; ``streams.processing.scoring.TaskScores`` is one."""

    @property
    def answers(self) -> Mapping[str, npt.NDArray[Any]]:
        """By output, [n] or [n, width]; NaN where nothing was answered."""

    @property
    def learned_day(self) -> Ints | None:
        """[n] the day (since 1970) before which all that corrected an answer was known; -1 where nothing did."""

    @property
    def used(self) -> Ints:
        """[n] which of ``models`` answered."""

    @property
    def models(self) -> Sequence[Any]:
        """The models that answered: live, then canary."""

    @property
    def refused(self) -> Mapping[str, Bools]:
        """[n] by reason, what the live model cannot judge."""

    def explained(self, rows: Sequence[int], most: int) -> list[list[Reason]]:
        """Of some due points, the features that raised the first output most."""


class Seen(Kept):
    """What is known at the n due points of a slice: features and answers by address."""

    def __init__(
        self,
        features: npt.NDArray[np.float32],
        places: Mapping[str, slice],
        scores: Mapping[str, Answered],
    ) -> None:
        super().__init__()
        self.scores, self._features, self._places = scores, features, places

    def feature(self, address: str) -> npt.NDArray[np.float32]:
        """[n] a feature of one number, or [n, width]. Raises ``KeyError`` for one that was not read."""
        place = self._places[address]
        return self._features[:, place.start] if place.stop - place.start == 1 else self._features[:, place]

    def answer(self, task: str, output: str) -> Floats:
        """[n] or [n, width] an answer; NaN where the task answered nothing."""
        found = self.scores.get(task)
        return np.full(len(self._features), np.nan) if found is None else found.answers[output]

    def which(self, task: str) -> Ints:
        """[n] which of the task's models answered."""
        return self.scores[task].used

    def whole(self, task: str) -> Bools:
        """[n] of which due points every answer of a task is finite; where one is not, nothing is to be said."""
        return self.once((task, "whole"), lambda: self._whole(task))

    def _whole(self, task: str) -> Bools:
        found, n = self.scores.get(task), len(self._features)
        if found is None:
            return np.zeros(n, np.bool_)
        finite = [np.isfinite(values).reshape(n, -1).all(axis=1) for values in found.answers.values()]
        every: Bools = np.logical_and.reduce(finite)
        return every

    def why_not(self, task: str, at: int) -> str | None:
        """Why the live model of a task does not judge a due point (its place); None where it does."""
        found = self.scores.get(task)
        return next((why for why, refused in found.refused.items() if refused[at]), None) if found else None

    def used(self, task: str) -> list[ModelUsed]:
        """[n] whose answer a task's is, as outcomes name it."""
        return self.once((task, "used"), lambda: self._used(task))

    def _used(self, task: str) -> list[ModelUsed]:
        found = self.scores[task]
        day = np.full(len(found.used), -1) if found.learned_day is None else found.learned_day
        both = (found.used << 32) + day + 1
        alike = bool((both == both[:1]).all())
        pairs, places = (both[:1], both[:0]) if alike else np.unique(both, return_inverse=True)
        named = []
        for which, learned in zip((pairs >> 32).tolist(), ((pairs & 0xFFFFFFFF) - 1).tolist(), strict=True):
            model = found.models[which]
            known = None if learned < 0 else str(np.datetime64(learned, "D"))
            named.append(
                ModelUsed(task=model.task, version=model.version, digest=model.digest[:16], recalibrated=known)
            )
        return named * len(day) if len(named) == 1 else [named[place] for place in places.tolist()]

    def note(self, address: str, span: slice, values: Floats) -> None:
        """Keep for deciders after this one what it finds of some due points: NaN where nothing."""
        self.once(("noted", address), lambda: np.full(len(self._features), np.nan))[span] = values

    def noted(self, address: str) -> Floats:
        """[n] what a decider before noted. Raises ``KeyError`` where none did."""
        found: Floats = self._made["noted", address]
        return found


@dataclass(frozen=True, slots=True)
class Group:
    """k keys due at the same step of a slice, none twice."""

    seen: Seen
    span: slice
    """Where they stand among the slice's due points."""
    row: Ints
    now_ms: Ints
    key: list[str]
    """Whom or what each is."""
    due: list[Due]
    event_type: Ints
    """Code of the record that made each due; 0 for a timer."""
    offset: Ints
    """Of the record that made each due: its event, or the one whose watermark passed its silence."""
    day: Ints
    """Day (since 1970) of the watermark once that record was seen: what is known of earlier days is final."""
    before: list[int]
    """What the log says from this offset on must not be used: that after its event, that which passed its silence."""
    record: Sequence[Any] = ()
    """[k] the record that made each due; None for a timer's."""
    amount: Floats = field(default_factory=lambda: np.zeros(0))
    """[k] what a timer measured: minutes of silence, mean gaps since the last order; NaN where nothing."""

    def __len__(self) -> int:
        return len(self.row)

    def feature(self, address: str) -> npt.NDArray[np.float32]:
        """[k] a feature."""
        return self.seen.feature(address)[self.span]

    def answer(self, task: str, output: str) -> Floats:
        """[k] an answer; NaN where the task answered nothing."""
        return self.seen.answer(task, output)[self.span]

    def noted(self, address: str) -> Floats:
        """[k] what a decider before noted of this very due point; NaN where nothing."""
        return self.seen.noted(address)[self.span]

    def whole(self, task: str) -> Bools:
        """[k] where every answer of the task is finite."""
        return self.seen.whole(task)[self.span]

    def model(self, task: str, i: int) -> ModelUsed:
        """Whose answer it is."""
        return self.seen.used(task)[self.span.start + i]

    def why_not(self, task: str, i: int) -> str | None:
        """Why a task that serves answered nothing: the condition of its population that does not hold; None where it
        answered, or does not serve."""
        return None if self.whole(task)[i] else self.seen.why_not(task, self.span.start + i)

    def ref(self, i: int) -> str:
        """What outcome ids say of what made the i-th due."""
        return f"{self.due[i].kind}:{self.due[i].ref}"


class Rearranged(Seen):
    """The same due points in another order: ``order`` [n] are their places."""

    def __init__(self, seen: Seen, order: Ints) -> None:
        self._seen, self._order = seen, order
        self.scores, self._made = seen.scores, {}

    def feature(self, address: str) -> npt.NDArray[np.float32]:
        """[n] or [n, width]."""
        return self._seen.feature(address)[self._order]

    def answer(self, task: str, output: str) -> Floats:
        """[n] or [n, width]."""
        return self._seen.answer(task, output)[self._order]

    def noted(self, address: str) -> Floats:
        """[n]"""
        return self._seen.noted(address)[self._order]

    def which(self, task: str) -> Ints:
        """[n]"""
        return self._seen.which(task)[self._order]

    def _whole(self, task: str) -> Bools:
        return self._seen.whole(task)[self._order]

    def why_not(self, task: str, at: int) -> str | None:
        """Of the due point that stands there now."""
        return self._seen.why_not(task, int(self._order[at]))

    def _used(self, task: str) -> list[ModelUsed]:
        used = self._seen.used(task)
        return [used[i] for i in self._order.tolist()]


def in_log_order(groups: Sequence[Group]) -> list[Group]:
    """The due points of a slice one after the other as the log has them, however it was cut: those beside each other
    in one group until a key comes again. At one record timers come first, by their times, then by key."""
    if not groups:
        return []
    offset, now = (np.concatenate([getattr(group, name) for group in groups]) for name in ("offset", "now_ms"))
    key = [each for group in groups for each in group.key]
    due = [each for group in groups for each in group.due]
    row = np.concatenate([group.row for group in groups])
    places = sorted(range(len(key)), key=lambda i: (offset[i], due[i].kind == "event", now[i], key[i]))
    order, seen, found = np.array(places, np.int64), groups[0].seen, list[Group]()
    starts, taken = [0], set[int]()
    for place, each in enumerate(row[order].tolist()):
        if each in taken:
            starts.append(place)
            taken = set()
        taken.add(each)
    rearranged = Rearranged(seen, order)
    whole = {
        name: np.concatenate([getattr(group, name) for group in groups])[order]
        for name in ("event_type", "day", "amount")
    }
    before, record = ([each for group in groups for each in getattr(group, name)] for name in ("before", "record"))
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        some, span = order[start:stop], slice(start, stop)
        at = some.tolist()
        found.append(
            Group(
                seen=rearranged,
                span=span,
                row=row[some],
                now_ms=now[some],
                key=[key[i] for i in at],
                due=[due[i] for i in at],
                event_type=whole["event_type"][span],
                offset=offset[some],
                day=whole["day"][span],
                before=[before[i] for i in at],
                record=[record[i] for i in at],
                amount=whole["amount"][span],
            )
        )
    return found


class Names(Protocol):
    """Names behind hashes; ``streams.processing.names.CategoryNames`` is one."""

    def of_code(self, code: int, before: int) -> str | None:
        """The name of a category's hash as the log had said it before an offset."""

    def of_buckets(self, buckets: Iterable[int], before: int) -> list[str | None]:
        """Of each bucket the first category named of those that share it, if it was named before an offset."""


class Arranging(Protocol):
    """A decider for which the order of due points may matter. It comes last."""

    def decide_slice(self, state: Rows, groups: Sequence[Group]) -> list[Said]:
        """Decide for all groups of a slice, in whatever order; moves its own columns of ``state``."""


def arranges(decider: object) -> TypeGuard[Arranging]:
    """Whether a decider is ``Arranging``. Asked of every slice: ``isinstance`` of a protocol takes 50 times as long."""
    return hasattr(decider, "decide_slice")


class Decider(Protocol):
    """One thing that is decided, or only said or noted, at every due point. Deciders run in the order in which
    their entity lists them (``streams/entities``), over one group after the other, so each sees what it decided before;
    those that are ``Arranging`` come last."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """What it remembers in the row."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Addresses of the features it looks at, besides answers."""

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        """Decide for all of a group at once; moves its own columns of ``state``."""
