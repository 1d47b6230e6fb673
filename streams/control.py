"""The control topic: which versions of models are to serve, said by operators, read by every worker."""

from __future__ import annotations

import msgspec

from streams.access import Access
from streams.compacted import Board, newest, put
from streams.records.serving import (
    CanaryRolledBack,
    ChangeRefused,
    ControlRecord,
    ModelsCompared,
    Stages,
    StagesSet,
    key_of,
)
from streams.topics import CONTROL

_decoder = msgspec.json.Decoder(ControlRecord)

#: Of runs of workers that compared versions, so many are remembered, the newest: each start begins one.
MOST_COMPARED = 256


class Control:
    """The newest record of every key, and what follows from them.

    >>> control = Control()
    >>> control.apply(StagesSet(task="churn", stages=Stages(change_id="1", canary="b", canary_share=0.1), reason="",
    ...                        changed_at_ms=0))
    >>> control.apply(CanaryRolledBack(task="churn", change_id="1", version="b", reason="errors", detail="",
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
        self.compared: dict[bytes, ModelsCompared] = {}
        """By key: what each run of a worker saw of two versions."""

    def apply(self, record: ControlRecord) -> None:
        """Take a record; a later one of the same key replaces it. Whoever reads meanwhile sees all of it or none."""
        if isinstance(record, StagesSet):
            self.wanted = {**self.wanted, record.task: record}
        elif isinstance(record, ChangeRefused):
            self.refused = {**self.refused, (record.task, record.group, record.partition): record}
        elif isinstance(record, ModelsCompared):
            every = {**self.compared, key_of(record): record}
            newest = sorted(every, key=lambda key: every[key].said_at_ms)[-MOST_COMPARED:]
            self.compared = {key: every[key] for key in newest}
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


def decode(value: bytes) -> ControlRecord:
    """A record of the control topic. Raises ``msgspec.DecodeError``."""
    return _decoder.decode(value)


BOARD = Board(CONTROL, decode, Control)


def publish(kafka: Access, record: ControlRecord) -> None:
    """Put a record into the control topic and wait until it is there. Raises ``TopicError``."""
    put(kafka, CONTROL, [(key_of(record), msgspec.json.encode(record))])


def read(kafka: Access) -> Control:
    """The control topic as it stands. Raises ``TopicError``, ``Unreachable``."""
    return newest(kafka, BOARD)
