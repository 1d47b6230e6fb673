"""``offerstream preview``: what workers say of a shop's own files, on a Kafka that lives as long as the command."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import numpy as np
from rich.markup import escape

from streams.commands.common import PORT, TEXT
from streams.commands.replay import FilesRead, read
from streams.features.days import Days
from streams.outside.lines import Lines
from streams.records.words import shown_day
from streams.settings import Settings
from streams.terminal import console, interruptible, progress_bar
from streams.topics import CATALOG, DAY_MS, EVENTS, REVIEWS

if TYPE_CHECKING:
    from streams.demo.running import Worker

#: Of a history so long it is learned how demand answers to prices; the last days of it test that.
LEAST_DAYS, TEST_DAYS = 112, 42
#: Where there is this much, so many days test it.
ENOUGH_DAYS, MORE_TEST_DAYS = 270, 90
#: A worker that applies nothing for so long is stuck.
PATIENCE_SECONDS = 300.0
#: What the worker is told: forecasts are of the last day, and time goes on with what all partitions say, so that no
#: item is looked at before all that was done to it is told.
TOLD = {"forecast_days": 0.0, "idle_tick_seconds": 0.0}
#: Settings of another Kafka than the one that is started.
ELSEWHERE = {"broker", "security_protocol", "sasl_mechanism", "sasl_username", "sasl_password", "ssl_ca_file",
             "replication", "host", "data_dir", "instance_id"}  # fmt: skip


class PreviewError(RuntimeError):
    """What was started ended by itself."""


class _Named(msgspec.Struct):
    currency: str | None = None


_named = msgspec.json.Decoder(_Named)


@click.command()
@click.argument("files", type=TEXT, nargs=-1, required=True)
@click.option("--port", type=PORT, default=9092, show_default=True, help="Of the Kafka; 0 takes a free one.")
@click.option("--no-prices", is_flag=True, help="Do not learn first how demand answers to prices.")
def preview(files: tuple[str, ...], port: int, no_prices: bool) -> None:
    """Run a Kafka and a worker on your own files until Ctrl-C, for all other commands to answer of them.

    FILES: wire records, one per line: orders and other events, catalogue, stock, reviews, in as many files as you like;
    or - for standard input. They are checked first, and sent in order of event time. Of orders of 16 weeks or more it
    is learned before how demand answers to prices. Amounts are in the currency that files name, unless
    OFFERSTREAM_CURRENCY says which. When all is there it says what to ask in another terminal, such as `offerstream
    demand`. Kafka and worker are this command's own and gone when it ends; learned models stay in the store.
    """
    settings = Settings.from_environment()
    kept = {each.name: getattr(settings, each.name) for each in fields(Settings) if each.name not in ELSEWHERE} | TOLD
    interruptible()
    try:
        with ExitStack() as stack:
            lines = [stack.enter_context(Lines(each)) for each in files]
            if "currency" not in Settings.told():
                kept["currency"] = _currency(lines) or settings.currency
            _run(stack, Settings(**kept), lines, port, not no_prices)
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
        sys.exit(130)


def _currency(files: Iterable[Lines]) -> str | None:
    """The currency that records name first; None where none does."""
    for lines in files:
        for _, value in lines:
            try:
                if (found := _named.decode(value).currency) is not None:
                    return found
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                continue  # It is told when the file is checked.
    return None


def _run(stack: ExitStack, settings: Settings, lines: Sequence[Lines], port: int, prices: bool) -> None:
    from streams.broker.cache import fetch_jars
    from streams.broker.embedded import Broker, free_ports, require_free
    from streams.demo.running import Worker
    from streams.producer.fates import in_words, wait
    from streams.producer.replay import Sent, send

    if port:
        require_free(port)  # before files are read
    history = read(settings, lines, stack)
    last_ms = history.tally.last_ms
    if last_ms is None:
        raise PreviewError("There is no record in these files.")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offerstream-preview-")))
    settings = replace(settings, port=settings.port or free_ports(1)[0])
    learned = prices and _learn(folder, settings, history)
    jars = fetch_jars()
    console.print("Starting Apache Kafka and a worker…")
    broker = Broker(folder / "kafka", jars, port)
    stack.callback(broker.stop)
    broker.start()
    settings = replace(settings, broker=broker.bootstrap)
    log = stack.enter_context((folder / "worker.log").open("wb"))
    command = ["worker", "--data-dir", str(folder / "worker"), "--port", str(settings.port)]
    worker = Worker(command, _environment(settings), log)
    stack.callback(worker.stop)
    _ready(worker, settings, folder / "worker.log")
    if learned:
        _call(folder, settings, "models", "promote", "price_optimize", str(folder / "learned"), "--to", "live")
    sent = Sent()
    with progress_bar(f"Sending {history.name}", history.tally.records) as done:
        send(settings.access, history.records(), sent, done, settings.partitioner)
    with progress_bar("Waiting for the worker", sent.records) as done:
        found = wait(settings, sent, {}, done, PATIENCE_SECONDS)
    click.echo(in_words(sent.records, found), err=True)
    topics = {topic for topic, _ in sent.ends}
    if EVENTS.name in topics:
        _end_day(settings, last_ms)
    _say(settings, topics)
    while worker.ended is None:
        broker.require()
        time.sleep(0.5)
    raise PreviewError(f"The worker ended: {_last_line(folder / 'worker.log')}")


def _environment(settings: Settings) -> dict[str, str]:
    """What a child is told: these settings, and no other Kafka's."""
    from streams.demo.running import environment

    told = (Settings.told() - ELSEWHERE) | {"broker", "currency", *TOLD}
    return environment({name: str(getattr(settings, name)) for name in told})


def _learn(folder: Path, settings: Settings, history: FilesRead) -> bool:
    """Learn how demand answers to prices, where there are orders enough; whether there is a version in ``learned``."""
    first_ms, last_ms = history.tally.first_ms, history.tally.last_ms
    assert first_ms is not None
    assert last_ms is not None
    days = (last_ms - first_ms) // DAY_MS
    named = False
    with (folder / "events.jsonl").open("wb") as file:
        for record in history.records():
            if record.topic == EVENTS.name and record.value is not None:
                named |= b'"category"' in record.value
                file.write(record.value + b"\n")
    if days < LEAST_DAYS or not named:
        return False
    cut_ms = last_ms - (MORE_TEST_DAYS if days >= ENOUGH_DAYS else TEST_DAYS) * DAY_MS
    cut = datetime.fromtimestamp(cut_ms / 1000, UTC).isoformat()
    given = ("--history", str(folder / "events.jsonl"), "--cut", cut, "--work", str(folder / "training"))
    console.print("Learning of the orders how demand answers to prices (--no-prices: not)…")
    return _call(folder, settings, "train", "price_optimize", *given, "--out", str(folder / "learned"))


def _call(folder: Path, settings: Settings, *command: str) -> bool:
    """Run a command; what it ends with is told where it fails."""
    log = folder / "command.log"
    with log.open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "streams", *command],
            env=_environment(settings), stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False,
        )  # fmt: skip
    if done.returncode:
        told = f"No price will be suggested, for it could not be learned. {_last_line(log)}"
        console.print("[yellow]note:[/]", escape(told), highlight=False)
    return not done.returncode


def _last_line(log: Path) -> str:
    """The last line of a child's output: what it ended with."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _ready(worker: Worker, settings: Settings, log: Path) -> None:
    from streams.demo.scrape import get

    end = time.monotonic() + PATIENCE_SECONDS
    while get(settings.port, "/ready") is None:
        if worker.ended is not None or time.monotonic() > end:
            raise PreviewError(f"The worker did not become ready: {_last_line(log)}")
        time.sleep(0.2)


def _end_day(settings: Settings, last_ms: int) -> None:
    from streams.producer.last_day import end_day

    if not end_day(settings, last_ms, lambda: console.print("Ending the last day of the files…")):
        day = shown_day(int(Days(settings.time_zone).number(np.array([last_ms]))[0]) * DAY_MS)
        click.echo(f"{day} is not over: what is foretold stands on the days before.", err=True)


def _say(settings: Settings, topics: set[str]) -> None:
    """What can be asked now, in another terminal."""
    asked = {
        "demand": EVENTS.name in topics,
        "prices list": EVENTS.name in topics,
        "watch enriched --from beginning": topics & {CATALOG.name, REVIEWS.name},
        "watch item-alerts --from beginning": EVENTS.name in topics,
    }
    other = Settings.from_environment().broker != settings.broker
    click.echo("All is there. In another terminal:", err=True)
    for command, there in asked.items():
        if there:
            click.echo(f"  offerstream {command}" + (f" --broker {settings.broker}" if other else ""), err=True)
    click.echo("Ctrl-C ends it, and Kafka and worker with it.", err=True)
