"""Timers of rows that are not in memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.state import cold_timers
from streams.state.codec import NEVER
from streams.state.cold_timers import ColdTimers

steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 9), st.one_of(st.integers(0, 20), st.just(NEVER))),
        st.tuples(st.just("unset"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("take"), st.just(0), st.integers(0, 20)),
    ),
    max_size=60,
)


@given(steps)
def test_they_are_as_if_each_were_kept_by_its_key(steps: list[tuple[str, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cold_timers, "FRESH", 3)
        patch.setattr(cold_timers, "GONE_AT_LEAST", 2)
        timers, held = ColdTimers(), dict[str, int]()
        for what, of, at in steps:
            key = f"shopper-{of}"
            if what == "set" and key not in held:
                timers.set([key], np.array([at]))
                held |= {key: at} if at != NEVER else {}
            elif what == "unset" and key in held:
                timers.unset([key], np.array([held.pop(key)]))
            elif what == "take":
                passed = [key for key, due in held.items() if due <= at]
                assert Counter(timers.take(at)) == Counter(passed)
                for key in passed:
                    del held[key]
            assert len(timers) == len(held)
            assert timers.first() <= min(held.values(), default=NEVER)
        assert Counter(timers.take(NEVER - 1)) == Counter(held.keys())


def test_a_timer_takes_few_bytes_whoever_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_timers, "FRESH", 128)
    monkeypatch.setattr(cold_timers, "GONE_AT_LEAST", 32)
    many, rng = 10_000, np.random.default_rng(1)
    keys, due = [f"shopper-{i:06}" for i in range(many)], rng.integers(0, 10**9, many)
    tracemalloc.start()
    timers = ColdTimers()
    for at in range(0, many, 50):
        timers.set(keys[at : at + 50], due[at : at + 50])
    for _ in range(20):  # some come back, and go again
        some = rng.choice(many, 500, replace=False)
        timers.unset([keys[i] for i in some.tolist()], due[some])
        due[some] += 10**6
        timers.set([keys[i] for i in some.tolist()], due[some])
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(timers) == many
    assert held < 64 * many
    assert sorted(timers.take(NEVER - 1)) == keys
