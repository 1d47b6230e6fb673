"""What several commands share: options, and how values are read and refused before any work is done."""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from models.nearest import unknown
from streams.writable import why_not_file, why_not_folder


class Text(click.ParamType):
    """A text that can be sent. Where the locale's encoding is not the terminal's (LC_ALL=C), it is read as UTF-8."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text."""
        try:
            value.encode()
            return str(value)
        except UnicodeEncodeError:  # Python has kept the bytes that it could not decode
            try:
                return os.fsencode(value).decode()
            except UnicodeError:
                self.fail(f"{value!r} is no text in UTF-8.", param, ctx)


class Time(click.ParamType):
    """ISO 8601 as UTC milliseconds since 1970; a time without an offset is UTC. ``words``: what else may be said.

    >>> Time().convert("1970-01-02", None, None)
    86400000
    """

    name = "time"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The time, or the word."""
        if isinstance(value, int) or value in self.words:
            return value
        try:
            at = datetime.fromisoformat(value)
            ms = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, OverflowError):
            others = f"; nor one of: {', '.join(self.words)}" if self.words else ""
            self.fail(
                f"{value!r} is no ISO 8601 time, such as 2017-06-01 or 2017-06-01T12:00+02:00{others}.", param, ctx
            )
        if ms < 0:
            self.fail(f"{value!r} is before 1970.", param, ctx)
        return ms


class TimeAsWritten(Time):
    """ISO 8601, checked and left as it is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text."""
        super().convert(value, param, ctx)
        return str(value)


class TaskName(click.ParamType):
    """The name of a task."""

    name = "task"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name."""
        from models.registry import task

        try:
            return task(value).name
        except KeyError as error:
            self.fail(error.args[0], param, ctx)


class OneOf(click.Choice[str]):
    """One of some words; of another word the nearest is told."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word."""
        for choice in self.choices:
            if choice.lower() == str(value).lower():
                return choice
        self.fail(unknown("choice", str(value), self.choices), param, ctx)


class Number(click.FloatRange):
    """A number within a range; NaN lies in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        found = float(super().convert(value, param, ctx))
        if math.isnan(found):
            self.fail("NaN is no number.", param, ctx)
        return found


class OutFile(click.Path):
    """A file that a command writes at its end: refused at its beginning where it cannot be written."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path."""
        path = Path(value)
        if why := why_not_file(path):
            self.fail(f"{path} cannot be written: {why}.", param, ctx)
        return path


class OutFolder(click.Path):
    """A folder that a command writes into: refused at its beginning where it cannot."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path."""
        path = Path(value)
        if why := why_not_folder(path):
            self.fail(f"{path} cannot be written: {why}.", param, ctx)
        return path


TEXT, TIME, OUT_FILE, OUT_FOLDER, TASK = Text(), Time(), OutFile(), OutFolder(), TaskName()
PORT, COUNT = click.IntRange(0, 65535), click.IntRange(1)
BROKER = click.option(
    "--broker", type=TEXT, metavar="HOST:PORT", help="Kafka; default $OFFERSTREAM_BROKER or 127.0.0.1:9092."
)
DATA = click.option(
    "--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder with data sets."
)
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


def window(start_ms: int | None, stop_ms: int | None) -> tuple[int | None, int | None]:
    """The times of --from and --to. Raises ``click.UsageError`` where nothing lies between them."""
    if start_ms is not None and stop_ms is not None and start_ms >= stop_ms:
        raise click.UsageError("Nothing lies between --from and --to: --to must be later.")
    return start_ms, stop_ms
