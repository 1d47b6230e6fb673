"""What a load needs: partitions, workers, memory, disk and network, from what was measured.

Pure. docs/planning.md has the formulas and the points that they are held to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import streams.coefficients as c
from streams.entities.contents import ENTITIES
from streams.topics import DAY_MS, EVENTS, INTERNAL, TOPICS

DAY_SECONDS = DAY_MS // 1000
#: What a worker owns, as it was measured; and so the load may become so many times as large before partitions run out.
PARTITIONS_PER_WORKER = 4
#: Kafka compacts a topic once half of it is old, and never its newest segment, which is full at a GiB or after a week;
#: a changelog's after a day.
COMPACTED_TIMES, SEGMENT_BYTES, SEGMENT_DAYS = 2, 1 << 30, 7


class PlanError(ValueError):
    """No number of workers can carry it; says what to change."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Load:
    """What comes, and how it is kept."""

    events_per_second: float
    """The mean of a day."""
    shoppers: int
    hot_share: float = 1.0
    """Share of the shoppers whose rows are kept in memory."""
    peak: float = 3.0
    """The busiest time, as so many times the mean. What is over at other times catches up after a stop."""
    retention_days: float = 30.0
    """How long events are kept; outputs are kept as catalogued (``offerstream topics``)."""
    replication: int = 3
    """Copies of each partition that the brokers keep."""
    memory_bytes: int = 8 << 30
    """The most that one worker may take."""


@dataclass(frozen=True, slots=True)
class Network:
    """Bytes per second at the busiest time."""

    events: int
    """From producers to brokers, and again from brokers to workers."""
    outputs: int
    """From workers to brokers: outcomes, profiles, and the changelog with a row for every event."""
    between_brokers: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a load needs; bytes and seconds are each worker's where they say so."""

    partitions: int
    workers: int
    worker_memory_bytes: int
    worker_hot_rows: int
    """What ``OFFERSTREAM_HOT_ROWS`` is to be."""
    worker_disk_bytes: int
    worker_recovery_seconds: float
    """With an empty folder, from its start until it is ready."""
    kafka_disk_bytes: int
    """Of all brokers together."""
    network_bytes_per_second: Network


def memory_bytes(shoppers: float, hot: float) -> float:
    """Of a worker that has so many shoppers, with the rows of so many in memory."""
    return c.WORKER_BYTES + c.HOT_BYTES * hot + c.COLD_BYTES * (shoppers - hot)


def recovery_seconds(shoppers: float) -> float:
    """Of a worker with an empty folder that has so many shoppers, all of them hot, on a core of its own."""
    return c.START_SECONDS + c.RECOVERY_CPU_SECONDS * shoppers


def cpu_seconds(shoppers: float) -> float:
    """Of CPU that a worker spends from its start until it has so many shoppers back."""
    return c.START_CPU_SECONDS + c.RECOVERY_CPU_SECONDS * shoppers


def changelog_bytes(shoppers: float) -> float:
    """Of a changelog that holds so many shoppers once each."""
    return c.CHANGELOG_BYTES * shoppers


def log_bytes(events: float) -> dict[str, float]:
    """By topic, what so many events and what is said of them take in Kafka, before anything is deleted or compacted."""
    return {topic: each * events for topic, each in {EVENTS.name: c.EVENT_BYTES, **c.OUTPUT_BYTES}.items()}


def plan(load: Load) -> Plan:
    """What a load needs. Raises ``PlanError``."""
    shoppers, hot = load.shoppers, load.hot_share * load.shoppers
    room = load.memory_bytes - c.WORKER_BYTES
    if room <= 0:
        raise PlanError(
            f"A worker without any shopper takes {math.ceil(c.WORKER_BYTES / 2**20)} MiB, and may take "
            f"{load.memory_bytes >> 20}: give each more (--worker-memory)."
        )
    at_peak = load.events_per_second * load.peak
    of_rows = (memory_bytes(shoppers, hot) - c.WORKER_BYTES) / room
    workers = max(1, math.ceil(at_peak / c.WORKER_EVENTS_PER_SECOND), math.ceil(of_rows))
    partitions = PARTITIONS_PER_WORKER * workers
    events, outputs = c.EVENT_BYTES, sum(c.OUTPUT_BYTES.values()) + c.CHANGELOG_BYTES + c.ITEMS_CHANGELOG_BYTES
    return Plan(
        partitions=partitions,
        workers=workers,
        worker_memory_bytes=math.ceil(memory_bytes(shoppers / workers, hot / workers)),
        worker_hot_rows=math.ceil(len(ENTITIES) * hot / workers),
        worker_disk_bytes=math.ceil(c.STORE_BYTES * shoppers / workers),
        worker_recovery_seconds=round(recovery_seconds(shoppers / workers), 1),
        kafka_disk_bytes=math.ceil(load.replication * _kept_bytes(load, partitions)),
        network_bytes_per_second=Network(
            events=math.ceil(at_peak * events),
            outputs=math.ceil(at_peak * outputs),
            between_brokers=math.ceil(at_peak * (events + outputs) * (load.replication - 1)),
        ),
    )


def _kept_bytes(load: Load, partitions: int) -> float:
    """What one copy of every topic takes."""
    per_day = load.events_per_second * DAY_SECONDS
    segments = float(SEGMENT_BYTES * partitions)
    retention = {topic.name: topic.retention_days for topic in (*TOPICS, *INTERNAL)}
    kept = c.EVENT_BYTES * per_day * load.retention_days
    for topic, each in c.OUTPUT_BYTES.items():
        days = retention[topic]
        if days:
            kept += each * per_day * days
        else:  # compacted: of each shopper the newest, and what is not compacted yet
            newest = each / c.DUE_POINTS_PER_EVENT * load.shoppers
            kept += COMPACTED_TIMES * newest + min(each * per_day * SEGMENT_DAYS, segments)
    # A row for every event at most: of a shopper's events between two flushes the row is written once.
    uncompacted = sum(min(each * per_day, segments) for each in (c.CHANGELOG_BYTES, c.ITEMS_CHANGELOG_BYTES))
    return kept + COMPACTED_TIMES * changelog_bytes(load.shoppers) + uncompacted
