"""``offerstream replay``: sends a history to its topics, a file only when all of it is right."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from models.nearest import unknown
from streams.commands.check import LIMIT, as_text, no_currency, print_summary, report
from streams.commands.common import BROKER, DATA, TEXT, TIME, Number, OneOf, window
from streams.outside.archive import Archive, is_archive
from streams.outside.lines import Lines
from streams.outside.reading import Reader
from streams.processing.checking import Tally
from streams.producer.fates import Standing, in_words, refuse_late, standing, wait
from streams.producer.merging import SortedLines, disorder, merged
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
@click.argument("sources", type=TEXT, nargs=-1, required=True)
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
    sources: tuple[str, ...],
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

    SOURCES: a data set (complete_journey, online_retail, taobao, online_shoppers, cdnow), or a file of wire records,
    one per line, or - for standard input, or the URL of an archive. Several files are sent as one history, in order of
    event time; one that is not in order is sorted before, a single file is sent as it stands. A file is checked first,
    as `offerstream check` does, and nothing is sent when a record in it is bad; nor when records are older than what
    their partitions have come to, so that they would count for nothing. Ends by saying what Kafka has taken, also when
    it is cut off, and with --wait what became of it.
    """
    settings = Settings.from_environment(broker=broker)
    start, stop = window(start, stop)
    source = sources[0]
    format_ = format_ or _format(source)
    with ExitStack() as stack:
        if format_ == "jsonl":
            files = [stack.enter_context(Lines(each, raw=raw)) for each in sources]
            settings.access.require()
            history = read(settings, files, stack, raw=raw)
            total = None if raw else history.tally.records
            source = history.name

            def records() -> Iterable[Record]:
                return between(history.records(), start, stop)
        elif len(sources) > 1:
            raise click.UsageError(f"Several files are sent as one history, and {source} is none: send it by itself.")
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


@dataclass(frozen=True, slots=True)
class FilesRead:
    """Files that were checked: one history."""

    name: str
    records: Callable[[], Iterable[Record]]
    """Of a single file as they stand, of several in order of event time."""
    tally: Tally


def read(settings: Settings, files: Sequence[Lines], stack: ExitStack, *, raw: bool = False) -> FilesRead:
    """Check files, unless they are ``raw``, and put them in order; ``stack`` holds what that needs. Raises
    ``ReplayError`` where a record of them is bad."""
    if len(files) == 1:
        (file,) = files
        tally = Tally() if raw else _check(settings, files)
        return FilesRead(file.name, lambda: records_of_lines(file), tally)
    ordered: list[Lines | SortedLines] = []
    unsorted = set[str]()
    for file in files:
        if where := disorder(file):
            told = f"{file.name} is not in order of event time ({where}): it is sorted first."
            console.print("[yellow]note:[/]", escape(told), highlight=False)
            unsorted.add(file.name)
        ordered.append(SortedLines(file, stack) if where else file)
    tally = Tally() if raw else _check(settings, files, unsorted)
    return FilesRead(f"{len(files)} files", lambda: merged(ordered), tally)


def _check(settings: Settings, files: Sequence[Lines], unsorted: Set[str] = frozenset()) -> Tally:
    """What files come to. Raises ``ReplayError`` when a record in them is bad."""
    tallies = []
    for lines in files:
        tally = report(settings, lines, as_text, LIMIT, lambda finding: finding.severity == "error", err=True)
        if tally.bad:
            print_summary(tally, LIMIT, err=True)
        if lines.name in unsorted:
            del tally.warnings["late"]  # It is sorted before it is sent.
        tallies.append(tally)
    tally = Tally.of(tallies)
    if tally.bad:
        raise ReplayError(
            f"Nothing was sent: {tally.bad:,} of {tally.records:,} records are bad. Repair them, or send every line as "
            "it is with --raw: bad ones become dead letters."
        )
    if tally.warnings:
        told = ", ".join(f"{n:,} {reason}" for reason, n in tally.warnings.most_common())
        console.print(f"[yellow]note:[/] {told}; offerstream check names them.", highlight=False)
    if told := no_currency(tally, settings):
        console.print(f"[yellow]note:[/] {told}", highlight=False)
    return tally


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
