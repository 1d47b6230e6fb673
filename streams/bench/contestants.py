"""The programs of the bench that run in this package's environment, each as a process of its own:
``python -m streams.bench.contestants NAME BROKER DATA_DIR APP_ID RECORDS``.

``ours`` is this worker as it is; ``limit`` its work without anything durable. ``faust`` is idiomatic Faust: an agent
per event, a RocksDB table of JSON states, what all peers do (``plain_work``). ``ours_empty`` and ``faust_empty`` only
decode.

Each prints a line of JSON: seconds from its first record to the commit after its last.
"""

from __future__ import annotations

import sys
from typing import Any, cast

import faust

from streams.agents.entity_log import EntityLog
from streams.bench.clock import Clock, start
from streams.bench.limit import limit
from streams.bench.plain_work import PlainWork
from streams.entities.shopper import SHOPPER
from streams.processing.applied import Applied
from streams.records.events import event_decoder
from streams.records.slices import Slice
from streams.settings import Settings
from streams.topics import EVENTS, PROFILES, SCORES
from streams.transport.sliced import Consumer, SliceSchema


def ours(settings: Settings, clock: Clock) -> None:
    """This worker, as it is."""
    from streams.worker import run

    handle, commit = EntityLog.handle, Consumer._commit_tps
    stages: dict[str, float] = {}
    due = 0

    def counted(self: EntityLog, slice_: Slice, follows: int) -> Applied:
        nonlocal due
        clock.begin()
        result = handle(self, slice_, follows)
        for stage, seconds in result.seconds.items():
            stages[stage] = stages.get(stage, 0.0) + seconds
        if self.entity is SHOPPER:  # What partitions tell items is work of theirs, and no event.
            due += result.due_points
            clock.count(len(slice_))
        return result

    async def committed(self: Consumer, *args: Any, **more: Any) -> bool:
        last = clock.seen >= clock.records
        done = await commit(self, *args, **more)
        if last and done:
            clock.more = {"stages": stages}
            clock.finish(due)
        return done

    EntityLog.handle, Consumer._commit_tps = counted, committed  # type: ignore[method-assign]
    run(settings, "ERROR")


def _app(settings: Settings, scheme: str) -> faust.App:
    return faust.App(
        settings.app_id,
        broker=f"{scheme}://{settings.broker}",
        store="rocksdb://",
        datadir=settings.data_dir,
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        web_enabled=False,
        table_standby_replicas=0,
        broker_commit_interval=settings.flush_seconds,
        broker_max_poll_records=settings.max_slice if scheme == "slices" else None,
        stream_buffer_maxsize=8 if scheme == "slices" else 4096,
        value_serializer="raw",
    )


def _run(app: faust.App) -> None:
    import asyncio

    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    faust.Worker(app, loglevel="ERROR", redirect_stdouts=False, quiet=True).execute_from_commandline()


def ours_empty(settings: Settings, clock: Clock) -> None:
    """The batched transport with an agent that only decodes."""
    app = _app(settings, "slices")
    decode = event_decoder.decode

    @app.agent(app.topic(EVENTS.name, schema=SliceSchema()))
    async def empty(stream: Any) -> None:
        async for event in stream.events():
            clock.begin()
            for value in event.value.values:
                decode(value)
            cast(Consumer, app.consumer).slice_processed(event.message)
            if clock.count(len(event.value)):
                await app.consumer.commit()
                clock.finish(0)

    _run(app)


def faust_empty(settings: Settings, clock: Clock) -> None:
    """Faust's transport with an agent that only decodes."""
    app = _app(settings, "kafka")
    decode = event_decoder.decode

    @app.agent(app.topic(EVENTS.name, key_type=bytes, value_type=bytes))
    async def empty(stream: Any) -> None:
        async for value in stream:
            decode(value)
            if clock.count(1):
                await app.consumer.commit()
                clock.finish(0)

    _run(app)


def idiomatic(settings: Settings, clock: Clock) -> None:
    """Idiomatic Faust: an event at a time, the state a JSON dict in a RocksDB table."""
    app = _app(settings, "kafka")
    work = PlainWork(settings.rules().cadence_ms)
    table = app.Table("states", partitions=settings.partitions, default=dict)
    topics = {t.name: app.topic(t.name, key_type=bytes, value_type=bytes) for t in (SCORES, PROFILES)}

    @app.agent(app.topic(EVENTS.name, key_type=bytes, value_type=bytes))
    async def score(stream: Any) -> None:
        async for key, value in stream.items():
            last, shopper = clock.count(1), key.decode()
            table[shopper], outputs = work.apply(table[shopper], value)
            for topic, said in outputs:
                await topics[topic].send(key=key, value=said)
            if last:
                await app.producer.flush()
                await app.consumer.commit()
                clock.finish(work.due_points)

    _run(app)


CONTESTANTS = {"ours": ours, "limit": limit, "faust": idiomatic, "ours_empty": ours_empty, "faust_empty": faust_empty}


if __name__ == "__main__":
    start(CONTESTANTS[sys.argv[1]], sys.argv[2:])
