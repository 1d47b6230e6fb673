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
from training.checks.ad import bandit, sessions
from training.history import History, history_of
from training.labels.visits import visits
from training.networks.factors import Shape, answering, factors

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


def test_what_is_exported_says_the_mean_of_what_was_taught() -> None:
    x = np.random.default_rng(1).gamma(1.0, 5.0, (300, 7)).astype(np.float32)
    shape = Shape(bins=6, width=3, hidden=5, members=2, dropout=0.1)
    logits = factors(x, shape)
    mean = logits.predict(x, verbose=0).mean(axis=1)
    said = answering(logits, x, shape, "p").predict(x, verbose=0)[:, 0]
    np.testing.assert_allclose(said, 1 / (1 + np.exp(-mean)), atol=1e-6)


def test_the_shipped_model_is_small_and_its_card_says_where_it_is_behind() -> None:
    artifact = load_artifact(task("ad"))
    assert len(artifact.model) <= 100 << 10
    found = artifact.card["metrics"]["online_shoppers"]["conversion"]["segments"]["all"]
    assert found["models"].keys() == {"ours", "lightgbm", "logistic"}
    text = " ".join((Path(__file__).parents[2] / "docs/ads.md").read_text().split())
    ours = found["models"]["ours"]
    assert f"{ours['auc']:.3f} [{found['auc_95']['ours'][0]:.3f}, {found['auc_95']['ours'][1]:.3f}]" in text


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
