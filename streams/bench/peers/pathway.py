"""Pathway: events grouped by shopper into a stateful reducer, whose changes are written as they come.

Persisted is the log of its input, at the interval of the worker's flush: to persist the states themselves needs a
license key. Its end is the last record in the output topics; it is not waited until that is persisted, which leans to
its side.
"""

from __future__ import annotations

import sys
import time
from threading import Thread
from typing import Any

import msgspec
import pathway as pw
from confluent_kafka import Consumer, TopicPartition

from streams.bench.clock import Clock, start
from streams.bench.plain_work import PlainWork
from streams.settings import Settings
from streams.topics import EVENTS, PROFILES, SCORES


def pathway(settings: Settings, clock: Clock) -> None:
    """Runs until all outputs stand in their topics."""
    work, kafka = PlainWork(settings.rules().cadence_ms), {"bootstrap.servers": settings.broker}
    written = 0

    @pw.reducers.stateful_many  # type: ignore[untyped-decorator]
    def apply(held: tuple[bytes, tuple[Any, ...]] | None, rows: Any) -> tuple[bytes, tuple[Any, ...]]:
        nonlocal written
        state = None if held is None else msgspec.json.decode(held[0])
        said = []
        for (_, value), _ in sorted(rows):  # of one time, in no order
            state, outputs = work.apply(state, value)
            said += outputs
        written += len(said)
        clock.count(len(rows))
        return msgspec.json.encode(state), tuple(said)

    events = pw.io.kafka.read(
        kafka | {"group.id": settings.app_id, "auto.offset.reset": "earliest"},
        EVENTS.name,
        format="raw",
        autocommit_duration_ms=100,
        with_metadata=True,
        name="events",
    )
    offset = pw.this._metadata["offset"].as_int()
    states = events.select(pw.this.key, pw.this.data, offset=offset).groupby(pw.this.key)
    changes = states.reduce(pw.this.key, held=apply(pw.this.offset, pw.this.data)).to_stream()
    outputs = changes.filter(pw.this.is_upsert).select(pw.this.key, said=pw.this.held[1]).flatten(pw.this.said)
    outputs = outputs.select(pw.this.key, topic=pw.this.said[0], value=pw.this.said[1])
    outputs = outputs.update_types(key=bytes, topic=str, value=bytes)
    pw.io.kafka.write(outputs, kafka, outputs.topic, format="raw", key=outputs.key, value=outputs.value)

    def finish_when_written() -> None:
        reader = Consumer(kafka | {"group.id": "reader"})
        places = [TopicPartition(topic.name, p) for topic in (SCORES, PROFILES) for p in range(settings.partitions)]
        while clock.seen < clock.records or written > sum(reader.get_watermark_offsets(p)[1] for p in places):
            time.sleep(0.02)
        clock.finish(work.due_points)

    Thread(target=finish_when_written, daemon=True).start()
    pw.run(
        monitoring_level=pw.MonitoringLevel.NONE,
        persistence_config=pw.persistence.Config(
            pw.persistence.Backend.filesystem(settings.data_dir / "persisted"),
            snapshot_interval_ms=int(settings.flush_seconds * 1000),
        ),
    )


if __name__ == "__main__":
    start(pathway, sys.argv[1:])
