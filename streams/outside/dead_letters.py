"""Where bad records go, and how they come back: reads ``dead-letters.v1`` by reason, and the originals as lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from streams.access import Access
from streams.admin import TopicError
from streams.outside.reading import Reader
from streams.records.outcomes import DeadLetter
from streams.topics import DEAD_LETTERS

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

    def add(self, letter: DeadLetter) -> None:
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
    seen: set[str] = set()  # After a crash a worker says a letter again, under the same id.
    with Reader(kafka) as reader:
        for record in reader.whole(topic):
            try:
                letter = _decoder.decode(record.value or b"")
            except msgspec.MsgspecError as failure:
                raise TopicError(f"{topic} holds a record that is no dead letter: {failure}") from failure
            if letter.dead_letter_id not in seen:
                seen.add(letter.dead_letter_id)
                yield letter


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
