"""What ``offerstream train`` was asked for: which histories, cut where, kept where. What is missing is said at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.artifact import Artifact, ArtifactError
from models.store import Store
from streams.settings import Settings
from training.datasets import DATASETS
from training.errors import Misuse, TrainingError
from training.job import may_teach
from training.parts import Workers
from training.source import About, Source, distinct, of_dataset, of_name, of_topics
from training.tasks import Trainer
from training.times import parse_time

#: A history's source and its cut, UTC milliseconds since 1970.
Cut = tuple[Source, int]


@dataclass(frozen=True)
class Asked:
    """The options. ``cuts``: none, one for all histories, or one for each; ISO 8601."""

    task: str
    histories: tuple[str, ...] = ()
    from_broker: bool = False
    cuts: tuple[str, ...] = ()
    data: Path | None = None
    seed: int = 7
    out: Path | None = None
    work: Path = Path("build/training")
    receipts: tuple[Path, ...] = ()
    """Files of what campaigns decided and what followed, for a task that learns of that."""
    promote_to: Literal["shadow", "canary"] | None = None
    """The stage to put a version into that is ahead of the live one and behind it in nothing."""
    workers: Workers | None = None
    """Where histories are replayed by parts."""

    @property
    def own(self) -> bool:
        """Whether histories were named: else the package's own model is trained anew."""
        return bool(self.histories) or self.from_broker


def about_of(how: Trainer) -> About:
    """What a trainer's histories are about."""
    found: About = getattr(how, "ABOUT", "shopper")
    return found


def histories(asked: Asked, settings: Settings, how: Trainer) -> list[Cut]:
    """What is trained on. Raises ``TrainingError``, also for what is missing of a history."""
    if not asked.own:
        if asked.promote_to:
            raise Misuse("--promote-to is for a model of your own: name a history with --history or --from-broker.")
        if asked.cuts:
            raise Misuse("--cut says where a history is cut: name one with --history or --from-broker.")
        found = _datasets(how.SHIPPED, asked)
    else:
        about = about_of(how)
        sources = [of_name(text, asked.data, settings, about) for text in asked.histories]
        if asked.from_broker:
            sources.append(of_topics(settings, about))
        found = list(zip(distinct(sources), _cuts(asked, sources, how), strict=True))
    for source, _ in found:
        may_teach(source)
        source.check()
    return found


def measured(asked: Asked, how: Trainer, say: Callable[[str], None]) -> list[Cut]:
    """What is measured on besides, as far as it is there: only where the package's own model is trained anew."""
    found = []
    for source, cut_ms in [] if asked.own else _datasets(getattr(how, "MEASURED", {}), asked):
        try:
            source.check()
        except TrainingError as error:
            say(f"note: not measured on {source.name}: {error}")
        else:
            found.append((source, cut_ms))
    return found


def _datasets(cuts: dict[str, str], asked: Asked) -> list[Cut]:
    return [(of_dataset(DATASETS[name], asked.data), parse_time(cut)) for name, cut in cuts.items()]


def _cuts(asked: Asked, sources: Sequence[Source], how: Trainer) -> list[int]:
    if not asked.cuts and all(source.name in how.SHIPPED for source in sources):
        return [parse_time(how.SHIPPED[source.name]) for source in sources]
    if not asked.cuts:
        raise Misuse(
            "--cut DATE is missing: what is before it is trained on, what is after it tests. Leave as many days after "
            "it as the task looks ahead (churn: 90), such as --cut 2026-03-01."
        )
    if len(asked.cuts) not in (1, len(sources)):
        raise Misuse(
            f"There are {len(asked.cuts)} --cut for {len(sources)} histories: give one for all, or one for each in the "
            "same order (that of --from-broker is the last)."
        )
    cuts = [parse_time(text) for text in asked.cuts]
    return cuts * len(sources) if len(cuts) == 1 else cuts


@dataclass(frozen=True, slots=True)
class Kept:
    """Where an artifact is: ``name`` is what ``offerstream models promote`` and ``offerstream report`` take."""

    name: str
    where: str


def keeper(asked: Asked, settings: Settings) -> Callable[[Artifact], Kept]:
    """What keeps an artifact: in ``--out``, else in the store of models. Raises ``ArtifactError`` for a place that
    cannot be written to: now, not after an hour of training."""
    if asked.out is not None:
        folder = asked.out
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".written").touch()
            (folder / ".written").unlink()
        except OSError as error:
            raise ArtifactError(f"--out {folder} cannot be written to: {error.strerror}.") from error
        return lambda artifact: _written(artifact, folder)
    store = Store(settings.models)
    store.check()

    def put(artifact: Artifact) -> Kept:
        task, version, aside = (
            artifact.task.name,
            artifact.version,
            asked.work / f"{artifact.task.name}-{artifact.version}",
        )
        try:
            store.put(task, artifact.files())
        except (ArtifactError, OSError) as error:
            _written(artifact, aside)
            if version not in _versions(store, task):
                return Kept(str(aside), f"{aside}, for the store did not take it ({error})")
            known = f"the store of models, {settings.store}, since before: its card stays as it was, the new one is in"
            return Kept(version, f"{known} {aside}")
        return Kept(version, f"the store of models, {settings.store} (OFFERSTREAM_MODELS)")

    return put


def _versions(store: Store, task: str) -> list[str]:
    try:
        return store.versions(task)
    except OSError:
        return []


def _written(artifact: Artifact, folder: Path) -> Kept:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in artifact.files().items():
        (folder / name).write_bytes(content)
    return Kept(str(folder), str(folder))
