"""Runs one worker until it is told to stop: topics, models, app."""

from __future__ import annotations

import asyncio
import errno
import faulthandler
import fcntl
import gc
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import faust

from models.artifact import ArtifactError
from models.encoder import Encoder
from models.store import Shelf, Store
from streams.admin import create
from streams.agents.likeness import Likeness
from streams.announce import Announcer
from streams.app import create_app
from streams.campaign_book import BOARD as CAMPAIGNS
from streams.compacted import Watch
from streams.control import BOARD as CONTROL
from streams.entities import contents
from streams.entities.item import ITEM
from streams.kafka_watch import KafkaWatch
from streams.search_book import BOARD as SEARCH
from streams.settings import Settings, SettingsError
from streams.topics import CARRIED, changelog_name
from streams.writable import why_not_folder

log = logging.getLogger(__name__)


class Taken(SettingsError):
    """Another worker has what a setting names: right another time."""

    exit_code = 1


class Process(faust.Worker):
    """A Faust worker whose last tasks have a second to end, and not a second's sleep."""

    async def _sentinel_task(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=1.0)


#: A worker that starts together with its Kafka waits for it so long.
KAFKA_PATIENCE_SECONDS = 10.0
#: When the collector looks for cycles, by generation (``gc.set_threshold``). A slice makes tens of thousands of objects
#: that are gone once it is applied: at the default of 700 they are looked through several times before.
COLLECTED_AFTER = (50_000, 20, 20)


def run(settings: Settings, loglevel: str = "WARNING", on_step: Callable[[str], None] | None = None) -> int:
    """Run a worker in this process until SIGTERM or SIGINT; returns the exit code."""
    faulthandler.enable(2)  # Where each thread was, on standard error, should native code end this process.
    _fast_loop()
    _check_port(settings.host, settings.port)
    held = _own_folder(settings.data_dir)  # Until this process ends, however it does.
    settings.access.require(KAFKA_PATIENCE_SECONDS)
    app_id = settings.app_id
    likeness = _likeness(settings)
    created = create(settings.access, contents.topics(app_id), settings.partitions, settings.replication)
    if created:
        log.warning("Created %d topic%s: offerstream topics list", len(created), "s" if len(created) > 1 else "")
    entities = [contents.find(name) for name in settings.kept_entities]
    tables = {entity.topic(app_id): changelog_name(app_id, entity.name) for entity in entities}
    carried = [topic.name for topic in CARRIED] if ITEM in entities else []
    kafka = KafkaWatch(settings.access, tables, carried)
    shelf = Shelf(Store(settings.models))
    for task in filter(shelf.shipped, shelf.tasks):
        shelf.model(task)  # Proven before anything is read.
    try:
        shelf.keep_shipped()
    except ArtifactError as error:
        log.warning("Workers of another version cannot serve this package's models: %s", error)
    control = Watch(settings.access, CONTROL)
    campaigns = Watch(settings.access, CAMPAIGNS)
    sought = Watch(settings.access, SEARCH)
    kafka.start()
    # Who wants to read of errors only, wants to read of nothing else.
    announcer = Announcer(settings.announce_seconds, _nobody if loglevel == "ERROR" else _say)
    worker = create_app(settings, entities, shelf, control, campaigns, sought, kafka, on_step, announcer, likeness)
    gc.freeze()  # What lives for ever is looked through no more; stores collect when they are closed.
    gc.set_threshold(*COLLECTED_AFTER)
    process = Process(
        worker.app,
        loglevel=loglevel,
        logfile=sys.stderr,
        logging_config=_plain_log(loglevel),
        redirect_stdouts=False,
        quiet=True,
    )
    process.spinner = None  # It would hide and show a cursor, also where there is none.
    try:
        process.execute_from_commandline()
    except SystemExit as stop:
        announcer.announce(last=True)
        control.stop()
        campaigns.stop()
        sought.stop()
        kafka.stop()
        if likeness is not None:
            likeness.stop()
        held.close()
        code = stop.code if isinstance(stop.code, int) else 1
        failure = worker.durability.failure
        if failure is not None:
            # The last line, behind all that the libraries say of it.
            print(f"error: {str(failure) or repr(failure)}", file=sys.stderr)
        return code if failure is None else 1


def _likeness(settings: Settings) -> Likeness | None:
    """The encoder that is set, proven. Raises ``ArtifactError``, and ``SettingsError`` for one of pictures."""
    if not settings.search_encoder:
        return None
    name, _, version = settings.search_encoder.partition("@")
    encoder = Encoder(Store(settings.models).encoder(name, version or None))
    if not encoder.artifact.declaration.length_one:
        raise SettingsError(
            f"OFFERSTREAM_SEARCH_ENCODER is {name!r}, whose vectors are not brought to length 1: declare length_one."
        )
    if not encoder.artifact.declaration.text:
        raise SettingsError(f"OFFERSTREAM_SEARCH_ENCODER is {name!r}, which encodes pictures: one of texts is needed.")
    return Likeness(encoder.texts, f"{encoder.name} {encoder.version}")


def _nobody(_line: str) -> None:
    """Tell nobody."""


def _say(line: str) -> None:
    print(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] {line}", file=sys.stderr, flush=True)


def _plain_log(level: str) -> dict[str, Any]:
    """Lines on standard error without colours: Faust would colour them by where standard output goes."""
    line = {
        "()": "mode.utils.logging.DefaultFormatter",
        "format": "[%(asctime)s] [%(levelname)s] %(message)s %(extra)s",
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "filters": {"not_told": {"()": "streams.noise.NotTold"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["not_told"]}},
        "root": {"level": level, "handlers": ["stderr"]},
    }


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (socket.gaierror, UnicodeError) as error:
            raise SettingsError(f"OFFERSTREAM_HOST is {host!r}, which cannot be resolved.") from error
        except OSError as error:
            advice = {errno.EADDRINUSE: ": is another worker running? --port 0 takes a free one"}
            advice[errno.EADDRNOTAVAIL] = ": it is no address of this machine (OFFERSTREAM_HOST)"
            kind = Taken if error.errno == errno.EADDRINUSE else SettingsError
            raise kind(
                f"{host}:{port} cannot be served on ({error.strerror}){advice.get(error.errno or 0, '')}."
            ) from error


def _own_folder(folder: Path) -> IO[str]:
    """The folder's lock: two workers with one copy of the table would wait for each other for ever."""
    if why := why_not_folder(folder):
        raise SettingsError(f"The worker's folder (--data-dir, OFFERSTREAM_DATA_DIR) cannot be {folder}: {why}.")
    folder.mkdir(parents=True, exist_ok=True)
    held = (folder / "lock").open("a+")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.seek(0)
        pid = held.read().strip() or "?"
        held.close()
        raise Taken(
            f"{folder.absolute()} is in use by another worker (process {pid}): each needs a folder of its own "
            "(--data-dir, OFFERSTREAM_DATA_DIR)."
        ) from error
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held


def _fast_loop() -> None:
    if sys.platform != "win32":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
