"""Drift is calm where nothing is wrong, also in a shop of another kind than the model's, and tells what has moved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.store import Shelf
from models.task import Output
from streams.agents import model_watch
from streams.features.shopper import CATALOGUE
from streams.monitoring import kinds
from streams.monitoring.drift import BEFORE_DAYS, LAST_DAYS, LEAST_BEFORE_DAYS, ROWS_PER_DAY, Drift
from streams.producer.replay import records_of
from tests.monitoring.test_watching import worker
from tests.shoppers import Log, random_history
from tests.worlds import cut
from training.datasets import COMPLETE_JOURNEY

RNG = np.random.default_rng(11)
#: What the rule of thumb calls another population, and deploy/prometheus an alert.
ANOTHER = 0.25


def after(drift: Drift, first_day: int, days: int, scale: float = 1.0) -> dict[str, float]:
    """The last index after so many days of rows like one another."""
    for day in range(first_day, first_day + days):
        for _ in range(3):
            values = {"spend": scale * RNG.gamma(2.0, 3.0, 100), "ever": np.full(100, float(day))}
            drift.observe(values, day)
        found = drift.psi()
    return found


def test_the_year_that_the_models_were_trained_on_is_calm() -> None:
    """Every sixteenth household, from the first day on: nothing is told while the shop fills up, no alarm after that;
    and all the while its rows are not those of the three shops that the model was trained on."""
    shoppers = (event for event in COMPLETE_JOURNEY.read(None) if int(event.shopper_id[10:]) % 16 == 0)
    log: Log = [(record.key, record.value) for record in records_of(shoppers)]
    events = worker(Shelf())
    most: dict[str, float] = {}
    for slice_ in cut(log, range(200, len(log), 200)):
        events.handle(slice_, 0)
        events.models.watch()
        for family in events.metrics.registry.collect():
            if family.name in ("offerstream_drift", "offerstream_drift_known"):
                for sample in family.samples:
                    key = f"{family.name} {sample.labels['task']}"
                    most[key] = max(most.get(key, 0.0), sample.value)
    for task in ("churn", "behaviour"):
        assert most[f"offerstream_drift_known {task}"] == 1
        assert 0 < most[f"offerstream_drift {task}"] < ANOTHER
    differs = events.metrics.registry.get_sample_value(
        "offerstream_difference_from_training", {"task": "churn", "name": "lapse_30d"}
    )
    assert (differs or 0) > ANOTHER


def test_what_moves_is_told_and_becomes_what_is_usual() -> None:
    drift = Drift(growing=["ever"])
    assert after(drift, 0, LAST_DAYS + LEAST_BEFORE_DAYS - 1) == {}
    assert drift.settled is False
    assert after(drift, LAST_DAYS + LEAST_BEFORE_DAYS - 1, 14)["spend"] < 0.05
    assert after(drift, 41, 7, scale=3.0)["spend"] > ANOTHER
    assert after(drift, 48, 2 * LAST_DAYS + BEFORE_DAYS, scale=3.0)["spend"] < 0.05
    assert "ever" not in drift.psi()


@pytest.mark.parametrize(
    ("kind", "width", "answers", "moved"),
    [
        ("probability", 1, lambda n: RNG.beta(2, 5, n), lambda said: said**3),
        ("number", 1, lambda n: RNG.gamma(2.0, 3.0, n), lambda said: said * 3),
        ("quantiles", 3, lambda n: np.sort(RNG.gamma(2.0, 3.0, (n, 3)), axis=1), lambda said: said * [0.2, 1.0, 4.0]),
        ("distribution", 5, lambda n: RNG.dirichlet([4, 2, 1, 1, 1], n), lambda said: said[:, ::-1]),
        ("ranking", 4, lambda n: RNG.integers(1, 40, (n, 4)), lambda said: said // 4),
        (
            "text",
            6,
            lambda n: np.where(RNG.random((n, 6)) < 0.8, 7, -1),
            lambda said: np.c_[said[:, :2], -1 - 0 * said],
        ),
        ("embedding", 8, lambda n: RNG.standard_normal((n, 8)), lambda said: said + 2.0),
        ("effects", 3, lambda n: RNG.normal(0.1, 0.05, (n, 3)), lambda said: said - 0.1),
    ],
)
def test_drift_is_told_of_every_kind_of_answer(
    kind: str, width: int, answers: Callable[[int], np.ndarray], moved: Callable[[np.ndarray], np.ndarray]
) -> None:
    output = Output("said", kind, width, levels=(0.1, 0.5, 0.9) if kind == "quantiles" else ())  # type: ignore[arg-type]
    drift, days = Drift(), LAST_DAYS + BEFORE_DAYS
    for change, calm in ((lambda said: said, True), (moved, False)):
        for day in range(days) if calm else range(days, days + 7):
            for _ in range(3):
                drift.observe(kinds.numbers(output, np.asarray(change(answers(100)), np.float64)), day)
            found = drift.psi()
        assert (max(found.values()) < 0.1) is calm
        assert (max(found.values()) > ANOTHER) is not calm


def test_a_shop_that_fills_up_has_not_settled() -> None:
    drift = Drift()
    for day in range(60):
        drift.observe({"gaps": RNG.gamma(2.0 + day, 3.0, 100)}, day)
        assert drift.psi() == {}


def test_what_is_kept_is_bounded_and_partitions_far_behind_are_passed_over() -> None:
    drift = Drift()
    for day in range(100, 300):
        drift.observe({"spend": RNG.random(5000)}, day)
        drift.observe({"spend": RNG.random(100)}, day - LAST_DAYS - BEFORE_DAYS)
        drift.observe({"spend": RNG.random(100)}, day - 5)
    days, rows = drift.state()["days"], drift.state()["rows"]
    assert len(days) == len(set(days.tolist())) <= LAST_DAYS + BEFORE_DAYS
    assert len(rows) <= ROWS_PER_DAY * len(days)
    assert min(days) > 299 - LAST_DAYS - BEFORE_DAYS


def test_rows_of_a_day_are_each_as_likely_kept() -> None:
    drift = Drift()
    for start in range(0, 10_000, 100):
        drift.observe({"n": np.arange(start, start + 100.0)}, 0)
    kept = drift.state()["rows"][:, 0]
    assert len(np.unique(kept)) == ROWS_PER_DAY
    assert abs(float(kept.mean()) - 5000) < 4 * 10_000 / np.sqrt(12 * ROWS_PER_DAY)


def test_a_restart_goes_on_with_what_was_known(tmp_path: Path) -> None:
    drift, other = Drift(["ever"]), Drift(["ever"])
    after(drift, 0, 60)
    np.savez(tmp_path / "kept.npz", **drift.state())  # type: ignore[arg-type]
    with np.load(tmp_path / "kept.npz", allow_pickle=False) as state:
        other.restore(state)
    assert other.psi() == drift.psi() != {}
    assert after(other, 60, 7, scale=3.0)["spend"] > ANOTHER
    with pytest.raises((KeyError, ValueError)):
        Drift().restore({"names": np.array(["a"])})


def test_a_worker_keeps_what_drift_is_measured_against_of_the_models_that_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_watch, "KEEP_SECONDS", -1.0)  # at each look
    log = random_history(12, 800, 40, hostile=False)

    def kept() -> dict[str, int]:
        """How many rows were seen, by file, once a worker that starts here has applied a log."""
        events = worker(Shelf(), tmp_path)
        for slice_ in cut(log, [200, 400]):
            events.handle(slice_, 0)
        events.models.watch()
        found = {}
        for path in tmp_path.iterdir():
            with np.load(path, allow_pickle=False) as state:
                found[path.name] = int(state["seen"].sum())
        return found

    (tmp_path / "drift-shopper-of-a-model-that-serves-no-more.npz").touch()
    first = kept()
    assert first.keys() == {
        f"drift-shopper-{Shelf().model(task).digest}.npz"
        for task in filter(Shelf().shipped, Shelf().tasks_of("shopper"))
    }
    assert min(first.values()) > 0
    assert kept() == {name: 2 * seen for name, seen in first.items()}
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    assert kept() == first


def test_features_that_only_grow_are_known() -> None:
    growing = {address for address, feature in CATALOGUE.features.items() if feature.grows}
    assert {"orders.count", "orders.days_since_first", "browsing.distinct_items", "offers.shown"} <= growing
    assert not growing & {"orders.days_since_last", "orders.count_30d", "orders.gap_mean", "orders.coupon_share"}
