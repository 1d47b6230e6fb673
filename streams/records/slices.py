"""What a worker is handed: a run of records of one partition, in log order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Origin(NamedTuple):
    """Where a record was first said: a record that was carried over from another topic keeps this as its header."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    """The broker's append time there, UTC milliseconds since 1970."""

    def header(self) -> bytes:
        """As it goes over the wire.

        >>> Origin("a", 1, 2, 3).header(), Origin.of(b"a/1/2/3") == Origin("a", 1, 2, 3)
        (b'a/1/2/3', True)
        """
        return "/".join(map(str, self)).encode()

    @staticmethod
    def of(header: bytes) -> Origin:
        """What ``header`` said. Raises ``ValueError`` for bytes that it did not make."""
        topic, partition, offset, time_ms = header.decode().rsplit("/", 3)
        return Origin(topic, int(partition), int(offset), int(time_ms))


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive records of one partition. The sequences are parallel; ``offsets`` ascend.

    ``timestamps_ms`` are the broker's append times: they are in the log, so a rule that uses them replays alike.
    ``origins``: where records that were carried over from other topics come from; empty where none was.
    """

    topic: str
    partition: int
    offsets: Sequence[int]
    timestamps_ms: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    origins: Sequence[Origin | None] = ()

    def __len__(self) -> int:
        return len(self.offsets)

    def origin(self, i: int) -> Origin:
        """Where the i-th record was first said."""
        found = self.origins[i] if self.origins else None
        return found or Origin(self.topic, self.partition, int(self.offsets[i]), int(self.timestamps_ms[i]))

    def cut(self, start: int, stop: int) -> Slice:
        """The records from ``start`` to before ``stop``, as a slice of its own."""
        return Slice(
            self.topic,
            self.partition,
            self.offsets[start:stop],
            self.timestamps_ms[start:stop],
            self.keys[start:stop],
            self.values[start:stop],
            self.origins[start:stop],
        )
