"""What expressions may name: features, outputs of tasks and what profiles say, with what each can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol, get_args

from models.nearest import hint
from streams.features.feature import Feature
from streams.records.profiled import Segment, Stage


@dataclass(frozen=True, slots=True)
class Known:
    """Something that expressions may name: ``width`` numbers within [low, high], with a unit for people; or one of
    ``names``, whose code is its place among them, from 1 on."""

    address: str
    meaning: str
    unit: str = ""
    width: int = 1
    low: float = -inf
    high: float = inf
    names: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it is a chance or a share: people write 50 where they mean 0.5."""
        return (self.low, self.high) == (0.0, 1.0)


class Output(Protocol):
    """An answer of a task; ``models.task.Output`` is one."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def width(self) -> int: ...


class Task(Protocol):
    """A task; ``models.task.Task`` is one."""

    @property
    def name(self) -> str: ...
    @property
    def entity(self) -> str: ...
    @property
    def outputs(self) -> Sequence[Output]: ...


#: What is said of shoppers in words (``streams.records.profiled``). Whoever never ordered has neither.
PROFILE = (
    Known("profile.stage", "Where a shopper stands in their own rhythm of orders", names=get_args(Stage)),
    Known("profile.segment", "The segment that their profile names", names=get_args(Segment)),
)
PROFILED = frozenset(said.address for said in PROFILE)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All that expressions may name, by full address; ``short``: names of outputs that only one task has."""

    known: Mapping[str, Known]
    short: Mapping[str, str] = field(default_factory=dict)
    ambiguous: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Short names that several tasks have → their full addresses."""

    def find(self, name: str) -> Known:
        """What a name stands for. Raises ``KeyError`` with a text that names the nearest one."""
        found = self.known.get(self.short.get(name, name))
        if found is not None:
            return found
        if name in self.ambiguous:
            raise KeyError(f"Several tasks answer {name}: write {' or '.join(self.ambiguous[name])}.")
        raise KeyError(f"There is no feature or answer {name!r}{hint(name, [*self.known, *self.short])}")


def vocabulary(features: Iterable[Feature], tasks: Iterable[Task], entity: str = "shopper") -> Vocabulary:
    """The vocabulary over an entity's features, the tasks about it and, of shoppers, what profiles say; codes, texts
    and hashes are no amounts and are left out."""
    known = {said.address: said for said in PROFILE if entity == "shopper"} | {
        f.address: Known(f.address, f.meaning, f.unit, f.width, f.low, f.high)
        for f in features
        if f.unit not in ("code", "bucket")
    }
    full: dict[str, list[str]] = {}
    for task in tasks:
        for output in task.outputs if task.entity == entity else ():
            if output.kind in ("text", "ranking", "embedding", "effects"):
                continue
            chance = output.kind in ("probability", "distribution")
            low, high = (0.0, 1.0) if chance else (-inf, inf)
            address = f"{task.name}.{output.name}"
            known[address] = Known(address, f"{task.name}: {output.name}", "", output.width, low, high)
            full.setdefault(output.name, []).append(address)
    short = {name: found[0] for name, found in full.items() if len(found) == 1 and name not in known}
    return Vocabulary(known, short, {name: found for name, found in full.items() if len(found) > 1})
