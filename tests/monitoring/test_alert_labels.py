"""What became of alerts, as the metrics tell it: the same as hindsight finds, once each."""

from __future__ import annotations

from collections import Counter

import pytest

from streams.decisions.churn_alert import HORIZON_DAYS
from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import OrderPlaced
from streams.records.outcomes import ChurnAlerted
from tests.laws.test_features import in_time_order
from tests.shoppers import DAY, random_history
from tests.worlds import cut, run_plain, shipped


@pytest.mark.parametrize("size", [17, 300])
def test_alerts_are_judged_once_by_whether_an_order_came(size: int) -> None:
    log = random_history(41, 4000, 60, hostile=False)
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    judged: Counter[tuple[str, bool]] = Counter()
    alerts: list[tuple[str, int, str]] = []
    for slice_ in cut(log, range(size, len(log), size)):
        for said in processor.apply(slice_).outcomes:
            if isinstance(said, ChurnAlerted):
                alerts.append((said.shopper_id, said.event_time_ms, said.level))
        judged += processor.known().alerts
    orders: dict[str, list[int]] = {}
    for at, event in in_time_order(log):
        if isinstance(event, OrderPlaced):
            orders.setdefault(event.shopper_id, []).append(at)
    expected: Counter[tuple[str, bool]] = Counter()
    free_from: dict[tuple[str, str], int] = {}
    for shopper, at, level in sorted(alerts, key=lambda alert: alert[1]):
        if at < free_from.get((shopper, level), 0):
            continue  # one of this level waits
        until = at + HORIZON_DAYS * DAY
        came = next((order for order in orders.get(shopper, []) if at < order <= until), None)
        free_from[shopper, level] = until if came is None else came
        if came is not None or until <= processor.watermark_ms:
            expected[level, came is None] += 1
    assert sum(expected.values()) > 20
    assert {came_true for _, came_true in expected} == {True, False}
    assert judged == expected


def test_waiting_alerts_are_in_the_row_however_the_log_is_cut() -> None:
    log = random_history(42, 1200, 30)
    assert run_plain(cut(log, [])).rows == run_plain(cut(log, range(50, 1200, 50))).rows
