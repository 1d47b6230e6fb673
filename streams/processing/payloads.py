"""What models are given: rows as they stand, or with what the records that made due say, made where one asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Bools
from streams.features.feature import Feature, Has, Unreadable

#: Gives float32 [k, width] of an index into due points: of a mask, a slice, or places.
Block = Callable[[Any], npt.NDArray[np.float32]]


class Given:
    """What a model is given of n due points, as float32 [k, width] of those asked for."""

    def __init__(self, x: npt.NDArray[np.float32], widths: Mapping[str, int]) -> None:
        self._x, self._widths = x, widths

    def __getitem__(self, rows: Any) -> npt.NDArray[np.float32]:
        return self._x[rows]

    def numbers(self, rows: Any) -> dict[str, npt.NDArray[np.float32]]:
        """[k] by address, what is one number per row."""
        x, places = self._x[rows], np.cumsum((0, *self._widths.values())).tolist()
        pairs = zip(self._widths.items(), places, strict=False)
        return {address: x[:, place] for (address, width), place in pairs if width == 1}


class GivenOfRecords(Given):
    """The same, put together when it is asked for: pictures are too large to be given of all at once. ``blocks``, by
    address: what gives it of an index into the due points."""

    def __init__(self, blocks: Mapping[str, Block], widths: Mapping[str, int]) -> None:
        self._blocks, self._widths = blocks, widths

    def __getitem__(self, rows: Any) -> npt.NDArray[np.float32]:
        return np.concatenate([block(rows) for block in self._blocks.values()], axis=-1)

    def numbers(self, rows: Any) -> dict[str, npt.NDArray[np.float32]]:
        """[k] by address, what is one number per row."""
        return {address: block(rows)[:, 0] for address, block in self._blocks.items() if self._widths[address] == 1}


class Payloads:
    """Of n due points (``due`` [n]: the record that made each due, None where a timer did), what ``features`` make of
    their records, by address. Kept as small as it is made, and no longer than the slice."""

    def __init__(self, due: Sequence[Any], features: Mapping[str, Feature]) -> None:
        self._due, self._features = due, features
        self._made: dict[str, list[npt.NDArray[Any] | None]] = {}
        self._asked: dict[str, Bools] = {}
        self._unreadable: dict[str, dict[str, str]] = {}

    def __contains__(self, address: object) -> bool:
        return address in self._features

    def any(self, addresses: Sequence[str]) -> bool:
        """Whether any of the addresses is one of these."""
        return not self._features.keys().isdisjoint(addresses)

    def said(self, addresses: Sequence[str], among: Bools) -> Bools:
        """[n] of the due points ``among`` all, those whose records say all of the addresses that must be said; these
        are made here. What is listed beside whether it is there need not be said; where that is all that is taken, one
        must be."""
        if not self.any(addresses):
            return among
        taken = [address for address in addresses if address in self._features]
        optional = {source.address for source in map(self._source, taken) if isinstance(source, Has)}
        found = among.copy()
        for address in taken:
            if address not in optional and not isinstance(self._source(address), Has):
                found &= self._said(address, found)
        others = [address for address in addresses if address not in optional]
        if optional and all(address in taken and isinstance(self._source(address), Has) for address in others):
            found &= np.logical_or.reduce([self._said(address, found) for address in sorted(optional)])
        return found

    def block(self, address: str) -> Block:
        """What gives one of them; 0 where nothing was said."""
        feature, source = self._features[address], self._source(address)
        has = isinstance(source, Has)
        of = source.address if has else address

        def numbers(rows: Any) -> npt.NDArray[np.float32]:
            chosen = np.arange(len(self._due))[rows]
            asked = np.zeros(len(self._due), np.bool_)
            asked[chosen] = True
            self._said(of, asked)
            known = [self._made[of][i] for i in np.atleast_1d(chosen).tolist()]
            there = [k for k, each in enumerate(known) if each is not None]
            block = np.zeros((len(known), feature.width), np.float32)
            if there:
                block[there] = 1.0 if has else source.floats(np.stack([known[k] for k in there]))
            return block if chosen.ndim else block[0]

        return numbers

    def number(self, address: str) -> Callable[[str], float] | None:
        """What stands for a name in one of them; None where numbers stand for themselves."""
        return getattr(self._source(address), "number", None)

    def unreadable(self, addresses: Sequence[str]) -> dict[str, dict[str, str]]:
        """By address, of records that say what cannot be read: their ids, and why."""
        return {address: self._unreadable[address] for address in addresses if self._unreadable.get(address)}

    def _source(self, address: str) -> Any:
        return self._features[address].source

    def _said(self, address: str, among: Bools) -> Bools:
        """[n] of some due points, those whose records say one thing; it is made of those of which it was not yet."""
        n = len(self._due)
        made = self._made.setdefault(address, [None] * n)
        asked = self._asked.setdefault(address, np.zeros(n, np.bool_))
        source = self._source(address)
        for i in np.flatnonzero(among & ~asked).tolist():
            record = self._due[i]
            try:
                made[i] = None if record is None else source.of(record)
            except Unreadable as why:
                self._unreadable.setdefault(address, {})[record.event_id] = str(why)
        asked |= among
        return among & np.array([each is not None for each in made], np.bool_)
