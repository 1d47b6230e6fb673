"""Bytewax: a keyed dataflow with state in memory, snapshots of it in recovery partitions (SQLite).

Tuned: an epoch is as long as the worker's flush, its source reads batches of 1,000, its sink writes them at once.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from streams.bench.clock import Clock, start
from streams.bench.plain_work import Output, PlainWork
from streams.settings import Settings
from streams.topics import EVENTS, SCORES


def bytewax(settings: Settings, clock: Clock) -> None:
    """Runs to the end of the topic and the snapshot after it."""
    work, brokers = PlainWork(settings.rules().cadence_ms), [settings.broker]

    def keyed(message: KafkaSourceMessage) -> tuple[str, bytes]:
        return message.key.decode(), message.value

    def apply(state: dict[str, Any] | None, value: bytes) -> tuple[dict[str, Any], list[Output]]:
        clock.count(1)
        return work.apply(state, value)

    def message_of(output: tuple[str, Output]) -> KafkaSinkMessage:
        key, (topic, value) = output
        return KafkaSinkMessage(key.encode(), value, topic=topic)

    flow = Dataflow("bench")
    events = kop.input("events", flow, brokers=brokers, topics=[EVENTS.name], tail=False)
    op.raises("errors", events.errs)
    outputs = op.stateful_flat_map("work", op.map("keyed", events.oks, keyed), apply)
    kop.output("write", op.map("messages", outputs, message_of), brokers=brokers, topic=SCORES.name)

    recovery = settings.data_dir / "recovery"
    recovery.mkdir()
    init_db_dir(recovery, settings.partitions)
    epoch = timedelta(seconds=settings.flush_seconds)
    cli_main(flow, epoch_interval=epoch, recovery_config=RecoveryConfig(recovery, timedelta(0)))
    clock.finish(work.due_points)


if __name__ == "__main__":
    start(bytewax, sys.argv[1:])
