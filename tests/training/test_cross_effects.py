"""What neighbours' prices do: found where it was planted, none where there is none, and never by a price to come."""

from __future__ import annotations

import numpy as np
import pytest

from training.cross_effects import Cross, cross_of, neighbours
from training.networks.elasticity import REVENUE, UNITS, WEEKS, WIDTH

CATEGORIES, ITEMS = 20, 6


def shop(cross: float) -> np.ndarray:
    """Rows of items with an elasticity of −2 whose units go with the mean of the others' prices by ``cross``; what
    moves a category's week moves all of its items."""
    rng = np.random.default_rng(4)
    n = CATEGORIES * ITEMS
    of = np.repeat(np.arange(CATEGORIES), ITEMS)
    price = 0.2 * rng.standard_normal((n, WEEKS))
    sums = np.add.reduceat(price, np.arange(0, n, ITEMS))[of]
    others = (sums - price) / (ITEMS - 1)
    week = 0.2 * rng.standard_normal((CATEGORIES, WEEKS))[of]
    units = rng.poisson(np.exp(3.5 - 2 * price + cross * others + week)).astype(np.float64)
    x = np.zeros((n, WIDTH))
    x[:, 1] = of + 1
    x[:, UNITS], x[:, REVENUE] = units, np.round(units * 500 * np.exp(price))
    return x


@pytest.mark.parametrize("planted", [0.0, 0.8])
def test_a_cross_effect_is_found_as_it_was_planted_and_the_placebo_passes(planted: float) -> None:
    found = cross_of(shop(planted))
    assert abs(found.whole.mean - planted) < 3 * found.whole.error**0.5 < 0.4
    assert abs(found.ahead.mean) < 3 * found.ahead.error**0.5
    assert found.failed <= 4
    assert len(found.by_category) == CATEGORIES


def test_what_neighbours_gain_goes_by_who_looks_at_whom() -> None:
    """A dearer item sends its buyers to the others of its own category, and to nobody else."""
    x = shop(0.8)
    found: Cross = cross_of(x)
    price, profit = np.full(len(x), 500.0), np.full(len(x), 1000.0)
    to = np.zeros(len(x))
    to[0] = 550.0
    gain, error = neighbours(x, found, profit, price, to)
    mean, _ = found.by_category[1]
    # Each of the others sees a fifth of the change; there are five.
    assert gain[0] == pytest.approx(mean * np.log(1.1) * 1000.0, rel=0.2)
    assert (gain[1:] == 0).all()
    assert (error[1:] == 0).all()
    assert error[0] > 0
