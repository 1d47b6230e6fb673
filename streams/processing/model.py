"""A model as the stream sees it, and where models come from: ``models/`` has both, and is not imported here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools, Floats
from streams.features.feature import Feature
from streams.monitoring import kinds


class Output(kinds.Output, Protocol):
    """One named answer of a model; its label is None when nothing tells."""

    @property
    def horizon_days(self) -> int | None: ...
    @property
    def event(self) -> str: ...
    @property
    def recalibrated(self) -> bool:
        """Whether it is a chance that no ``event`` comes within ``horizon_days``, to be corrected by what comes."""

    @property
    def scalar(self) -> bool:
        """Whether it is one probability or number per row."""


class Condition(Protocol):
    """What must hold of a shopper, or of the record that made due, for a model to judge it; its text says what."""

    @property
    def address(self) -> str:
        """The feature, one number, that it is a condition on."""

    def holds(self, values: npt.NDArray[np.float32], number: Callable[[str], float] | None = None) -> Bools:
        """[k] whether it holds of values of the feature; ``number``: what stands for a name in it."""


class Model(Protocol):
    """A model as the stream sees it; ``models.predictor.Predictor`` is one."""

    task: str
    version: str
    digest: str
    features: tuple[str, ...]
    widths: tuple[int, ...]

    @property
    def distributions(self) -> Mapping[str, Mapping[str, list[float]]]:
        """Of training, by feature address or output: ``edges`` and the ``shares`` between them."""

    @property
    def population(self) -> Sequence[Condition]:
        """Whom it can judge: those of whom all of this holds. It was trained on no others and answers of no others."""

    @property
    def at(self) -> Sequence[str]:
        """Types of the records that ask it; empty: it answers at every due point."""

    @property
    def meanings(self) -> Mapping[str, str]:
        """feature address → what it meant when the model was trained, as ``streams.features.meaning`` digests it."""

    @property
    def codes(self) -> Mapping[str, int]:
        """event type → its code in ``sequence.types`` when the model was trained."""

    @property
    def names(self) -> Sequence[str]:
        """What the places of an answer stand for, where its card says so."""

    @property
    def levels(self) -> Mapping[str, Any]:
        """``output``, ``thresholds`` and the precision ``promised`` by level; empty where the card says none."""

    @property
    def tiers(self) -> Mapping[str, Any]:
        """``output``, and from which value of it on a shopper is among those who bring most, ``high_cents``; empty
        where the card says none."""

    @property
    def sure(self) -> Mapping[str, Any]:
        """From which confidence on its answer counts (``from``; None: from none), and which share of those is
        ``promised`` to be right; empty where the card says nothing of it."""

    @property
    def reference(self) -> npt.NDArray[np.float32]:
        """[sum of widths] a typical shopper."""

    @property
    def outputs(self) -> Sequence[Output]:
        """What it answers; the first one's contributions can be told."""

    @property
    def upstream(self) -> Sequence[Model]:
        """The models whose outputs it takes by address ``TASK.OUTPUT``."""

    def score(self, x: npt.NDArray[np.float32]) -> dict[str, Floats]:
        """[n] or [n, width] per output, for float32 [n, sum of widths]; no row's answer depends on the others."""

    def contributions(self, x: npt.NDArray[np.float32]) -> Floats:
        """[n, len(features)] how far each feature moved the first output against a typical shopper."""


class Shelf(Protocol):
    """Where models come from; ``models.store.Shelf`` is one."""

    def tasks_of(self, entity: str) -> Sequence[str]:
        """Every task about an entity that is served."""

    def outputs(self, task: str) -> Sequence[Output]:
        """What a task answers, whether or not a version of it can be had."""

    def shipped(self, task: str) -> str:
        """The version of a task that came with the package; empty where none did."""

    def model(self, task: str, version: str | None = None) -> Model:
        """A version, ready to score; of None, the one that came with the package. Raises when it must not serve."""


def widths(addresses: Sequence[str], features: Mapping[str, Feature], upstream: Sequence[Model] = ()) -> list[int]:
    """How many numbers of a row each address takes: a feature's, or that of an output ``TASK.OUTPUT`` of an upstream
    model. Raises ``ValueError`` for one that is neither."""
    found = {address: feature.width for address, feature in features.items()}
    found |= {f"{model.task}.{output.name}": output.width for model in upstream for output in model.outputs}
    unknown = [address for address in addresses if address not in found]
    if unknown:
        raise ValueError(f"There is no feature {', '.join(unknown)}.")
    return [found[address] for address in addresses]
