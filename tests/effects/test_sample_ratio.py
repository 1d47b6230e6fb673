"""A holdout of another share than asked for is noticed, and one as asked for is left in peace."""

from __future__ import annotations

import numpy as np
import pytest

from streams.effects.sample_ratio import ALPHA, check, least_shoppers, others, running


def sides(seed: int, campaigns: int, n: int, held: float) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return (np.random.default_rng(seed).random((campaigns, n)) < held).astype(np.int64)


def test_the_evidence_after_every_shopper_is_that_of_the_counts() -> None:
    found = running(sides(1, 3, 500, 0.1), (0.9, 0.1))
    for row, last in zip(sides(1, 3, 500, 0.1), found[:, -1], strict=True):
        told = check((500 - int(row.sum()), int(row.sum())), (0.9, 0.1))
        assert told.evidence == pytest.approx(np.exp(last), rel=1e-9)


def test_evidence_is_1_on_average_under_the_right_share() -> None:
    """What makes it valid at all times: a martingale that begins at 1. Exact over all sequences of eight shoppers."""
    every = np.array([[(code >> bit) & 1 for bit in range(8)] for code in range(256)])
    chance = np.where(every == 1, 0.3, 0.7).prod(1)
    assert float((chance[:, None] * np.exp(running(every, (0.7, 0.3)))).sum(0).std()) < 1e-12
    assert float((chance * np.exp(running(every, (0.7, 0.3)))[:, -1]).sum()) == pytest.approx(1)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_false_alarms_are_rarer_than_promised_however_long_one_looks(share: float) -> None:
    """Of 1,500 campaigns 1.5 are expected at most; more than seven come by chance in 1 of 3,000 such tests."""
    found = running(sides(2, 1_500, 1_500, share), (1 - share, share)) >= -np.log(ALPHA)
    assert found.any(1).sum() <= 7


def test_two_points_off_a_small_holdout_are_noticed_about_as_soon_as_can_be() -> None:
    found = running(sides(3, 300, 6_000, 0.04), (0.98, 0.02)) >= -np.log(ALPHA)
    assert found.any(1).mean() > 0.99
    after = found.argmax(1) + 1
    least = least_shoppers(0.02, 0.04)
    assert least * 0.9 < after.mean() < least * 1.4


@pytest.mark.parametrize("shares", [(0.9, 0.1), (0.99, 0.01), (0.5, 0.25, 0.25), (0.97, 0.015, 0.015)])
def test_the_other_shares_are_shares_two_points_off_on_one_side(shares: tuple[float, ...]) -> None:
    found = others(shares)
    assert len(found)
    np.testing.assert_allclose(found.sum(1), 1)
    assert (found > 0).all()
    off = abs(found - np.array(shares))
    assert np.isclose(off.max(1), 0.02).all()


def test_arms_are_checked_alike_and_words_say_what_to_do() -> None:
    told = check((5_000, 3_000, 2_000), (0.5, 0.25, 0.25))
    assert told.mismatch
    assert "50.0% and 30.0% and 20.0% instead of 50.0% and 25.0% and 25.0% of 10,000 shoppers" in told.words
    assert check((0, 0), (0.9, 0.1)).evidence == 1.0


@pytest.mark.parametrize(("counts", "shares"), [((1, 2), (0.5, 0.6)), ((1, 2), (1.0, 0.0)), ((1,), (0.5, 0.5))])
def test_shares_that_cannot_be_are_refused(counts: tuple[int, ...], shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="one share above 0 per count, together 1"):
        check(counts, shares)
