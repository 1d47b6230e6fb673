"""The simulated warehouse: what is wanted is served or lost, and what is foretold exactly costs next to nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streams.decisions.inventory import InventoryPolicy
from training.checks.inventory import WARM_UP_DAYS, Warehouse, alerts, costs, run

ITEMS, DAYS, LEAD = 5, 70, 7


def of_demand(wanted: np.ndarray) -> Warehouse:
    """A warehouse with a forecast for each item and day."""
    items, days = wanted.shape
    return Warehouse(
        name="shop",
        wanted=wanted.astype(np.float64),
        row=np.arange(items * days).reshape(items, days),
        fresh=np.ones((items, days), np.bool_),
        price=np.full(items, 100.0),
        steady=np.ones(items, np.bool_),
        pace=wanted.mean(axis=1).astype(np.float64),
    )


def exact(wanted: np.ndarray) -> np.ndarray:
    """[items × days, 12] forecasts that know what comes."""
    ahead = [
        np.stack([wanted[:, d : d + days].sum(axis=1) for d in range(wanted.shape[1])], axis=1) for days in (7, 14)
    ]
    return np.concatenate([np.repeat(part.reshape(-1, 1), 6, axis=1) for part in ahead], axis=1).astype(np.float64)


def test_demand_that_is_known_is_served_from_little_stock() -> None:
    wanted = np.full((ITEMS, DAYS), 3.0)
    served, _, stock = run(of_demand(wanted), exact(wanted), 0.9, LEAD, InventoryPolicy())
    counted = slice(WARM_UP_DAYS, DAYS - 14)  # The last forecasts lack the days after the end.
    assert (served >= wanted[:, counted].sum(axis=1)).all()
    assert (stock < 3 * 21).all()


def test_what_is_wanted_and_not_there_is_lost_and_charged() -> None:
    wanted = np.full((ITEMS, DAYS), 3.0)
    warehouse, nothing = of_demand(wanted), np.zeros((ITEMS * DAYS, 12))
    cost, served, stock = costs(warehouse, nothing, LEAD)
    assert (served == 0).all()
    assert (stock == 0).all()
    lost = wanted[:, WARM_UP_DAYS:].sum(axis=1) * warehouse.price
    np.testing.assert_allclose(cost, np.outer((0.7, 0.8, 0.9, 0.95), lost))


def test_nothing_is_ordered_without_a_forecast_of_that_day() -> None:
    wanted = np.full((ITEMS, DAYS), 3.0)
    silent = replace(of_demand(wanted), fresh=np.zeros((ITEMS, DAYS), np.bool_))
    served, *_ = run(silent, exact(wanted), 0.9, LEAD, InventoryPolicy())
    assert (served <= 3 * 14).all()  # What it began with.


def test_alerts_on_known_demand_come_before_and_come_true() -> None:
    rng = np.random.default_rng(1)
    wanted = rng.poisson(6, (ITEMS * 20, DAYS)).astype(np.float64)
    found = alerts(of_demand(wanted), exact(wanted), LEAD, 7)
    assert found["sold_out"] > 100
    assert found["share_foretold"] == 1.0
    assert found["precision"] > 0.95
