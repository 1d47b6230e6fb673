"""``offerstream dead-letters``: what could not be used, why, and how to bring it back."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import BinaryIO

import click

from streams.commands.common import BROKER, JSON, TIME, OneOf, window
from streams.outside.dead_letters import Group, original_line, read
from streams.records.dead_reasons import DEAD_REASONS
from streams.records.outcomes import DeadLetter
from streams.records.words import printable, shown_time
from streams.settings import Settings
from streams.terminal import console, print_block

#: Places of originals that are no lines, of which so many are named.
NAMED = 5
#: Fields at fault, of which so many are named.
FIELDS = 8


@click.command("dead-letters")
@BROKER
@click.option("--reason", type=OneOf(sorted(DEAD_REASONS)), help="Only letters of this reason.")
@click.option("--from", "start", type=TIME, metavar="TIME", help="Only records that came from this time on.")
@click.option("--to", "stop", type=TIME, metavar="TIME", help="Only records that came before this time.")
@click.option("--originals", metavar="FILE", help="Write the originals there, one per line; - for standard output.")
@JSON
def dead_letters(
    broker: str | None, reason: str | None, start: int | None, stop: int | None, originals: str | None, as_json: bool
) -> None:
    """Print the dead letters by reason: how many, since when, an example, and what to do.

    To bring records back: --originals FILE, repair the file, `offerstream check FILE`, `offerstream replay FILE`.
    Letters stay in dead-letters.v1 for 90 days: --from leaves out those repaired before.
    """
    settings = Settings.from_environment(broker=broker)
    first, last = window(start, stop)
    settings.access.require()
    groups: dict[str, Group] = defaultdict(Group)
    left_out: list[str] = []
    written = 0
    with ExitStack() as stack:
        out = _open(originals, stack) if originals else None
        for letter in read(settings.access):
            at = letter.record_time_ms
            if (
                reason not in (None, letter.reason)
                or (first is not None and at < first)
                or (last is not None and at >= last)
            ):
                continue
            groups[letter.reason].add(letter)
            if out is not None:
                line = original_line(letter)
                if line is None:
                    left_out.append(_place(letter))
                else:
                    out.write(line + b"\n")
                    written += 1
    ordered = dict(sorted(groups.items(), key=lambda item: -item[1].count))
    if as_json:
        found = {
            "letters": sum(g.count for g in groups.values()),
            "reasons": [_group(r, g) for r, g in ordered.items()],
        }
        if originals:
            found |= {"originals_written": written, "originals_left_out": left_out}
        click.echo(json.dumps(found, indent=2), err=originals == "-")
        return
    _print(ordered, err=originals == "-")
    if originals:
        _tell_originals(originals, written, left_out)


def _open(name: str, stack: ExitStack) -> BinaryIO:
    if name == "-":
        return click.get_binary_stream("stdout")
    try:
        return stack.enter_context(open(name, "xb"))
    except FileExistsError as error:
        raise click.UsageError(f"{name} exists, and may hold repairs: name another file.") from error
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from error


def _place(letter: DeadLetter) -> str:
    return f"{letter.source_topic}/{letter.source_partition}/{letter.source_offset}"


def _group(reason: str, group: Group) -> dict[str, object]:
    example, known = group.example, DEAD_REASONS.get(reason)
    assert example is not None

    def iso(ms: int) -> str:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat()

    return {
        "reason": reason,
        "count": group.count,
        "first": iso(group.first_ms),
        "last": iso(group.last_ms),
        "fields": dict(group.fields.most_common()),
        "example": {"record": _place(example), "field": example.field, "detail": example.detail},
        "meaning": known.meaning if known else "",
        "fix": known.fix if known else "",
    }


def _print(groups: dict[str, Group], *, err: bool) -> None:
    if not groups:
        click.echo("No dead letters.", err=err)
    for reason, group in groups.items():
        known, example = DEAD_REASONS.get(reason), group.example
        assert example is not None
        lines = {
            "came": f"{shown_time(group.first_ms)} to {shown_time(group.last_ms)}",
            "means": known.meaning if known else "",
            "fields": ", ".join(f"{name} ({n:,})" for name, n in group.fields.most_common(FIELDS)),
            "example": f"{_place(example)}: {example.detail}",
            "do": known.fix if known else "",
        }
        shown = ((name, printable(said)) for name, said in lines.items())
        print_block(f"{printable(reason)}: {group.count:,}", shown, err=err)


def _tell_originals(name: str, written: int, left_out: list[str]) -> None:
    where = (
        "" if name == "-" else f" to {name}. Repair it, then: offerstream check {name}, and offerstream replay {name}"
    )
    console.print(f"{written:,} originals written{where}", markup=False)
    if left_out:
        some = ", ".join(left_out[:NAMED]) + (", …" if len(left_out) > NAMED else "")
        told = f"{len(left_out):,} are no lines of text, empty or too large to be kept: they stay at {some}"
        console.print(told, markup=False, highlight=False)
