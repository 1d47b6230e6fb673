"""A loaded model: float32 rows in, answers out, one ONNX run per slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact, ArtifactError
from models.likeness import Likeness
from models.session import session
from models.task import AtLeast, Taught

Answers = dict[str, npt.NDArray[np.float64]]
#: Rows per ONNX run. Larger blocks gain nothing, and equal answers were proven up to here.
BLOCK = 1000
#: … and no more numbers: of rows with pictures fewer go into one run, or its memory would.
BLOCK_NUMBERS = 1 << 20
#: How far a golden answer may be off on another CPU.
GOLDEN_TOLERANCE = 1e-4


def apart(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """How far some answers are from others at most, of numbers beyond 1 in proportion to them; NaN where only one of
    two is NaN.

    >>> apart(np.array([np.nan, 1.0]), np.array([np.nan, 0.5])), apart(np.array([np.nan]), np.array([0.5]))
    (0.5, nan)
    """
    return float(
        np.where(np.isnan(one) & np.isnan(other), 0.0, np.abs(one - other) / np.maximum(1.0, np.abs(other))).max(
            initial=0.0
        )
    )


class Predictor:
    """Scores rows with one artifact, which it proves before it is used: shapes, ranges, golden rows.

    ``upstream`` are the predictors whose outputs it takes by address. With one thread per run the answers of a row
    do not depend on which rows it stands with (a law over all tasks). Raises ``ArtifactError``.

    ``prove`` is False for one that is still to tell its golden answers.
    """

    def __init__(self, artifact: Artifact, upstream: Sequence[Predictor] = (), *, prove: bool = True) -> None:
        self.artifact, self.upstream = artifact, tuple(upstream)
        self.task, self.version, self.digest = artifact.task.name, artifact.version, artifact.digest
        self.features, self.widths = artifact.task.features, artifact.widths
        self.outputs = artifact.task.outputs
        if {p.task: p.digest for p in self.upstream} != artifact.upstream:
            raise ArtifactError(f"The model of {self.task!r} was trained on outputs of other models than it is given.")
        said = artifact.card.get("likeness")
        #: What the items are like that it names; None where that does not count.
        self.likeness = None if said is None else Likeness.of(said, len(self.names))
        self._session = session(artifact.model, self.task)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if [i.name for i in inputs] != ["features"] or inputs[0].shape[1:] != [self.width]:
            found = ", ".join(f"{i.name} {i.shape}" for i in inputs)
            raise ArtifactError(f"The model of {self.task!r} takes {found}, not features [n, {self.width}].")
        if {o.name for o in outputs} != {o.name for o in self.outputs}:
            raise ArtifactError(
                f"The model of {self.task!r} gives {[o.name for o in outputs]}, not {artifact.task.output_names}."
            )
        if prove:
            self._prove()

    @property
    def population(self) -> tuple[AtLeast | Taught, ...]:
        """Whom it can judge: those of whom all of this holds."""
        return self.artifact.task.population

    @property
    def at(self) -> tuple[str, ...]:
        """Types of the records that ask it; empty: every due point does."""
        return self.artifact.task.at

    @property
    def meanings(self) -> dict[str, str]:
        """feature address → what it meant when the model was trained."""
        return dict(self.artifact.card["meanings"])

    @property
    def codes(self) -> dict[str, int]:
        """event type → its code when the model was trained."""
        return dict(self.artifact.card["codes"])

    @property
    def levels(self) -> dict[str, Any]:
        """What the card promises of alerts: ``output``, ``thresholds`` and ``promised`` by level; empty for none."""
        return dict(self.artifact.card.get("levels", {}))

    @property
    def tiers(self) -> dict[str, Any]:
        """From which value of which ``output`` on a shopper is among those who bring most (``high_cents``); empty where
        the card does not say."""
        return dict(self.artifact.card.get("tiers", {}))

    @property
    def sure(self) -> dict[str, Any]:
        """From which confidence on its answer counts (``from``; None: from none), and which share of those is
        ``promised`` to be right; empty where the card does not say."""
        return dict(self.artifact.card.get("sure", {}))

    @property
    def names(self) -> tuple[str, ...]:
        """What the whole numbers of rankings and texts, or the places of effects, stand for; empty where they are hash
        buckets."""
        return tuple(self.artifact.card.get("names", ()))

    @property
    def reference(self) -> npt.NDArray[np.float32]:
        """[sum of widths] a typical shopper."""
        return self.artifact.reference

    @property
    def distributions(self) -> dict[str, dict[str, list[float]]]:
        """Of training, by feature address or output: ``edges`` and the ``shares`` between them."""
        return dict(self.artifact.card["distributions"])

    @property
    def width(self) -> int:
        """Numbers per row."""
        return sum(self.widths)

    def _prove(self) -> None:
        typical = self.score(np.repeat(self.artifact.reference[None], 2, axis=0))
        for output in self.outputs:
            values = typical[output.name]
            wanted = (2,) if output.width == 1 else (2, output.width)
            told = np.isfinite(values) | (output.kind == "effects")
            if values.shape != wanted or not told.all():
                raise ArtifactError(f"{self.task}.{output.name} is {values.shape}, not finite {wanted}.")
            if output.kind == "quantiles" and (np.diff(values, axis=-1) < 0).any():
                raise ArtifactError(f"The model of {self.task!r} gives quantiles {output.name} that do not ascend.")
            if output.kind in ("probability", "distribution") and not ((values >= 0) & (values <= 1)).all():
                raise ArtifactError(f"The model of {self.task!r} gives {output.name} outside [0, 1].")
            if output.kind == "effects" and (np.abs(values) > 1).any():
                raise ArtifactError(f"The model of {self.task!r} gives {output.name} outside [-1, 1].")
        answers = self.score(self.artifact.golden)
        for output in self.outputs:
            if output.kind not in ("ranking", "text"):
                off = apart(answers[output.name], self.artifact.answers[output.name])
                if not off <= GOLDEN_TOLERANCE:
                    raise ArtifactError(
                        f"{self.task}.{output.name} is off by {off:g} on the golden rows: this is not the model that "
                        "was proven, or this machine computes otherwise."
                    )

    def score(self, x: npt.NDArray[np.float32]) -> Answers:
        """[n] per output (wider ones [n, width]), for float32 [n, width]; columns in the order of ``features``."""
        if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != self.width:
            raise ValueError(f"{self.task!r} takes float32 [n, {self.width}], not {x.dtype} {list(x.shape)}.")
        if not len(x):  # A graph takes nearly as long for no row as for one.
            return {each.name: np.zeros((0, each.width) if each.width > 1 else 0) for each in self.outputs}
        names = [output.name for output in self.outputs]
        size = max(1, min(BLOCK, BLOCK_NUMBERS // self.width))
        blocks = [
            self._session.run(names, {"features": np.ascontiguousarray(x[i : i + size])})
            for i in range(0, len(x), size)
        ]
        return {
            output.name: np.concatenate(
                [b[k].reshape(-1) if output.width == 1 else b[k].reshape(-1, output.width) for b in blocks]
            ).astype(np.float64)
            for k, output in enumerate(self.outputs)
        }

    def contributions(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """[n, len(features)] how much each feature moved the first output: score less that with a typical value."""
        n, many = len(x), len(self.widths)
        at_once = max(1, 4 * BLOCK_NUMBERS // (many * self.width))
        first, base = self.outputs[0].name, self.score(x)[self.outputs[0].name]
        without = [
            self.score(self._without_each(x[start : start + at_once]))[first].reshape(-1, many)
            for start in range(0, max(1, n), at_once)
        ]
        return base[:, None] - np.concatenate(without)

    def _without_each(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """[n · len(features), width] each row as often as there are features, each time another one of them typical."""
        reference, stops = self.reference, np.cumsum(self.widths)
        changed = np.repeat(x[:, None, :], len(self.widths), axis=1)
        for k, (width, stop) in enumerate(zip(self.widths, stops.tolist(), strict=True)):
            changed[:, k, stop - width : stop] = reference[stop - width : stop]
        return changed.reshape(-1, self.width)
