"""Which models of a task score now: live, canary and shadow, as the log chose them and as far as they can be loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streams.features.feature import Feature
from streams.features.meaning import CODES, meanings
from streams.processing.model import Model, Shelf, widths
from streams.records.serving import Stages


@dataclass(frozen=True, slots=True)
class Serving:
    """The models of one task that score now."""

    stages: Stages
    live: Model
    canary: Model | None = None
    shadow: Model | None = None

    @property
    def staged(self) -> dict[str, Model]:
        """The models by stage: live, canary, shadow."""
        stages = (("live", self.live), ("canary", self.canary), ("shadow", self.shadow))
        return {stage: model for stage, model in stages if model is not None}

    @property
    def whole(self) -> bool:
        """Whether everything serves that was chosen."""
        wanted = {"live": self.stages.live, "canary": self.stages.canary, "shadow": self.stages.shadow}
        serving = {stage: model.version for stage, model in self.staged.items()}
        return all(version is None or serving.get(stage) == version for stage, version in wanted.items())


def shipped_stages(shelf: Shelf, entity: str) -> dict[str, Stages]:
    """Every task's own version of the package, by name: what serves in a log that no operator chose for. Empty where no
    version came with the package: then nothing does."""
    return {task: Stages(change_id="", live=shelf.shipped(task)) for task in shelf.tasks_of(entity)}


def load(shelf: Shelf, task: str, version: str | None, features: Mapping[str, Feature]) -> Model:
    """A version that fits this code's features. Raises ``ValueError``, and what the shelf raises."""
    model = shelf.model(task, version)
    here = widths(model.features, features, model.upstream)
    wrong = [a for a, ours, its in zip(model.features, here, model.widths, strict=True) if ours != its]
    if wrong:
        raise ValueError(
            f"{task} {model.version} was trained on {', '.join(wrong)} of another width than they have here. "
            f"Train it anew: offerstream train {task}"
        )
    now = meanings(features, model.features)
    changed = [a for a, meant in now.items() if model.meanings.get(a) != meant]
    moved = [name for name, code in model.codes.items() if CODES.get(name) != code]
    if changed or moved:
        raise ValueError(
            f"{task} {model.version} was trained when {', '.join([*changed, *moved])} meant something else than here. "
            f"Train it anew: offerstream train {task}"
        )
    return model


def serve(
    shelf: Shelf,
    entity: str,
    features: Mapping[str, Feature],
    stages: Mapping[str, Stages],
    refused: Callable[[str, str, Exception], None],
    before: Sequence[Serving] = (),
) -> list[Serving]:
    """The models of every task that the stages name, as they want them. A version that cannot be loaded is told and
    does not serve: as live, what served ``before`` goes on, after a restart what the log chose before, at last the
    package's own. A task without one is left out while nothing is live."""

    def loaded(task: str, version: str | None) -> Model | None:
        try:
            return load(shelf, task, version, features)
        except Exception as error:
            refused(task, str(version), error)
            return None

    served = {serving.live.task: serving.live for serving in before}
    found = []
    for task in shelf.tasks_of(entity):
        if task not in stages:
            continue
        s = stages[task]
        live = loaded(task, s.live) if s.live else None
        if s.live and live is None:
            live = served.get(task) or (loaded(task, s.previous) if s.previous else None)
        if live is None and not shelf.shipped(task):
            continue
        canary = loaded(task, s.canary) if s.canary else None
        shadow = loaded(task, s.shadow) if s.shadow else None
        found.append(Serving(s, live or load(shelf, task, None, features), canary, shadow))
    return found
