"""Chance that a replay agrees with: numbers drawn from digests of what is decided, never from a generator.

A shopper's draw for a holdout depends on the shopper and the salt alone, so it is for ever. The draw of a decision
depends on the campaign, the shopper and what made them due, so the same decision is drawn alike however often it is
made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from xxhash import xxh3_64_intdigest

from streams.columns.arrays import Bools, Floats, Hashes, Ints


def digest(*parts: str) -> int:
    """64 bits of some texts; no two different tuples of texts give the same input.

    >>> digest("ab", "c") != digest("a", "bc")
    True
    """
    return xxh3_64_intdigest("".join(f"{len(part)}:{part}" for part in parts).encode())


def shopper_hashes(shoppers: Iterable[str]) -> Hashes:
    """[k] uint64 of shoppers' ids."""
    return np.array([xxh3_64_intdigest(shopper.encode()) for shopper in shoppers], np.uint64)


def due_hashes(shoppers: Iterable[str], refs: Iterable[str]) -> Hashes:
    """[k] uint64 of shoppers and what made each due (such as ``event:e1``)."""
    pairs = zip(shoppers, refs, strict=True)
    return np.array([xxh3_64_intdigest(f"{len(one)}:{one}{ref}".encode()) for one, ref in pairs], np.uint64)


def uniform(hashes: Hashes, salts: Hashes) -> Floats:
    """Numbers in [0, 1), as good as independent for different salts: the finaliser of SplitMix64 over hash and salt.
    ``salts``: of a shape that goes with that of ``hashes``.

    >>> uniform(np.array([5, 5], np.uint64), np.array([1, 2], np.uint64)).round(3).tolist()
    [0.717, 0.073]
    """
    x = hashes ^ salts
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


class Choice(NamedTuple):
    """What was chosen k times among n."""

    chosen: Ints
    """[k] place among the n."""
    explored: Bools
    """[k] whether it was drawn."""
    propensity: Floats
    """[k, n] how likely each was; 0 where it may not be."""


def best_or_any(may: Bools, best: Ints, share: float, whether: Floats, which: Floats) -> Choice:
    """Choose the ``best`` [k], or in a ``share`` of choices one of those that ``may`` be [k, n], all alike, where there
    is another one. The best may be in each row. ``whether``, ``which``: [k] uniform in [0, 1).

    >>> best_or_any(np.array([[True, True]]), np.array([1]), 0.5, np.array([0.4]), np.array([0.1])).propensity.tolist()
    [[0.25, 0.75]]
    """
    count = may.sum(axis=1)
    drawn = np.floor(which * count).astype(np.int64)
    explored = (whether < share) & (count > 1)
    found = (np.where(may, may.cumsum(axis=1) - 1, -1) == drawn[:, None]).argmax(axis=1)
    propensity = may * (share / count)[:, None]
    propensity[np.arange(len(may)), best] += 1.0 - share
    propensity[count == 1] = may[count == 1]
    return Choice(np.where(explored, found, best), explored, propensity)
