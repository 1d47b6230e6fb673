"""What a worker has seen of canaries and shadows beside the live models: said to whoever lists versions."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import numpy as np

from streams.monitoring.canary import Compared, Versioned
from streams.monitoring.judged import Judged
from streams.monitoring.late_labels import code_of
from streams.records.serving import AnswersJudged, ModelsCompared, OutputCompared, key_of
from streams.state.write_behind import WriteBehind
from streams.topics import CONTROL

#: Two answers that differ by no more agree.
AGREEMENT = 0.05
#: How often the sums are said, where they grew.
SAY_SECONDS = 10.0
#: The newest answers of a model to an output whose late label is known, or None.
JudgedOf = Callable[[Versioned, str], Judged | None]


@dataclass(slots=True)
class Sums:
    """What was seen of two versions, over all due points that both were asked about."""

    model: Versioned
    against: Versioned
    asked: int = 0
    failed: int = 0
    known: dict[str, int] = field(default_factory=dict)
    agreeing: dict[str, int] = field(default_factory=dict)
    distance: dict[str, float] = field(default_factory=dict)
    said: int = 0
    """How many due points were asked about when it was said last."""


class Comparisons:
    """Adds up what is compared, slice by slice, since the worker's start. ``group``: OFFERSTREAM_APP_ID."""

    def __init__(self, group: str, writer: WriteBehind, say_seconds: float = SAY_SECONDS) -> None:
        self.say_seconds = say_seconds
        self._group, self._writer, self._run = group, writer, secrets.token_hex(4)
        self._sums: dict[tuple[str, str, str, str], Sums] = {}
        self._said_at = -math.inf

    def observe(self, compared: Compared) -> dict[str, tuple[int, int, float]]:
        """Take a slice's due points. Returns what each output added: of how many the distance is known, how many of
        these agree, and the sum of the distances."""
        model, against = compared.model, compared.against
        key = model.task, compared.stage, model.version, against.version
        sums = self._sums.setdefault(key, Sums(model, against))
        sums.asked += compared.asked
        sums.failed += compared.failed
        added = {}
        for output, distance in compared.distance.items():
            known = distance[np.isfinite(distance)]
            added[output] = n, agreeing, total = len(known), int((known <= AGREEMENT).sum()), float(known.sum())
            sums.known[output] = sums.known.get(output, 0) + n
            sums.agreeing[output] = sums.agreeing.get(output, 0) + agreeing
            sums.distance[output] = sums.distance.get(output, 0.0) + total
        return added

    @property
    def unsaid(self) -> set[int]:
        """``code_of`` the models of pairs of which more was seen than was said."""
        more = (sums for sums in self._sums.values() if sums.asked > sums.said)
        return {code_of(model.digest) for sums in more for model in (sums.model, sums.against)}

    def say(self, judged_of: JudgedOf) -> None:
        """Tell the control topic of pairs that were seen more of, every few seconds."""
        if time.monotonic() - self._said_at < self.say_seconds:
            return
        for (task, stage, version, against), sums in self._sums.items():
            if sums.said == sums.asked:
                continue
            self._said_at, sums.said = time.monotonic(), sums.asked
            outputs = {
                name: OutputCompared(
                    known=sums.known[name],
                    agreeing=sums.agreeing[name],
                    distance=sums.distance[name],
                    live=_judged(judged_of(sums.against, name)),
                    other=_judged(judged_of(sums.model, name)),
                )
                for name in sums.known
            }
            record = ModelsCompared(
                task=task,
                stage=stage,
                version=version,
                against=against,
                group=self._group,
                run=self._run,
                asked=sums.asked,
                failed=sums.failed,
                outputs=outputs,
                said_at_ms=int(time.time() * 1000),
            )
            self._writer.say(CONTROL.name, msgspec.json.encode(record), key=key_of(record))


def _judged(judged: Judged | None) -> AnswersJudged | None:
    if judged is None or not judged.count:
        return None
    measures = {name: value for name, value in judged.measures().items() if math.isfinite(value)}
    return AnswersJudged(labels=judged.count, measures=measures)
