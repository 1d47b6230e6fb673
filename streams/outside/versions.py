"""What operators do with versions of models: put them into the store, choose which serve, go back, compare."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from models.artifact import FILES, ArtifactError, UnknownName
from models.registry import task as task_of
from models.registry import unknown
from models.store import Shelf, Store
from streams.control import Control, publish, read
from streams.entities.contents import find
from streams.monitoring import kinds
from streams.outside.compared import Seen, seen
from streams.outside.reading import Reader
from streams.outside.rollout import Served, served
from streams.processing.serving import load
from streams.records.serving import Stages, StagesSet
from streams.settings import Settings

Stage = Literal["shadow", "canary", "live"]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a task, where it is kept, and its stages."""

    task: str
    version: str
    where: str
    stages: tuple[str, ...]
    """As they are in every partition; where they are asked for and are not so yet, that is said of each."""
    learned_until: str
    """The last day of what it was trained on, of the data set that goes furthest …"""
    measured: str
    """… the first thing that its card measured of it …"""
    about: str
    """… and on which data sets it was trained, or why it is refused."""


class Versions:
    """The store, the package and the control topic, seen together. Raises ``ArtifactError``, and where it matters what
    is in which stage ``TopicError`` and ``Unreachable``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.models)
        self.shelf = Shelf(self.store)

    @cached_property
    def control(self) -> Control:
        """What operators and workers said of stages, read when it is first asked for."""
        return read(self.settings.access)

    def stages(self, task: str) -> Stages:
        """What is to serve of a task now."""
        self._known(task)
        return self.control.stages.get(task, Stages(change_id=""))

    def _known(self, task: str) -> None:
        if task not in self.shelf.tasks:
            raise UnknownName(unknown(task))

    def served(self) -> dict[str, Served]:
        """What the workers of this group serve now, by task."""
        with Reader(self.settings.access) as reader:
            return {task: served(reader, self.settings, task, self.control) for task in self.shelf.tasks}

    def live(self, task: str) -> str:
        """The version that serves everyone in most partitions; where no worker has run, the one that is to."""
        wanted = self.stages(task).live or self.shelf.shipped(task)
        held = Counter(
            stages.live for stages in self.served()[task].held.values() if stages is not None and stages.live
        )
        return held.most_common(1)[0][0] or wanted if held else wanted

    def compared(self, task: str) -> list[Seen]:
        """What workers have seen of its canary and shadow beside the live version."""
        stages = self.stages(task)
        return seen(self.control, self.settings.app_id, task, stages, stages.live or self.shelf.shipped(task))

    def all(self, serve: Mapping[str, Served] | None = None) -> list[Version]:
        """Every version of every task, with the stages in which it is, by what ``serve``; None: not known."""
        found = []
        for task in self.shelf.tasks:
            stages, shipped = self.stages(task), self.shelf.shipped(task)
            named = {
                "live": stages.live or shipped,
                "canary": stages.canary,
                "shadow": stages.shadow,
                "previous": stages.previous or (shipped if stages.live else None),
            }
            for version in self._known_of(task):
                where = "package" if version == shipped else self.settings.store
                stage = () if serve is None else tuple(_standing(serve[task], named, version))
                found.append(Version(task, version, where, stage, *self._about(task, version)))
        return found

    def _about(self, task: str, version: str) -> tuple[str, str, str]:
        try:
            card = self.shelf.artifact(task, version).card
        except ArtifactError as error:
            return "", "", f"refused: {error}"
        cuts = [str(window["cut"]) for window in card["split"].get("windows", {}).values()]
        return max(cuts, default="")[:10], _headline(card), ", ".join(source["name"] for source in card["data"])

    def _known_of(self, task: str) -> list[str]:
        """The package's own version, where there is one, and those of the store."""
        return [v for v in dict.fromkeys([self.shelf.shipped(task), *self.store.versions(task)]) if v]

    def find(self, task: str, version: str) -> str:
        """The one version that starts so."""
        self._known(task)
        known = self._known_of(task)
        fits = [v for v in known if v.startswith(version)]
        if len(fits) != 1:
            there = ", ".join(known) or "none"
            raise UnknownName(
                f"{len(fits)} versions of {task!r} start with {version!r}; there are: {there} (the store is "
                f"{self.settings.store}: OFFERSTREAM_MODELS)."
            )
        return fits[0]

    def admit(self, task: str, version_or_folder: str) -> str:
        """A version; a folder that holds an artifact is put into the store first. It is proven before it is named."""
        folder = Path(version_or_folder)
        if folder.is_dir():
            try:
                files = {name: (folder / name).read_bytes() for name in FILES}
            except OSError as error:
                raise ArtifactError(f"{folder} holds no artifact: {error}") from error
            version = self.store.put(task, files).version
        else:
            version = self.find(task, version_or_folder)
        try:
            load(self.shelf, task, version, find(task_of(task).entity).catalogue.inputs)
        except ValueError as error:
            raise ArtifactError(str(error)) from error
        return version

    def promote(self, task: str, version: str, to: Stage, share: float, reason: str) -> Stages:
        """Let a version serve in a stage; a version is in one stage at a time, and live's predecessor is kept. Raises
        ``ArtifactError`` for the version that is live."""
        now = self.stages(task)
        # The package's own version is named None, so that it goes on with the package.
        name = None if version == self.shelf.shipped(task) else version
        if to != "live" and not (now.live or self.shelf.shipped(task)):
            raise ArtifactError(
                f"No version of {task} is live yet, beside which a {to} could be scored: promote {version} to live. "
                "Its effect is measured all the same, beside the holdout."
            )
        if name == now.live:
            raise ArtifactError(f"{task} {version} is live already.")
        cleared = {stage: None for stage in ("canary", "shadow") if getattr(now, stage) == version}
        if to == "live":
            change: dict[str, Any] = {"live": name, "previous": now.live, "canary": None, "canary_share": 0.0}
        elif to == "canary":
            change = {"canary": version, "canary_share": share, "canary_salt": secrets.token_hex(4)}
        else:
            change = {"shadow": version}
        return self._set(task, msgspec.structs.replace(now, **(cleared | change)), reason)

    def rollback(self, task: str, reason: str, stage: Stage | None = None) -> tuple[Stage, Stages]:
        """Undo a stage: take the canary or the shadow away, or go back from live to the version before (a canary ends
        then, too). By default the canary's where there is one, else live's."""
        now = self.stages(task)
        stage = stage or ("canary" if now.canary else "live")
        if stage == "live":
            if now.live is None and now.previous is None:
                own = "serves the package's own version" if self.shelf.shipped(task) else "has no version that is live"
                raise ArtifactError(f"{task} {own}, and none was live before.")
            # What was rolled back is not what to go back to: a second rollback must not bring it back.
            back = {"live": now.previous, "previous": None, "canary": None, "canary_share": 0.0}
        elif getattr(now, stage) is None:
            raise ArtifactError(f"{task} has no {stage}.")
        else:
            back = {"canary": None, "canary_share": 0.0} if stage == "canary" else {"shadow": None}
        return stage, self._set(task, msgspec.structs.replace(now, **back), reason)

    def _set(self, task: str, stages: Stages, reason: str) -> Stages:
        stages = msgspec.structs.replace(stages, change_id=secrets.token_hex(8))
        record = StagesSet(task=task, stages=stages, reason=reason, changed_at_ms=int(time.time() * 1000))
        publish(self.settings.access, record)
        self.control.apply(record)
        return stages

    def diff(self, task: str, one: str, other: str) -> list[tuple[str, str, str]]:
        """What differs between two versions: card entries, and how their answers differ on both's golden rows."""
        a, b = (self.shelf.artifact(task, self.find(task, v)) for v in (one, other))
        left, right = _flat(a.card), _flat(b.card)
        skipped = ("reference", "distributions", "calibration")
        found = [
            (key, str(left.get(key, "")), str(right.get(key, "")))
            for key in dict.fromkeys([*left, *right])
            if left.get(key) != right.get(key) and not any(part in key for part in skipped)
        ]
        rows = np.concatenate([a.golden, b.golden]) if a.golden.shape[1] == b.golden.shape[1] else a.golden[:0]
        if len(rows):
            models = [self.shelf.model(task, artifact.version) for artifact in (a, b)]
            scores = [model.score(rows) for model in models]
            for output in a.task.outputs:
                x, y = (s[output.name] for s in scores)
                of_one, of_other = (kinds.numbers(output, each) for each in (x, y))
                for name in of_one if output.kind in kinds.SAME_MEANING else ():
                    means = f"{of_one[name].mean():.4f}", f"{of_other[name].mean():.4f}"
                    found.append((f"mean {name} on golden rows", *means))
                apart = kinds.distance(output.kind, x, kinds.as_named(output.kind, y, models[1].names, models[0].names))
                found.append((f"mean distance of {output.name}", "", f"{apart.mean():.4f}"))
        return found


def _standing(serve: Served, named: Mapping[str, str | None], version: str) -> Iterator[str]:
    """In which stages a version is: a stage by its name alone is true of every partition."""
    total, begun = len(serve.held), any(stages is not None for stages in serve.held.values())
    for stage, wanted in named.items():
        if stage == "previous":
            if wanted == version:
                yield stage
            continue
        count = serve.by(stage, version)
        if wanted == version and begun and count == total:
            yield stage
        elif wanted == version:
            refused = ", refused by workers" if serve.refused else ""
            where = f"serves in {count} of {total} partitions" if begun else "no worker has run yet"
            yield f"{stage} (asked for, {where}{refused})"
        elif count:
            yield f"{stage} (still, in {count} of {total} partitions)"


#: Of what a card measures, what is told first.
_TOLD = {"auc": "AUC", "top_1": "top 1", "wape": "WAPE", "unexplained": "unexplained"}


def _headline(card: dict[str, Any]) -> str:
    for dataset, answers in card["metrics"].items():
        for output in dict.fromkeys([*card["outputs"], *answers]):
            ours = answers.get(output, {}).get("segments", {}).get("all", {}).get("models", {}).get("ours", {})
            for name, title in _TOLD.items():
                if name in ours:
                    return f"{title} {ours[name]:.3f} ({output}, {dataset})"
    return ""


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return found
