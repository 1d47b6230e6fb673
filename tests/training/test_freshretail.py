"""Fresh goods under stock-outs: what is lost is reckoned, nothing knows the future, and the published measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.checks.freshretail.data import DAYS, GROUPS, HOURS, KNOWN, Series, recovered
from training.checks.freshretail.judged import Judge
from training.checks.freshretail.network import taught
from training.checks.freshretail.rows import AHEAD, History, Rows

N, CUT = 60, DAYS - AHEAD


def made(lost: float = 0.0) -> tuple[Series, np.ndarray]:
    """Series that sell 4.8 a day, and of each day and hour whether it was sold out: a share of afternoons."""
    rng = np.random.default_rng(5)
    wanted = rng.poisson(0.3, (N, DAYS, HOURS)).astype(np.float64)
    wanted[:, :, :6] = wanted[:, :, 22:] = 0.0
    out = np.zeros((N, DAYS, HOURS), bool)
    out[:, :, 14:] = (rng.random((N, DAYS)) < lost)[:, :, None]
    known = {name: rng.random((N, DAYS)) for name in KNOWN} | {
        "holiday_flag": np.tile((np.arange(DAYS) % 7 < 2).astype(np.float64), (N, 1))
    }
    group = {name: np.arange(N) % 5 for name in GROUPS}
    return Series(np.where(out, 0.0, wanted), out, group, known), wanted.sum(axis=2)


def test_sales_lost_at_stock_outs_are_reckoned_and_the_others_stay() -> None:
    s, wanted = made(lost=0.4)
    told, there = recovered(s, CUT)
    cut_short = s.out[:, :CUT].any(axis=2)
    assert s.daily[:, :CUT][cut_short].mean() < 0.6 * wanted[:, :CUT][cut_short].mean()
    assert told[cut_short].mean() == pytest.approx(wanted[:, :CUT][cut_short].mean(), rel=0.03)
    np.testing.assert_allclose(told[~cut_short], s.daily[:, :CUT][~cut_short], atol=1e-9)
    assert there[cut_short].mean() == pytest.approx(0.5, abs=0.03)


def test_no_row_knows_what_is_sold_from_its_morning_on() -> None:
    s, _ = made(lost=0.2)
    changed = replace(s, hourly=s.hourly.copy(), out=s.out.copy())
    changed.hourly[:, CUT:] = 99.0
    changed.out[:, CUT:] ^= True
    before, after = (History(each, CUT).rows([CUT - 7, CUT], range(1, AHEAD + 1)) for each in (s, changed))
    np.testing.assert_array_equal(before.x, after.x)
    assert {int(day) for day in before.day} == set(range(CUT - 7, CUT + 7))


def test_only_days_in_stock_that_are_over_teach() -> None:
    s, _ = made(lost=0.3)
    found = taught(s, History(s, CUT), CUT, 7)
    assert (found.rows.day < CUT).all()
    assert s.in_stock[found.rows.series, found.rows.day].all()
    every = taught(s, History(s, CUT), CUT, 7, recovered=True)
    assert len(every.sold) > len(found.sold)
    assert found.weight.mean() == pytest.approx(1.0)


def test_measures_are_means_over_days_of_errors_over_what_was_sold() -> None:
    hourly = np.zeros((2, DAYS, HOURS))
    hourly[:, 0, 8], hourly[:, 1, 8] = 10.0, 1.0
    s = Series(hourly, np.zeros(hourly.shape, bool), {name: np.zeros(2, int) for name in GROUPS}, {})
    s.out[1, 1, 9] = True
    rows = Rows(np.zeros((4, 0), np.float32), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), ())
    judge = Judge(s, rows)
    said = np.array([12.0, 10.0, 0.5, 99.0])  # the last one was sold out
    found = judge.measure({"ours": said}, 7)["ours"]
    assert (found["wape"], found["wpe"]) == (pytest.approx(30.0), pytest.approx(-20.0))
    assert judge.scale(said) == pytest.approx(21 / 22.5)
    assert judge.coverage(np.tile([0.0, 2.0, 5.0, 10.0, 20.0], (4, 1))) == {"80%": 66.7, "95%": 100.0}
