"""Whether the workers serve what operators chose: seen from outside, in what they flush and what they refuse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from models.registry import task as task_of
from streams.admin import TopicError
from streams.control import Control, decode
from streams.entities.contents import find
from streams.entities.shopper import SHOPPER
from streams.outside.inspect import Progress, progress
from streams.outside.reading import Reader, members
from streams.processing.entity import Entity
from streams.records.serving import ChangeRefused, Stages
from streams.settings import Settings
from streams.topics import CONTROL

#: A choice that is in a partition's log is among its last records so many.
LOOKED_AT = 5000
_NONE = Stages(change_id="")


class NotServed(RuntimeError):
    """Running workers have not come to a change in time, or cannot."""


@dataclass(frozen=True, slots=True)
class Served:
    """What the workers of a group serve of a task, by partition of its entity's log."""

    held: Mapping[int, Stages | None]
    """The stages that each partition has come to; None where no worker has flushed yet."""
    refused: Mapping[int, ChangeRefused] = field(default_factory=dict)
    """Where what is set now cannot be served, and why."""

    def by(self, stage: str, version: str) -> int:
        """In how many partitions a version serves in a stage."""
        return sum(
            getattr(stages, stage) == version
            for partition, stages in self.held.items()
            if stages is not None
            and not (partition in self.refused and self.refused[partition].change_id == stages.change_id)
        )


def served(reader: Reader, settings: Settings, task: str, control: Control) -> Served:
    """What the group serves of a task, as of the last flush. Raises ``TopicError``, ``Unreachable``."""
    entity = find(task_of(task).entity)
    try:
        found = progress(reader, settings, entity)
    except TopicError:
        if not entity.internal:
            raise
        found = {}  # its log is made when the first worker that keeps it starts
    held = {partition: each.stages.get(task) for partition, each in found.items()}
    return Served(held, control.refusals(settings.app_id, task))


def wait(
    settings: Settings,
    task: str,
    change_id: str,
    seconds: float,
    told: Callable[[float], None] = lambda _n: None,
) -> bool:
    """Wait until every partition of the log that a task is about has come to a change of its stages; as ``wait_until``
    does, and raises ``NotServed`` with the reasons at once when a worker refuses it."""
    place, control, read = (CONTROL.name, 0), Control(), 0

    def refused(reader: Reader, partitions: int) -> str:
        nonlocal read
        read = _read_on(reader, place, read, control)
        found = [r for r in control.refusals(settings.app_id, task).values() if r.change_id == change_id]
        return _in_words(found, control.stages[task], partitions, settings) if found else ""

    def holds(held: Progress) -> bool:
        return held.stages.get(task, _NONE).change_id == change_id

    store = f"Does every one read the same store, {settings.store} (OFFERSTREAM_MODELS)?"
    awaited = Awaited(find(task_of(task).entity), change_id, holds, "serve it", store, refused)
    return wait_until(settings, awaited, seconds, told)


def wait_campaigns(
    settings: Settings, digest: str, seconds: float, told: Callable[[float], None] = lambda _n: None
) -> bool:
    """Wait until these campaigns hold in every partition of shoppers; as ``wait_until`` does."""
    why = "Does its log say that these campaigns cannot hold?"
    awaited = Awaited(SHOPPER, digest, lambda held: held.campaigns == digest, "hold them", why)
    return wait_until(settings, awaited, seconds, told)


@dataclass(frozen=True, slots=True)
class Awaited:
    """A change that every partition of an entity's log is to come to."""

    entity: Entity
    name: str
    """What the choice in the log is known by."""
    holds: Callable[[Progress], bool]
    does: str
    """What a partition does that came to it, in words."""
    otherwise: str
    """What to look at where no worker has chosen it."""
    refused: Callable[[Reader, int], str] = lambda _reader, _partitions: ""
    """Why workers refuse it, told how many partitions there are; empty: they do not."""


def wait_until(settings: Settings, awaited: Awaited, seconds: float, told: Callable[[float], None]) -> bool:
    """Wait until every partition has come to a change; ``told`` is told how many have. Returns whether they have; where
    no worker runs, there is none to wait for. Raises ``NotServed`` with the reasons when it is refused, and when they
    have not come to it after so many ``seconds``; ``TopicError`` and ``Unreachable``."""
    end = time.monotonic() + seconds
    with Reader(settings.access) as reader:
        while True:
            found = progress(reader, settings, awaited.entity)
            refused = awaited.refused(reader, len(found))
            behind = {p: held for p, held in found.items() if not awaited.holds(held)}
            told(len(found) - len(behind))
            if refused:
                raise NotServed(refused)
            if not behind or members(settings.access, settings.app_id) == 0:
                return not behind
            if time.monotonic() > end:
                late = f"{len(behind)} of {len(found)} partitions do not {awaited.does} after {seconds:.0f} s."
                raise NotServed(" ".join([late, *_reasons(reader, settings, awaited, behind)]))
            time.sleep(0.3)


def _read_on(reader: Reader, place: tuple[str, int], start: int, control: Control) -> int:
    """Take what was said in the control topic since; returns where it ends now."""
    low, high = reader.extent(place)
    for record in reader.between(place, max(low, start), high):
        try:
            control.apply(decode(record.value or b""))
        except msgspec.DecodeError:
            continue  # of a newer version
    return max(start, high)


def _in_words(refused: Sequence[ChangeRefused], asked: Stages, partitions: int, settings: Settings) -> str:
    reasons = list(dict.fromkeys(f"{said.version}: {said.reason}".rstrip(".") + "." for said in refused))
    stages = [stage for stage in ("live", "canary", "shadow") if getattr(asked, stage) == refused[0].version]
    back = f"offerstream models rollback {refused[0].task}" + (f" --stage {stages[0]}" if stages else "")
    return (
        f"Workers refuse it in {len(refused)} of {partitions} partitions; what served before goes on there. "
        f"{' '.join(reasons)} Does every worker read the same store, {settings.store} (OFFERSTREAM_MODELS)? They try "
        f"again every 30 s; to take the change back: {back}"
    )


def _reasons(reader: Reader, settings: Settings, awaited: Awaited, behind: dict[int, Progress]) -> Iterable[str]:
    unsaid = []
    for partition, held in behind.items():
        place = (awaited.entity.topic(settings.app_id), partition)
        low, high = reader.extent(place)
        newest = reader.between(place, max(low, high - LOOKED_AT), high)
        said = [record.offset for record in newest if awaited.name.encode() in (record.value or b"")]
        if said and held.next_offset <= said[0]:
            yield (
                f"Partition {partition} has {said[0] - held.next_offset:,} records to apply before it comes to it: "
                "offerstream_lag_records."
            )
        else:
            unsaid.append(str(partition))
    if unsaid:
        yield (f"In {', '.join(unsaid)} no worker has chosen it. Is every worker ready (/ready)? {awaited.otherwise}")
