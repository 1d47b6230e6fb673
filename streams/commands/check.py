"""``offerstream check``: what the worker would make of a file, before anything is sent."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice

import click
import msgspec

from streams.commands.common import COUNT
from streams.outside.lines import Lines
from streams.processing.checking import BLOCK, FIXES, Checker, Finding, Tally
from streams.records.words import shown_time
from streams.settings import Settings
from streams.terminal import print_rows, progress_bar

#: Findings of one kind that are printed unless more are asked for.
LIMIT = 20


@click.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: an object per finding, the last one a summary.")
@click.option(
    "--limit", type=click.IntRange(0), help=f"Findings printed of each kind; default {LIMIT}, with --json all."
)
@click.option("--partitions", type=COUNT, help="Of the events topic; default $OFFERSTREAM_PARTITIONS or 4.")
def check(file: str, as_json: bool, limit: int | None, partitions: int | None) -> None:
    """Check wire records, one JSON object per line, by every rule that workers apply; nothing is sent.

    FILE may be gzip, or - for standard input. All errors of a record are told, each with line, field, what is wrong
    and what is right. Duplicates, late events and misspelt optional fields are warnings. Rules that depend on settings
    (currency, lateness, sizes) take OFFERSTREAM_… as set here. Exit code 1 when a record has an error.
    """
    settings = Settings.from_environment(partitions=partitions)
    most = limit if limit is not None else sys.maxsize if as_json else LIMIT
    with Lines(file) as lines:
        tally = report(settings, lines, as_line if as_json else as_text, most, lambda _finding: True)
    if as_json:
        click.echo(json.dumps(summary(tally)))
    else:
        print_summary(tally, most)
        if told := no_currency(tally, settings):
            click.echo(told)
    sys.exit(bool(tally.bad))


def report(
    settings: Settings,
    lines: Lines,
    form: Callable[[Finding, str], str],
    most: int,
    wanted: Callable[[Finding], bool],
    *,
    err: bool = False,
) -> Tally:
    """Check a file and print the findings that are wanted, of each kind at most so many; returns what it came to."""
    checker = Checker(settings.rules(), settings.partitions)
    shown: Counter[tuple[str, str]] = Counter()
    for finding in findings(checker, lines):
        kind = (finding.severity, finding.reason)
        shown[kind] += 1
        if shown[kind] <= most and wanted(finding):
            click.echo(form(finding, lines.name), err=err)
    return checker.tally


def findings(checker: Checker, lines: Lines) -> Iterator[Finding]:
    """Everything that is to be said of a file, in order, with progress on standard error."""
    with progress_bar(f"Checking {lines.name}", lines.size, bytes_=True) as done:
        numbered = iter(lines)
        while block := list(islice(numbered, BLOCK)):
            yield from checker.check(block, int(time.time() * 1000))
            done(lines.position)


def as_text(finding: Finding, name: str) -> str:
    """A finding as a line for people."""
    where = f"{finding.field}: " if finding.field else ""
    said = "" if finding.severity == "error" else "warning: "
    return f"{name}:{finding.line}: {said}{where}{finding.detail} [{finding.reason}]"


def as_line(finding: Finding, _name: str) -> str:
    """A finding as a line for programs."""
    return msgspec.json.encode(msgspec.structs.asdict(finding) | {"fix": finding.fix}).decode()


def summary(tally: Tally) -> dict[str, object]:
    """What a file came to, for programs."""

    def iso(ms: int | None) -> str | None:
        return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat()

    return {
        "severity": "summary",
        "records": tally.records,
        "good": tally.good,
        "bad": tally.bad,
        "errors": dict(tally.errors),
        "warnings": dict(tally.warnings),
        "first_event_time": iso(tally.first_ms),
        "last_event_time": iso(tally.last_ms),
    }


def no_currency(tally: Tally, settings: Settings) -> str:
    """What is said of a file with amounts of money of which none names a currency; else empty."""
    if tally.currency or not tally.money:
        return ""
    return f"No currency is named: amounts are taken as {settings.currency} (OFFERSTREAM_CURRENCY)."


def print_summary(tally: Tally, most: int, *, err: bool = False) -> None:
    """What a file came to, for people."""
    found = [
        (severity, reason, f"{n:,}" + (f" ({most:,} shown)" if n > most else ""), FIXES[reason])
        for severity, counts in (("error", tally.errors), ("warning", tally.warnings))
        for reason, n in counts.most_common()
    ]
    if found:
        print_rows(("severity", "reason", "found", "what to do"), found, err=err)
    click.echo(f"{tally.records:,} records: {tally.good:,} good, {tally.bad:,} bad.", err=err)
    if tally.first_ms is not None and tally.last_ms is not None:
        click.echo(f"Event times from {shown_time(tally.first_ms)} to {shown_time(tally.last_ms)}.", err=err)
