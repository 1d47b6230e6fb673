"""Files of a shop's own events: JSON lines, gzip or not, and Parquet with a row per event.

A Parquet file holds the JSON in a column ``value``, as a topic's export does; or a column per field of the events, as
a table's export does, null where an event's type has no such field. A timestamp without a zone is UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from streams.outside.lines import Lines, LinesError
from streams.records.produced import key_of
from streams.records.slices import Slice
from training.errors import Misuse, TrainingError
from training.history import APPENDED_MS, BLOCK
from training.records import Log

LINES = (".jsonl", ".ndjson", ".json")
PARQUET = ".parquet"
#: A table of events has these columns; what else there is depends on its types of events.
_EVERY_EVENT = ("type", "event_id", "shopper_id", "event_time")


def files_of(path: Path) -> list[Path]:
    """The event files at a path: itself, or all in a folder and its subfolders in order of their names. Raises
    ``TrainingError``."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise Misuse(f"{path} is neither a file nor a folder (looked for in {Path.cwd()}).")
    found = sorted(p for p in path.rglob("*") if p.is_file() and _holds_events(p))
    if not found:
        there = ", ".join(sorted(p.name for p in path.iterdir())[:5])
        raise TrainingError(
            f"{path} holds no events: no {', '.join(LINES)} (also with .gz) or {PARQUET} file. "
            + (f"There are: {there}." if there else "It is empty.")
        )
    return found


def _holds_events(path: Path) -> bool:
    name = path.name.removesuffix(".gz")
    return not name.startswith((".", "_")) and (name.endswith(LINES) or path.suffix == PARQUET)


def log_of(path: Path) -> Log:
    """The records of a file; their keys are the shoppers that they name. Raises ``TrainingError`` for a file that
    cannot be read."""
    return Log(_slices(path, _parquet_values(path) if _is_parquet(path) else _line_values(path)))


def _slices(path: Path, values: Iterator[tuple[int, bytes | None]]) -> Iterator[Slice]:
    while block := list(islice(values, BLOCK)):
        numbers, some = [number for number, _ in block], [value for _, value in block]
        keys = [None if value is None else key_of(value) for value in some]
        yield Slice(path.name, 0, numbers, [APPENDED_MS] * len(block), keys, some)


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}.") from error


def _line_values(path: Path) -> Iterator[tuple[int, bytes | None]]:
    try:
        with Lines(str(path)) as lines:
            yield from lines
    except LinesError as error:
        raise TrainingError(str(error)) from error


def _parquet_values(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """(number of the row, its event as JSON)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        if "value" not in names and (missing := [name for name in _EVERY_EVENT if name not in names]):
            raise TrainingError(
                f"{path} has no column {', '.join(missing)}: each row is an event, with a column per field as "
                f"offerstream schema names them, or its JSON in a column value. There are: {', '.join(names)}."
            )
        for batch in file.iter_batches(BLOCK):
            for value in _json_of(batch):
                number += 1
                yield number, value
    except (pa.ArrowException, OSError) as error:
        raise TrainingError(f"{path} cannot be read as Parquet after row {number}: {error}") from error


def _json_of(batch: Any) -> Iterator[bytes | None]:
    import pyarrow as pa

    if "value" in batch.schema.names:
        for value in batch.column("value").to_pylist():
            yield value.encode() if isinstance(value, str) else value
        return
    place = batch.schema.get_field_index("event_time")
    at = batch.column(place)
    if pa.types.is_timestamp(at.type):
        at = at.cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())
        batch = batch.set_column(place, "event_time", at)
    for row in batch.to_pylist():
        yield msgspec.json.encode(_there(row))


def _there(value: Any) -> Any:
    """A value without what is null in it: a table has a column for fields that its other events have."""
    if isinstance(value, dict):
        return {name: _there(held) for name, held in value.items() if held is not None}
    return [_there(held) for held in value] if isinstance(value, list) else value
