"""IPS, SNIPS and DR are those of obp, the reference of off-policy evaluation: to 1e-12 on its numbers.

``obp.json`` was recorded with obp 0.4.1 (PyPI; Apache-2.0), numpy 2.4, by this recipe, in an environment of its own
(obp asks for torch, which these estimators do not need: an empty module of that name is enough):

    from obp.ope import InverseProbabilityWeighting, SelfNormalizedInverseProbabilityWeighting, DoublyRobust
    from obp.policy import BernoulliTS
    kw = dict(reward=r, action=a, position=p, pscore=e, action_dist=d)          # d: (n, k, positions)
    {"ips": InverseProbabilityWeighting().estimate_policy_value(**kw),
     "snips": SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**kw),
     "dr": DoublyRobust().estimate_policy_value(**kw, estimated_rewards_by_reg_model=q)}

- ``made``: ``made()`` below, one position.
- ``random_all``, ``bts_men``: the files of that name of Open Bandit's small version (Saito and others 2021,
Apache-2.0);
  position is the file's less 1, q the clicks per view of each item drawn to the mean of all by 50 views. The policy for
  ``random_all`` is ``BernoulliTS(n_actions=80, len_list=3, is_zozotown_prior=True, campaign="all", random_state=12345)
  .compute_batch_action_dist(n_rounds=1, n_sim=100_000)``, kept in ``obp.json``; for ``bts_men`` every item alike.

The data is no part of this project: those two run where it lies beside it (``../shared/data``), or in the folder that
``OFFERSTREAM_TEST_DATA`` names.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from streams.effects.off_policy import Logged, doubly_robust, evaluate, weights
from tests.effects.data import FOLDER, needs

RECORDED = msgspec.json.decode((Path(__file__).parent / "obp.json").read_bytes())
Floats = npt.NDArray[np.float64]


def made(n: int = 2_000, k: int = 4) -> tuple[Logged, Floats, Floats]:
    """A log, a policy and a prediction of plain arithmetic, the same with every version of numpy."""
    i = np.arange(n, dtype=np.float64)
    u = [np.modf(i * root)[0] for root in (0.6180339887498949, 0.4142135623730951, 0.7320508075688772)]
    arms = np.arange(k, dtype=np.float64)
    logged = 1 + np.modf(u[0][:, None] * 7 + arms * 0.37)[0] * 3
    policy = 0.2 + np.modf(u[0][:, None] * 3 + arms * 0.61)[0] ** 2
    logged /= logged.sum(1, keepdims=True)
    policy /= policy.sum(1, keepdims=True)
    arm = (u[1][:, None] > np.cumsum(logged, 1)[:, :-1]).sum(1)
    reward = np.floor(u[2] * 10) * (arm + 1) * (u[0] > 0.4)
    prediction = 1 + arms + 2 * u[0][:, None]
    rows = np.arange(n)
    return Logged(arm, reward, logged[rows, arm], rows, logged), policy, prediction


def open_bandit(name: str) -> tuple[Logged, Floats, Floats]:
    import pyarrow.parquet as pq

    table = pq.read_table(
        FOLDER / "open_bandit" / f"{name}.parquet", columns=["item_id", "position", "click", "propensity_score"]
    )
    arm, position, click, propensity = (column.to_numpy() for column in table.columns)
    table_of = np.array(RECORDED[name]["policy"]) if name == "random_all" else np.full((34, 3), 1 / 34)
    k, n, reward = len(table_of), len(arm), click.astype(np.float64)
    clicks, views = np.bincount(arm, reward, k), np.bincount(arm, minlength=k)
    prediction = np.tile((clicks + 50 * reward.mean()) / (views + 50), (n, 1))
    log = Logged(arm.astype(np.int64), reward, propensity, np.arange(n))
    return log, table_of[:, position - 1].T, prediction


def agrees(name: str, log: Logged, policy: Floats, prediction: Floats) -> None:
    weight = weights(log, policy)
    found = {
        "ips": (weight * log.reward).mean(),
        "snips": (weight * log.reward).sum() / weight.sum(),
        "dr": doubly_robust(log, policy, prediction).mean(),
    }
    for estimator, value in found.items():
        assert value == pytest.approx(RECORDED[name][estimator], rel=1e-12), estimator


def test_on_a_made_log_they_are_those_of_obp() -> None:
    log, policy, prediction = made()
    agrees("made", log, policy, prediction)
    told = evaluate(log, policy, np.zeros((len(log.arm), 1)))
    assert told.ips.mean == pytest.approx(RECORDED["made"]["ips"], rel=1e-12)
    assert told.snips.mean == pytest.approx(RECORDED["made"]["snips"], rel=1e-12)
    assert abs(told.dr.mean - RECORDED["made"]["dr"]) < 2 * told.dr.error


@needs("open_bandit")
@pytest.mark.parametrize("name", ["random_all", "bts_men"])
def test_on_open_bandit_they_are_those_of_obp(name: str) -> None:
    agrees(name, *open_bandit(name))


@needs("open_bandit")
def test_on_open_bandit_our_own_predictions_give_much_the_same() -> None:
    log, policy, _ = open_bandit("random_all")
    told = evaluate(log, policy / policy.sum(1, keepdims=True), np.zeros((len(log.arm), 1)))
    assert told.dr.interval[0] < RECORDED["random_all"]["dr"] < told.dr.interval[1]
    assert told.effective > 1_000


@needs("open_bandit")
def test_what_an_even_policy_would_have_earned_is_what_it_earned_where_it_ran() -> None:
    """From the log of Thompson sampling, which gave some items 1 in 6,000; the random policy ran beside it."""
    log, policy, _ = open_bandit("bts_men")
    told = evaluate(log, policy, np.zeros((len(log.arm), 1)))
    ran, _, _ = open_bandit("random_men")
    gap = told.dr.mean - ran.reward.mean()
    assert abs(gap) < 1.96 * np.hypot(told.dr.error, ran.reward.std() / len(ran.reward) ** 0.5)
    assert told.gain.interval[1] < 0, "Thompson sampling is worth more"
    assert 600 < told.effective < 700, "of 10,000 rows"
