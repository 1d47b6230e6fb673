"""Ends the last day of a history that was sent: items are asked what they will sell when their day is over."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from streams.entities.item import ITEM
from streams.features.days import Days
from streams.outside.reading import Reader
from streams.processing.partitioning import homes
from streams.producer.fates import wait
from streams.producer.replay import Record, Sent, send
from streams.records.events import ClockTicked, encode_event
from streams.settings import Settings
from streams.topics import EVENTS

#: What shoppers did to items is told to the items at the end of an hour.
HOUR_MS = 3_600_000


def end_day(settings: Settings, last_ms: int, told: Callable[[], None] = lambda: None) -> bool:
    """End the day of ``last_ms`` (UTC milliseconds since 1970), the newest event time of a history that workers have
    applied; False, and nothing is done, when that day is not over yet for them. ``told`` is called before.

    A live partition that is idle gets the time from the clock; one that holds a history gets what is written here
    instead: the same records (``clock_ticked``), of moments after that day. Raises ``ReplayError`` when nothing is
    applied for a minute.
    """
    days = Days(settings.time_zone)
    over_ms = int(days.start_ms(days.number(np.array([last_ms])) + 1)[0])
    # The watermark passes the end of the day with the second; what is due then is looked at with the third.
    passed_ms = over_ms + max(settings.rules().allowed_lateness_ms, HOUR_MS)
    if passed_ms + HOUR_MS > time.time() * 1000:
        return False
    told()
    # All that was done to items is told with the first, before any partition comes to the end of the day.
    _tick(settings, over_ms)
    _tick(settings, passed_ms, passed_ms + HOUR_MS)
    return True


def _tick(settings: Settings, *moments_ms: int) -> None:
    """Write moments into each partition of shoppers, and wait until shoppers and then items have come to them."""
    with Reader(settings.access) as reader:
        n = reader.partitions(EVENTS.name)
        keys = [b"%d" % k for k in range(100 * n)]
        one_of_each = dict(zip(homes(keys, settings.partitioner, n).tolist(), keys, strict=True)).values()
        ticks = [Record(key, encode_event(ClockTicked(event_time=ms)), ms) for ms in moments_ms for key in one_of_each]
        sent = Sent()
        send(settings.access, ticks, sent, partitioner=settings.partitioner)
        wait(settings, sent, {})
        log = ITEM.topic(settings.app_id)
        ends = {(log, p): reader.extent((log, p))[1] for p in range(reader.partitions(log))}
    wait(settings, Sent(ends=ends), {})
