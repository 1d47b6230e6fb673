"""Chance that a replay agrees with: numbers drawn from digests of what is decided, never from a generator.

A shopper's draw for a holdout depends on the shopper and the salt alone, so it is for ever. The draw of a decision
depends on the campaign, the shopper and what made them due, so the same decision is drawn alike however often it is
made."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from xxhash import xxh3_64_intdigest

from streams.columns.arrays import Floats, Hashes


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
