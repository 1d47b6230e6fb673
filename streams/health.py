"""Whether a worker lives and does its work. The reasons are for people: each says what is waited for."""

from __future__ import annotations

import time
from typing import cast

from faust.tables.manager import TableManager
from faust.types import TP

from streams.parts import Worker
from streams.topics import EVENTS
from streams.transport.sliced import Consumer
from streams.web import Health


def health(worker: Worker) -> Health:
    """Whether the worker lives and is ready, with the reason when it is not."""
    app, events, kafka = worker.app, worker.shopper_events, worker.kafka
    failure = events.failure or kafka.failure
    if failure is not None:
        return Health(False, False, f"failed: {failure}" if str(failure) else f"failed: {failure!r}")
    if app.should_stop:
        return Health(True, False, "stopping")
    if kafka.silent_seconds:
        return Health(True, False, f"Kafka is away: no answer for {kafka.silent_seconds:.0f} s {kafka.error}".strip())
    if kafka.missing:
        return Health(True, False, kafka.missing)
    if not app.consumer.assignment() and not app.unassigned:
        return Health(True, False, "waiting for partitions")
    if app.rebalancing or app.in_recovery or not cast(TableManager, app.tables).recovery.completed.is_set():
        return Health(True, False, "rebalancing or recovering")
    if events.unflushed and not worker.writer.flushing:
        return Health(True, False, "a flush did not come to its end: waiting to be given partitions anew")
    pending = worker.writer.waiting_seconds
    if pending > worker.settings.stalled_seconds / 2:
        return Health(True, False, f"deliveries wait: Kafka has not taken a record for {pending:.0f} s")
    now = time.monotonic()
    for partition, lag in sorted(worker.lags.items()):
        idle = now - events.progressed.get(partition, now)
        if lag and idle > worker.settings.stalled_seconds:
            return Health(
                True,
                False,
                f"stalled: {lag} records of partition {partition} wait, none of it processed for {idle:.0f} s",
            )
    return Health(True, True, "ready")


def take_lags(worker: Worker) -> None:
    """How many records of each partition wait, from what Kafka said last and what was processed since."""
    consumer, events = cast(Consumer, worker.app.consumer), worker.shopper_events
    assignment, extent = consumer.assignment(), worker.kafka.extent
    lags = {}
    for partition, processor in events.processors.items():
        tp = TP(EVENTS.name, partition)
        if tp in assignment:
            end = max(extent.ends.get(partition, 0), consumer.last_stable_offset(tp))
            lags[partition] = consumer.waiting(tp, processor.next_offset, end)
            worker.metrics.lag.labels(str(partition)).set(lags[partition])
            if not lags[partition]:
                events.progressed[partition] = time.monotonic()
    worker.lags = lags


def take_losses(worker: Worker) -> None:
    """Go on from the start of the log where retention has overtaken the state and nothing came to show it."""
    consumer, events = cast(Consumer, worker.app.consumer), worker.shopper_events
    assignment, starts = consumer.assignment(), worker.kafka.extent.starts
    overtaken = {}
    for partition, processor in events.processors.items():
        tp, start, applied = TP(EVENTS.name, partition), starts.get(partition, 0), processor.next_offset
        if tp in assignment and 0 < applied < start <= consumer.read_until(tp):
            overtaken[partition] = applied
            # Seen twice: a slice from before may be on its way to the agent, delivered by nobody yet.
            if worker.overtaken.get(partition) == applied:
                events.pass_over(partition, start)
                consumer.pass_over(tp, start)
    worker.overtaken = overtaken
