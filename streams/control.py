"""The control topic: which versions of models are to serve, said by operators, read by every worker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.access import Access
from streams.records.serving import CanaryRolledBack, ChangeRefused, ControlRecord, Stages, StagesSet, key_of
from streams.topics import CONTROL, TopicError

log = logging.getLogger(__name__)
_decoder = msgspec.json.Decoder(ControlRecord)
#: A broker is away: the client goes on by itself.
PASSING = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT)


class Control:
    """The newest record of every key, and what follows from them.

    >>> control = Control()
    >>> control.take(StagesSet(task="churn", stages=Stages(change_id="1", canary="b", canary_share=0.1), reason="",
    ...                        changed_at_ms=0))
    >>> control.take(CanaryRolledBack(task="churn", change_id="1", version="b", reason="errors", detail="",
    ...                               decided_at_ms=1))
    >>> control.stages["churn"].canary is None
    True
    """

    def __init__(self) -> None:
        self.wanted: dict[str, StagesSet] = {}
        self.rolled_back: dict[tuple[str, str], CanaryRolledBack] = {}
        """By task and change."""
        self.refused: dict[tuple[str, str, int], ChangeRefused] = {}
        """By task, group and partition."""

    def take(self, record: ControlRecord) -> None:
        """Take a record; a later one of the same key replaces it. Whoever reads meanwhile sees all of it or none."""
        if isinstance(record, StagesSet):
            self.wanted = {**self.wanted, record.task: record}
        elif isinstance(record, ChangeRefused):
            self.refused = {**self.refused, (record.task, record.group, record.partition): record}
        else:
            self.rolled_back = {**self.rolled_back, (record.task, record.change_id): record}

    @property
    def stages(self) -> dict[str, Stages]:
        """What is to serve: as operators set it, without canaries that were rolled back."""
        return {task: self._standing(task, wanted.stages) for task, wanted in self.wanted.items()}

    def verdict(self, task: str) -> CanaryRolledBack | None:
        """The rollback of the canary that is set now, if there was one."""
        wanted = self.wanted.get(task)
        return None if wanted is None else self.rolled_back.get((task, wanted.stages.change_id))

    def refusals(self, group: str, task: str) -> dict[int, ChangeRefused]:
        """Where the workers of a group cannot serve what is set for a task now: by partition."""
        wanted = self.wanted.get(task)
        return {
            partition: said
            for (of, whose, partition), said in self.refused.items()
            if (of, whose) == (task, group)
            and said.reason
            and wanted is not None
            and said.change_id == wanted.stages.change_id
        }

    def _standing(self, task: str, stages: Stages) -> Stages:
        if self.verdict(task) is None:
            return stages
        return msgspec.structs.replace(stages, canary=None, canary_share=0.0)


def publish(kafka: Access, record: ControlRecord) -> None:
    """Put a record into the control topic and wait until it is there. Raises ``TopicError``."""
    producer = Producer(kafka.librdkafka() | {"enable.idempotence": True, "log_level": 2})
    failed: list[str] = []
    producer.produce(
        CONTROL.name,
        msgspec.json.encode(record),
        key_of(record),
        on_delivery=lambda error, _message: failed.append(error.str()) if error else None,
    )
    if producer.flush(30) or failed:
        raise TopicError(f"{CONTROL.name} did not take the change: {failed or 'no answer'}. offerstream topics check")


def read(kafka: Access) -> Control:
    """The control topic as it stands. Raises ``TopicError``, ``Unreachable``."""
    kafka.require()
    control = Control()
    for record in _records(kafka, lambda: False, follow=False):
        if record is not None:
            control.take(record)
    return control


def _records(kafka: Access, stop: Callable[[], bool], *, follow: bool) -> Iterator[ControlRecord | None]:
    """Records from the first on; None when all that was there has been read. Without ``follow``, ends there."""
    consumer = Consumer(
        kafka.librdkafka()
        | {
            "group.id": "offerstream-control",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 2,
        }
    )
    try:
        if CONTROL.name not in consumer.list_topics(timeout=10).topics:
            raise TopicError(f"{CONTROL.name} does not exist: offerstream topics create")
        consumer.assign([TopicPartition(CONTROL.name, 0, 0)])
        patience = time.monotonic() + 30
        ended = False
        while not stop():
            message = consumer.poll(0.5)
            if not ended and time.monotonic() > patience:
                raise TopicError(f"{CONTROL.name} did not answer for 30 s.")
            if message is None:
                continue
            error = message.error()
            if error is not None:
                if error.code() in PASSING:
                    continue
                if error.code() != KafkaError._PARTITION_EOF:
                    raise TopicError(f"{CONTROL.name} cannot be read: {error.str()}. offerstream topics check")
                ended = True
                yield None
                if not follow:
                    return
                continue
            value = message.value()
            try:
                yield _decoder.decode(value if isinstance(value, bytes) else b"")
            except msgspec.DecodeError as failure:
                log.error("%s holds a record at offset %s that is none: %s", CONTROL.name, message.offset(), failure)
    except KafkaException as failure:
        raise TopicError(
            f"{CONTROL.name} at {kafka.servers} cannot be read: {failure.args[0].str()}. offerstream topics check"
        ) from failure
    finally:
        consumer.close()


def decode(value: bytes) -> ControlRecord:
    """A record of the control topic. Raises ``msgspec.DecodeError``."""
    return _decoder.decode(value)


class Watch:
    """Follows the control topic in a thread of its own, for as long as the worker lives.

    ``stages`` is whole from the start: the constructor returns when all that was there has been read.
    """

    def __init__(self, kafka: Access) -> None:
        self._kafka, self._control = kafka, Control()
        self._stopped, self._read = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="control", daemon=True)
        self._thread.start()
        if not self._read.wait(30):
            self._stopped.set()
            raise TopicError(f"{CONTROL.name} could not be read within 30 s.")

    @property
    def stages(self) -> dict[str, Stages]:
        """What is to serve now."""
        return self._control.stages

    @property
    def control(self) -> Control:
        """All that was said, as it stands now."""
        return self._control

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                control = Control()  # Read anew after an error; shown once it is whole.
                for record in _records(self._kafka, self._stopped.is_set, follow=True):
                    if record is None:
                        self._control = control
                        self._read.set()
                    else:
                        control.take(record)
            except TopicError as error:
                log.warning("%s Trying again.", error)
                self._stopped.wait(2)

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join(5)
