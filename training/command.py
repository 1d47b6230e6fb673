"""``offerstream train``: says what is missing, trains with progress, and says what came out and what to do with it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from models.artifact import Artifact, ArtifactError, load_artifact
from models.predictor import Predictor
from models.registry import task as find
from models.task import Task
from streams.effects.decided import Joined
from streams.outside import followed
from streams.outside.versions import Versions
from streams.records.words import shown_time
from streams.settings import Settings
from training import needs
from training.asked import Asked, Cut, Kept, histories, keeper, measured
from training.errors import Misuse, TrainingError
from training.fit import Tell
from training.job import CutHistory, CutTold, Job, upstream_of
from training.progress import progress
from training.quiet import without_notes
from training.tables import alerts, challenge, effects_found, standing, summary, verdicts
from training.tasks import Trainer, train, trainer
from training.times import parse_time

#: What training imports beyond what a worker does.
MODULES = ("tensorflow", "tf2onnx", "onnx", "lightgbm", "lifetimes", "pandas", "pyarrow")
Say = Callable[[str], None]
#: Of the shoppers, who get a canary that was promoted by itself.
CANARY_SHARE = 0.05


def run(asked: Asked, settings: Settings, console: Console) -> Artifact:
    """Train a task. Raises ``TrainingError``, ``ArtifactError`` and ``TopicError``: for what is missing before any
    work begins, for what a history has too little of once it was read."""

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    try:
        task = find(asked.task)
    except KeyError as error:
        raise click.UsageError(error.args[0]) from error
    check_installed()
    if asked.workers is not None:
        if task.entity == "item":
            raise Misuse(
                f"--workers and --dask replay shoppers by parts, and {task.name} is about items, which one process "
                "counts over all shoppers: leave them out."
            )
        asked.workers.check()
    with without_notes():  # it may import TensorFlow
        how = trainer(task.name)
    if not task.shipped and not asked.own:
        raise Misuse(
            f"No model of {task.name} comes with the package: it is learned of your own shop. Say --from-broker or "
            f"--history{' and --receipts' if hasattr(how, 'enough') else ''}, and --cut."
        )
    given, besides = histories(asked, settings, how), measured(asked, how, say)
    keep = keeper(asked, settings)
    best, called = champion(task, asked, settings, say) if asked.own else (None, "")
    with progress(console) as tell:
        decided = decisions(asked, settings, how, [cut_ms for _, cut_ms in given], tell, say)
        teach, test = (
            read(given, asked, how, tell, say),
            tuple(load(cut, asked, tell, say) for cut in besides),
        )
        job = Job(
            task,
            tuple(each for each in teach if isinstance(each, CutHistory)),
            asked.seed,
            asked.work,
            own=asked.own,
            champion=best,
            champion_called=called,
            measured=tuple(each for each in test if isinstance(each, CutHistory)),
            decided=decided,
            workers=asked.workers,
            embeds=embedder(asked, settings, say) if getattr(how, "EMBEDS", False) else None,
            told=tuple(each for each in teach if isinstance(each, CutTold)),
            told_measured=tuple(each for each in test if isinstance(each, CutTold)),
            tell=tell,
        )
        tell_of_champion(job, say)
        tell_device(say)
        try:
            artifact = train(job)
        except (TrainingError, ArtifactError) as error:
            raise TrainingError(f"{error} Nothing was written.") from error
    kept = keep(artifact)
    shutil.rmtree(job.kept_in, ignore_errors=True)
    tell_result(artifact, job, kept)
    if asked.promote_to:
        click.echo(promoted(artifact, job, kept, settings, asked.promote_to))
    return artifact


def check_installed() -> None:
    """Raises ``TrainingError`` when something that training imports is not installed."""
    missing = [name for name in MODULES if find_spec(name) is None]
    if missing:
        raise TrainingError(
            f"Training needs the extra 'train', of which {', '.join(missing)} is not installed: "
            "pip install 'offerstream[train]'."
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Other summation orders in oneDNN would give another digest on another machine of the same kind.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


def load(cut: Cut, asked: Asked, tell: Tell, say: Say) -> CutHistory | CutTold:
    """Read a history, and say what became of its records."""
    source, cut_ms = cut
    history, tally = source.load(asked.work, lambda n: tell(f"reading {source.name}", n, None))
    learned, other = ("records of items", "events of shoppers")[:: 1 if source.about == "item" else -1]
    for line in tally.told(f"{other}, not used by {asked.task}") if tally else ():
        say(f"{source.name}: {line}")
    if tally and tally.other and tally.other == tally.records:
        raise Misuse(f"{source.name} holds {other}; {asked.task} learns of {learned}: give a file or folder of those.")
    if len(history):
        span = f"{shown_time(int(history.time_ms[0]))} to {shown_time(history.end_ms)}"
        say(f"{source.name}: {history.contents()}, {span}")
    return CutTold(source, history, cut_ms) if source.about == "item" else CutHistory(source, history, cut_ms)


def read(cuts: Sequence[Cut], asked: Asked, how: Trainer, tell: Tell, say: Say) -> tuple[CutHistory | CutTold, ...]:
    """Read what is trained on. Raises ``TooLittle``; says what more of would make a better model."""
    found: list[CutHistory | CutTold] = []
    for cut in cuts:
        found.append(load(cut, asked, tell, say))
        for note in needs.check(found[-1], how.NEEDS):
            say(f"note: {note}")
    for note in needs.check_together(found, how.NEEDS):
        say(f"note: {note}")
    return tuple(found)


def decisions(
    asked: Asked, settings: Settings, how: Trainer, cuts_ms: Sequence[int], tell: Tell, say: Say
) -> Joined | None:
    """What campaigns decided and what followed, for a task that learns of that: read first, for most often it is that
    which there is too little of. Raises ``TrainingError``."""
    enough = getattr(how, "enough", None)
    if enough is None:
        if asked.receipts:
            raise Misuse(f"--receipts are of no use to {asked.task}: it learns of events alone.")
        return None
    if len(cuts_ms) != 1:
        raise Misuse(f"{asked.task} learns of the campaigns of one shop: give one history.")
    if not asked.receipts and not asked.from_broker:
        raise Misuse(
            "--receipts PATH is missing: what campaigns decided (decision.receipts.v1) and what became of offers "
            "(offer.outcomes.v1), as JSON lines. With --from-broker both are read from their topics."
        )

    def count(n: int) -> None:
        tell("reading receipts", n, None)

    try:
        found = (
            followed.of_files(asked.receipts, count) if asked.receipts else followed.of_topics(settings.access, count)
        )
    except followed.FollowedError as error:
        raise TrainingError(str(error)) from error
    say(found.told())
    for note in enough(found, cuts_ms[0]):
        say(f"note: {note}")
    return found


def champion(task: Task, asked: Asked, settings: Settings, say: Say) -> tuple[Predictor | None, str]:
    """The model to beat and what it is called: the live one where the new one may be promoted, else the shipped one; if
    there is one that can be had, for after a change of the task's features it cannot."""
    called = "the shipped model"
    try:
        if asked.promote_to:
            versions = Versions(settings)
            live = versions.live(task.name)
            if live and live != versions.shelf.shipped(task.name):
                called = f"the live version {live}"
                return Predictor(versions.shelf.artifact(task.name, live), upstream_of(task)), called
        if task.shipped:
            return Predictor(load_artifact(task), upstream_of(task)), called
    except ArtifactError as error:
        say(f"note: not measured beside {called}: {error}")
    return None, called


def embedder(asked: Asked, settings: Settings, say: Say) -> Predictor | None:
    """The model by which items' listings say what they are like: the live one where a broker tells which that is, else
    the shipped one; None where it cannot be had."""
    task = find("multimodal")
    try:
        if asked.promote_to or asked.from_broker:
            versions = Versions(settings)
            live = versions.live(task.name)
            if live and live != versions.shelf.shipped(task.name):
                return Predictor(versions.shelf.artifact(task.name, live))
        return Predictor(load_artifact(task))
    except ArtifactError as error:
        say(f"note: what items are like is not looked at: {error}")
        return None


def promoted(artifact: Artifact, job: Job, kept: Kept, settings: Settings, to: Literal["shadow", "canary"]) -> str:
    """Put a new version into a stage if it is ahead of the champion in an answer and behind in none, and say so; where
    there is no champion that can be had, it is for a person to decide."""
    if job.champion is None:
        return "Nothing was promoted: there is no version to compare it with. Look at it, and promote it yourself."
    task, found = job.task.name, [standing(artifact, given.name) for given in job.given]
    if any("behind" in sides for sides in found) or not any("ahead" in sides for sides in found):
        return f"Nothing was promoted: beside {job.champion_called} it is not ahead in something and behind in nothing."
    versions = Versions(settings)
    version = versions.admit(task, kept.name)
    versions.promote(task, version, to, CANARY_SHARE, f"ahead of {job.champion_called}")
    return f"{task} {version} is to serve as {to}, for it is ahead of {job.champion_called} and behind it in nothing."


def tell_of_champion(job: Job, say: Say) -> None:
    """Say where the shipped model knows some of what it is tested on."""
    windows = {} if job.champion is None else job.champion.artifact.card["split"]["windows"]
    for given in job.given:
        if given.name in windows and parse_time(windows[given.name]["cut"]) > given.cut_ms:
            say(
                f"note: the shipped model was trained on {given.name} up to {windows[given.name]['cut']}: it knows "
                "some of what comes after this cut."
            )


def tell_device(say: Say) -> None:
    """Say what TensorFlow computes on; from here on it says itself only what fails."""
    with without_notes():
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        found = [device.name for device in tf.config.list_physical_devices("GPU")]
    say(f"Training on {', '.join(found) or 'the CPU: TensorFlow found no GPU'}.")


def tell_result(artifact: Artifact, job: Job, kept: Kept) -> None:
    """Print what was measured, where the model is, and the commands that come next."""
    console, task, names = Console(), job.task.name, [given.name for given in job.given]
    if not console.is_terminal:
        console = Console(width=160)  # a file has no width of its own
    title = job.champion_called.removeprefix("the ").removesuffix(" model")
    console.print(challenge(artifact, names, title) if job.own else summary(artifact))
    for line in (*verdicts(artifact, names, job.champion_called), alerts(artifact), *effects_found(artifact)):
        if line:
            click.echo(line)
    where = f"{task} {artifact.version} ({len(artifact.model):,} bytes) is in {kept.where}"
    if Path(kept.name).resolve() == job.task.folder:
        click.echo(f"{where}: it is the package's own model now. To look at its card: offerstream report {task}")
        return
    click.echo(f"{where}. Nothing that serves has changed. Next:")
    stage = "shadow    # scored beside live, never acted on" if job.task.shipped else "live    # campaigns weigh by it"
    click.echo(f"  offerstream models promote {task} {kept.name} --to {stage}")
    click.echo(f"  offerstream report {task} {kept.name}    # the card as a page: curves, calibration, alerts")
