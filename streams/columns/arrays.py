"""Records as columns: what decoding makes of a slice and folding works on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from streams.records.events import SHOPPER_EVENTS

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Hashes: TypeAlias = npt.NDArray[np.uint64]

#: The code of each record type in the column ``type``, counted per entity; 0 is nobody's, so an empty slot is none.
TYPE_CODE: dict[type, int] = {}


def number(records: Sequence[type]) -> None:
    """Give an entity's record types their codes: the place of each among them, from 1 on."""
    TYPE_CODE.update({cls: code for code, cls in enumerate(records, start=1)})


number(SHOPPER_EVENTS)
#: More types than any entity has.
_CODES = 256


def of_types(*types: type) -> Bools:
    """Whether a code is that of one of these types, which are of one entity: to be indexed by codes."""
    found = np.zeros(_CODES, np.bool_)
    found[[TYPE_CODE[cls] for cls in types]] = True
    return found


def stable_order(values: Ints) -> Ints:
    """``np.argsort(values, kind="stable")`` for whole numbers from 0 to below 2^32, nine times as fast: numpy sorts 16
    bits by radix, so the low half is sorted first, then the high half where there is one.

    >>> stable_order(np.array([70_000, 3, 70_000, 1])).tolist()
    [3, 1, 0, 2]
    """
    order = np.argsort((values & 0xFFFF).astype(np.uint16), kind="stable")
    if int(np.max(values, initial=0)) >= 1 << 16:
        high = (values >> 16).astype(np.uint16)[order]
        order = order[np.argsort(high, kind="stable")]
    return order


def counted(of: Ints) -> Ints:
    """[n] how many of the same value, 0 or more, came before.

    >>> counted(np.array([7, 3, 7, 7])).tolist()
    [0, 0, 1, 2]
    """
    order = stable_order(of)
    ranked, found = of[order], np.zeros(len(of), np.int64)
    first = np.concatenate(([0], np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, [len(of)]))
    found[order] = np.arange(len(of)) - np.repeat(first[:-1], first[1:] - first[:-1])
    return found


def in_turn(of: Ints) -> Iterator[Ints]:
    """Steps, places in ``of`` [n] each: the first of each value together, then the second of each, and so on. No step
    has a value twice, so rows can be changed by their numbers, many at once.

    >>> [step.tolist() for step in in_turn(np.array([7, 3, 7, 7, 3]))]
    [[0, 1], [2, 4], [3]]
    """
    if not len(of):
        return
    turn = counted(of)
    order = stable_order(turn)
    bounds = np.searchsorted(turn[order], np.arange(int(turn.max()) + 2)).tolist()
    for a, b in itertools.pairwise(bounds):
        yield order[a:b]


def _nothing() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Touches:
    """Items that events touched, in log order: one per view, cart or wishlist event, one per order line.

    What ``select`` gives ends with ``cents``; what a history of ``training.history`` has, with ``discount_cents``.
    """

    event: Ints
    """[m] index of the event in its batch."""
    item: Hashes
    """[m] 64-bit hash of the item's id."""
    category: Ints
    """[m] 32-bit hash of the category's name, 0 when unknown."""
    cents: Ints
    """[m] money of the touch: unit price × quantity less discount, 0 when unknown."""
    quantity: Ints = field(default_factory=_nothing)
    """[m] units."""
    discount_cents: Ints = field(default_factory=_nothing)
    """[m] discount of the line."""
    item_ids: list[str] = field(default_factory=list)
    categories: list[str | None] = field(default_factory=list)

    def select(self, chosen: Bools | Ints) -> Touches:
        """Some of the touches; event indices stay as they are."""
        return Touches(self.event[chosen], self.item[chosen], self.category[chosen], self.cents[chosen])

    @staticmethod
    def none() -> Touches:
        """No touches."""
        return Touches(_nothing(), _nothing().view(np.uint64), _nothing(), _nothing())


@dataclass(frozen=True, slots=True)
class EventBatch:
    """n records of one entity's log as columns, in log order. All int64 unless said otherwise."""

    position: Ints
    """Where in its slice the record stood; one record may give several rows of this."""
    offset: Ints
    time_ms: Ints
    """Event time, UTC milliseconds since 1970."""
    type: Ints
    """Code of the record's type, see ``TYPE_CODE``."""
    id_hash: Hashes
    """uint64 hash of the record's id."""
    identity: Hashes
    """uint64 hash of key and id together: two records with the same one are the same. 0: without an id to know by."""
    facts: Mapping[str, Ints]
    """[n] each: what the records say in whole numbers, by name. The entity's columns say which there are."""
    event_ids: list[str]
    keys: list[str]
    """Whom or what each is about. Both lists are empty in a batch of ``training.history``, which knows by number."""
    touches: Touches
    records: list[Any] = field(default_factory=list)
    """What each was decoded from; None for a tally. Empty in a history."""

    def __len__(self) -> int:
        return len(self.offset)
