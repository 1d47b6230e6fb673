"""Asks Kafka every two seconds, in a thread of its own: is it there, is the log still the same, how far does it go?

A worker learns of a broker that is away, and of what an operator did to its topics, only by asking: an idle one is
told nothing, and a busy one is told of a topic made anew as if it were the old one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition

# Public, but the stubs do not say so.
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from streams.access import Access
from streams.admin import Identity, TopicError, admin_client, identities, timestamp_type
from streams.processing.partition import OtherLog
from streams.topics import EVENTS

log = logging.getLogger(__name__)
EARLIEST, LATEST = cast(Any, OffsetSpec).earliest(), cast(Any, OffsetSpec).latest()
INTERVAL_SECONDS = 2.0
#: How long an answer is waited for.
REQUEST_SECONDS = 4.0
#: How long a worker that starts asks. A Kafka that was frozen knows of no controller at first; librdkafka then fails a
#: request of any length, and not the next one.
FIRST_ANSWER_SECONDS = 30.0
#: Kafka is away once it has not answered for this long.
AWAY_SECONDS = 7.0
SAY_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a log goes, by partition: offsets before ``starts`` are gone, ``ends`` come next. Of an open
    transaction nothing can be read, so the end is where the first one begins."""

    starts: Mapping[int, int] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)


class KafkaAway(RuntimeError):
    """Kafka does not answer, and nobody wants to wait."""


class KafkaWatch:
    """What Kafka says of the logs that a worker applies and of the changelogs of their tables. ``tables``: log → its
    changelog; ``carried``: topics that are read besides.

    The constructor takes down what they are, and refuses what cannot be worked on (``TopicError``). ``start`` asks
    regularly from then on.
    """

    def __init__(self, kafka: Access, tables: Mapping[str, str], carried: Sequence[str] = ()) -> None:
        self._kafka, self._tables, self._carried = kafka, dict(tables), tuple(carried)
        self._admin = admin_client(kafka, log_level=0)
        self.extents: Mapping[str, Extent] = {log: Extent() for log in self._read}
        """By topic that is read."""
        self.missing = ""
        """Why there is nothing to work on at the moment; empty when there is."""
        self.failure: Exception | None = None
        """Why this worker cannot go on; a restart refuses, and says what to do."""
        self._answered_at = time.monotonic()
        self.error = ""
        """What came instead of the last answer."""
        self._said_at = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-watch", daemon=True)
        try:
            found = self._first(time.monotonic() + FIRST_ANSWER_SECONDS)
            self._began = {name: self._there(name, identity) for name, identity in found.items()}
            self._refuse(self._read)
        except KafkaException as error:
            raise TopicError(f"Kafka at {kafka.servers} does not tell of its topics: {error.args[0].str()}") from error

    @property
    def _read(self) -> tuple[str, ...]:
        return (*self._tables, *self._carried)

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self._read, *self._tables.values())

    @property
    def partitions(self) -> int:
        """How many partitions each topic has."""
        return next(iter(self._began.values())).partitions

    def identity(self, topic: str) -> Identity:
        """The topic that this worker began with."""
        return self._began[topic]

    def start(self) -> None:
        """Ask regularly from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it may have asked, and Kafka not answered yet."""
        self._stopped.set()
        self._thread.join(REQUEST_SECONDS)

    @property
    def silent_seconds(self) -> float:
        """How long Kafka has not answered; 0 unless it is away."""
        silent = time.monotonic() - self._answered_at
        return silent if silent > AWAY_SECONDS else 0.0

    def report(self) -> None:
        """Say when Kafka went, once a minute that it is away, and when it is back."""
        silent, now = self.silent_seconds, time.monotonic()
        if silent and now - self._said_at >= SAY_AGAIN_SECONDS:
            self._said_at = now
            log.warning(
                "Kafka at %s has not answered for %.0f s (%s). The worker waits and goes on by itself.",
                self._kafka.servers,
                silent,
                self.error or "no answer yet",
            )
        elif not silent and self._said_at:
            self._said_at = 0.0
            log.warning("Kafka at %s answers again.", self._kafka.servers)

    def confirm(self, give_up: Callable[[], bool] = lambda: False) -> Mapping[str, Extent]:
        """Make sure, by asking now, that all topics are those that the worker began with; waits for Kafka, and for a
        topic that is missing.

        Returns how far each log goes. Raises what ``failure`` is, or ``KafkaAway`` when ``give_up`` says not to wait
        any more.
        """
        while True:
            answered = self._asked()
            if self.failure is not None:
                raise self.failure
            if answered and not self.missing:
                return self.extents
            if give_up() or self._stopped.wait(0.5):
                raise KafkaAway(self.missing or self.error)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._asked()
            self._stopped.wait(INTERVAL_SECONDS)

    def _asked(self) -> bool:
        """Ask; whether Kafka answered."""
        try:
            self._ask()
            return True
        except KafkaException as error:
            self.error = error.args[0].str()
        except Exception as error:  # The thread must not end: a worker that nobody watches would look well.
            self.error = repr(error)
        return False

    def _ask(self) -> None:
        found = identities(self._admin, self._names, REQUEST_SECONDS)
        missing = [name for name, identity in found.items() if identity is None]
        try:
            self.failure = self.failure or self._changed(found)
            there = [topic for topic in self._read if topic not in missing]
            if there:
                self._refuse(there)
                starts, ends = self._offsets(there, EARLIEST), self._offsets(there, LATEST)
                self.extents = {topic: Extent(starts.get(topic, {}), ends.get(topic, {})) for topic in self._read}
        except TopicError as error:
            self.failure = self.failure or error
        self.missing = f"{', '.join(missing)}: deleted. offerstream topics check" if missing else ""
        self._answered_at, self.error = time.monotonic(), ""

    def _first(self, end: float) -> Mapping[str, Identity | None]:
        """The topics, asked for again and again until ``end``. Raises ``KafkaException``."""
        while True:
            try:
                return identities(self._admin, self._names, REQUEST_SECONDS)
            except KafkaException as error:
                if time.monotonic() >= end:
                    raise
                log.warning("Kafka does not tell of its topics yet (%s); asking again.", error.args[0].str())

    def _offsets(self, topics: Sequence[str], which: OffsetSpec) -> dict[str, dict[int, int]]:
        wanted = {TopicPartition(t, p): which for t in topics for p in range(self._began[t].partitions)}
        committed = IsolationLevel.READ_COMMITTED
        told = self._admin.list_offsets(wanted, isolation_level=committed, request_timeout=REQUEST_SECONDS)
        found: dict[str, dict[int, int]] = {}
        for tp, future in told.items():
            offset = future.result(REQUEST_SECONDS + 1).offset
            if offset < 0:  # A partition of which nothing was told in time is no error to the client.
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{tp.topic}/{tp.partition}: no offset told"))
            found.setdefault(tp.topic, {})[tp.partition] = offset
        return found

    def _there(self, name: str, identity: Identity | None) -> Identity:
        if identity is None:
            raise TopicError(f"{name} does not exist: offerstream topics create")
        return identity

    def _changed(self, found: Mapping[str, Identity | None]) -> Exception | None:
        """Why the topics are not those that the worker began with; None when they are."""
        for name, began in self._began.items():
            now = found[name]
            if now is not None and now.topic_id != began.topic_id:
                return OtherLog(
                    f"{name} was deleted and made anew (topic {began.topic_id} is now {now.topic_id}) while a worker "
                    "counted its offsets."
                )
            if now is not None and now.partitions != began.partitions:
                return TopicError(_partitions(name, began.partitions, now.partitions))
        return None

    def _refuse(self, topics: Sequence[str]) -> None:
        """Raise ``TopicError`` for topics that cannot be worked on, whether they were always so or became it."""
        first, *others = self._names
        for name in others:
            if self._began[name].partitions != self._began[first].partitions:
                raise TopicError(_partitions(first, self._began[name].partitions, self._began[first].partitions))
        for name in topics:
            kind = timestamp_type(self._admin, name, REQUEST_SECONDS)
            wanted = EVENTS.config["message.timestamp.type"]
            if kind not in (wanted, ""):
                raise TopicError(
                    f"{name} has message.timestamp.type={kind}, not {wanted}: one event from the future would make all "
                    f"others late. Change it: kafka-configs --bootstrap-server {self._kafka.servers} --alter --topic "
                    f"{name} --add-config message.timestamp.type={wanted}"
                )


def _partitions(name: str, before: int, now: int) -> str:
    return (
        f"{name} has {now} partitions, but the feature table was made for {before}: shoppers' keys now lead elsewhere. "
        "Start under another OFFERSTREAM_APP_ID, which reads the log anew into a table of its own."
    )
