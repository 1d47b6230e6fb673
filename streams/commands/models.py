"""``offerstream models``: versions, and which of them serve."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from streams.access import Unreachable
from streams.admin import TopicError
from streams.commands.common import BROKER, JSON, TASK, Number, OneOf
from streams.commands.groups import Group
from streams.control import Control
from streams.records.serving import Stages
from streams.settings import Settings
from streams.terminal import print_rows, progress_bar

if TYPE_CHECKING:
    from streams.outside.versions import Versions

#: So many answers in which another model is better are told as a version is promoted.
MOST_BEHIND = 3
#: They take a change up within seconds; a restart takes half a minute.
WAIT = click.option("--wait-seconds", type=Number(0), default=60.0, show_default=True, help="For workers, at most.")
NO_WAIT = click.option("--no-wait", is_flag=True, help="Do not wait for workers.")


@click.group(cls=Group)
def models() -> None:
    """Versions of models: which there are, which serve, and changing that without a restart.

    Versions are kept in OFFERSTREAM_MODELS (a folder or any URL that fsspec knows). Workers take a change up within
    seconds; a version that cannot be proven is refused, and what served before goes on.
    """


def _versions(broker: str | None) -> Versions:
    from streams.outside.versions import Versions

    return Versions(Settings.from_environment(broker=broker))


@models.command("list")
@BROKER
@JSON
def models_list(broker: str | None, as_json: bool) -> None:
    """Print every version, where it is kept, in which stages it is, and what its card says first.

    A stage by its name alone is what the workers of OFFERSTREAM_APP_ID serve in every partition, as of their last
    flush; what was asked for and is not served, or not everywhere, says so.

    Below, of a canary or shadow: at how many due points it was compared with the live version, how far their answers
    lie apart, and how good both were where late labels are known (of a shadow they are not: nobody acted on it).

    Where no broker answers, the stages are not known; the rest is told all the same.
    """
    versions = _versions(broker)
    unknown, serve = "", None
    try:
        serve = versions.served()
    except (TopicError, Unreachable) as error:
        unknown, versions.control = str(error), Control()
    rows = []
    for v in versions.all(serve):
        stages_set = versions.stages(v.task)
        share = f"{stages_set.canary_share:.0%}" if serve is not None and v.version == stages_set.canary else ""
        stages = "not known" if unknown else ", ".join(v.stages)
        rows.append((v.task, v.version, stages, share, v.learned_until, v.measured, v.where, v.about))
    columns = ("task", "version", "stage", "share", "learned until", "measured", "kept in", "trained on")
    compared = {task: versions.compared(task) for task in versions.shelf.tasks}
    if as_json:
        beside = {(task, seen.version): seen.described() for task, some in compared.items() for seen in some}
        found = [dict(zip(columns, row, strict=True)) | {"compared": beside.get(row[:2])} for row in rows]
        click.echo(json.dumps(found, indent=2))
    else:
        print_rows(columns, rows)
        for task, some in compared.items():
            for line in (line for seen in some for line in seen.told(task)):
                click.echo(line)
    if unknown:
        click.echo(f"Stages are not known. {unknown}", err=True)
    for task in versions.shelf.tasks:
        verdict = versions.control.verdict(task)
        if verdict is not None:
            told = f"{task}: canary {verdict.version} was rolled back for {verdict.reason}: {verdict.detail}"
            click.echo(told, err=as_json)  # standard output is one document
        for reason in dict.fromkeys(
            f"{task}: {said.version} is refused: {said.reason}"
            for said in (serve[task].refused.values() if serve is not None else ())
        ):
            click.echo(reason, err=as_json)


@models.command("show")
@click.argument("task", type=TASK)
@click.argument("version", required=False)
@BROKER
def models_show(task: str, version: str | None, broker: str | None) -> None:
    """Print the card of a version; default: the one that is live."""
    versions = _versions(broker)
    chosen = versions.find(task, version) if version else versions.live(task) or None
    card = versions.shelf.artifact(task, chosen).card
    shown = {key: value for key, value in card.items() if key not in ("reference", "distributions")}
    click.echo(json.dumps(shown, indent=2))


@models.command("promote")
@click.argument("task", type=TASK)
@click.argument("version")
@click.option("--to", type=OneOf(["shadow", "canary", "live"]), required=True)
@click.option(
    "--share", type=Number(0, 1, min_open=True), default=0.05, show_default=True, help="A canary's, of shoppers."
)
@click.option("--reason", default="", help="Kept with the change.")
@WAIT
@NO_WAIT
@BROKER
def models_promote(
    task: str,
    version: str,
    to: Any,
    share: float,
    reason: str,
    wait_seconds: float,
    no_wait: bool,
    broker: str | None,
) -> None:
    """Let a version serve in a stage. VERSION: its name, the start of it, or a folder that `train` wrote.

    shadow: scored beside live, never acted on. canary: serves a share of the shoppers; rolled back by itself when it
    fails, is slow or says something else. live: serves everyone; the version before is kept for `rollback`. Where its
    own card has another model ahead, that is said. Waits until the running workers serve it; exit code 1 when they do
    not or refuse it, with the reason.
    """
    versions = _versions(broker)
    _ = versions.control  # before a version is proven for nothing
    found = versions.admit(task, version)
    stages = versions.promote(task, found, to, share, reason)
    click.echo(f"{task} {found} is to serve as {to}" + (f" for {share:.0%} of shoppers." if to == "canary" else "."))
    for line in _of_note(versions, task, found, to):
        click.echo(line, err=True)
    if not no_wait:
        _wait(versions.settings, task, stages, wait_seconds)


def _of_note(versions: Versions, task: str, version: str, stage: str) -> Iterator[str]:
    """What to know of a version that is to serve: where its own card has another model ahead, and when it answers."""
    from models.measured import behind
    from models.registry import task as task_of

    if lines := list(behind(versions.shelf.artifact(task, version).card)):
        yield f"By its own card it is not the best ({len(lines)} of its answers):"
        yield from (f"  {line}" for line in lines[:MOST_BEHIND])
        if len(lines) > MOST_BEHIND:
            yield f"  and {len(lines) - MOST_BEHIND} more: offerstream report {task} {version}"
        yield f"  Back to what served before: offerstream models rollback {task} --stage {stage}"
    asked = task_of(task).at
    if "day" in asked:
        yield "It answers from the next end of a day on; of what is said once a week, within a week."
    elif asked:
        yield f"It answers from the next {' or '.join(asked)} on; what was said before stays until then."


@models.command("rollback")
@click.argument("task", type=TASK)
@click.option("--stage", type=OneOf(["shadow", "canary", "live"]), help="Default: canary if there is one, else live.")
@click.option("--reason", default="", help="Kept with the change.")
@WAIT
@NO_WAIT
@BROKER
def models_rollback(task: str, stage: Any, reason: str, wait_seconds: float, no_wait: bool, broker: str | None) -> None:
    """Take a task's canary or shadow away, or go back from live to the version before; waits as `promote` does."""
    versions = _versions(broker)
    undone, stages = versions.rollback(task, reason, stage)
    live = stages.live or versions.shelf.shipped(task) or "nothing"
    click.echo(f"{task}: {live} is to serve again." if undone == "live" else f"{task}: no {undone}; {live} stays live.")
    if not no_wait:
        _wait(versions.settings, task, stages, wait_seconds)


def _wait(settings: Settings, task: str, stages: Stages, seconds: float) -> None:
    from streams.outside.rollout import wait

    began = time.monotonic()
    with progress_bar("Waiting for workers: partitions that serve it", None) as told:
        served = wait(settings, task, stages.change_id, seconds, told)
    if served:
        click.echo(f"Every partition serves it, after {time.monotonic() - began:.1f} s.")
    else:
        click.echo(f"No worker of group {settings.app_id!r} (OFFERSTREAM_APP_ID) runs: those that start will serve it.")


@models.command("diff")
@click.argument("task", type=TASK)
@click.argument("one")
@click.argument("other")
@JSON
def models_diff(task: str, one: str, other: str, as_json: bool) -> None:
    """Print what differs between two versions: their cards, and their answers on golden rows."""
    sides = ("one", "other") if as_json else (one, other)
    print_rows(("what", *sides), _versions(None).diff(task, one, other), as_json)
