"""Quix Streams: a dataframe with state in RocksDB and its changelog, at least once as it is by default.

Tuned: what was done is committed as often as the worker commits, and nothing is logged.
"""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application, State

from streams.bench.clock import Clock, start
from streams.bench.plain_work import PlainWork
from streams.settings import Settings
from streams.topics import EVENTS, PROFILES, SCORES


def quix(settings: Settings, clock: Clock) -> None:
    """Runs until the checkpoint after the last record."""
    work = PlainWork(settings.rules().cadence_ms)

    class Measured(Application):  # type: ignore[misc]
        def _run_dataframe(self, sink: Any = None) -> None:
            super()._run_dataframe(sink)  # ends with a checkpoint
            clock.finish(work.due_points)

    def stop_at_last(_topic: str, _partition: int, _offset: int) -> None:
        if clock.seen >= clock.records:
            app.stop()

    app = Measured(
        settings.broker,
        consumer_group=settings.app_id,
        auto_offset_reset="earliest",
        state_dir=settings.data_dir,
        commit_interval=settings.flush_seconds,
        on_message_processed=stop_at_last,
        loglevel="ERROR",
    )

    def apply(value: bytes, state: State) -> list[dict[str, Any]]:
        clock.count(1)
        held, outputs = work.apply(state.get("shopper"), value)
        state.set("shopper", held)
        return [{"topic": topic, "value": said} for topic, said in outputs]

    events = app.dataframe(app.topic(EVENTS.name, value_deserializer="bytes"))
    outputs = events.apply(apply, stateful=True, expand=True)
    for name in (SCORES.name, PROFILES.name):
        some = outputs.filter(lambda one, name=name: one["topic"] == name)
        some.apply(lambda one: one["value"]).to_topic(app.topic(name, value_serializer="bytes"))
    app.run()


if __name__ == "__main__":
    start(quix, sys.argv[1:])
