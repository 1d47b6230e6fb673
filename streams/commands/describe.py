"""``offerstream describe``: texts about items of a file, by the shipped model or by a writer of one's own."""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click
import msgspec
import numpy as np

from streams.commands.common import TEXT, OneOf
from streams.copy.checking import check
from streams.copy.languages import LANGUAGES, Language
from streams.copy.slots import LEAST, Slot, enough, slots
from streams.copy.writers import judged, request
from streams.copy.writing import Plan, planned, write
from streams.features.payload.attributes import rows
from streams.outside.lines import Lines
from streams.records.items import CatalogRecord, item_decoder
from streams.terminal import console

#: Items that a model is asked about at once.
AT_ONCE = 256
BY_TAG = {language.tag: language for language in LANGUAGES}
Wanted = dict[tuple[str, str], list[Slot]]
Said = dict[str, Any]


class WriterError(RuntimeError):
    """A writer cannot be started, or ended badly."""


@click.command()
@click.argument("file")
@click.option("--writer", type=TEXT, metavar="COMMAND", help="A program that writes instead of the shipped model.")
@click.option("--language", "tags", type=OneOf(list(BY_TAG)), multiple=True, help="Again for several; default all.")
@click.option("--forbid", "forbidden", type=TEXT, multiple=True, metavar="WORD", help="Again for several.")
@click.option(
    "--coverage", type=click.FloatRange(0, 1), default=0.0, show_default=True,
    help="The least share of an item's attributes that its texts must say.",
)  # fmt: skip
def describe(file: str, writer: str | None, tags: tuple[str, ...], forbidden: tuple[str, ...], coverage: float) -> None:
    """Print a title, a description and an offer text of each item of FILE, checked, a JSON object per line.

    FILE has records item_listed and item_changed with attributes, one JSON object per line, gzip or not; - is standard
    input. The newest of an item counts. COMMAND is started once, without a shell; it gets a JSON object per line
    (item_id, language, attributes, most_characters, forbidden) and answers each by one with item_id, language, title,
    description and offer, in any order. What it says is held to the same checks: numbers, units and names that no
    attribute says, forbidden words, lengths, markup. Nothing is sent. Exit code 1 where a text was rejected or is
    missing.
    """
    languages = [BY_TAG[tag] for tag in dict.fromkeys(tags)] or list(LANGUAGES)
    items, passed_over = _items(file)
    if passed_over:
        console.print(
            f"{passed_over:,} lines are no listing or change with {LEAST} attributes that can be said: passed over "
            "(offerstream check says what is wrong with records).",
            markup=False, highlight=False,
        )  # fmt: skip
    wanted: Wanted = {(item, language.tag): known for item, known in items.items() for language in languages}
    if writer is None:
        found = _of_model(items, languages, forbidden)
    else:
        asked = [request(item, known, BY_TAG[tag], forbidden) for (item, tag), known in wanted.items()]
        found = _of_writer(writer, asked)
    rejected = 0
    for said in _held(found, wanted, forbidden, coverage, closed=writer is None):
        rejected += not said["accepted"]
        click.echo(json.dumps(said, ensure_ascii=False))
    if rejected:
        console.print(f"{rejected:,} of {len(wanted):,} texts were rejected or are missing.", highlight=False)
        raise SystemExit(1)


def _items(file: str) -> tuple[dict[str, list[Slot]], int]:
    """(by item the slots of its newest record, how many lines are of no use)."""
    items: dict[str, list[Slot]] = {}
    passed_over = 0
    with Lines(file) as lines:
        for _, line in lines:
            try:
                record = item_decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                passed_over += 1
                continue
            known = slots(record) if isinstance(record, CatalogRecord) else []
            if isinstance(record, CatalogRecord) and enough(known):
                items[record.item_id] = known
            else:
                passed_over += 1
    return items, passed_over


def _held(
    answers: Iterator[Said], wanted: Wanted, forbidden: Sequence[str], coverage: float, *, closed: bool
) -> Iterator[Said]:
    """Each answer once and what became of it, and what was not answered."""
    left = dict(wanted)
    for answer in answers:
        key = (str(answer.get("item_id")), str(answer.get("language")))
        known = left.pop(key, None)
        if known is None:
            yield _line(*key, None, ["nobody asked for it, or it was answered before"], 0.0)
            continue
        texts, reasons, covered = judged(answer, known, BY_TAG[key[1]], forbidden=forbidden, least_coverage=coverage)
        if closed and texts is not None:
            reasons = [str(f) for f in check(texts, known, BY_TAG[key[1]], forbidden=forbidden, closed=True).faults]
        yield _line(*key, texts, reasons, covered)
    for item, tag in left:
        yield _line(item, tag, None, ["no answer"], 0.0)


def _line(item: str, tag: str, texts: Mapping[str, str] | None, reasons: list[str], covered: float) -> Said:
    accepted = texts is not None and not reasons
    said: Said = {"item_id": item, "language": tag, "accepted": accepted, "coverage": round(covered, 4)}
    return said | (dict(texts or {}) if accepted else {"reasons": reasons})


def _of_model(
    items: Mapping[str, list[Slot]], languages: Sequence[Language], forbidden: Sequence[str]
) -> Iterator[Said]:
    from models.artifact import load_artifact
    from models.predictor import Predictor
    from models.registry import task

    model, ids = Predictor(load_artifact(task("copy"))), list(items)
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        x = np.stack([rows(items[item]).reshape(-1) for item in some])
        plans: list[Plan] = planned([items[item] for item in some], model.score(x))
        for item, plan in zip(some, plans, strict=True):
            for language in languages:
                yield {"item_id": item, "language": language.tag} | write(items[item], plan, language, forbidden)


def _of_writer(command: str, asked: Sequence[Said]) -> Iterator[Said]:
    """What a program answers, line by line. Raises ``WriterError``."""
    try:
        program = subprocess.Popen(
            shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
    except (OSError, IndexError, ValueError) as error:
        raise WriterError(f"The writer cannot be started: {error}") from error
    assert program.stdin is not None
    assert program.stdout is not None
    feeding = threading.Thread(target=_fed(program.stdin, asked), daemon=True)
    feeding.start()
    with program:
        try:
            for line in program.stdout:
                try:
                    answer = json.loads(line)
                except ValueError:
                    answer = {}
                if isinstance(answer, dict):
                    yield answer
        except UnicodeError as error:
            program.kill()
            raise WriterError(f"The writer answered what is no UTF-8: {error}") from error
        finally:
            feeding.join(timeout=5)
    if program.returncode:
        raise WriterError(f"The writer ended with exit code {program.returncode}.")


def _fed(stdin: Any, asked: Sequence[Said]) -> Callable[[], None]:
    def feed() -> None:
        try:
            for each in asked:
                stdin.write(json.dumps(each, ensure_ascii=False) + "\n")
            stdin.close()
        except (BrokenPipeError, ValueError):
            return  # it reads no more: what it did not answer is said

    return feed
