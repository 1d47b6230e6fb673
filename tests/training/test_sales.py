"""What items will sell: rows as serving makes them, labels, and nothing of the future in either."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from models.registry import task
from models.tasks.sales.task import HORIZONS, LEVELS
from streams.columns.arrays import Ints
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.processing.due import DuePoints
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules as StreamRules
from streams.processing.scoring import Inputs
from streams.records.demand import SalesForecast
from streams.records.events import ClockTicked, OrderLine, OrderPlaced, encode_event
from streams.records.items import ItemListed
from streams.records.outcomes import Scored
from streams.records.slices import Slice
from tests.shoppers import APPENDED, DAY, HOUR, NOON
from tests.training.shop import events
from tests.worlds import shipped
from training.baselines import smoothing
from training.demand import compare, measure
from training.errors import Misuse
from training.history import History, history_of
from training.items import TOLD_MS, Sales, replay_items, sold_within
from training.ranges import NONE, Judged, ranges
from training.replay import Rows
from training.split import Leak, check_rows

FEATURES = task("sales").features
SHOP = events(150, 60)


@cache
def shop() -> History:
    return history_of(SHOP, "USD")


@cache
def rows() -> Rows:
    return replay_items(shop(), FEATURES)


def item_log(found: list[OrderPlaced | ClockTicked] | list[object]) -> list[bytes]:
    """What a shop of one partition writes into the items' log."""
    values: list[bytes | None] = [encode_event(event) for event in found]  # type: ignore[arg-type]
    keys: list[bytes | None] = [getattr(event, "shopper_id", "").encode() or None for event in found]
    processor = PartitionProcessor(SHOPPER, 0, StreamRules(), partitions=1)
    n = len(values)
    told = processor.apply(Slice(SHOPPER.log, 0, range(n), [APPENDED] * n, keys, values)).emitted
    return [one.value for one in told if one.entity == ITEM.name]


def items_slice(values: list[bytes]) -> Slice:
    n = len(values)
    return Slice("items", 0, range(n), [APPENDED] * n, [None] * n, list(values))


def test_rows_are_those_of_the_worker_bit_for_bit() -> None:
    kept: dict[tuple[str, int], bytes] = {}

    def collect(due: list[DuePoints], x: np.ndarray) -> None:
        at = [
            (row, now) for points in due for row, now in zip(points.row.tolist(), points.now_ms.tolist(), strict=True)
        ]
        for (row, now), values in zip(at, x, strict=True):
            kept[processor.arena.key(row), now] = values.tobytes()

    processor = PartitionProcessor(ITEM, 0, StreamRules(), partitions=1, collector=collect, collected=FEATURES)
    processor.apply(items_slice(item_log(SHOP)))  # type: ignore[arg-type]
    found = rows()
    ours = {
        (shop().item_ids[item], at): x.tobytes()
        for item, at, x in zip(found.shopper.tolist(), found.at_ms.tolist(), found.x, strict=True)
    }
    last = max(at for _, at in kept)  # of the end, that nothing more comes is told as well
    assert {key: x for key, x in ours.items() if key[1] <= last} == kept
    assert len(ours) > 500
    assert len({item for item, _ in ours}) > 20


def test_only_items_that_sold_enough_are_judged_and_no_catalogue_is_made_up() -> None:
    wanted = (*FEATURES, *(c.address for c in task("sales").population))
    some = replay_items(shop(), tuple(dict.fromkeys(wanted)), task("sales").population)
    units, orders = FEATURES.index("sales.units_30d"), FEATURES.index("sales.orders")
    judged = (rows().x[:, units] >= 20) & (rows().x[:, orders] >= 10)
    assert 0 < len(some) == int(judged.sum()) < len(rows())
    np.testing.assert_array_equal(some.x, rows().x[judged])
    with pytest.raises(Misuse, match=r"price\.now"):
        replay_items(shop(), ("sales.units", "price.now"))


def ordered(at: int, name: str, item: str, units: int) -> OrderPlaced:
    line = OrderLine(item_id=item, quantity=units, unit_price_cents=100)
    return OrderPlaced(event_id=name, shopper_id="s1", event_time=at, order_id=name, lines=[line])


def row_at(*at_ms: int) -> Rows:
    n = len(at_ms)
    return Rows(np.zeros((n, 0), np.float32), np.array(at_ms), np.zeros(n, np.int64), np.zeros(n, np.int64))


def test_labels_are_what_is_ordered_from_the_day_on_and_known_when_the_days_are_over() -> None:
    history = history_of(
        [ordered(NOON, "a", "tea", 3), ordered(NOON + 7 * DAY, "b", "tea", 5), ordered(NOON + 20 * DAY, "c", "z", 1)],
        "USD",
    )
    found = sold_within(history, row_at(NOON, NOON + 1, NOON + 7 * DAY), HORIZONS)
    assert found.value[:2].tolist() == [[3, 8], [5, 5]]
    assert found.value[2, 0] == 5
    assert np.isnan(found.value[2, 1])
    assert (found.known_ms - row_at(NOON, NOON + 1, NOON + 7 * DAY).at_ms[:, None] == [7 * DAY, 14 * DAY]).all()


def test_a_row_does_not_change_when_the_future_is_cut_off_and_a_planted_leak_is_found() -> None:
    names = shop().item_ids
    rng = np.random.default_rng(3)
    settled = StreamRules().allowed_lateness_ms + TOLD_MS
    check_rows(shop(), rows(), lambda early: replay_items(early, FEATURES), rng, settled, moments=6, names=names)

    def leaking(history: History) -> Rows:
        """With what the item will have sold by the end of the history."""
        found = replay_items(history, FEATURES)
        end = np.full(len(found), history.end_ms + 1)
        x = found.x.copy()
        x[:, 0] = Sales(history).between(found.shopper, np.zeros(len(found), np.int64), end)
        return Rows(x, found.at_ms, found.why, found.shopper)

    with pytest.raises(Leak, match="depends on events after it"):
        check_rows(shop(), leaking(shop()), leaking, np.random.default_rng(3), settled, moments=1, names=names)


def test_baselines_know_only_what_was_sold_before() -> None:
    days = [ordered(NOON + k * DAY, f"o{k}", "tea", 2 if k < 56 else 50) for k in range(70)]
    sales, item, at = Sales(history_of(days, "USD")), np.zeros(1, np.int64), np.array([NOON + 56 * DAY])
    assert smoothing.same_again(sales, item, at, 14).tolist() == [28]
    assert smoothing.mean_of_weeks(sales, item, at, 7).tolist() == [14]
    assert smoothing.smoothed(sales, item, at, 14, NOON).tolist() == [28]


def test_quantiles_and_errors_are_measured_by_item() -> None:
    label = np.random.default_rng(0).exponential(size=8_000) * 10
    right = np.tile(-10 * np.log(1 - np.array(LEVELS)), (len(label), 1))
    found = measure(label, right, LEVELS)
    assert found["coverage"] == pytest.approx(0.9, abs=0.01)
    assert found["coverage_inner"] == pytest.approx(0.5, abs=0.02)
    told = compare(
        label, {"ours": label, "other": label * 1.1}, np.arange(len(label)) // 100, np.zeros(len(label), int), 1
    )["segments"]["all"]
    assert told["models"]["ours"]["wape"] == 0
    assert told["models"]["other"]["wape"] == pytest.approx(0.1)
    assert told["wape_95"]["ours - other"] == pytest.approx((-0.1, -0.1))


def test_ranges_are_corrected_to_hold_what_they_promise() -> None:
    rng = np.random.default_rng(0)
    pace = np.r_[np.full(4_000, 5.0), np.full(4_000, 40.0)]
    normal = np.array([-1.645, -0.674, 0.0, 0.674, 1.645])
    said = (pace[:, None] * (1 + 0.2 * normal))[:, None].repeat(2, axis=1)
    came = (pace * (1 + 0.3 * rng.standard_normal(len(pace))))[:, None].repeat(2, axis=1)
    found = ranges([Judged(pace, said, came)], LEVELS)
    assert found.factors[0][0] == pytest.approx((1.5, 1.5, 1.0, 1.5, 1.5), abs=0.12)
    assert found.factors[1] == NONE.factors[1]  # no item has such a pace


def asked(at: Ints, records: list[object]) -> list[bool]:
    x = np.full((len(records), 2), 100.0, np.float32)
    places = {"sales.orders": slice(0, 1), "sales.units_30d": slice(1, 2)}
    return Inputs(x, places, records).judged(shipped().model("sales")).tolist()


def test_it_is_asked_when_a_day_is_over_and_not_when_a_record_comes() -> None:
    listed = ItemListed(event_id="l", item_id="tea", event_time=NOON)
    assert asked(np.zeros(2, np.int64), [None, listed]) == [True, False]


@cache
def steady() -> PartitionProcessor:
    """Items of 50 days, 3 units a day; ``new`` began 20 days before their end."""
    found: list[OrderPlaced | ClockTicked] = []
    for k in range(50):
        for item in ("old", "new"):
            if item == "old" or k >= 30:
                found.append(ordered(NOON + k * DAY + HOUR * (item == "new"), f"{item}-{k}", item, 3))
    found.append(ClockTicked(event_time=NOON + 50 * DAY + HOUR))
    processor = PartitionProcessor(ITEM, 0, StreamRules(), shipped(), partitions=1)
    told = processor.apply(items_slice(item_log(found)))
    OUTCOMES.extend(told.outcomes)
    return processor


OUTCOMES: list[object] = []


def test_the_shipped_model_foretells_what_goes_on_and_learns_what_came() -> None:
    processor = steady()
    scored = [one for one in OUTCOMES if isinstance(one, Scored)]
    assert scored
    assert {one.entity for one in scored} == {"item"}
    assert {one.due.kind for one in scored} == {"day"}
    told = [one for one in OUTCOMES if isinstance(one, SalesForecast) and one.item_id == "old"]
    assert told[-1].next_7_days.p05 <= 21 <= told[-1].next_7_days.p95
    assert told[-1].next_14_days.mean == pytest.approx(42, rel=0.35)
    assert told[-1].weeks == (0, 0, 18, *[21] * 5)  # it began on a Tuesday
    labels = processor.known().labels
    came = labels["sales", "units_7d"]
    assert len(came.label)
    assert (came.label == 21).all()


def test_an_item_of_few_weeks_gets_a_wider_range() -> None:
    steady()
    last = {one.item_id: one for one in OUTCOMES if isinstance(one, SalesForecast)}

    def width(item: str) -> float:
        told = last[item].next_14_days
        return (told.p95 - told.p05) / told.mean

    assert width("new") > width("old")
