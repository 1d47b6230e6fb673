"""Whether the workers serve what operators chose: seen from outside, in what they flush."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from streams.inspect import Progress, progress
from streams.reading import Reader, members
from streams.records.serving import Stages
from streams.settings import Settings
from streams.topics import EVENTS

#: A choice that is in a partition's log is among its last records so many.
LOOKED_AT = 5000
_NONE = Stages(change_id="")


class NotServed(RuntimeError):
    """Running workers have not come to a change in time."""


def wait(
    settings: Settings,
    task: str,
    change_id: str,
    seconds: float,
    told: Callable[[float], None] = lambda _n: None,
) -> bool:
    """Wait until every partition has come to a change of a task's stages; ``told`` is told how many have. Returns
    whether they have; where no worker runs, there is none to wait for. Raises ``NotServed`` with the reasons when they
    have not after so many ``seconds``, ``TopicError`` and ``Unreachable``."""
    end = time.monotonic() + seconds
    with Reader(settings.access) as reader:
        while True:
            found = progress(reader, settings)
            behind = {p: held for p, held in found.items() if held.stages.get(task, _NONE).change_id != change_id}
            told(len(found) - len(behind))
            if not behind or members(settings.access, settings.app_id) == 0:
                return not behind
            if time.monotonic() > end:
                late = f"{len(behind)} of {len(found)} partitions do not serve it after {seconds:.0f} s."
                raise NotServed(" ".join([late, *_reasons(reader, settings, behind, change_id)]))
            time.sleep(0.3)


def _reasons(reader: Reader, settings: Settings, behind: dict[int, Progress], change_id: str) -> Iterable[str]:
    unsaid = []
    for partition, held in behind.items():
        place = (EVENTS.name, partition)
        low, high = reader.extent(place)
        newest = reader.between(place, max(low, high - LOOKED_AT), high)
        said = [record.offset for record in newest if change_id.encode() in (record.value or b"")]
        if said and held.next_offset <= said[0]:
            yield (
                f"Partition {partition} has {said[0] - held.next_offset:,} records to apply before it comes to it: "
                "offerstream_lag_records."
            )
        else:
            unsaid.append(str(partition))
    if unsaid:
        yield (
            f"In {', '.join(unsaid)} no worker has chosen it. Is every worker ready? One that cannot load a version "
            "refuses it, and its log says why (offerstream_models_refused_total): does it read the same store, "
            f"{settings.store} (OFFERSTREAM_MODELS)?"
        )
