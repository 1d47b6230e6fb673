"""What measures the intervals is itself right: its truths, its plot, and Hillstrom's experiment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.effects.data import FOLDER, needs
from training.checks.effect import experiment, mismatch, plot, policies
from training.checks.effect.shops import hillstrom, shops


@needs("hillstrom")
def test_what_is_known_of_hillstroms_e_mails_is_in_every_interval() -> None:
    """And stays far from both ends: what is known is the same data's difference, without the adjustment."""
    real = hillstrom(FOLDER)
    assert real is not None
    assert len(real[0]) == 64_000
    found = experiment.effects(*real)
    assert len(found) == 6
    for each in found:
        assert each.always[0] < each.once[0] < each.known < each.once[1] < each.always[1], each
        assert each.shows_after is not None, each


@needs("hillstrom")
def test_a_tenth_of_hillstroms_customers_has_the_effect_of_all_in_its_interval() -> None:
    real = hillstrom(FOLDER)
    assert real is not None
    part, held = np.random.default_rng(1).permutation(64_000), []
    for rows in np.array_split(part, 10):
        held += [
            each.always[0] < each.known < each.always[1] for each in experiment.effects(real[0][rows], real[1][rows])
        ]
    assert np.mean(held) > 0.95


def test_where_the_data_is_not_there_nothing_is_read(tmp_path: Path) -> None:
    assert hillstrom(tmp_path) is None


def test_the_simulated_shops_have_the_margins_they_claim() -> None:
    rng = np.random.default_rng(2)
    for shop in shops():
        for lift in (1.0, 1.2):
            margin = shop.draw(rng, 200_000, lift)[:, 3]
            assert abs(margin.mean() - shop.margin * lift) < 4 * margin.std() / 200_000**0.5, (shop.name, lift)


def test_the_policys_value_is_what_it_earns_where_it_runs() -> None:
    rng = np.random.default_rng(3)
    log, policy, features, truth = policies.policy_log(rng, 200_000)
    earned = (policy * policies.expected(features)).sum(1)
    assert abs(earned.mean() - truth) < 4 * earned.std() / 200_000**0.5
    assert log.propensities is not None
    assert log.propensities.min() > 0.03


@pytest.mark.parametrize(("share", "real"), [(0.1, 0.12), (0.1, 0.06), (0.5, 0.52)])
def test_no_test_of_that_level_is_better_than_the_best(share: float, real: float) -> None:
    """Against the level's own definition, on counts drawn under both."""
    rng = np.random.default_rng(4)
    under, over = rng.binomial(400, share, 400_000), rng.binomial(400, real, 400_000)
    sign = 1 if real > share else -1
    edge = np.quantile(sign * under, 1 - 0.001)
    power = (sign * over > edge).mean()
    assert power - 0.003 < mismatch.best(share, real, 400) < (sign * over >= edge).mean() + 0.003


def test_the_plot_is_the_same_bytes_for_the_same_curves(tmp_path: Path) -> None:
    shoppers = np.arange(10, 2_001, 10)
    curve = np.linspace(0, 0.4, len(shoppers))
    for name in ("one.svg", "two.svg"):
        plot.draw(tmp_path / name, {"shop": {"ours": curve / 10, "naive": curve}}, shoppers)
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert "shop, t-test" in text
