"""``offerstream replay``: sends a history to its topics, a file only when all of it is right."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from models.nearest import unknown
from streams.commands.check import LIMIT, as_text, no_currency, print_summary, report
from streams.commands.common import BROKER, DATA, TEXT, TIME, Number, OneOf, window
from streams.outside.archive import Archive, is_archive
from streams.outside.lines import Lines
from streams.outside.reading import Reader
from streams.producer.fates import Standing, in_words, refuse_late, standing, wait
from streams.producer.replay import (
    Record,
    ReplayError,
    Sent,
    between,
    paced,
    records_of,
    records_of_archive,
    records_of_lines,
    send,
)
from streams.records.words import shown_time
from streams.settings import Settings
from streams.terminal import console, interruptible, progress_bar


@click.command()
@click.argument("source", type=TEXT)
@BROKER
@DATA
@click.option(
    "--format",
    "format_",
    type=OneOf(["dataset", "jsonl", "archive"]),
    help="Default: jsonl for a file that is there, or -; archive for what `offerstream archive` wrote.",
)
@click.option("--raw", is_flag=True, help="Check nothing: send every line as it is.")
@click.option("--force", is_flag=True, help="Send also what is older than its partition's watermark: it will be late.")
@click.option("--wait", "wait_", is_flag=True, help="Wait until workers have applied it, and print what became of it.")
@click.option(
    "--speed", type=Number(0), default=0.0, help="Times as fast as it happened; 0 (default) as fast as can be."
)
@click.option("--from", "start", type=TIME, metavar="TIME", help="Only records from this time on.")
@click.option("--to", "stop", type=TIME, metavar="TIME", help="Only records before this time.")
def replay(
    source: str,
    broker: str | None,
    data: Path | None,
    format_: str | None,
    raw: bool,
    force: bool,
    wait_: bool,
    speed: float,
    start: int | None,
    stop: int | None,
) -> None:
    """Send a history: shoppers' events, and what is told of items, each record to the topic of its type.

    SOURCE is a data set (complete_journey, online_retail, taobao, online_shoppers, cdnow), or a file of wire records,
    one per line, or - for standard input, or the URL of an archive. A file is checked first, as `offerstream check`
    does, and nothing is sent when a record in it is bad; nor when records are older than what their partitions have
    come to, so that they would count for nothing. Ends by saying what Kafka has taken, also when it is cut off, and
    with --wait what became of it.
    """
    settings = Settings.from_environment(broker=broker)
    start, stop = window(start, stop)
    format_ = format_ or _format(source)
    with ExitStack() as stack:
        if format_ == "jsonl":
            lines = stack.enter_context(Lines(source, raw=raw))
            settings.access.require()
            total = None if raw else _check(settings, lines)

            def records() -> Iterable[Record]:
                return between(records_of_lines(lines), start, stop)
        elif format_ == "archive":
            archive = Archive(source)
            if not archive.topics():
                raise ReplayError(f"{source} holds no archive: offerstream archive {source} makes one.")
            settings.access.require()
            total = None

            def records() -> Iterable[Record]:
                return between(records_of_archive(archive), start, stop)
        else:
            dataset = _dataset(source, settings)
            dataset.files(data)
            settings.access.require()
            total = dataset.events

            def records() -> Iterable[Record]:
                return between(records_of(dataset.read(data)), start, stop)

        if not (raw or force):
            refuse_late(settings, records(), in_order=format_ == "dataset")
        whole = start is None and stop is None
        _send(settings, source, paced(records(), speed), total if whole else None, wait_)


def _format(source: str) -> str:
    if source == "-" or Path(source).is_file():
        return "jsonl"
    from training.datasets import DATASETS

    return "archive" if source not in DATASETS and is_archive(source) else "dataset"


def _check(settings: Settings, lines: Lines) -> int:
    """How many records a file holds. Ends the program when one of them is bad."""
    tally = report(settings, lines, as_text, LIMIT, lambda finding: finding.severity == "error", err=True)
    if tally.bad:
        print_summary(tally, LIMIT, err=True)
        raise ReplayError(
            f"Nothing was sent: {tally.bad:,} of {tally.records:,} records are bad. Repair them, or send every line as "
            "it is with --raw: bad ones become dead letters."
        )
    if tally.warnings:
        told = ", ".join(f"{n:,} {reason}" for reason, n in tally.warnings.most_common())
        console.print(f"[yellow]note:[/] {told}; offerstream check names them.", highlight=False)
    if told := no_currency(tally, settings):
        console.print(f"[yellow]note:[/] {told}", highlight=False)
    return tally.records


def _dataset(source: str, settings: Settings) -> Any:
    from training.datasets import DATASETS

    if source not in DATASETS:
        raise click.UsageError(f"{unknown('data set', source, DATASETS)} Nor is there such a file.")
    dataset = DATASETS[source]
    if dataset.currency != settings.currency:
        console.print(
            f"[yellow]note:[/] {source} is in {dataset.currency}; run workers with "
            f"OFFERSTREAM_CURRENCY={dataset.currency}."
        )
    return dataset


def _send(settings: Settings, source: str, records: Iterable[Record], total: int | None, wait_: bool) -> None:
    sent = Sent()
    before: Standing = {}
    interruptible()
    try:
        if wait_:
            with Reader(settings.access) as reader:
                before = standing(reader, settings)
        with progress_bar(f"Sending {source}", total) as done:
            send(settings.access, records, sent, done, settings.partitioner)
    except KeyboardInterrupt:
        click.echo(f"Stopped. {describe(sent)}")
        sys.exit(130)
    except BaseException:
        click.echo(describe(sent))
        raise
    click.echo(describe(sent))
    if wait_:
        try:
            with progress_bar("Waiting for workers", sent.records) as done:
                found = wait(settings, sent, before, done)
        except KeyboardInterrupt:
            click.echo("Stopped waiting; workers go on.")
            sys.exit(130)
        click.echo(in_words(sent.records, found))


def describe(sent: Sent) -> str:
    """What Kafka has taken, for people.

    >>> ends = {("storefront.events.v1", 0): 7, ("storefront.events.v1", 2): 8}
    >>> print(describe(Sent(3, 5, 0, 60_000, ends)))  # doctest: +NORMALIZE_WHITESPACE
    3 records sent to storefront.events.v1, 2 partitions, event times from 1970-01-01 00:00:00Z to
    1970-01-01 00:01:00Z. 2 more were under way and may be there, too. Those sent again are duplicates, as
    long as they are not late.
    """
    text = f"{sent.records:,} records sent"
    if sent.records:
        found = Counter(topic for topic, _ in sent.ends)
        text += " to " + " and ".join(f"{name}, {n} partition" + ("s" if n > 1 else "") for name, n in found.items())
    if sent.first_ms is not None and sent.last_ms is not None:
        text += f", event times from {shown_time(sent.first_ms)} to {shown_time(sent.last_ms)}"
    if sent.handed > sent.records:
        text += (
            f". {sent.handed - sent.records:,} more were under way and may be there, too. Those sent again are "
            "duplicates, as long as they are not late"
        )
    return text + "."
