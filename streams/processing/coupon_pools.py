"""Codes of coupons that one partition of shoppers may give: each once, in the order of its log.

Codes stand in the partition's log (``CouponsLoaded``), and whom one is given to is asked in the order of that log, so
what a partition gives is a function of it. A crash may leave rows ahead of the progress record: what was due at them
is not asked again, at others it is. So what was given is written before the rows of a flush, with the answers since the
flush before (``streams/budget/purses.py`` does the same with money); a question at an offset that is in them gets the
answer that it got.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from streams.columns.arrays import Bools, Hashes, Ints
from streams.records.coupons import CouponsLoaded
from streams.state.keys import OPEN

#: The key of what was given in the feature table, and how those of codes begin: the offset of their record follows.
GIVEN, CODES = OPEN + b"coupons", OPEN + b"codes/"


class Stock(NamedTuple):
    """How many codes of a pool a partition has not given yet, and has given."""

    left: int
    given: int


@dataclass(frozen=True, slots=True)
class Given:
    """What became of k offers of a campaign."""

    yes: Bools
    """[k] which are made."""
    dry: Bools
    """[k] which are not, because no code was left."""
    codes: Mapping[int, str]
    """Place among the k → its code."""


class _Dry(msgspec.Struct, array_like=True):
    """No code was left from behind an offset until another, that of the record that brought the next ones."""

    since: int
    until: int | None = None


class _Pool(msgspec.Struct, array_like=True):
    given: int = 0
    dry: list[_Dry] = msgspec.field(default_factory=lambda: [_Dry(-1)])


class _Held(msgspec.Struct, array_like=True):
    pools: dict[str, _Pool]
    answers: list[tuple[int, int, str, int]]
    refused: list[tuple[int, int, str]]


class CouponPools:
    """``group``: the workers that keep the partition: what others may give is passed over."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._codes: dict[str, list[str]] = {}
        self._known: set[str] = set()
        """Every code that was ever loaded, of whatever pool."""
        self._pools: dict[str, _Pool] = {}
        self._until = 0
        """What was given stands for all records before this offset."""
        self._blocks: dict[bytes, bytes | None] = {}
        self._answers: dict[tuple[int, int, str], int] = {}
        """Offset, key and pool → which code: of what was given and may be asked for again."""
        self._refused: set[tuple[int, int, str]] = set()
        """The same of those who came too late at the very record at which a pool ran dry."""
        self._changed = False

    @property
    def stocks(self) -> dict[str, Stock]:
        """By pool."""
        return {name: Stock(len(self._codes[name]) - of.given, of.given) for name, of in sorted(self._pools.items())}

    def load(self, loaded: Iterable[tuple[int, CouponsLoaded]]) -> None:
        """Codes that stand in the log, with the offsets of their records; whoever is due at a later one may get them.
        To be called before anybody behind them is asked about (``cuts`` of a side sees to that)."""
        for offset, said in loaded:
            if said.group == self._group and offset >= self._until:
                fresh = [code for code in dict.fromkeys(said.codes) if code not in self._known]
                if fresh:
                    block = (offset + 1).to_bytes(8, "big") + msgspec.msgpack.encode((said.pool, fresh))
                    self._blocks[CODES + offset.to_bytes(8, "big")] = block
                    self._take(said.pool, fresh)
                    dry = self._pools[said.pool].dry
                    if dry and dry[-1].until is None:
                        dry[-1].until = offset
                    self._changed = True

    def _take(self, pool: str, fresh: Sequence[str]) -> None:
        self._codes.setdefault(pool, []).extend(fresh)
        self._known.update(fresh)
        self._pools.setdefault(pool, _Pool())

    def _left(self, pool: str) -> int:
        return len(self._codes[pool]) - self._pools[pool].given if pool in self._pools else 0

    def give(
        self, pool: str, offset: Ints, key: Hashes, needs: Bools, held: Bools, ask: Callable[[Ints], Bools]
    ) -> Given:
        """Give codes of a pool to offers, in the order of the log; never falls, also from one call to the next.

        ``needs``: [k] which offers come with a code. ``held``: [k] which are of control groups; they are asked about as
        all others are, and get none. ``ask``: asks of some of the k, by ascending places, what else may hold them back;
        not of those for whom no code is left.
        """
        k, again = len(offset), int(np.searchsorted(offset, self._until))
        yes, dry, codes = np.zeros(k, np.bool_), np.zeros(k, np.bool_), dict[int, str]()
        self._again(pool, offset[:again], key[:again], needs, dry)
        some = np.flatnonzero(~dry[:again])
        yes[some] = ask(some)
        for i in np.flatnonzero(yes & needs & ~held).tolist():
            which = self._answers.get((int(offset[i]), int(key[i]), pool))
            if which is not None:
                codes[i] = self._codes[pool][which]
        at = again
        while at < k:
            left = self._left(pool)
            if left:
                taking = np.flatnonzero(np.cumsum(needs[at:] & ~held[at:]) == left)
                stop = at + int(taking[0]) + 1 if len(taking) else k
                some = np.arange(at, stop)
            else:
                stop = k
                dry[at:] = needs[at:]
                some = at + np.flatnonzero(~needs[at:])
                self._refuse(pool, offset, key, at + np.flatnonzero(needs[at:]))
            yes[some] = ask(some)
            for i in some[yes[some] & needs[some] & ~held[some]].tolist():
                codes[i] = self._give(pool, int(offset[i]), int(key[i]))
            at = stop
        return Given(yes, dry, codes)

    def _give(self, pool: str, offset: int, key: int) -> str:
        of = self._pools[pool]
        self._answers[offset, key, pool] = of.given
        code = self._codes[pool][of.given]
        of.given += 1
        self._changed = True
        if not self._left(pool):
            of.dry.append(_Dry(offset))
        return code

    def _refuse(self, pool: str, offset: Ints, key: Hashes, at: Ints) -> None:
        dry = self._pools[pool].dry if pool in self._pools else ()
        if dry:
            late = at[offset[at] == dry[-1].since]
            self._refused |= {(int(offset[i]), int(key[i]), pool) for i in late.tolist()}

    def _again(self, pool: str, offset: Ints, key: Hashes, needs: Bools, dry: Bools) -> None:
        """Note for whom no code was left when they were asked about before."""
        for each in self._pools[pool].dry if pool in self._pools else (_Dry(-1),):
            dry[: len(offset)] |= (offset > each.since) & (each.until is None or offset < each.until)
        for i in range(len(offset)):
            dry[i] |= (int(offset[i]), int(key[i]), pool) in self._refused
        dry[: len(offset)] &= needs[: len(offset)]

    def drain_changes(self, next_offset: int) -> dict[bytes, bytes | None]:
        """Codes, then what was given, as records of the feature table; to be written before the rows of the same flush.
        When this is called again, the flush before has come to its end."""
        if not self._pools:
            return {}
        changes, self._blocks = self._blocks, {}
        self._until = max(self._until, next_offset)
        if self._changed or self._answers or self._refused:
            answers = [(*asked, which) for asked, which in sorted(self._answers.items())]
            held = _Held(self._pools, answers, sorted(self._refused))
            changes[GIVEN] = self._until.to_bytes(8, "big") + msgspec.msgpack.encode(held)
        # Read again from here on, answers that lie ahead may still be asked for.
        self._answers = {asked: which for asked, which in self._answers.items() if asked[0] >= next_offset}
        self._refused = {asked for asked in self._refused if asked[0] >= next_offset}
        for pool in self._pools.values():
            pool.dry = [each for each in pool.dry if each.until is None or each.until > next_offset]
        self._changed = False
        return changes

    def restore(self, records: Mapping[bytes, bytes]) -> None:
        """Take them back. Codes whose records are ahead of what was given come again."""
        value = records.get(GIVEN)
        if value is None:
            return
        self._until = int.from_bytes(value[:8], "big")
        for key in sorted(records):
            if key.startswith(CODES) and int.from_bytes(key[len(CODES) :], "big") < self._until:
                self._take(*msgspec.msgpack.decode(records[key][8:], type=tuple[str, list[str]]))
        held = msgspec.msgpack.decode(value[8:], type=_Held)
        self._pools |= held.pools
        self._answers = {(offset, key, pool): which for offset, key, pool, which in held.answers}
        self._refused = set(held.refused)
