"""Whether a worker lives and does its work. The reasons are for people: each says what is waited for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

from faust.exceptions import ConsumerNotStarted
from faust.tables.manager import TableManager
from faust.types import TP

from streams.parts import Worker
from streams.topics import CARRIED
from streams.transport.sliced import Consumer
from streams.web import Health


def health(worker: Worker) -> Health:
    """Whether the worker lives and is ready, with the reason when it is not."""
    app, kafka = worker.app, worker.kafka
    failure = worker.durability.failure or kafka.failure
    if failure is not None:
        return Health(False, False, f"failed: {failure}" if str(failure) else f"failed: {failure!r}")
    if app.should_stop:
        return Health(True, False, "stopping")
    if kafka.silent_seconds:
        return Health(True, False, f"Kafka is away: no answer for {kafka.silent_seconds:.0f} s {kafka.error}".strip())
    if kafka.missing:
        return Health(True, False, kafka.missing)
    try:
        given = app.consumer.assignment()
    except ConsumerNotStarted:  # asked in the first moments: it is no error
        return Health(True, False, "starting")
    if not given and not app.unassigned:
        return Health(True, False, "waiting for partitions")
    completed = cast(TableManager, app.tables).recovery.completed.is_set()
    if app.rebalancing or app.in_recovery or worker.coming_back or not completed:
        return Health(True, False, "rebalancing or recovering")
    if worker.durability.unflushed and not worker.writer.flushing:
        return Health(True, False, "a flush did not come to its end: waiting to be given partitions anew")
    pending = worker.writer.waiting_seconds
    if pending > worker.settings.stalled_seconds / 2:
        return Health(True, False, f"deliveries wait: Kafka has not taken a record for {pending:.0f} s")
    now = time.monotonic()
    for tp, lag in sorted(worker.lags.items()):
        idle = now - worker.logs[tp.topic].progressed.get(tp.partition, now)
        if lag and idle > worker.settings.stalled_seconds:
            return Health(
                True,
                False,
                f"stalled: {lag} records of {tp.topic}, partition {tp.partition}, wait, none of it processed for "
                f"{idle:.0f} s",
            )
    return Health(True, True, "ready")


def ready_line(worker: Worker) -> str:
    """What a worker that is ready reads, and where it tells more."""
    owned: dict[str, list[int]] = {}
    for tp in sorted(worker.app.consumer.assignment()):
        owned.setdefault(tp.topic, []).append(tp.partition)
    alike: dict[tuple[int, ...], list[str]] = {}
    for topic in (*worker.logs, *(topic.name for topic in CARRIED)):
        if topic in owned:
            alike.setdefault(tuple(owned[topic]), []).append(topic)
    total = worker.kafka.partitions
    read = "; ".join(f"{', '.join(topics)} ({_of(partitions, total)})" for partitions, topics in alike.items())
    host = f"[{worker.settings.host}]" if ":" in worker.settings.host else worker.settings.host
    what = f"reads {read}" if read else "other workers have all partitions; takes over when one ends"
    return f"Ready: {what}. /metrics, /live, /ready and /search are at http://{host}:{worker.port}. Ctrl-C stops it."


def _of(partitions: Sequence[int], total: int) -> str:
    """Which partitions of a topic, in words.

    >>> _of([0, 1, 2], 3), _of([1], 3), _of([0, 2], 3)
    ('all 3 partitions', 'partition 1 of 3', 'partitions 0, 2 of 3')
    """
    if len(partitions) == total:
        return f"all {total} partitions" if total > 1 else "its only partition"
    named = ", ".join(map(str, partitions))
    return f"partition{'s' if len(partitions) > 1 else ''} {named} of {total}"


def measure_lags(worker: Worker) -> None:
    """How many records of each partition wait, from what Kafka said last and what was processed since."""
    consumer = cast(Consumer, worker.app.consumer)
    assignment = consumer.assignment()
    lags = {}
    for topic, log in worker.logs.items():
        extent = worker.kafka.extents[topic]
        for partition, processor in log.processors.items():
            tp = TP(topic, partition)
            if tp in assignment:
                end = max(extent.ends.get(partition, 0), consumer.last_stable_offset(tp))
                lags[tp] = consumer.waiting(tp, processor.next_offset, end)
                worker.metrics.lag.labels(log.entity.name, str(partition)).set(lags[tp])
                if not lags[tp]:
                    log.progressed[partition] = time.monotonic()
    worker.lags = lags


def pass_over_losses(worker: Worker) -> None:
    """Go on from the start of the log where retention has overtaken the state and nothing came to show it."""
    consumer = cast(Consumer, worker.app.consumer)
    assignment = consumer.assignment()
    overtaken = {}
    for topic, log in worker.logs.items():
        starts = worker.kafka.extents[topic].starts
        for partition, processor in log.processors.items():
            tp, start, applied = TP(topic, partition), starts.get(partition, 0), processor.next_offset
            if tp in assignment and 0 < applied < start <= consumer.read_until(tp):
                overtaken[tp] = applied
                # Seen twice: a slice from before may be on its way to the agent, delivered by nobody yet.
                if worker.overtaken.get(tp) == applied:
                    log.pass_over(partition, start)
                    consumer.pass_over(tp, start)
    worker.overtaken = overtaken
