"""The command line: ``offerstream …``."""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from streams.commands.check import check
from streams.commands.common import BROKER, JSON, console, parse_time, print_rows, shown_number
from streams.commands.dead_letters import dead_letters
from streams.commands.jars import fetch_jars
from streams.commands.late_events import late_events
from streams.commands.replay import replay
from streams.commands.train import train
from streams.commands.watch import watch
from streams.commands.why import why
from streams.settings import Settings, SettingsError


def main() -> None:
    """Entry point: errors that a user can do something about are one line, not a traceback."""
    from models.artifact import ArtifactError
    from streams.bench.errors import BenchError
    from streams.broker.embedded import BrokerError
    from streams.broker.jars import JarError
    from streams.producer.lines import LinesError
    from streams.producer.replay import ReplayError
    from streams.topics import TopicError
    from training.errors import TrainingError

    known = (
        SettingsError,
        BrokerError,
        JarError,
        LinesError,
        ReplayError,
        TopicError,
        TrainingError,
        ArtifactError,
        BenchError,
    )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of another encoding shows what it can
    try:
        cli()
    except known as error:
        console.print("[red]error:[/]", escape(str(error)), highlight=False, soft_wrap=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="offerstream")
def cli() -> None:
    """Real-time shopper features, churn alerts and promotion offers on Apache Kafka.

    Start with `offerstream demo`. Settings come from OFFERSTREAM_… variables: `offerstream settings`.
    """


def wait_for_signal() -> None:
    """Return on SIGINT or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()


@cli.command()
@click.option("--port", default=9092, show_default=True, help="0 takes a free port.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("build/kafka"), show_default=True)
def broker(port: int, folder: Path) -> None:
    """Run an embedded Apache Kafka on loopback until Ctrl-C; for first steps, not for production."""
    from streams.broker.embedded import Broker

    with Broker(folder, fetch_jars(), port) as running:
        click.echo(f"Apache Kafka listens on {running.bootstrap}; its data is in {folder}. Ctrl-C stops it.")
        wait_for_signal()


@cli.command()
@BROKER
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the feature table's local copy lives.")
@click.option("--port", type=int, help="For /metrics, /live and /ready; 0 takes a free one.")
@click.option("--log", default="WARNING", show_default=True, type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]))
def worker(broker: str | None, data_dir: Path | None, port: int | None, log: str) -> None:
    """Run a worker until SIGTERM or Ctrl-C. Several at once share the partitions; missing topics are created.

    When alerts, offers or dead letters come it says so, a line of each at most every OFFERSTREAM_ANNOUNCE_SECONDS (0:
    never; nor with --log ERROR).
    """
    from streams.worker import run

    sys.exit(run(Settings.from_environment(broker=broker, data_dir=data_dir, port=port), log))


@cli.group()
def topics() -> None:
    """The topics: what they hold and how the broker keeps them."""


@topics.command("list")
@JSON
def topics_list(as_json: bool) -> None:
    """Print the catalogue."""
    from streams.topics import TOPICS, changelogs

    settings = Settings.from_environment()
    rows = []
    for topic in [*TOPICS, *changelogs(settings.app_id)]:
        kept = "compacted" if topic.compacted else f"{topic.retention_days} days"
        names = (
            ", ".join(r.__name__ for r in topic.records) if len(topic.records) < 4 else f"{len(topic.records)} types"
        )
        if as_json:
            names = ", ".join(record.__name__ for record in topic.records)
        partitions = str(topic.partitions or settings.partitions)
        rows.append((topic.name, topic.key, names, partitions, kept, topic.meaning))
    print_rows(("topic", "key", "records", "partitions", "kept", "meaning"), rows, as_json)


@topics.command("create")
@BROKER
@click.option("--partitions", type=int, help="Of new topics; default $OFFERSTREAM_PARTITIONS or 4.")
def topics_create(broker: str | None, partitions: int | None) -> None:
    """Create what is missing."""
    from streams.topics import TOPICS, changelogs, create

    settings = Settings.from_environment(broker=broker, partitions=partitions)
    wanted = [*TOPICS, *changelogs(settings.app_id)]
    created = create(settings.access, wanted, settings.partitions, settings.replication)
    click.echo("\n".join(f"created {name}" for name in created) or "All topics exist.")


@topics.command("check")
@BROKER
def topics_check(broker: str | None) -> None:
    """Compare the broker with the catalogue; exit code 1 when they differ."""
    from streams.topics import TOPICS, changelogs, check

    settings = Settings.from_environment(broker=broker)
    found = check(settings.access, [*TOPICS, *changelogs(settings.app_id)])
    click.echo("\n".join(found) or "All topics are as catalogued.")
    sys.exit(bool(found))


@cli.command()
@click.argument("record", required=False)
def schema(record: str | None) -> None:
    """Print the JSON Schema of every record, or of one, such as OrderPlaced, with the meaning of every field."""
    from streams.records.schema import schema_of
    from streams.topics import TOPICS

    records = {cls.__name__: cls for topic in TOPICS for cls in topic.records}
    if record is not None and record not in records:
        raise click.UsageError(f"There is no record {record}; there are: {', '.join(sorted(records))}.")
    chosen = list(records.values()) if record is None else [records[record]]
    root = {"$ref": f"#/$defs/{record}"} if record else {}
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": schema_of(chosen)}
    click.echo(json.dumps(document, indent=2))


@cli.command("settings")
@JSON
def settings_(as_json: bool) -> None:
    """Print every setting with its value, unit, range and meaning.

    Each is set by the environment variable shown; a variable that is no setting is an error, not a default.
    """
    columns = ("variable", "value", "default", "unit", "range", "meaning")
    print_rows(columns, Settings.from_environment().catalogue(), as_json)


@cli.command("metrics")
@JSON
def metrics_(as_json: bool) -> None:
    """Print the catalogue of metrics.

    Workers serve them at /metrics; deploy/prometheus scrapes them and has alert rules.
    """
    from streams.metrics import Metrics

    rows = [(name, kind, unit, ", ".join(labels), about) for name, kind, unit, labels, about in Metrics().catalogue()]
    print_rows(("metric", "type", "unit", "labels", "meaning"), rows, as_json)


@cli.group()
def features() -> None:
    """The features: what they mean, and a shopper's current values."""


@features.command("list")
@JSON
def features_list(as_json: bool) -> None:
    """Print the catalogue."""
    from streams.features.shopper import FEATURES

    rows = []
    for f in FEATURES:
        high = "∞" if f.high == float("inf") else shown_number(f.high)
        unit = f.unit if f.width == 1 else f"{f.width} × {f.unit}"
        rows.append((f.address, unit, f"{shown_number(f.low)} … {high}", shown_number(f.cold_start), f.meaning))
    print_rows(("address", "unit", "range", "cold start", "meaning"), rows, as_json)


@features.command("show")
@click.argument("shopper")
@BROKER
@click.option("--at", metavar="TIME", help="ISO 8601; default: the newest event of the shopper's partition.")
@JSON
def features_show(shopper: str, broker: str | None, at: str | None, as_json: bool) -> None:
    """Print a shopper's values, read from the feature table's changelog."""
    from streams.inspect import shopper_features

    settings = Settings.from_environment(broker=broker)
    now, values = shopper_features(settings, shopper, parse_time(at) if at else None)
    if as_json:
        click.echo(json.dumps({"shopper_id": shopper, "as_of_ms": now, "features": values}, indent=2))
        return
    click.echo(f"{shopper} as of {datetime.fromtimestamp(now / 1000, UTC).isoformat()}")
    print_rows(("address", "value"), [(a, " ".join(map(shown_number, numbers))) for a, numbers in values.items()])


@cli.command()
@BROKER
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/demo.json"), show_default=True,
    help="The numbers; the page goes beside them.",
)  # fmt: skip
@click.option("--from", "start", metavar="TIME", help="Only events from this time on.")
@click.option("--to", "stop", metavar="TIME", help="Only events before this time.")
def demo(broker: str | None, out: Path, start: str | None, stop: str | None) -> None:
    """2,469 households of 2017 through Kafka, features, models and decisions, watched live; then one shopper's story.

    Starts an embedded Apache Kafka unless --broker names one, and stops whatever it started. Beside the numbers it
    leaves a page for the browser, build/demo.html.
    """
    from streams.demo import run

    sys.exit(run(broker, out, parse_time(start) if start else None, parse_time(stop) if stop else None))


@cli.command()
@click.argument("task")
@click.argument("version", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Default: build/TASK-VERSION.html.")
def report(task: str, version: str | None, out: Path | None) -> None:
    """Write what a model's card says as one HTML page: curves, calibration, segments, importance, baselines.

    VERSION: one that OFFERSTREAM_MODELS holds, or a folder that `train` wrote; default: the package's own.
    """
    from models.artifact import load_artifact
    from models.registry import task as find
    from models.store import Shelf, Store
    from training.report import page

    try:
        found = find(task)
    except KeyError as error:
        raise click.UsageError(error.args[0]) from error
    if version is not None and Path(version).is_dir():
        artifact = load_artifact(found, Path(version))
    else:
        artifact = Shelf(Store(Settings.from_environment().models)).artifact(task, version)
    out = out or Path("build") / f"{task}-{artifact.version}.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(artifact.card, found.question))
    click.echo(f"{out}: {found.name} {artifact.version}. Open it in a browser.")


@cli.group()
def models() -> None:
    """Versions of models: which there are, which serve, and changing that without a restart.

    Versions are kept in OFFERSTREAM_MODELS (a folder or any URL that fsspec knows). Workers take a change up within
    seconds; a version that cannot be proven is refused, and what served before goes on.
    """


def _versions(broker: str | None) -> Any:
    from streams.versions import Versions

    return Versions(Settings.from_environment(broker=broker))


@models.command("list")
@BROKER
@JSON
def models_list(broker: str | None, as_json: bool) -> None:
    """Print every version, where it is kept and in which stages it is."""
    versions = _versions(broker)
    rows = []
    for v in versions.all():
        share = f"{versions.stages(v.task).canary_share:.0%}" if "canary" in v.stages else ""
        rows.append((v.task, v.version, ", ".join(v.stages), share, v.where, v.about))
    print_rows(("task", "version", "stage", "share", "kept in", "trained on"), rows, as_json)
    for task in versions.shelf.tasks:
        verdict = versions.control.verdict(task)
        if verdict is not None:
            told = f"{task}: canary {verdict.version} was rolled back for {verdict.reason}: {verdict.detail}"
            click.echo(told, err=as_json)  # standard output is one document


@models.command("show")
@click.argument("task")
@click.argument("version", required=False)
@BROKER
def models_show(task: str, version: str | None, broker: str | None) -> None:
    """Print the card of a version; default: the one that is live."""
    versions = _versions(broker)
    live = versions.stages(task).live or versions.shelf.shipped(task)
    card = versions.shelf.artifact(task, versions.find(task, version) if version else live).card
    shown = {key: value for key, value in card.items() if key not in ("reference", "distributions")}
    click.echo(json.dumps(shown, indent=2))


@models.command("promote")
@click.argument("task")
@click.argument("version")
@click.option("--to", type=click.Choice(["shadow", "canary", "live"]), required=True)
@click.option("--share", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="A canary's, of shoppers.")
@click.option("--reason", default="", help="Kept with the change.")
@BROKER
def models_promote(task: str, version: str, to: Any, share: float, reason: str, broker: str | None) -> None:
    """Let a version serve in a stage. VERSION: its name, the start of it, or a folder that `train` wrote.

    shadow: scored beside live, never acted on. canary: serves a share of the shoppers; rolled back by itself when it
    fails, is slow or says something else. live: serves everyone; the version before is kept for `rollback`.
    """
    versions = _versions(broker)
    found = versions.take_in(task, version)
    versions.promote(task, found, to, share, reason)
    click.echo(f"{task} {found} is to serve as {to}" + (f" for {share:.0%} of shoppers." if to == "canary" else "."))


@models.command("rollback")
@click.argument("task")
@click.option(
    "--stage", type=click.Choice(["shadow", "canary", "live"]), help="Default: canary if there is one, else live."
)
@click.option("--reason", default="", help="Kept with the change.")
@BROKER
def models_rollback(task: str, stage: Any, reason: str, broker: str | None) -> None:
    """Take a task's canary or shadow away, or go back from live to the version before."""
    versions = _versions(broker)
    undone, stages = versions.rollback(task, reason, stage)
    live = stages.live or versions.shelf.shipped(task)
    click.echo(f"{task}: {live} is to serve again." if undone == "live" else f"{task}: no {undone}; {live} stays live.")


@models.command("diff")
@click.argument("task")
@click.argument("one")
@click.argument("other")
@BROKER
def models_diff(task: str, one: str, other: str, broker: str | None) -> None:
    """Print what differs between two versions: their cards, and their answers on golden rows."""
    print_rows(("what", one, other), _versions(broker).diff(task, one, other))


@cli.command()
@click.option("--json", "out", type=click.Path(path_type=Path), default=Path("build/bench.json"), show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--events", default=200_000, show_default=True, help="Per round for this worker; the peer gets a tenth.")
def bench(out: Path, rounds: int, events: int) -> None:
    """Measure this worker against idiomatic Faust, alternating in one run."""
    from streams.bench.command import run

    run(out, rounds, events)


for command in (check, dead_letters, late_events, replay, train, watch, why):
    cli.add_command(command)

if __name__ == "__main__":
    main()
