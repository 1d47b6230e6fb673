"""What a worker consists of: the parts that ``streams/app.py`` composes and everybody else is given."""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import faust
from faust.types import TP

from streams.agents.durability import Durability
from streams.agents.entity_log import EntityLog
from streams.agents.searching import Searching
from streams.announce import Announcer
from streams.campaign_book import CampaignBook
from streams.compacted import Watch
from streams.control import Control
from streams.kafka_watch import KafkaWatch
from streams.metrics import Metrics
from streams.noise import TOLD
from streams.settings import Settings
from streams.state.write_behind import WriteBehind

log = logging.getLogger(__name__)
#: A worker that failed or is to stop, and does not come to its end by itself, ends after this long.
LAST_RESORT_SECONDS = 25
#: What such a worker says.
UNENDED = (
    "Stopped, though its membership of the group did not come to its end; what was not committed is applied again by "
    "the next worker. Where its threads stood:"
)
#: A worker that is to stop waits this long for a Kafka that is away.
STOP_SECONDS = 8.0


class App(faust.App):
    """A Faust app that can do something before tables are recovered, which may take long: be seen to do so."""

    before_recovery: Callable[[], Awaitable[None]] | None = None
    away: Callable[[], bool] = staticmethod(lambda: False)
    """Whether Kafka is away."""
    stop_asked_at = float("inf")

    async def on_start(self) -> None:
        await super().on_start()
        if self.before_recovery is not None:
            await self.before_recovery()

    async def on_stop(self) -> None:
        self.end_at_last()
        await super().on_stop()

    def end_at_last(self) -> None:
        """From now on the worker is to end: it does so by itself, or is ended."""
        if self.stop_asked_at == float("inf"):
            self.stop_asked_at = time.monotonic()
            threading.Thread(target=self._end_at_last, daemon=True).start()

    def _end_at_last(self) -> None:
        """End the process when Kafka is away, for aiokafka would wait for it, to commit and to leave the group; and
        when it does not come to its end by itself: stopped where a rebalance began, aiokafka may wait for ever."""
        while True:
            time.sleep(1.0)
            if self.give_up() and self.away():
                log.warning("Stopped while Kafka is away; what was not committed is applied again by the next worker.")
                time.sleep(2)  # The flush that gave up just now says so, and the local copy is closed.
                os._exit(1)
            if time.monotonic() - self.stop_asked_at > LAST_RESORT_SECONDS:
                log.warning(UNENDED)
                faulthandler.dump_traceback()
                os._exit(1)

    def give_up(self) -> bool:
        """Whether to wait for Kafka no more, because the worker was asked to stop a while ago."""
        return time.monotonic() - self.stop_asked_at > STOP_SECONDS


@dataclass(slots=True)
class Worker:
    """Everything a worker consists of."""

    app: App
    logs: Mapping[str, EntityLog]
    """By topic: of each entity."""
    durability: Durability
    writer: WriteBehind
    announcer: Announcer
    control: Watch[Control]
    campaigns: Watch[CampaignBook]
    searching: Searching
    kafka: KafkaWatch
    metrics: Metrics
    settings: Settings
    port: int = 0
    """Where HTTP is served, once it is."""
    lags: dict[TP, int] = field(default_factory=dict)
    """Records that wait in each partition, as last seen."""
    coming_back: bool = False
    """Whether the state of partitions is being read back: that of some is there, of others not yet."""
    overtaken: dict[TP, int] = field(default_factory=dict)
    """How far each partition was applied when the start of its log had passed it."""

    async def fail(self, error: BaseException) -> None:
        """End this worker with an error: nothing is flushed or committed any more."""
        self.durability.failure = self.durability.failure or error
        setattr(error, TOLD, True)
        self.app.end_at_last()
        await self.app.crash(error)
