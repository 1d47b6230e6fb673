"""The four programs that the bench runs, each as a process of its own: ``python -m streams.bench.contestants …``.

``ours`` is this worker as it is. ``faust`` is idiomatic Faust: an agent per event, a RocksDB table of JSON states,
the same features in plain Python, the same ONNX models, the same due points. It is spared timers, decisions, late and
duplicate events, so the comparison leans to its side. ``ours_empty`` and ``faust_empty``
only decode.

Each prints a line of JSON: seconds from its first record to the commit after its last.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, cast

import faust
import numpy as np

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import SHIPPED
from streams.agents.entity_log import EntityLog
from streams.bench import plain_features
from streams.decisions.profile import Answers, profile
from streams.entities.shopper import SHOPPER
from streams.processing.applied import Applied
from streams.records.events import ShopperEvent, event_decoder
from streams.records.outcomes import Answer, Due, ModelUsed, Scored, encode_outcome, outcome_id
from streams.records.slices import Slice
from streams.settings import Settings
from streams.topics import EVENTS, PROFILES, SCORES
from streams.transport.sliced import Consumer, SliceSchema

DECISIVE_TYPES = SHOPPER.decisive


class Clock:
    """Notes the first record, and ends the process once the last was committed."""

    def __init__(self, records: int) -> None:
        self.records, self.seen, self.first = records, 0, 0.0
        self.more: dict[str, Any] = {}

    def count(self, n: int) -> bool:
        """Count records; true when these were the last."""
        if not self.first:
            self.first = time.perf_counter()
        self.seen += n
        return self.seen >= self.records

    def finish(self) -> None:
        """Print the result and end, without ceremony."""
        seconds = time.perf_counter() - self.first
        sys.stdout.write(json.dumps({"seconds": seconds, "records": self.seen, **self.more}) + "\n")
        sys.stdout.flush()
        os._exit(0)


def ours(settings: Settings, clock: Clock) -> None:
    """This worker, as it is."""
    from streams.worker import run

    handle, commit = EntityLog.handle, Consumer._commit_tps
    stages: dict[str, float] = {}
    due = 0

    def counted(self: EntityLog, slice_: Slice, follows: int) -> Applied:
        nonlocal due
        clock.first = clock.first or time.perf_counter()
        result = handle(self, slice_, follows)
        due += result.due_points
        for stage, seconds in result.seconds.items():
            stages[stage] = stages.get(stage, 0.0) + seconds
        if self.entity is SHOPPER:  # What partitions tell items is work of theirs, and no event.
            clock.count(len(slice_))
        return result

    async def committed(self: Consumer, *args: Any, **more: Any) -> bool:
        last = clock.seen >= clock.records
        done = await commit(self, *args, **more)
        if last and done:
            clock.more = {"stages": stages, "due_points": due, "cpu_seconds": time.process_time()}
            clock.finish()
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
            clock.first = clock.first or time.perf_counter()
            for value in event.value.values:
                decode(value)
            cast(Consumer, app.consumer).slice_processed(event.message)
            if clock.count(len(event.value)):
                await app.consumer.commit()
                clock.finish()

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
                clock.finish()

    _run(app)


def idiomatic(settings: Settings, clock: Clock) -> None:
    """Idiomatic Faust: an event at a time, the state a JSON dict in a RocksDB table."""
    app = _app(settings, "kafka")
    models = [Predictor(load_artifact(task)) for task in SHIPPED if not task.at]  # nothing here asks the others
    used = {m.task: ModelUsed(task=m.task, version=m.version, digest=m.digest[:16]) for m in models}
    cadence_ms = settings.rules().cadence_ms
    table = app.Table("states", partitions=settings.partitions, default=dict)
    scores = app.topic(SCORES.name, key_type=bytes, value_type=bytes)
    profiles = app.topic(PROFILES.name, key_type=bytes, value_type=bytes)
    decode = event_decoder.decode
    due_points = 0

    @app.agent(app.topic(EVENTS.name, key_type=bytes, value_type=bytes))
    async def score(stream: Any) -> None:
        nonlocal due_points
        async for value in stream:
            last = clock.count(1)
            event = cast(ShopperEvent, decode(value))
            at = cast(int, event.event_time)
            state = table[event.shopper_id] or {"bucket": -1, **plain_features.new_state()}
            plain_features.fold(state, event, at)
            if at // cadence_ms > state["bucket"] or isinstance(event, DECISIVE_TYPES):
                due_points += 1
                seen: dict[str, Any] = plain_features.read(state, at) | plain_features.sequence(state, at)
                key, due = event.shopper_id.encode(), Due(kind="event", ref=event.event_id)
                told: dict[str, Answer] = {}
                for model in models:
                    if any(seen[condition.address] < condition.least for condition in model.population):
                        continue
                    row = np.concatenate([np.atleast_1d(seen[a]) for a in model.features]).astype(np.float32)[None]
                    answers = {name: np.round(v, 4) for name, v in model.score(row).items()}
                    scalars = {o.name: float(answers[o.name][0]) for o in model.outputs if o.scalar}
                    told[model.task] = Answer(model=used[model.task], scores=scalars)  # type: ignore[arg-type]
                    if "embedding" in answers:
                        known_as = outcome_id("profile", event.shopper_id, f"event:{event.event_id}", model.task)
                        said = profile(
                            Answers(answers),
                            0,
                            known_as,
                            event.shopper_id,
                            at,
                            due,
                            used[model.task],
                            [None] * 8,
                        )
                        await profiles.send(key=key, value=encode_outcome(said))
                if told:
                    scored = Scored(
                        outcome_id=outcome_id("scored", event.shopper_id, f"event:{event.event_id}", ""),
                        entity="shopper",
                        key=event.shopper_id,
                        event_time_ms=at,
                        due=due,
                        answers=told,
                    )
                    await scores.send(key=key, value=encode_outcome(scored))
            state["bucket"] = max(state["bucket"], at // cadence_ms)
            table[event.shopper_id] = state
            if last:
                await app.producer.flush()
                await app.consumer.commit()
                clock.more = {"due_points": due_points, "cpu_seconds": time.process_time()}
                clock.finish()

    _run(app)


CONTESTANTS = {"ours": ours, "faust": idiomatic, "ours_empty": ours_empty, "faust_empty": faust_empty}


def main() -> None:
    """NAME BROKER DATA_DIR APP_ID RECORDS."""
    name, broker, data_dir, app_id, records = sys.argv[1:]
    settings = Settings(broker=broker, data_dir=Path(data_dir), app_id=app_id, port=0, idle_tick_seconds=0.0)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    CONTESTANTS[name](settings, Clock(int(records)))


if __name__ == "__main__":
    main()
