"""Where a history comes from: a data set by its name, files or an archive of what a shop produced, or its topics.

All give the same thing, a ``History`` in order of time. Data sets are examples: what their readers make is what
storefronts would have produced.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import msgspec

from streams.outside.archive import Archive, is_archive
from streams.processing.rules import Rules
from streams.records.items import ItemRecord
from streams.settings import Settings
from streams.topics import CATALOG, Topic
from training import files, history, records, topic
from training.datasets import DATASETS, Dataset
from training.datasets.listings import LISTINGS
from training.errors import Misuse
from training.history import History, HistoryError, Tell, history_of
from training.records import Tally, history_of_logs
from training.told import told_by, told_in_logs

#: Part of a kept history's name: raise it when what is decoded changes.
FORMAT = 6
OWN_LICENCE = "your own"
#: What a history is about.
About = Literal["shopper", "item"]
MEANING: dict[About, str] = {"shopper": "Events of a shop", "item": "A shop's catalogue and reviews"}
#: Where a shop produces it, and what logs of it are learned from as.
TOPICS: dict[About, tuple[Topic, ...]] = {"shopper": topic.OF_SHOPPERS, "item": topic.OF_ITEMS}
LEARNED: dict[About, Callable[..., tuple[Any, Tally]]] = {"shopper": history_of_logs, "item": told_in_logs}


@dataclass(frozen=True)
class Source:
    """A history that can be had.

    ``ship``: may a model trained on it be an artifact. ``rules``: how the log is treated that its rows are of.
    ``check`` raises ``TrainingError`` for what is missing, at once. ``load(folder, tell)`` gives the history (a
    ``History``, kept in the folder; ``about`` items a ``Told``), and what became of its records: None of a data set,
    whose reader makes no others.
    """

    name: str
    meaning: str
    licence: str
    ship: bool
    rules: Rules
    check: Callable[[], object]
    load: Callable[[Path, Tell], tuple[Any, Tally | None]]
    remark: Callable[[], str] = field(default=lambda: "")
    """Where it gives too little: what may be the reason."""
    about: About = "shopper"
    listings: Callable[[], list[ItemRecord]] = field(default=list)
    """What catalogues say of its items, in order of time; of files what stands beside the events."""


def of_dataset(dataset: Dataset, data_dir: Path | None) -> Source:
    """A data set: from its package, or from its folder under ``data_dir``."""

    def load(kept_in: Path, tell: Tell) -> tuple[Any, Tally | None]:
        if dataset.about == "item":
            return told_by(dataset.read(data_dir), tell), None
        seen = _state(dataset.files(data_dir))
        reader = inspect.getmodule(dataset.read)
        assert reader is not None

        def read() -> tuple[History, str]:
            try:
                return history_of(dataset.read(data_dir), dataset.currency, tell), ""
            except HistoryError as error:
                raise HistoryError(f"{dataset.name}: {error}") from error

        return _kept(kept_in, dataset.name, seen, (reader,), read)[0], None

    return Source(
        dataset.name,
        dataset.meaning,
        dataset.licence,
        dataset.ship,
        Rules(),
        lambda: dataset.files(data_dir),
        load,
        about=dataset.about,
        listings=lambda: list(LISTINGS[dataset.name](data_dir)) if dataset.name in LISTINGS else [],
    )


def of_files(path: Path, rules: Rules, about: About = "shopper") -> Source:
    """A shop's own events, or what it told about items: a file, or all files in a folder, which are of one shop."""

    def load(kept_in: Path, tell: Tell) -> tuple[Any, Tally | None]:
        found = files.files_of(path)
        if about == "item":
            return told_in_logs(map(files.log_of, found), rules, tell)
        seen = (_state(found), msgspec.to_builtins(rules.decode), rules.allowed_lateness_ms)

        def read() -> tuple[History, str]:
            held, tally = history_of_logs(map(files.log_of, found), rules, tell)
            return held, msgspec.json.encode(tally).decode()

        held, note = _kept(kept_in, path.name, seen, (files, history, records), read)
        return held, msgspec.json.decode(note, type=Tally)

    def listings() -> list[ItemRecord]:
        return told_in_logs(map(files.log_of, files.files_of(path)), rules)[0].records

    name, meaning = path.resolve().name + ("/" if path.is_dir() else ""), MEANING[about]
    return Source(
        name, meaning, OWN_LICENCE, True, rules, lambda: files.files_of(path), load, about=about, listings=listings
    )


def of_topics(settings: Settings, about: About = "shopper") -> Source:
    """What a shop produced, as the topics hold it: its events, or its catalogue and reviews. Read anew each time, for
    their end moves."""
    kafka, rules, topics = settings.access, settings.rules(), TOPICS[about]

    def load(_kept_in: Path, tell: Tell) -> tuple[Any, Tally | None]:
        return LEARNED[about](topic.logs(kafka, topics), rules, tell)

    return Source(
        topic.called(topics),
        MEANING[about],
        OWN_LICENCE,
        True,
        rules,
        lambda: topic.check(kafka, topics),
        load,
        lambda: topic.gone(kafka, topics),
        about,
        lambda: told_in_logs(topic.logs(kafka, (CATALOG,)), rules)[0].records,
    )


def of_archive(url: str, rules: Rules, about: About = "shopper") -> Source:
    """The same of an archive, which has more than Kafka keeps, as workers got it."""
    kept = Archive(url)
    there = kept.topics()
    # A shop without reviews has none to archive.
    names = [each.name for each in TOPICS[about] if each.name in there] or [each.name for each in TOPICS[about]]

    def logs(names: Sequence[str] = names) -> Iterator[records.Log]:
        for name in names:
            found = kept.logs(name)
            yield from (records.Log(topic.slices(name, p, log), len(found)) for p, log in enumerate(found))

    def load(kept_in: Path, tell: Tell) -> tuple[Any, Tally | None]:
        if about == "item":
            return told_in_logs(logs(), rules, tell)
        parts = [kept.parts(name) for name in names]
        seen = (parts, msgspec.to_builtins(rules.decode), rules.allowed_lateness_ms)

        def read() -> tuple[History, str]:
            held, tally = history_of_logs(logs(), rules, tell)
            return held, msgspec.json.encode(tally).decode()

        held, note = _kept(kept_in, "archive", seen, (history, records), read)
        return held, msgspec.json.decode(note, type=Tally)

    def check() -> None:
        for name in names:
            kept.about(name)

    def listings() -> list[ItemRecord]:
        return told_in_logs(logs([CATALOG.name] if CATALOG.name in there else []), rules)[0].records

    return Source(url, MEANING[about], OWN_LICENCE, True, rules, check, load, about=about, listings=listings)


def of_name(text: str, data_dir: Path | None, settings: Settings, about: About = "shopper") -> Source:
    """What ``--history`` names: a data set, an archive, else a file or folder. ``about``: of what it must tell."""
    if text in DATASETS:
        if DATASETS[text].about != about:
            fit = ", ".join(name for name, dataset in DATASETS.items() if dataset.about == about)
            raise Misuse(f"--history {text} tells of {DATASETS[text].about}s, not of {about}s; these do: {fit}.")
        return of_dataset(DATASETS[text], data_dir)
    if ("://" in text or Path(text).is_dir()) and is_archive(text):
        return of_archive(text, settings.rules(), about)
    if not Path(text).exists():
        raise Misuse(
            f"--history {text}: there is no such file or folder (looked for in {Path.cwd()}), and no data set of that "
            f"name; these are: {', '.join(DATASETS)}."
        )
    return of_files(Path(text), settings.rules(), about)


def distinct(sources: Sequence[Source]) -> list[Source]:
    """Sources whose names tell them apart."""
    names = [source.name for source in sources]
    seen: dict[str, int] = {}
    found = []
    for source in sources:
        seen[source.name] = n = seen.get(source.name, 0) + 1
        found.append(replace(source, name=f"{source.name} #{n}") if names.count(source.name) > 1 else source)
    return found


def _state(paths: Sequence[Path]) -> list[tuple[str, int, int]]:
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def _kept(
    kept_in: Path, name: str, seen: object, readers: Sequence[ModuleType], read: Callable[[], tuple[History, str]]
) -> tuple[History, str]:
    """A history and its note; from ``kept_in`` when it was read before by the same code from the same files."""
    sources = [inspect.getsource(module) for module in readers]
    digest = hashlib.blake2b(repr((FORMAT, name, seen, sources)).encode(), digest_size=6).hexdigest()
    path = kept_in / f"{Path(name).name}-{digest}.arrow"
    if not path.exists():
        held, note = read()
        if not len(held):
            return held, note
        held.write(path, note)
    return History.read(path)
