"""Where bad records go, and how they come back: reads ``dead-letters.v1`` by reason, and the originals as lines."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.access import Access
from streams.control import PASSING
from streams.records.outcomes import DeadLetter
from streams.topics import DEAD_LETTERS, TopicError

PATIENCE_SECONDS = 30.0
_decoder = msgspec.json.Decoder(DeadLetter)


@dataclass(slots=True)
class Group:
    """The letters of one reason."""

    count: int = 0
    first_ms: int = 2**63 - 1
    """When the broker took the first of the records, UTC milliseconds since 1970 …"""
    last_ms: int = 0
    """… and the last."""
    fields: Counter[str] = field(default_factory=Counter)
    """How often each field was at fault; an order's lines count as one."""
    example: DeadLetter | None = None
    """The newest."""

    def take(self, letter: DeadLetter) -> None:
        """Count a letter."""
        self.count += 1
        self.first_ms = min(self.first_ms, letter.record_time_ms)
        if letter.record_time_ms >= self.last_ms:
            self.last_ms, self.example = letter.record_time_ms, letter
        if letter.field is not None:
            self.fields[re.sub(r"\[\d+\]", "[]", letter.field)] += 1


def read(kafka: Access) -> Iterator[DeadLetter]:
    """Every dead letter once, in the order of the log, up to the present end. Raises ``TopicError``."""
    topic = DEAD_LETTERS.name
    consumer = Consumer(
        kafka.librdkafka()
        | {
            "group.id": "offerstream-dead-letters",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 2,
        }
    )
    seen: set[str] = set()  # After a crash a worker says a letter again, under the same id.
    try:
        found = consumer.list_topics(topic, timeout=10).topics[topic]
        if found.error is not None:
            raise TopicError(f"{topic} does not exist: offerstream topics create")
        open_ = set(found.partitions)
        consumer.assign([TopicPartition(topic, p, 0) for p in open_])
        patience = time.monotonic() + PATIENCE_SECONDS
        while open_:
            message = consumer.poll(0.5)
            error = None if message is None else message.error()
            if message is None or (error is not None and error.code() in PASSING):
                if time.monotonic() > patience:
                    raise TopicError(f"{topic} did not answer for {PATIENCE_SECONDS:.0f} s.")
                continue
            patience = time.monotonic() + PATIENCE_SECONDS
            partition, value = message.partition(), message.value()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise TopicError(f"{topic} cannot be read: {error.str()}. offerstream topics check")
                open_.discard(partition if partition is not None else -1)
            elif isinstance(value, bytes):
                letter = _decoder.decode(value)
                if letter.dead_letter_id not in seen:
                    seen.add(letter.dead_letter_id)
                    yield letter
    except KafkaException as failure:
        raise TopicError(f"No Kafka broker answers at {kafka.servers}: {failure.args[0].str()}") from failure
    except msgspec.MsgspecError as failure:
        raise TopicError(f"{topic} holds a record that is no dead letter: {failure}") from failure
    finally:
        consumer.close()


def original_line(letter: DeadLetter) -> bytes | None:
    """The original as one line of text; None where it was not kept or is no text that fits on a line.

    JSON over several lines is put on one, with the same values.
    """
    value = letter.original
    if value is None or not value.strip():
        return None
    try:
        value.decode()
        if b"\n" in value or b"\r" in value:
            return msgspec.json.format(value, indent=-1)
    except (UnicodeDecodeError, msgspec.MsgspecError):
        return None
    return value
