"""Scores the due points of a slice: every task's live model, its canary for some shoppers, its shadow beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats, Ints
from streams.features.catalogue import Catalogue
from streams.features.feature import Feature
from streams.features.meaning import CODES, OTHER
from streams.features.wording import title
from streams.monitoring import kinds
from streams.monitoring.canary import Beside, Compared
from streams.monitoring.kinds import CHANCES, SAME_MEANING, distance
from streams.processing.model import Condition, Model
from streams.processing.payloads import Block, Given, GivenOfRecords, Payloads
from streams.processing.serving import Serving
from streams.records.outcomes import Reason
from streams.records.tags import tag_of

Answers = dict[str, npt.NDArray[Any]]
#: The feature that holds codes of event types.
TYPES = "sequence.types"
#: Numbers that are given to a model in one call: rows with pictures are taken some at a time.
NUMBERS_AT_ONCE = 1 << 22
#: Why a model does not judge: the record does not ask it, or lacks what it takes.
RECORD = "record"
#: Rounded before anything is decided: another CPU's last bits must not decide differently.
DECIMALS = 4


@dataclass(slots=True)
class TaskScores:
    """What a task answered for n due points."""

    answers: Answers
    """By output, rounded; NaN where the model failed."""
    models: tuple[Model, ...]
    used: npt.NDArray[np.int64]
    """[n] which of ``models`` answered."""
    inputs: list[Given]
    """Per model, what it was given (of all n)."""
    judged: Bools
    """[n] whom the live model can judge: the others get no answer."""
    features: Mapping[str, Feature]
    """Of the entity, by address."""
    seconds: float = 0.0
    compared: list[Compared] = field(default_factory=list)
    foretold: Answers = field(default_factory=dict)
    """The answers as the models gave them, before they were recalibrated."""
    unreadable: dict[str, dict[str, str]] = field(default_factory=dict)
    """By address, of due points whose records say something that the live model takes and that cannot be read: the
    record's id, and why."""
    refused: dict[str, Bools] = field(default_factory=dict)
    """[n] by reason, whom the live model cannot judge: ``record`` of those whose record does not ask it or lacks what
    it takes, else the condition of its population, or of that of a model before it, that does not hold."""
    learned_day: Ints | None = None
    """[n] the day (since 1970) before which all that corrected an answer was known; -1 where nothing did."""

    def explained(self, rows: Sequence[int], most: int) -> list[list[Reason]]:
        """Of some due points, the features that raised the first output most, by one more run per model over them. A
        canary that raises here gives no reasons; it must not stop the worker."""
        found: list[list[Reason]] = [[] for _ in rows]
        for which, model in enumerate(self.models):
            mine = [k for k, at in enumerate(rows) if self.used[at] == which]
            if not mine:
                continue
            x = self.inputs[which][[rows[k] for k in mine]]
            try:
                moved = np.round(model.contributions(x), DECIMALS)
            except Exception:
                if which == 0:
                    raise
                continue
            strongest = np.argsort(-moved, axis=1, kind="stable")[:, :most]
            for k, row, effect, top in zip(mine, x, moved, strongest.tolist(), strict=True):
                found[k] = [_reason(self.features, model, j, row, float(effect[j])) for j in top if effect[j] > 0]
        return found


def _reason(
    features: Mapping[str, Feature], model: Model, j: int, row: npt.NDArray[np.float32], effect: float
) -> Reason:
    address, start = model.features[j], sum(model.widths[:j])
    feature = features.get(address)
    if model.widths[j] != 1 or feature is None:
        text = f"{_upstream(address) if feature is None else title(feature.meaning)}: unusual"
        return Reason(feature=address, value=None, typical=None, contribution=effect, text=text)
    value, typical = float(row[start]), float(model.reference[start])
    return Reason(
        feature=address, value=value, typical=typical, contribution=effect, text=feature.reason(value, typical)
    )


def _upstream(address: str) -> str:
    """What another task answered, named TASK.OUTPUT.

    >>> _upstream("behaviour.next_type")
    'What the model behaviour says of next type'
    """
    task, _, output = address.partition(".")
    return f"What the model {task} says of {output.replace('_', ' ')}"


class Inputs:
    """The feature columns of n due points, what the records that made them due say (``due`` [n], None for a timer's),
    and what upstream models made of them, each run once."""

    def __init__(
        self,
        features: npt.NDArray[np.float32],
        places: Mapping[str, slice],
        due: Sequence[Any] = (),
        payloads: Mapping[str, Feature] | None = None,
    ) -> None:
        self._features, self._places = features, places
        self._due, self._payloads = due, Payloads(due, payloads or {})
        self._kinds: tuple[list[type], Ints] | None = None
        self._given: dict[tuple[str, str], Given] = {}
        self._judged: dict[tuple[str, str], Bools] = {}
        self._refused: dict[tuple[str, str], dict[str, Bools]] = {}
        self._answers: dict[tuple[str, str], Answers] = {}
        self._seconds: dict[tuple[str, str], float] = {}

    def of(self, model: Model) -> Given:
        """What a model takes; event types that came after its training are ``OTHER`` to it."""
        key = (model.task, model.digest)
        if key not in self._given:
            widths = dict(zip(model.features, model.widths, strict=True))
            blocks: dict[str, Block] = {}
            if self._payloads.any(model.features):
                blocks = {address: self._block(address, model.upstream) for address in model.features}
                self._given[key] = GivenOfRecords(blocks, widths)
            else:
                x = self.matrix(model.features, model.upstream)
                self._given[key] = Given(x, widths)
            last = max(model.codes.values(), default=len(CODES))
            if last < len(CODES) and TYPES in widths:
                if blocks:
                    types = self._features[:, self._places[TYPES]].copy()
                    blocks[TYPES] = types.__getitem__
                else:
                    start = sum(model.widths[: model.features.index(TYPES)])
                    types = x[:, start : start + widths[TYPES]]
                types[types > last] = OTHER
        return self._given[key]

    def judged(self, model: Model) -> Bools:
        """[n] whom a model can judge: those of its population, and of the models whose outputs it takes, whose records
        say what it takes of them."""
        key = (model.task, model.digest)
        if key not in self._judged:
            found = self._judged[key] = np.ones(len(self._features), np.bool_)
            for refused in self.refused(model).values():
                found &= ~refused
        return self._judged[key]

    def refused(self, model: Model) -> dict[str, Bools]:
        """[n] by reason, whom a model cannot judge (``TaskScores.refused``); each by the first."""
        key = (model.task, model.digest)
        if key in self._refused:
            return self._refused[key]
        told: dict[str, Bools] = {}
        found = np.ones(len(self._features), np.bool_)

        def keep(holds: Bools, why: str) -> None:
            refused = found & ~holds
            if refused.any():
                told[why] = told.get(why, np.False_) | refused
                found[refused] = False

        if model.at:
            # What stands for a record where something was left behind is none.
            keep(self._due_by(model.at), RECORD)
        for upstream in model.upstream:
            for why, refused in self.refused(upstream).items():
                keep(~refused, why)
        for condition in model.population:
            keep(self._holds(condition, found), str(condition))
        # Last: pictures are made of none that are not asked for.
        keep(self._payloads.said(model.features, found), RECORD)
        self._refused[key] = told
        return told

    def _holds(self, condition: Condition, among: Bools) -> Bools:
        """[n] whether a condition holds; of a record it is known of those ``among`` all."""
        if condition.address not in self._payloads:
            return condition.holds(self._features[:, self._places[condition.address].start])
        found = np.zeros(len(among), np.bool_)
        values = self._payloads.block(condition.address)(among)[:, 0]
        found[among] = condition.holds(values, self._payloads.number(condition.address))
        return found

    def _due_by(self, at: Sequence[str]) -> Bools:
        """[n] what a record of one of these types made due; ``day``: a timer."""
        if self._kinds is None:
            kinds = list(dict.fromkeys(map(type, self._due)))
            place = {kind: i for i, kind in enumerate(kinds)}
            self._kinds = kinds, np.array([place[type(record)] for record in self._due], np.intp)
        kinds, which = self._kinds
        none = type(None)
        asking = [
            "day" in at if kind is none else issubclass(kind, msgspec.Struct) and tag_of(kind) in at for kind in kinds
        ]
        return np.array(asking, np.bool_)[which]

    def unreadable(self, model: Model) -> dict[str, dict[str, str]]:
        """By address, of records that say something that cannot be read: their ids, and why."""
        return self._payloads.unreadable(model.features)

    def matrix(self, addresses: Sequence[str], upstream: Sequence[Model] = ()) -> npt.NDArray[np.float32]:
        """[n, width of all addresses] features, and outputs ``TASK.OUTPUT`` of the upstream models, side by side."""
        places, features = self._places, self._features
        blocks = [features[:, places[a]] if a in places else self._block(a, upstream)(slice(None)) for a in addresses]
        return np.concatenate(blocks, axis=1)

    def _block(self, address: str, upstream: Sequence[Model]) -> Block:
        if address in self._places:
            return self._features[:, self._places[address]].__getitem__
        if address in self._payloads:
            return self._payloads.block(address)
        task, _, output = address.partition(".")
        answers = self.answers(next(m for m in upstream if m.task == task))
        return answers[output].astype(np.float32).reshape(len(self._features), -1).__getitem__

    def answers(self, model: Model) -> Answers:
        """What a model answers; NaN of those it cannot judge."""
        key = (model.task, model.digest)
        if key not in self._answers:
            given, judged = self.of(model), self.judged(model)
            every = bool(judged.all())
            rows = np.flatnonzero(judged)
            at_once = max(1, NUMBERS_AT_ONCE // max(1, sum(model.widths)))
            parts, spent = [], 0.0
            for start in range(0, max(1, len(rows)), at_once):
                x = given[:] if every and len(rows) <= at_once else given[rows[start : start + at_once]]
                began = time.perf_counter()
                parts.append(model.score(x))
                spent += time.perf_counter() - began
            found = parts[0]
            if len(parts) > 1:
                found = {name: np.concatenate([part[name] for part in parts]) for name in found}
            if not every:
                found = {name: _spread(values, judged) for name, values in found.items()}
            self._seconds[key] = spent
            self._answers[key] = found
        return self._answers[key]

    def seconds(self, model: Model) -> float:
        """How long a model took to answer, without what it takes from others."""
        return self._seconds.get((model.task, model.digest), 0.0)


def _spread(values: npt.NDArray[Any], judged: Bools) -> npt.NDArray[Any]:
    """Answers of the judged rows at their places among all; NaN elsewhere. Not to be written into."""
    if not len(values):
        return np.broadcast_to(np.nan, (len(judged), *values.shape[1:]))
    whole = np.full((len(judged), *values.shape[1:]), np.nan)
    whole[judged] = values
    return whole


def score(
    serving: Sequence[Serving],
    features: npt.NDArray[np.float32],
    places: Mapping[str, slice],
    key: Callable[[int], str],
    catalogue: Catalogue,
    due: Sequence[Any] = (),
) -> dict[str, TaskScores]:
    """Every task's answers for n due points. ``key(i)`` is the i-th row's; ``due`` [n]: the record that made each
    due, None where a timer did.

    A live model that raises stops the worker. One that raises as canary or shadow is told; the live one answers.
    """
    rows = Inputs(features, places, due or [None] * len(features), catalogue.payloads)
    found: dict[str, TaskScores] = {}
    n = len(features)
    for task in serving:
        live = rows.answers(task.live)
        spent = rows.seconds(task.live)
        judged = rows.judged(task.live)
        chosen = TaskScores(
            dict(live), (task.live,), np.zeros(n, np.int64), [rows.of(task.live)], judged, catalogue.inputs, spent
        )
        chosen.unreadable, chosen.refused = rows.unreadable(task.live), rows.refused(task.live)
        if task.canary is not None:
            mask = np.array([task.stages.in_canary(key(i)) for i in range(n)], np.bool_)
            answers, finite, compared = _beside("canary", task.canary, rows, task.live, mask)
            chosen.compared.append(compared)
            mask &= finite  # Where it fails, the live model answers.
            if answers is not None and mask.any():
                chosen.models += (task.canary,)
                chosen.inputs.append(rows.of(task.canary))
                chosen.used[mask] = 1
                for name, values in answers.items():
                    wide = mask if values.ndim == 1 else mask[:, None]
                    chosen.answers[name] = np.where(wide, values, chosen.answers[name])
        if task.shadow is not None:
            *_, compared = _beside("shadow", task.shadow, rows, task.live, np.ones(n, np.bool_))
            chosen.compared.append(compared)
        if judged.any() or task.canary is not None:
            chosen.answers = {name: np.round(values, DECIMALS) for name, values in chosen.answers.items()}
        found[task.live.task] = chosen
    return found


def _beside(stage: str, model: Model, rows: Inputs, live: Model, mask: Bools) -> tuple[Answers | None, Bools, Compared]:
    """What a canary or shadow answers, where all of it is told, and how it compares on the judged rows of ``mask``.
    Whatever it raises is told, and harms nobody."""
    n = len(mask)
    known, mask = rows.answers(live), mask & rows.judged(live)
    answers: Answers | None
    numbers: dict[str, Beside] = {}
    apart: dict[str, Floats] = {}
    finite, error = np.zeros(n, np.bool_), ""
    try:
        answers = rows.answers(model)
        # An effect that cannot be told is an answer.
        whole = [np.isfinite(answers[o.name].reshape(n, -1)).all(axis=1) for o in model.outputs if o.kind != "effects"]
        finite = np.logical_and.reduce([rows.judged(model), *whole])
        told = finite & mask
        for output in live.outputs:
            one = known[output.name][told]
            other = kinds.as_named(output.kind, answers[output.name][told], model.names, live.names)
            apart[output.name] = distance(output.kind, one, other)
            if output.kind in SAME_MEANING:
                both, chance = (kinds.numbers(output, values) for values in (one, other)), output.kind in CHANCES
                ours, theirs = both
                numbers |= {name: Beside(ours[name], theirs[name], chance) for name in ours}
    except Exception as failure:
        answers, error = None, repr(failure)
        finite[:] = False
        numbers, apart = {}, {}
    per = 1e6 / max(1, n)
    spent, beside = rows.seconds(live) * per, rows.seconds(model) * per
    asked = int(mask.sum())
    failed = asked - int((mask & finite).sum())
    return answers, finite, Compared(stage, model, live, asked, numbers, apart, spent, beside, n, failed, error)
