"""What teaches ``ad``: visits and how they end, the network as exported, and what a choice of ads is valued by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.artifact import load_artifact
from models.registry import task
from streams.records.events import ShopperEvent
from tests.effects.data import FOLDER, needs
from tests.shoppers import DAY, NOON, ordered, viewed
from training.baselines import logistic
from training.checks.ad import bandit, sessions
from training.history import History, history_of
from training.labels.visits import visits
from training.networks.blend import answering, chosen, probabilities, shift_of, straight
from training.networks.factors import Shape, factors, mean_logit

MINUTE = 60_000


def history(*events: ShopperEvent) -> History:
    """Events in order of time."""
    return history_of(sorted(events, key=lambda event: event.event_time), "USD")


def test_a_visit_stands_at_its_last_view_before_the_order_and_is_known_when_a_pause_is_over() -> None:
    found = visits(
        history(
            # An order in the visit: what is looked at after it is not known yet.
            *(viewed("a", NOON + i * MINUTE, f"a{i}") for i in (0, 1, 3)),
            ordered("a", NOON + 2 * MINUTE, "o1"),
            # A visit that ends with nothing, and one after a pause.
            viewed("b", NOON, "b0"),
            viewed("b", NOON + 31 * MINUTE, "b1"),
            # An order without a view teaches nothing; nor does what is not over.
            ordered("c", NOON, "o2"),
            viewed("d", NOON + DAY, "d0"),
        )
    )
    told = list(zip(found.at_ms.tolist(), found.ordered.tolist(), found.known_ms.tolist(), strict=True))
    assert sorted(told) == [
        (NOON, 0.0, NOON + 30 * MINUTE),
        (NOON + MINUTE, 1.0, NOON + 33 * MINUTE),
        (NOON + 31 * MINUTE, 0.0, NOON + 61 * MINUTE),
    ]


def test_an_order_at_the_very_time_of_a_view_is_in_none_of_the_inputs() -> None:
    """The data have visits of no length: whatever a feature of orders or of all events says would tell the label."""
    for address in task("ad").features:
        assert address.startswith("browsing.") or address == "visits.returning"


def test_what_is_exported_says_what_was_taught_weighed_and_shifted() -> None:
    rng = np.random.default_rng(1)
    x = rng.gamma(1.0, 5.0, (300, 7)).astype(np.float32)
    shape = Shape(bins=6, width=3, hidden=5, members=2, dropout=0.1)
    logits, regression = factors(x, shape), logistic.fit(x, (x[:, 0] > 4).astype(np.float32), np.ones(300), ridge=1.0)
    wanted = 0.25 * logits.predict(x, verbose=0).mean(axis=1) + 0.75 * regression.logits(x) - 0.5
    parts = ((0.25, mean_logit(logits, x, shape)), (0.75, straight(*regression.straight)))
    said = answering(parts, -0.5, 7, "p").predict(x, verbose=0)[:, 0]
    np.testing.assert_allclose(said, probabilities(wanted), atol=1e-6)


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_the_newest_rows_choose_who_is_right_and_shift_to_what_came_of_late(right: float) -> None:
    rng = np.random.default_rng(2)
    truth, other = rng.normal(size=(2, 4_000))
    y = (rng.random(4_000) < probabilities(truth - 1)).astype(np.float32)
    network, regression = (truth, other) if right else (other, truth)
    found = chosen(network, regression, y)
    assert found.share == right
    assert found.losses[right] == min(found.losses.values())
    assert found.shift == pytest.approx(-1, abs=0.1)
    assert probabilities(found.mixed(network, regression) + found.shift).mean() == pytest.approx(y.mean(), abs=0.005)


@pytest.mark.parametrize("came", [0, 1])
def test_a_few_rows_that_all_ended_alike_do_not_make_anything_certain(came: int) -> None:
    foretold = probabilities(shift_of(np.zeros(10), np.full(10, came)) + np.zeros(1))
    assert 0.4 < foretold[0] < 0.6


def test_the_shipped_model_is_small_and_its_card_says_how_far_it_is_calibrated() -> None:
    artifact = load_artifact(task("ad"))
    assert len(artifact.model) <= 100 << 10
    found = artifact.card["metrics"]["online_shoppers"]["conversion"]["segments"]["all"]
    assert found["models"].keys() == {"ours", "lightgbm", "logistic"}
    text = " ".join((Path(__file__).parents[2] / "docs/ads.md").read_text().split())
    ours = found["models"]["ours"]
    assert f"{ours['auc']:.3f} [{found['auc_95']['ours'][0]:.3f}, {found['auc_95']['ours'][1]:.3f}]" in text
    sides = artifact.card["calibrated"]["measured"]["online_shoppers"]
    assert sides["after"] == ours
    assert f"calibration error {sides['after']['ece']:.3f} ({sides['before']['ece']:.3f} before)" in text
    assert sides["after"]["ece"] < sides["before"]["ece"]


def test_folds_hold_every_session_once_and_purchases_alike() -> None:
    y = (np.arange(1_003) % 7 == 0).astype(np.float32)
    parts = sessions.folds(y, 3)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(1_003))
    assert len({int(y[part].sum()) for part in parts}) <= 2


@needs("open_bandit")
@pytest.mark.parametrize("shop", bandit.SHOPS)
def test_no_policy_of_a_model_is_shown_to_be_better_than_chance_on_a_random_log(shop: str) -> None:
    rows = [line for line in bandit.measured(FOLDER, Path(), 0) if line.startswith(f"| {shop} | random | best")]
    assert len(rows) == 2
    for row in rows:
        if "not told" not in row:
            low, high = row.split("|")[6].split("(")[1].rstrip(") ").split(" to ")
            assert float(low) <= 0 <= float(high)
