"""The composition root: the only file that knows all others. ``create_app(settings)`` makes one worker's app."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from typing import Any, cast

from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.types import TP

from streams.access import Access
from streams.agents.budgets import Budgets
from streams.agents.carrier import Carrier
from streams.agents.durability import Durability
from streams.agents.entity_log import EntityLog
from streams.agents.likeness import Likeness
from streams.agents.searching import Searching, tell
from streams.announce import Announcer
from streams.campaign_book import CampaignBook
from streams.compacted import Watch
from streams.control import Control
from streams.entities import contents
from streams.entities.campaign import CAMPAIGN
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.health import health, measure_lags, pass_over_losses, ready_line
from streams.kafka_watch import Extent, KafkaWatch
from streams.loop_watch import watch_loop
from streams.metrics import Metrics
from streams.noise import quieten
from streams.parts import App, Worker
from streams.processing.entity import Entity
from streams.processing.in_force import OtherRules
from streams.processing.model import Shelf
from streams.records.slices import Slice
from streams.search_book import SearchBook
from streams.settings import Settings
from streams.state.write_behind import WriteBehind
from streams.tables import Tables, entity_table
from streams.topics import CARRIED, CATALOG, changelog_name
from streams.transport.sliced import Consumer, SliceSchema, Transport
from streams.web import serve

log = logging.getLogger(__name__)
#: Models are looked at once a second, and no sooner than so many times as long as the last look took.
LOOKS_APART = 100


def credentials(kafka: Access) -> Credentials | None:
    """How Kafka is reached, as Faust wants to be told."""
    tls = kafka.tls()
    if kafka.authenticated:
        told = {"username": kafka.username, "password": kafka.password, "mechanism": kafka.mechanism}
        return SASLCredentials(ssl_context=tls, **told)
    return SSLCredentials(context=tls) if tls is not None else None


def create_app(
    settings: Settings,
    entities: Sequence[Entity],
    shelf: Shelf,
    control: Watch[Control],
    campaigns: Watch[CampaignBook],
    sought: Watch[SearchBook],
    kafka: KafkaWatch,
    on_step: Callable[[str], None] | None = None,
    announcer: Announcer | None = None,
    likeness: Likeness | None = None,
) -> Worker:
    """Compose a worker for these entities. ``on_step`` is told each step of a flush, ``announcer`` what
    comes of the records. ``likeness``: what counts in searches over HTTP as well."""
    partitions = kafka.partitions
    app = App(
        settings.app_id,
        broker=";".join(f"slices://{host}" for host in settings.broker.split(",")),
        broker_credentials=credentials(settings.access),
        store="rocksdb://",
        TableManager=Tables,
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
        consumer_group_instance_id=settings.instance_id or None,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=16 << 20,
        table_standby_replicas=settings.standbys,
        processing_guarantee="at_least_once",
    )
    metrics = Metrics()
    writer = WriteBehind(settings.access, on_step, app.give_up)

    async def owns(tps: set[TP]) -> bool:
        return await cast(Consumer, app.consumer).owns(tps)

    async def confirm() -> Mapping[str, Extent]:
        return await asyncio.to_thread(kafka.confirm, app.give_up)

    topics = contents.logs(settings.app_id)
    logs = {
        topics[entity.name]: EntityLog(
            entity,
            settings.app_id,
            settings.rules(),
            shelf,
            entity_table(
                app, entity.name, partitions, kafka.identity(changelog_name(settings.app_id, entity.name)).topic_id
            ),
            writer,
            metrics,
            settings.hot_rows // len(entities),
            settings.live_seconds,
            kafka.identity(topics[entity.name]).topic_id,
            partitions,
            announcer,
            settings.data_dir,
        )
        for entity in entities
    }
    durability = Durability(logs, writer, metrics, owns, confirm)
    silent = announcer or Announcer(0, lambda _line: None)
    held = logs[topics[SHOPPER.name]].processors if topics[SHOPPER.name] in logs else {}
    searching = Searching(sought, writer, metrics, settings.rules().publish_from_ms, held, likeness)
    while searching.follow():
        pass  # What is listed is found from the start.
    worker = Worker(app, logs, durability, writer, silent, control, campaigns, searching, kafka, metrics, settings)

    async def read_from(committed: Mapping[TP, int]) -> Mapping[TP, int]:
        try:
            return await durability.read_from(committed)
        except Exception as error:
            log.error("This worker cannot go on: %s", error)
            await worker.fail(error)
            raise

    app.away = lambda: kafka.silent_seconds > 0
    transport = cast(Transport, app.transport)
    transport.before_commit, transport.read_from = durability.flush, read_from
    for entity_log in logs.values():
        handle = _with_searches(entity_log, searching) if entity_log.entity is SHOPPER else entity_log.handle
        _declare_agent(worker, entity_log.topic, handle)
    if (items := topics[ITEM.name]) in logs:
        carrier = Carrier(writer, items, partitions, settings.partitioner)

        def carry(slice_: Slice, _follows: int) -> None:
            carrier.carry(slice_)
            if slice_.topic == CATALOG.name:
                tell(slice_, writer)

        for topic in CARRIED:
            _declare_agent(worker, topic.name, carry)
    _declare_rebalances(worker)
    _declare_watch(worker)
    return worker


def _with_searches(shoppers: EntityLog, searching: Searching) -> Callable[[Slice, int], object]:
    """Searches of a slice are answered once it was applied: what is stale, or no log of this group, raises first."""

    def handle(slice_: Slice, follows: int) -> None:
        shoppers.handle(slice_, follows)
        searching.handle(slice_)

    return handle


def _declare_agent(worker: Worker, topic: str, handle: Callable[[Slice, int], object]) -> None:
    app = worker.app

    @app.agent(app.topic(topic, schema=SliceSchema()), name=topic, concurrency=1)
    async def agent(stream: Any) -> None:
        # Faust acks a message whose processing raised. Nothing may be skipped: so never leave the loop on an error,
        # never mark the slice processed, and stop the worker; the next one starts from the last commit.
        async for event in cast(AsyncIterable[Any], stream.events()):
            try:
                await worker.writer.room()
                handle(event.value, event.message.follows)
            except Exception as error:
                if not isinstance(error, OtherRules):  # What that says is the worker's last line, and all there is.
                    log.exception("A slice of %s, partition %s could not be applied", topic, event.message.partition)
                # Faust would wait for this slice for ever; and should stopping hang all the same, end it.
                app.consumer.unacked.discard(event.message)
                await worker.fail(error)
                await asyncio.Event().wait()
            cast(Consumer, app.consumer).slice_processed(event.message)


def _declare_rebalances(worker: Worker) -> None:
    app = worker.app

    @app.on_partitions_revoked.connect
    async def revoked(*_: Any, **__: Any) -> None:
        worker.metrics.rebalances.inc()
        worker.durability.forget()

    @app.on_rebalance_complete.connect
    async def recovered(*_: Any, **__: Any) -> None:
        worker.durability.forget()
        assignment = app.consumer.assignment()
        worker.coming_back = True
        try:
            for topic, entity_log in worker.logs.items():
                owned = [tp.partition for tp in assignment if tp.topic == topic]
                entity_log.partitions = len(owned)
                for partition in owned:
                    await entity_log.come_back(partition)
        except Exception as error:
            if not isinstance(error, OtherRules):  # What that says is the worker's last line, and all there is.
                log.exception("The state of a partition cannot be used")
            await worker.fail(error)
        finally:
            worker.coming_back = False
        app.add_future(_warm_up(worker))


async def _warm_up(worker: Worker) -> None:
    try:
        for entity_log in worker.logs.values():
            await entity_log.warm_up()
    except Exception as error:
        log.exception("Rows cannot be read from the table")
        await worker.fail(error)


def _declare_watch(worker: Worker) -> None:
    app, settings, kafka = worker.app, worker.settings, worker.kafka
    logs, durability, announcer = tuple(worker.logs.values()), worker.durability, worker.announcer

    async def started() -> None:
        quieten()
        app.add_future(watch_loop(worker.metrics.loop_block.set))
        worker.port = await serve(
            settings.host,
            settings.port,
            worker.metrics,
            lambda: health(worker),
            worker.searching.asked,
        )

    app.before_recovery = started

    campaigns = worker.logs.get(contents.logs(settings.app_id)[CAMPAIGN.name])
    budgets = None if campaigns is None else Budgets(campaigns, kafka.partitions, settings.lease_minutes)

    watched_again: dict[str, float] = {}
    """By entity: from when on its models are looked at again."""

    @app.timer(interval=1.0)  # type: ignore[untyped-decorator]
    async def watch() -> None:
        ready = health(worker).ready
        worker.metrics.ready.set(ready)
        if ready:
            announcer.stands(ready_line(worker))
        announcer.announce()
        worker.writer.poll()  # deliveries are told also while nothing else happens
        worker.searching.follow()
        kafka.report()
        if kafka.failure is not None and durability.failure is None:
            log.error("This worker cannot go on: %s", kafka.failure)
            await worker.fail(kafka.failure)
        try:
            cast(Consumer, app.consumer).check_group()
        except RuntimeError as error:
            await worker.fail(error)
        if app.rebalancing or worker.coming_back or durability.failure is not None:
            return
        measure_lags(worker)
        for entity_log in logs:
            began = time.monotonic()
            if began >= watched_again.get(entity_log.entity.name, 0.0):
                entity_log.models.watch()
                watched_again[entity_log.entity.name] = began + LOOKS_APART * (time.monotonic() - began)
        if budgets is not None:
            budgets.show()
        if kafka.silent_seconds or kafka.missing:
            return  # What would be said now is said when it can be heard.
        pass_over_losses(worker)
        for entity_log in logs:
            entity_log.choices.choose(worker.control.newest, worker.campaigns.newest)
            if settings.idle_tick_seconds:
                entity_log.tick(settings.idle_tick_seconds)
        if budgets is not None and (wanted := worker.campaigns.newest.wanted) is not None:
            budgets.set(wanted)
