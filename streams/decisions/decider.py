"""The contract of everything that decides: what it remembers, what it reads, and what it says at due points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Rows
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

    def explained(self, rows: Sequence[int], most: int) -> list[list[Reason]]:
        """Of some due points, the features that raised the first output most."""


class Seen:
    """What is known at the n due points of a slice: features and answers by address."""

    def __init__(
        self,
        features: npt.NDArray[np.float32],
        places: Mapping[str, slice],
        scores: Mapping[str, Answered],
    ) -> None:
        self.scores, self._features, self._places = scores, features, places
        self._made: dict[Any, Any] = {}

    def feature(self, address: str) -> npt.NDArray[np.float32]:
        """[n] a feature of one number, or [n, width]. Raises ``KeyError`` for one that was not read."""
        place = self._places[address]
        return self._features[:, place.start] if place.stop - place.start == 1 else self._features[:, place]

    def answer(self, task: str, output: str) -> Floats:
        """[n] or [n, width] an answer; NaN where the task answered nothing."""
        found = self.scores.get(task)
        return np.full(len(self._features), np.nan) if found is None else found.answers[output]

    def used(self, task: str) -> list[ModelUsed]:
        """[n] whose answer a task's is, as outcomes name it."""
        return self.once((task, "used"), lambda: self._used(task))

    def _used(self, task: str) -> list[ModelUsed]:
        found = self.scores[task]
        day = np.full(len(found.used), -1) if found.learned_day is None else found.learned_day
        named: dict[tuple[int, int], ModelUsed] = {}
        for which, learned in dict.fromkeys(zip(found.used.tolist(), day.tolist(), strict=True)):
            model = found.models[which]
            known = None if learned < 0 else str(np.datetime64(learned, "D"))
            named[which, learned] = ModelUsed(
                task=model.task, version=model.version, digest=model.digest[:16], recalibrated=known
            )
        return [named[key] for key in zip(found.used.tolist(), day.tolist(), strict=True)]

    def once(self, key: Any, make: Callable[[], _T]) -> _T:
        """``make()`` the first time it is asked for under a key, the same value after."""
        if key not in self._made:
            self._made[key] = make()
        found: _T = self._made[key]
        return found


@dataclass(frozen=True, slots=True)
class Group:
    """k keys due at the same step of a slice, none twice."""

    seen: Seen
    span: slice
    """Where they stand among the slice's due points, when that is side by side."""
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
    place: Ints | None = None
    """[k] where they stand among the slice's due points, in groups that are in the order of the log."""

    def __len__(self) -> int:
        return len(self.row)

    @property
    def _at(self) -> slice | Ints:
        return self.span if self.place is None else self.place

    def feature(self, address: str) -> npt.NDArray[np.float32]:
        """[k] a feature."""
        return self.seen.feature(address)[self._at]

    def answer(self, task: str, output: str) -> Floats:
        """[k] an answer; NaN where the task answered nothing."""
        return self.seen.answer(task, output)[self._at]

    def model(self, task: str, i: int) -> ModelUsed:
        """Whose answer it is."""
        return self.seen.used(task)[self.span.start + i if self.place is None else int(self.place[i])]

    def ref(self, i: int) -> str:
        """What outcome ids say of what made the i-th due."""
        return f"{self.due[i].kind}:{self.due[i].ref}"


class Names(Protocol):
    """Names behind hashes; ``streams.processing.names.CategoryNames`` is one."""

    def of_code(self, code: int, before: int) -> str | None:
        """The name of a category's hash as the log had said it before an offset."""

    def of_buckets(self, buckets: Iterable[int], before: int) -> list[str | None]:
        """Of each bucket the first category named of those that share it, if it was named before an offset."""


class Decider(Protocol):
    """One thing that is decided, or only said or noted, at every due point. Deciders run in the order in which
    ``streams.processing.deciding`` lists them, over one group after the other, so each sees what it decided before.

    One with ``in_log_order = True`` shares something between keys, such as a budget: it comes after all others, over
    groups that follow one another as the log does (``streams.processing.grouping.in_log_order``)."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """What it remembers in the row."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Addresses of the features it looks at, besides answers."""

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        """Decide for all of a group at once; moves its own columns of ``state``."""
