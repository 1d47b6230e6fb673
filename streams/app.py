"""The composition root: the only file that knows all others. ``create_app(settings)`` makes one worker's app."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
import time
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import faust
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.tables.manager import TableManager
from faust.types import TP

from streams.access import Access
from streams.agents.shopper_events import ShopperEvents
from streams.control import Watch
from streams.metrics import Metrics
from streams.processing.scoring import Shelf
from streams.settings import Settings
from streams.state.write_behind import WriteBehind
from streams.tables import ShopperTable, shopper_table
from streams.topics import EVENTS, changelog_name
from streams.transport.sliced import Consumer, SliceSchema, Transport
from streams.web import Health, serve

log = logging.getLogger(__name__)
#: A worker that failed and does not stop by itself ends after this long.
LAST_RESORT_SECONDS = 30
#: Every so many seconds the broker is asked how far a partition goes.
ASK_END_TURNS = 10
LAG_PATIENCE_SECONDS = 2.0


class App(faust.App):
    """A Faust app that can do something before tables are recovered, which may take long: be seen to do so."""

    before_recovery: Callable[[], Awaitable[None]] | None = None

    async def on_start(self) -> None:
        await super().on_start()
        if self.before_recovery is not None:
            await self.before_recovery()


@dataclass(slots=True)
class Worker:
    """Everything a worker consists of."""

    app: App
    table: ShopperTable
    shopper_events: ShopperEvents
    writer: WriteBehind
    control: Watch
    metrics: Metrics
    settings: Settings
    port: int = 0
    """Where HTTP is served, once it is."""
    lags: dict[int, int] = field(default_factory=dict)
    """partition → records that wait, as last seen."""


def credentials(kafka: Access) -> Credentials | None:
    """How Kafka is reached, as Faust wants to be told."""
    tls = kafka.tls()
    if kafka.authenticated:
        told = {"username": kafka.username, "password": kafka.password, "mechanism": kafka.mechanism}
        return SASLCredentials(ssl_context=tls, **told)
    return SSLCredentials(context=tls) if tls is not None else None


def create_app(
    settings: Settings,
    shelf: Shelf,
    control: Watch,
    partitions: int,
    on_step: Callable[[str], None] | None = None,
    log_id: str = "",
) -> Worker:
    """Compose a worker. ``partitions`` and ``log_id`` are the events topic's; ``on_step`` is told each step of a
    flush."""
    app = App(
        settings.app_id,
        broker=";".join(f"slices://{host}" for host in settings.broker.split(",")),
        broker_credentials=credentials(settings.access),
        store="rocksdb://",
        datadir=settings.data_dir,
        # The catalogue creates topics; Faust creates its changelog only if that has not happened.
        topic_disable_leader=True,
        topic_partitions=partitions,
        topic_replication_factor=settings.replication,
        # Faust's own web server would serve the table's data.
        web_enabled=False,
        # Counted in slices: enough to keep the agent busy, few enough for back-pressure.
        stream_buffer_maxsize=8,
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
        broker_commit_interval=settings.flush_seconds,
        broker_max_poll_records=settings.max_slice,
        broker_session_timeout=settings.session_seconds,
        broker_heartbeat_interval=min(3.0, settings.session_seconds / 4),
        broker_request_timeout=max(90.0, settings.session_seconds + 10),
        broker_rebalance_timeout=60.0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=16 << 20,
        table_standby_replicas=settings.standbys,
        processing_guarantee="at_least_once",
    )
    metrics = Metrics()
    writer = WriteBehind(settings.access, changelog_name(settings.app_id), on_step)
    table = shopper_table(app, partitions)

    async def owns(tps: set[TP]) -> bool:
        return await cast(Consumer, app.consumer).owns(tps)

    shopper_events = ShopperEvents(
        settings.rules(),
        shelf,
        table,
        writer,
        metrics,
        settings.hot_rows,
        owns,
        settings.live_seconds,
        log_id,
        partitions,
    )
    worker = Worker(app, table, shopper_events, writer, control, metrics, settings)
    cast(Transport, app.transport).before_commit = shopper_events.flush
    _declare_agent(worker)
    _declare_watch(worker)
    return worker


def _declare_agent(worker: Worker) -> None:
    app, events = worker.app, worker.shopper_events

    @app.agent(app.topic(EVENTS.name, schema=SliceSchema()), name="shopper_events", concurrency=1)
    async def shopper_events(stream: Any) -> None:
        # Faust acks a message whose processing raised. Nothing may be skipped: so never leave the loop on an error,
        # never mark the slice processed, and stop the worker; the next one starts from the last commit.
        async for event in cast(AsyncIterable[Any], stream.events()):
            try:
                events.handle(event.value, event.message.follows)
            except Exception as error:
                log.exception("A slice of partition %s could not be applied", event.message.partition)
                events.failure = error
                # Faust would wait for this slice for ever; and should stopping hang all the same, end it.
                app.consumer.unacked.discard(event.message)
                last_resort = threading.Timer(LAST_RESORT_SECONDS, os._exit, (1,))
                last_resort.daemon = True
                last_resort.start()
                await app.crash(error)
                await asyncio.Event().wait()
            cast(Consumer, app.consumer).slice_processed(event.message)

    @app.on_partitions_revoked.connect
    async def revoked(*_: Any, **__: Any) -> None:
        worker.metrics.rebalances.inc()
        events.forget()

    @app.on_rebalance_complete.connect
    async def recovered(*_: Any, **__: Any) -> None:
        events.forget()
        owned = [tp.partition for tp in app.consumer.assignment() if tp.topic == EVENTS.name]
        events.partitions = len(owned)
        try:
            for partition in owned:
                events.processor(partition)
            await events.begin()
        except Exception as error:
            log.exception("The state of a partition cannot be used")
            events.failure = error
            await app.crash(error)


def _declare_watch(worker: Worker) -> None:
    app, settings, metrics = worker.app, worker.settings, worker.metrics
    turns = itertools.count()

    async def http() -> None:
        worker.port = await serve(settings.host, settings.port, metrics, lambda: health(worker))

    app.before_recovery = http

    @app.timer(interval=1.0)  # type: ignore[untyped-decorator]
    async def watch() -> None:
        metrics.ready.set(health(worker).ready)
        if app.rebalancing:
            return
        worker.writer.poll()  # deliveries are told also while nothing else happens
        await _take_lags(worker, ask=next(turns) % ASK_END_TURNS == 0)
        worker.shopper_events.watch()
        worker.shopper_events.choose(worker.control.stages)
        if settings.idle_tick_seconds:
            worker.shopper_events.tick(settings.idle_tick_seconds)


async def _take_lags(worker: Worker, *, ask: bool) -> None:
    consumer = cast(Consumer, worker.app.consumer)
    lags = {}
    for partition, processor in list(worker.shopper_events.processors.items()):
        tp = TP(EVENTS.name, partition)
        if tp in consumer.assignment():
            try:
                asked = consumer.waiting(tp, processor.next_offset, ask=ask)
                lags[partition] = await asyncio.wait_for(asked, LAG_PATIENCE_SECONDS)
            except Exception as error:
                # The broker is away, or the partition is being given up. Watching must not end the worker: what was
                # seen last goes on.
                log.debug("The lag of partition %s could not be told: %r", partition, error)
                lags[partition] = worker.lags.get(partition, 0)
    worker.lags = lags
    for partition, lag in lags.items():
        worker.metrics.lag.labels(str(partition)).set(lag)


def health(worker: Worker) -> Health:
    """Whether the worker lives and is ready, with the reason when it is not."""
    app, events = worker.app, worker.shopper_events
    if events.failure is not None:
        return Health(False, False, f"failed: {events.failure!r}")
    if app.should_stop:
        return Health(True, False, "stopping")
    if not app.consumer.assignment() and not app.unassigned:
        return Health(True, False, "waiting for partitions")
    if app.rebalancing or app.in_recovery or not cast(TableManager, app.tables).recovery.completed.is_set():
        return Health(True, False, "rebalancing or recovering")
    pending = worker.writer.waiting_seconds
    if pending > worker.settings.stalled_seconds / 2:
        return Health(True, False, f"deliveries wait: Kafka has not taken a record for {pending:.0f} s")
    waiting = sum(worker.lags.values())
    idle = time.monotonic() - events.processed_at
    if waiting and idle > worker.settings.stalled_seconds:
        return Health(True, False, f"stalled: {waiting} records wait, none processed for {idle:.0f} s")
    return Health(True, True, "ready")
