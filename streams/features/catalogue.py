"""A catalogue of features, and the kinds that keep them.

Each entity has one (``streams/features/shopper``, ``streams/features/item``). A new feature is a line in one of the
files there. A new kind is one file in ``kinds/`` and a line in ``_KINDS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features.days import UTC, Days
from streams.features.feature import Derived, Feature, Has
from streams.features.kinds import Joint, Jointly, Kind, Merging, Single
from streams.features.kinds.bought import Bought, BoughtKind
from streams.features.kinds.cycle import Cycle, CycleKind
from streams.features.kinds.decay import Decayed, DecayKind
from streams.features.kinds.distinct import Distinct, DistinctKind
from streams.features.kinds.favourites import Favourite, FavouriteKind
from streams.features.kinds.held import Held, HeldKind
from streams.features.kinds.latest import Consent, ConsentKind
from streams.features.kinds.marks import DaysSince, MarkKind, Total
from streams.features.kinds.newest import Newest, NewestKind
from streams.features.kinds.prices import Price, PriceKind
from streams.features.kinds.recent import RecentKind, Session
from streams.features.kinds.recent import Sequence as EventSequence
from streams.features.kinds.rhythm import Rhythm, RhythmKind
from streams.features.kinds.stated import Stated, StatedKind
from streams.features.kinds.stock import Stock, StockKind
from streams.features.kinds.windows import ActiveBuckets, Weekly, Windowed, WindowKind
from streams.features.signals import Run, Signals

#: kind → the declarations it keeps
_KINDS: dict[type[Kind], tuple[type, ...]] = {
    DecayKind: (Decayed,),
    WindowKind: (Windowed, ActiveBuckets, Weekly),
    MarkKind: (DaysSince, Total),
    RhythmKind: (Rhythm,),
    DistinctKind: (Distinct,),
    FavouriteKind: (Favourite,),
    RecentKind: (Session, EventSequence),
    BoughtKind: (Bought,),
    ConsentKind: (Consent,),
    NewestKind: (Newest,),
    PriceKind: (Price,),
    StockKind: (Stock,),
    CycleKind: (Cycle,),
    HeldKind: (Held,),
    StatedKind: (Stated,),
}
#: So many ways to read are kept.
PLANS = 32
_K = TypeVar("_K", bound=Kind)
_NONE = np.zeros(0, np.int64)


class Catalogue:
    """Features by address, with the kinds that fold and read them.

    ``payloads``: what models may be given of the record that made due, besides (``streams/features/payload.py``).
    ``always``: kinds that are kept whether or not a feature reads them. ``time_zone``: whose days are meant where a
    feature counts days. Raises ``ValueError`` when two features share an address or one is made of another that does
    not exist.
    """

    def __init__(
        self,
        features: Iterable[Feature],
        *,
        payloads: Iterable[Feature] = (),
        always: Sequence[type[Kind]] = (),
        time_zone: str = UTC,
    ) -> None:
        self.time_zone, self._always = time_zone, tuple(always)
        self.payloads = {payload.address: payload for payload in payloads}
        declared = tuple(features)
        self.features = {feature.address: feature for feature in declared}
        self.inputs: dict[str, Feature] = self.features | self.payloads
        """All that a model can be given, by address."""
        if len(self.features) != len(declared) or self.features.keys() & self.payloads.keys():
            raise ValueError("Two features share an address.")
        derived = {f.address: f.source for f in declared if isinstance(f.source, Derived)}
        for address, source in derived.items():
            for part in source.parts:
                if part not in self.features:
                    raise ValueError(f"{address} is made of {part}, which no file under streams/features has.")
        for payload in self.payloads.values():
            if isinstance(payload.source, Has) and payload.source.address not in self.payloads:
                raise ValueError(f"{payload.address} is about {payload.source.address}, which does not exist.")
        self.signals = Signals(f.source.signal for f in declared if hasattr(f.source, "signal"))
        """What is counted or added up for these features."""
        # These count days of a calendar; all other kinds measure time.
        days = Days(time_zone)
        made_by: dict[type[Kind], Callable[..., Kind]] = {
            DecayKind: partial(DecayKind, signals=self.signals),
            MarkKind: partial(MarkKind, signals=self.signals),
            WindowKind: partial(WindowKind, days=days, signals=self.signals),
            CycleKind: partial(CycleKind, days=days, signals=self.signals),
            StockKind: partial(StockKind, days=days),
        }
        needed = {*self._always, *(kind for source in derived.values() for kind in source.kinds)}
        self.kinds: dict[type[Kind], Kind] = {
            kind: made_by.get(kind, kind)(
                list(dict.fromkeys(f.source for f in declared if isinstance(f.source, sources)))
            )
            for kind, sources in _KINDS.items()
            if kind in needed or any(isinstance(f.source, sources) for f in declared)
        }
        self._kind_of: dict[type, Kind] = {
            source: self.kinds[kind] for kind, sources in _KINDS.items() if kind in self.kinds for source in sources
        }
        self.columns: tuple[Column, ...] = tuple(c for kind in self.kinds.values() for c in kind.columns)
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def kind(self, kind: type[_K]) -> _K:
        """One of its kinds. Raises ``KeyError``."""
        return cast(_K, self.kinds[kind])

    def kind_of(self, source: Any) -> Kind:
        """The kind that reads a source. Raises ``KeyError`` for one that is made of others or of a record."""
        return self._kind_of[type(source)]

    def in_zone(self, time_zone: str) -> Catalogue:
        """The same features with the days of another time zone."""
        if time_zone == self.time_zone:
            return self
        payloads = self.payloads.values()
        return Catalogue(self.features.values(), payloads=payloads, always=self._always, time_zone=time_zone)

    def covering(self, addresses: Iterable[str]) -> Catalogue:
        """A catalogue of these features and what they are made of: the same bits from fewer columns."""
        wanted = dict.fromkeys(addresses)
        for address in list(wanted):
            source = self.inputs[address].source
            if isinstance(source, Has):
                wanted[source.address] = None
            elif address in self.features:
                wanted |= dict.fromkeys(self.parts(address))
        covered = (self.features[address] for address in wanted if address in self.features)
        payloads = (payload for address, payload in self.payloads.items() if address in wanted)
        return Catalogue(covered, payloads=payloads, always=self._always, time_zone=self.time_zone)

    def parts(self, address: str) -> Iterable[str]:
        """What a feature is made of, and what that is made of."""
        source = self.features[address].source
        for part in source.parts if isinstance(source, Derived) else ():
            yield part
            yield from self.parts(part)

    def fold(self, state: Rows, run: Run) -> None:
        """Take a run of events into every kind's columns."""
        for kind in self.kinds.values():
            kind.fold(state, run)

    def merge(self, state: Rows, row: int, other: Rows) -> None:
        """Take the one row of ``other`` into a row, in every kind's columns."""
        for kind in self.kinds.values():
            if not isinstance(kind, Merging):
                raise TypeError(f"{type(kind).__name__} does not say how two rows become one.")
            kind.merge(state, row, other)

    def read(self, rows: Readable, now_ms: Ints, addresses: Sequence[str]) -> npt.NDArray[np.float32]:
        """[k, width of all addresses] float32: each feature of each row at the row's own time. Raises ``KeyError``."""
        asked = tuple(addresses)
        if asked not in self._plans:
            if len(self._plans) == PLANS:  # Other versions of models ask for others.
                del self._plans[next(iter(self._plans))]
            self._plans[asked] = _Plan(self, asked)
        plan = self._plans[asked]
        reading, out = Reading(self, rows, now_ms), np.empty((len(rows), plan.width), np.float32)
        for read, found, own, to in plan.joint:
            values = read(rows, now_ms)
            reading.take(values, found)
            out[:, to] = values[:, own]
        for address, place in plan.single:
            out[:, place] = reading.value(address).reshape(len(rows), place.stop - place.start)
        return out

    def places(self, addresses: Iterable[str]) -> dict[str, slice]:
        """Which columns of a row of these addresses each of them takes. Raises ``KeyError``."""
        found: dict[str, slice] = {}
        start = 0
        for address in dict.fromkeys(addresses):
            stop = start + self.features[address].width
            found[address], start = slice(start, stop), stop
        return found


class _Plan:
    """How some features are read: of each kind that reads many at once what reads them, with those that others are made
    of; the others one by one."""

    def __init__(self, catalogue: Catalogue, asked: Sequence[str]) -> None:
        places = catalogue.places(asked)
        self.width = sum(place.stop - place.start for place in places.values())
        needed = dict.fromkeys(places)
        for address in places:
            needed |= dict.fromkeys(catalogue.parts(address))
        by_kind: dict[Kind, list[str]] = {}
        for address in needed:
            source = catalogue.features[address].source
            if not isinstance(source, Derived):
                by_kind.setdefault(catalogue.kind_of(source), []).append(address)
        self.joint: list[tuple[Joint, dict[str, slice], Ints, Ints]] = []
        """What reads, where it gives each feature, and which columns of it are asked for and where they go."""
        for kind, mine in by_kind.items():
            if isinstance(kind, Jointly):
                read = kind.joint([catalogue.features[address].source for address in mine])
                found = catalogue.places(mine)
                own, to = (
                    np.concatenate([_NONE, *(np.arange(of[a].start, of[a].stop) for a in mine if a in places)])
                    for of in (found, places)
                )
                self.joint.append((read, found, own, to))
        together = {address for _, found, *_ in self.joint for address in found}
        self.single = [(address, place) for address, place in places.items() if address not in together]


class Reading:
    """Rows as they are read once, each at its own time: what features are made of is read once, too."""

    def __init__(self, catalogue: Catalogue, rows: Readable, now_ms: Ints) -> None:
        self.catalogue, self.rows, self.now_ms = catalogue, rows, now_ms
        self._made: dict[str, Floats] = {}

    def take(self, values: Floats, places: Mapping[str, slice]) -> None:
        """Take the values of features that were read together."""
        for address, place in places.items():
            one = place.stop - place.start == 1
            self._made[address] = values[:, place.start] if one else values[:, place]

    def value(self, address: str) -> Floats:
        """[k] or [k, width] a feature."""
        if address not in self._made:
            source = self.catalogue.features[address].source
            if isinstance(source, Derived):
                self._made[address] = source.of(self)
            else:
                kind = cast(Single, self.catalogue.kind_of(source))
                self._made[address] = kind.read(self.rows, self.now_ms, source)
        return self._made[address]

    def kind(self, kind: type[_K]) -> _K:
        """A kind of the catalogue."""
        return self.catalogue.kind(kind)
