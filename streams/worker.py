"""Runs one worker until it is told to stop: topics, models, app."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

import faust
from confluent_kafka.admin import AdminClient

from models.store import Shelf, Store
from streams.app import create_app
from streams.control import Watch
from streams.settings import Settings
from streams.topics import EVENTS, TOPICS, changelog, create

log = logging.getLogger(__name__)


def run(settings: Settings, loglevel: str = "WARNING", on_step: Callable[[str], None] | None = None) -> int:
    """Run a worker in this process until SIGTERM or SIGINT; returns the exit code."""
    _fast_loop()
    created = create(settings.broker, [*TOPICS, changelog(settings.app_id)], settings.partitions, settings.replication)
    if created:
        log.warning("Created %s", ", ".join(created))
    partitions = len(
        AdminClient({"bootstrap.servers": settings.broker}).list_topics(EVENTS.name).topics[EVENTS.name].partitions
    )
    shelf = Shelf(Store(settings.models))
    for task in shelf.tasks:
        shelf.model(task)  # Proven before anything is read.
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    control = Watch(settings.broker)
    worker = create_app(settings, shelf, control, partitions, on_step)
    process = faust.Worker(worker.app, loglevel=loglevel, redirect_stdouts=False, quiet=True)
    try:
        process.execute_from_commandline()
    except SystemExit as stop:
        control.stop()
        code = stop.code if isinstance(stop.code, int) else 1
        return 1 if worker.shopper_events.failure is not None else code


def _fast_loop() -> None:
    if sys.platform != "win32":
        import asyncio

        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
