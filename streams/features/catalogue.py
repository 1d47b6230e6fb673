"""The table of contents of all features, and the kinds that keep them.

A new feature is a line in one of the files named here. A new kind is one file in ``kinds/`` and a line in ``_KINDS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Readable, Rows
from streams.features import browsing, carts, offers, orders, searching, sequence, visits
from streams.features.days import UTC, Days
from streams.features.feature import Feature, Ratio
from streams.features.kinds import Kind
from streams.features.kinds.decay import Decayed, DecayKind
from streams.features.kinds.distinct import Distinct, DistinctKind
from streams.features.kinds.favourites import Favourite, FavouriteKind
from streams.features.kinds.latest import Consent, ConsentKind
from streams.features.kinds.marks import DaysSince, MarkKind, Total
from streams.features.kinds.recent import RecentKind, Session
from streams.features.kinds.recent import Sequence as EventSequence
from streams.features.kinds.rhythm import Rhythm, RhythmKind
from streams.features.kinds.windows import ActiveBuckets, Windowed, WindowKind
from streams.features.signals import Run

FEATURES: tuple[Feature, ...] = (
    *orders.FEATURES,
    *browsing.FEATURES,
    *carts.FEATURES,
    *searching.FEATURES,
    *offers.FEATURES,
    *visits.FEATURES,
    *sequence.FEATURES,
)

#: kind → the declarations it keeps
_KINDS: dict[type[Kind], tuple[type, ...]] = {
    DecayKind: (Decayed,),
    WindowKind: (Windowed, ActiveBuckets),
    MarkKind: (DaysSince, Total),
    RhythmKind: (Rhythm,),
    DistinctKind: (Distinct,),
    FavouriteKind: (Favourite,),
    RecentKind: (Session, EventSequence),
    ConsentKind: (Consent,),
}


class Catalogue:
    """Features by address, with the kinds that fold and read them.

    ``only_needed``: without the columns of kinds that no feature reads; enough to train, not to decide. ``time_zone``:
    whose days are meant where a feature counts days. Raises ``ValueError`` when two features share an address or a
    ratio names a feature that does not exist.
    """

    def __init__(
        self, features: Iterable[Feature] = FEATURES, *, only_needed: bool = False, time_zone: str = UTC
    ) -> None:
        self.time_zone, self._only_needed = time_zone, only_needed
        declared = tuple(features)
        self.features = {feature.address: feature for feature in declared}
        if len(self.features) != len(declared):
            raise ValueError("Two features share an address.")
        for feature in declared:
            if isinstance(feature.source, Ratio):
                for part in (feature.source.numerator, feature.source.denominator):
                    if part not in self.features:
                        raise ValueError(f"{feature.address} divides {part}, which no file under streams/features has.")
        # Windows alone count days of a calendar; all other kinds measure time.
        made_by: dict[type[Kind], Callable[..., Kind]] = {WindowKind: partial(WindowKind, days=Days(time_zone))}
        self.kinds: dict[type[Kind], Kind] = {
            kind: made_by.get(kind, kind)(
                list(dict.fromkeys(f.source for f in declared if isinstance(f.source, sources)))
            )
            for kind, sources in _KINDS.items()
            # Silence is told by the rhythm, whether or not anybody reads it.
            if not only_needed or kind is RhythmKind or any(isinstance(f.source, sources) for f in declared)
        }
        self._kind_of: dict[type, Kind] = {
            source: self.kinds[kind] for kind, sources in _KINDS.items() if kind in self.kinds for source in sources
        }
        self.columns: tuple[Column, ...] = tuple(c for kind in self.kinds.values() for c in kind.columns)

    @property
    def rhythm(self) -> RhythmKind:
        """What silence is told by."""
        return cast(RhythmKind, self.kinds[RhythmKind])

    @property
    def favourites(self) -> FavouriteKind:
        """What an offer's category is chosen by …"""
        return cast(FavouriteKind, self.kinds[FavouriteKind])

    @property
    def recent(self) -> RecentKind:
        """… and named by."""
        return cast(RecentKind, self.kinds[RecentKind])

    def in_zone(self, time_zone: str) -> Catalogue:
        """The same features with the days of another time zone."""
        if time_zone == self.time_zone:
            return self
        return Catalogue(self.features.values(), only_needed=self._only_needed, time_zone=time_zone)

    def covering(self, addresses: Iterable[str]) -> Catalogue:
        """A catalogue of these features and what they divide: the same bits from fewer columns."""
        wanted = dict.fromkeys(addresses)
        for address in list(wanted):
            source = self.features[address].source
            if isinstance(source, Ratio):
                wanted |= dict.fromkeys((source.numerator, source.denominator))
        covered = (self.features[address] for address in wanted)
        return Catalogue(covered, only_needed=True, time_zone=self.time_zone)

    def fold(self, state: Rows, run: Run) -> None:
        """Take a run of events into every kind's columns."""
        for kind in self.kinds.values():
            kind.fold(state, run)

    def read(self, rows: Readable, now_ms: Ints, addresses: Sequence[str]) -> npt.NDArray[np.float32]:
        """[k, width of all addresses] float32: each feature of each row at the row's own time. Raises ``KeyError``."""
        memo: dict[Any, Floats] = {}

        def value(address: str) -> Floats:
            source = self.features[address].source
            if source not in memo:
                if isinstance(source, Ratio):
                    over, under = value(source.numerator), value(source.denominator)
                    ratio = np.where(under > 0, over / np.where(under > 0, under, 1.0), 0.0)
                    memo[source] = np.minimum(ratio, source.cap)
                else:
                    memo[source] = self._kind_of[type(source)].read(rows, now_ms, source)
            return memo[source]

        places = self.places(addresses)
        out = np.empty((len(rows), sum(p.stop - p.start for p in places.values())), np.float32)
        for address, place in places.items():
            out[:, place] = value(address).reshape(len(rows), place.stop - place.start)
        return out

    def places(self, addresses: Iterable[str]) -> dict[str, slice]:
        """Which columns of a row of these addresses each of them takes. Raises ``KeyError``."""
        found: dict[str, slice] = {}
        start = 0
        for address in dict.fromkeys(addresses):
            stop = start + self.features[address].width
            found[address], start = slice(start, stop), stop
        return found


CATALOGUE = Catalogue()
