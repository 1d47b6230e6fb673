"""What plans are made from (``streams/planning.py``): each number with the command that measured it, and points that
no number was taken from, which tests hold the formulas to.

All of them on two cores shared with the broker and others, Python 3.11; what depends least on that was taken: CPU
seconds, bytes. A row of another layout takes other bytes: measure anew when features are added.
"""

from __future__ import annotations

from typing import NamedTuple

from streams.topics import EVENTS, ITEMS_LOG, PROFILES, SCORES, SHOPPER_PROFILES

# offerstream bench --events 200000: ours_cpu_microseconds_per_event, and kafka_bytes_per_event

WORKER_EVENTS_PER_SECOND = 1e6 / 45.6
"""Of a worker with a core of its own. It is one process of Python: more cores help it little."""
DUE_POINTS_PER_EVENT = 0.153
EVENT_BYTES = 210.0
"""As the producer sent them, in JSON, not compressed."""
OUTPUT_BYTES = {SCORES.name: 12.2, PROFILES.name: 33.8, SHOPPER_PROFILES.name: 2.0, ITEMS_LOG.name: 8.6}
"""By topic, for each event, as workers send them: with gzip. Alerts and offers are too few to count."""
ITEMS_CHANGELOG_BYTES = 28.0
"""For each event."""

# offerstream bench --recovery --shoppers 50000,200000: rss_bytes; START_…: its empty point

WORKER_BYTES = 424e6
"""Of a worker with four partitions, without rows: libraries, models, RocksDB, what is on its way."""
HOT_BYTES = 9_390.0
"""A row in memory, of 8,200 bytes, and what finds it."""
CHANGELOG_BYTES, STORE_BYTES = 1_227.0, 1_290.0
START_SECONDS, START_CPU_SECONDS = 2.4, 1.59
RECOVERY_CPU_SECONDS = 36.4e-6
"""For each shopper, until /ready: rows come into memory after it."""

# offerstream bench --recovery --shoppers 200000 --hot-rows 4000: rss_bytes

COLD_BYTES = 892.0
"""A shopper whose row is on disk: its timer, and RocksDB's filters and caches."""


class Recovery(NamedTuple):
    """A worker that came back."""

    shoppers: int
    hot: int
    memory_bytes: int
    changelog_bytes: int
    cpu_seconds: float | None
    """None where rows were not in memory."""


class Log(NamedTuple):
    """A clickstream that went through a worker."""

    events: int
    bytes: dict[str, int]
    cpu_microseconds_per_event: float


#: offerstream bench --recovery --shoppers 100000; … --shoppers 50000 --hot-rows 4000
CHECKED_RECOVERIES = (
    Recovery(100000, 100000, 1442107392, 123100000, 4.91),
    Recovery(50000, 4000, 508645376, 61550000, None),
)
#: A clickstream of 100,000 events from 5,000 shoppers, where the bench's has 200,000 from 20,000.
CHECKED_LOG = Log(
    100_000,
    {
        EVENTS.name: 20821000,
        SCORES.name: 1285000,
        PROFILES.name: 3382000,
        SHOPPER_PROFILES.name: 202000,
        ITEMS_LOG.name: 924000,
    },
    44.4,
)
