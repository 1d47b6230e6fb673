"""``offerstream report``: a model's card as a page."""

from __future__ import annotations

from pathlib import Path

import click

from streams.commands.common import OUT_FILE, TASK
from streams.settings import Settings
from streams.writable import why_not_file


@click.command()
@click.argument("task", type=TASK)
@click.argument("version", required=False)
@click.option("--out", type=OUT_FILE, help="Default: build/TASK-VERSION.html.")
def report(task: str, version: str | None, out: Path | None) -> None:
    """Write what a model's card says as one HTML page: curves, calibration, segments, importance, baselines.

    VERSION: one that OFFERSTREAM_MODELS holds (or the start of its name), or a folder that `train`
    wrote; default: the package's own.
    """
    from models.artifact import load_artifact
    from models.registry import task as find
    from streams.outside.versions import Versions

    try:
        from training.report import page
    except ImportError as error:
        raise click.UsageError("A report needs the extra 'train': pip install 'offerstream[train]'.") from error

    try:
        found = find(task)
    except KeyError as error:
        raise click.UsageError(error.args[0]) from error
    if version is not None and Path(version).is_dir():
        artifact = load_artifact(found, Path(version))
    else:
        versions = Versions(Settings.from_environment())
        artifact = versions.shelf.artifact(task, None if version is None else versions.find(task, version))
    out = out or Path("build") / f"{task}-{artifact.version}.html"
    if why := why_not_file(out):
        raise click.UsageError(f"{out} cannot be written (--out): {why}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(artifact.card, found.question), encoding="utf-8")
    click.echo(f"{out}: {found.name} {artifact.version}. Open it in a browser.")
