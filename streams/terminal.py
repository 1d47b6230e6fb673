"""How a person at a terminal, or whoever reads a pipe, is talked to: tables, numbers, progress, interruption."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click
import numpy as np
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

#: Standard error: what is said about the work. Results go to standard output. Lines are as long as they are.
console = Console(stderr=True, soft_wrap=True)
#: The last column of a table, which may be folded, is at least so wide.
NARROWEST = 24
#: How often progress is told where there is no terminal to draw on.
TELL_SECONDS = 5.0


def print_rows(
    columns: Sequence[str], rows: Iterable[Sequence[str]], as_json: bool = False, *, err: bool = False
) -> None:
    """A table of which nothing is cut off: fitted to a terminal, in a pipe a line per row, for a program a list of JSON
    objects. On standard output, or with ``err`` on standard error."""
    rows = list(rows)
    if as_json:
        click.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=2), err=err)
        return
    out, widths = Console(stderr=err), [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    if not out.is_terminal:
        for row in (columns, *rows):
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            click.echo("  ".join(padded).rstrip(), err=err)
    elif sum(widths[:-1]) + 3 * len(widths) + NARROWEST <= out.width:
        table = Table(*columns[:-1])
        table.add_column(columns[-1], overflow="fold")
        for row in rows:
            table.add_row(*map(escape, row))
        out.print(table)
    else:  # too many columns for this terminal: a block per row
        for first, *rest in rows:
            print_block(first, zip(columns[1:], rest, strict=True), err=err)


def print_block(title: str, lines: Iterable[tuple[str, str]], *, err: bool = False) -> None:
    """A title and what belongs to it, a line each; what is empty is left out."""
    click.secho(title, bold=True, err=err)
    for name, said in lines:
        if said:
            click.echo(f"  {name}: {said}", err=err)


def shown_number(value: float) -> str:
    """A feature's value, exactly and in as few digits as tell it from every other one.

    >>> shown_number(1234567.0), shown_number(0.1), shown_number(3.0)
    ('1234567', '0.1', '3')
    """
    return np.format_float_positional(np.float32(value), trim="-")


def interruptible() -> None:
    """Let SIGINT and SIGTERM raise ``KeyboardInterrupt``: a shell makes a command in the background ignore SIGINT."""
    _stops.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


#: Signals that came since a command was made interruptible.
_stops: list[int] = []


def _stop(number: int, frame: FrameType | None) -> None:
    _stops.append(number)
    signal.default_int_handler(number, frame)


def interrupted() -> bool:
    """Whether a command that is ``interruptible`` was told to stop. A library in C may have made another error of the
    ``KeyboardInterrupt`` that came while it was at work."""
    return bool(_stops)


@contextmanager
def progress_bar(
    what: str, total: float | None, *, bytes_: bool = False, tell_seconds: float = TELL_SECONDS
) -> Iterator[Callable[[float], None]]:
    """Progress on standard error, a bar or without a terminal a line now and then; call the result with how much is
    done."""
    if not console.is_terminal:
        yield _teller(what, total, bytes_, tell_seconds)
        return
    amount = DownloadColumn() if bytes_ else MofNCompleteColumn()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), amount, TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def _teller(what: str, total: float | None, bytes_: bool, tell_seconds: float) -> Callable[[float], None]:
    told = time.monotonic()

    def shown(amount: float) -> str:
        return decimal(int(amount)) if bytes_ else f"{amount:,.0f}"

    def tell(done: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= tell_seconds:
            told = now
            of = f" of {shown(total)} ({done / total:.0%})" if total else ""
            console.print(f"{what}: {shown(done)}{of}", markup=False, highlight=False)

    return tell
