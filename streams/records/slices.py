"""What a worker is handed: a run of records of one partition, in log order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive records of one partition. The four sequences are parallel; ``offsets`` ascend.

    ``timestamps_ms`` are the broker's append times: they are in the log, so a rule that uses them replays alike.
    """

    topic: str
    partition: int
    offsets: Sequence[int]
    timestamps_ms: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]

    def __len__(self) -> int:
        return len(self.offsets)

    def cut(self, start: int, stop: int) -> Slice:
        """The records from ``start`` to before ``stop``, as a slice of its own."""
        return Slice(
            self.topic,
            self.partition,
            self.offsets[start:stop],
            self.timestamps_ms[start:stop],
            self.keys[start:stop],
            self.values[start:stop],
        )
