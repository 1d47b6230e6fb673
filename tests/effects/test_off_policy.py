"""What another policy would have earned: right on logs whose truth is known, refused where the log cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from streams.effects.off_policy import Logged, SupportError, effective, evaluate, predict, weights
from training.checks.effect.policies import policy_log

Floats = npt.NDArray[np.float64]


def taken(log: Logged, rows: npt.NDArray[np.int64]) -> Logged:
    """These rows of a log."""
    assert log.propensities is not None
    return Logged(log.arm[rows], log.reward[rows], log.propensity[rows], log.shopper[rows], log.propensities[rows])


def test_the_truth_is_in_the_interval_as_often_as_it_says() -> None:
    found = np.zeros((300, 4))
    for run in range(300):
        log, policy, features, truth = policy_log(np.random.default_rng(run), 1_000)
        told = evaluate(log, policy, features)
        values = (told.ips, told.snips, told.dr)
        found[run, :3] = [each.interval[0] <= truth <= each.interval[1] for each in values]
        found[run, 3] = told.dr.error < told.ips.error
    # Of 300 a share of really 95% is seen within these in 998 of 1,000 such tests; docs/effect.md has longer ones.
    assert (found[:, :3].mean(0) > 0.91).all(), found.mean(0)
    assert (found[:, :3].mean(0) < 0.985).all(), found.mean(0)
    assert found[:, 3].mean() > 0.95, "predictions narrow it"


def test_the_policy_that_ran_is_worth_what_was_earned() -> None:
    log, _, features, _ = policy_log(np.random.default_rng(1), 1_000)
    assert log.propensities is not None
    told = evaluate(log, log.propensities, features)
    assert told.snips.mean == pytest.approx(told.logged.mean)
    assert told.effective == pytest.approx(1_000)
    assert told.gain.interval[0] < 0 < told.gain.interval[1]


def test_the_order_of_rows_changes_nothing() -> None:
    log, policy, features, _ = policy_log(np.random.default_rng(2), 600)
    order = np.random.default_rng(3).permutation(600)
    mixed = taken(log, order)
    one, other = evaluate(log, policy, features), evaluate(mixed, policy[order], features[order])
    assert one.dr.mean == pytest.approx(other.dr.mean, rel=1e-9)
    assert one.dr.error == pytest.approx(other.dr.error, rel=1e-9)


def test_a_prediction_never_saw_its_own_shopper() -> None:
    """One shopper's rewards, however wild, change no prediction for that shopper."""
    log, policy, features, _ = policy_log(np.random.default_rng(4), 600)
    log = replace(log, shopper=np.arange(600) // 3)
    wild = replace(log, reward=np.where(log.shopper == 7, 1e6, log.reward))
    mine = log.shopper == 7
    before, after = (predict(each, policy.shape[1], features, 5) for each in (log, wild))
    np.testing.assert_array_equal(before[mine], after[mine])
    assert not np.array_equal(before, after)


def test_rows_of_one_shopper_count_as_one() -> None:
    log, policy, features, _ = policy_log(np.random.default_rng(5), 400)
    tripled = taken(log, np.repeat(np.arange(400), 3))
    wide, long = np.repeat(policy, 3, 0), np.repeat(features, 3, 0)
    one, same = evaluate(log, policy, features), evaluate(tripled, wide, long)
    apart = evaluate(replace(tripled, shopper=np.arange(1_200)), wide, long)
    assert same.ips.error == pytest.approx(one.ips.error, rel=1e-6)
    assert apart.ips.error < 0.7 * one.ips.error


def test_a_policy_that_does_what_was_never_done_is_refused() -> None:
    log, policy, features, _ = policy_log(np.random.default_rng(6), 600)
    assert log.propensities is not None
    never = log.propensities.copy()
    never[:300, 2] = 0
    kept = (np.arange(600) >= 300) | (log.arm != 2)
    some = Logged(log.arm[kept], log.reward[kept], log.propensity[kept], log.shopper[kept], never[kept])
    with pytest.raises(SupportError, match=r"most of them arm 2\. Let the campaign explore"):
        evaluate(some, policy[kept], features[kept])


def test_without_all_propensities_a_missing_arm_shows_in_the_weights() -> None:
    """The log holds arms 0 and 1 only, as if arm 2 could never be chosen; the policy wants it often."""
    log, _, features, _ = policy_log(np.random.default_rng(7), 3_000)
    kept = log.arm != 2
    some = Logged(log.arm[kept], log.reward[kept], log.propensity[kept], log.shopper[kept])
    wants = np.tile([0.2, 0.2, 0.6], (int(kept.sum()), 1))
    with pytest.raises(SupportError, match="instead of 1"):
        evaluate(some, wants, features[kept])


def test_too_few_rows_and_one_shopper_of_all_weight_are_refused() -> None:
    log, policy, features, _ = policy_log(np.random.default_rng(8), 40)
    with pytest.raises(SupportError, match="50 are needed"):
        evaluate(log, policy, features)
    log, policy, features, _ = policy_log(np.random.default_rng(8), 400)
    with pytest.raises(SupportError, match="One shopper has"):
        evaluate(replace(log, shopper=np.where(np.arange(400) < 200, 0, np.arange(400))), policy, features)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"propensity": np.zeros(400)}, "had a chance"),
        ({"arm": np.full(400, 3)}, "Arms are 0 to 2"),
        ({"reward": np.full(400, np.nan)}, "without an outcome yet"),
        ({"shopper": np.zeros(3, np.int64)}, "a row each"),
    ],
)
def test_arrays_that_cannot_be_are_refused(change: dict[str, npt.NDArray[np.float64]], match: str) -> None:
    log, policy, features, _ = policy_log(np.random.default_rng(9), 400)
    with pytest.raises(ValueError, match=match):
        evaluate(replace(log, **change), policy, features)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="distribution over arms"):
        evaluate(log, policy * 2, features)


def test_weights_are_worth_as_many_rows_as_are_alike() -> None:
    log, policy, _, _ = policy_log(np.random.default_rng(10), 500)
    assert 0 < effective(weights(log, policy)) < 500
    assert effective(np.ones(7)) == 7
    assert effective(np.zeros(7)) == 0
