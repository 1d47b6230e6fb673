"""Every code of a pool is given at most once, in the order of the log, whoever crashes and however slices are cut."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.arrays import Bools, Ints
from streams.outside.coupon_loading import CodesError, codes_of, records, split
from streams.processing.coupon_pools import CODES, GIVEN, CouponPools, Stock
from streams.records.coupons import CouponsLoaded
from streams.records.events import decode_event

#: Of one record of a log: codes, or due points: (key, whether a code is needed, held back, affordable).
Loaded = list[str]
Due = list[tuple[int, bool, bool, bool]]
Log = list[Loaded | Due]


def a_log(rng: random.Random) -> Log:
    """Codes come now and then, some of them again; at a record several may be due."""
    found: Log = []
    for _ in range(rng.randrange(5, 60)):
        if rng.random() < 0.2:
            found.append([f"CODE-{rng.randrange(40)}" for _ in range(rng.randrange(1, 8))])
        else:
            keys = rng.sample(range(100), rng.choice([0, 1, 1, 1, 2, 5]))
            found.append([(key, rng.random() < 0.8, rng.random() < 0.2, rng.random() < 0.7) for key in keys])
    return found


def plain(log: Log) -> dict[tuple[int, int], str]:
    """(offset, key) → the code, "dry", "poor" or "made", by an oracle that knows no crash."""
    codes, known, found = list[str](), set[str](), dict[tuple[int, int], str]()
    for offset, record in enumerate(log):
        for each in record:
            if isinstance(each, str):
                if each not in known:
                    known.add(each)
                    codes.append(each)
                continue
            key, needs, held, affordable = each
            if needs and not codes:
                said = "dry"
            elif not affordable:
                said = "poor"
            else:
                said = codes.pop(0) if needs and not held else "made"
            found[offset, key] = said
    return found


class Partition:
    """Pools, their table, and rows, some of which may be ahead of the progress."""

    def __init__(self, log: Log, rng: random.Random) -> None:
        self.log, self.rng = log, rng
        self.table: dict[bytes, bytes] = {}
        self.progress = 0
        self.rows: dict[int, int] = {}
        self.said: dict[tuple[int, int], str] = {}

    def run(self) -> None:
        """To the end of the log, with crashes."""
        while self.progress < len(self.log):
            pools = CouponPools("shop")
            pools.restore(self.table)
            at, rows = self.progress, dict(self.rows)
            while at < len(self.log):
                stop = min(len(self.log), at + self.rng.randrange(1, 9))
                self.apply(pools, at, stop, rows)
                at = stop
                if self.rng.random() < 0.3 and not self.flush(pools, at, rows):
                    break
            else:
                self.flush(pools, at, rows)

    def apply(self, pools: CouponPools, start: int, stop: int, rows: dict[int, int]) -> None:
        """A slice: cut at codes, as sides cut them."""
        due: list[tuple[int, tuple[int, bool, bool, bool]]] = []
        for offset in range(start, stop):
            record = self.log[offset]
            if record and isinstance(record[0], str):
                self.ask(pools, due, rows)
                due = []
                said = CouponsLoaded(group="shop", pool="p", codes=tuple(str(code) for code in record))
                pools.load([(offset, said), (offset, CouponsLoaded(group="others", pool="p", codes=("THEIRS",)))])
            else:
                due += [(offset, each) for each in record if not isinstance(each, str)]
        self.ask(pools, due, rows)

    def ask(
        self, pools: CouponPools, due: list[tuple[int, tuple[int, bool, bool, bool]]], rows: dict[int, int]
    ) -> None:
        """Rows that are ahead are not asked again; the others in the order of the log, in groups of whatever size."""
        due = [one for one in due if rows.get(one[1][0], -1) < one[0]]
        while due:
            n = self.rng.randrange(1, len(due) + 1)
            some, due = due[:n], due[n:]
            offset = np.array([at for at, _ in some])
            key = np.array([each[0] for _, each in some], np.uint64)
            needs, held, affordable = (np.array([each[i] for _, each in some]) for i in (1, 2, 3))

            def affords(which: Ints, yes: Bools = affordable) -> Bools:
                assert (np.diff(which) > 0).all()
                return yes[which]

            found = pools.give("p", offset, key, needs, held, affords)
            for i, (at, each) in enumerate(some):
                said = "dry" if found.dry[i] else found.codes.get(i, "made") if found.yes[i] else "poor"
                assert self.said.setdefault((at, each[0]), said) == said
                rows[each[0]] = at

    def flush(self, pools: CouponPools, at: int, rows: dict[int, int]) -> bool:
        """Codes and what was given, then rows, then progress; whether it came to its end."""
        changes = list(pools.drain_changes(at).items())
        assert [key for key, _ in changes][-1:] in ([], [GIVEN])
        whole = self.rng.random() < 0.5
        for key, value in changes[: None if whole else self.rng.randrange(len(changes) + 1)]:
            assert value is not None
            self.table[key] = value
        if whole:
            new = [(key, offset) for key, offset in rows.items() if self.rows.get(key) != offset]
            done = self.rng.random() < 0.6
            self.rows |= dict(new if done else self.rng.sample(new, self.rng.randrange(len(new) + 1)))
            if done:
                self.progress = at
                return True
        return False


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_each_code_is_given_once_and_a_replay_gives_the_same(seed: int) -> None:
    rng = random.Random(seed)
    log = a_log(rng)
    partition = Partition(log, rng)
    partition.run()
    assert partition.said == plain(log)
    given_ = Counter(said for said in partition.said.values() if said.startswith("CODE"))
    assert set(given_.values()) <= {1}
    pools = CouponPools("shop")
    pools.restore(partition.table)
    loaded = {code for record in log for code in record if isinstance(code, str)}
    if loaded:
        assert pools.stocks == {"p": Stock(len(loaded) - len(given_), len(given_))}
    assert sum(key.startswith(CODES) for key in partition.table) <= len(log)


def test_the_laws_are_not_held_by_giving_nothing() -> None:
    said = Counter(word if word in ("dry", "poor", "made") else "code"
                   for seed in range(20) for word in plain(a_log(random.Random(seed))).values())  # fmt: skip
    assert min(said[word] for word in ("dry", "poor", "made", "code")) > 50


def test_a_code_is_of_the_same_partition_whenever_it_is_loaded() -> None:
    codes = tuple(f"SPRING-{i}" for i in range(4000))
    whole, again = split(codes, 7), split(codes[::-1], 7)
    assert sorted(code for share in whole for code in share) == sorted(codes)
    assert [set(share) for share in whole] == [set(share) for share in again]
    assert min(map(len, whole)) > 450
    said = [(partition, decode_event(value)) for partition, value in records("spring", "shop", codes, 7)]
    assert all(isinstance(record, CouponsLoaded) and len(record.codes) <= 500 for _, record in said)
    shares = [[c for p, r in said if p == n and isinstance(r, CouponsLoaded) for c in r.codes] for n in range(7)]
    assert shares == whole


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("GOOD-1\nwith space\nabc\n", "Line 2 and 1 more: "),
        ("ÜBER-12\n", "Line 1: "),
        ("\n \n", "There is no code in the file"),
    ],
)
def test_a_wrong_file_is_told_by_its_lines_not_by_its_codes(text: str, told: str) -> None:
    with pytest.raises(CodesError, match=told) as wrong:
        codes_of(text)
    assert not any(len(line) > 3 and line in str(wrong.value) for line in text.splitlines())
    assert wrong.value.exit_code == 2
