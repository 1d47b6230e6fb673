"""Looking back: months, calibration and the period, by hand."""

from __future__ import annotations

from streams.demo.hindsight import Hindsight, period
from streams.demo.recording import Recording
from tests.demo.recordings import recording


def test_months_add_up_to_what_is_said_of_the_whole() -> None:
    found = Hindsight(recording()).summary()
    assert [row["month"] for row in found["alerts_by_month"]] == ["2023-11", "2023-12", "2024-01", "2024-02"]
    for level in ("watch", "high", "critical"):
        for what in ("judged", "came_true"):
            assert sum(row[level][what] for row in found["alerts_by_month"]) == found["alert_truth"][level][what]
    assert sum(row["critical"]["alerts"] for row in found["alerts_by_month"]) == 5
    assert found["alert_truth"]["critical"]["judged"] == 4


def test_a_score_is_held_against_who_really_left() -> None:
    found = {row["from"]: row for row in Hindsight(recording()).summary()["calibration"]}
    # eve's answer of day 99 cannot be judged; bea ordered nothing in the 30 days after any of hers.
    assert set(found) == {0.0, 0.1, 0.4, 0.5, 0.7}
    assert (found[0.7]["judged"], found[0.7]["came_true"], found[0.7]["said"]) == (1, 1, 0.72)
    assert (found[0.5]["judged"], found[0.5]["came_true"]) == (1, 0)


def test_a_score_of_one_belongs_to_the_last_range() -> None:
    made = recording()
    made.judged = [made.judged[0]._replace(score=1.0)]
    assert [row["from"] for row in Hindsight(made).summary()["calibration"]] == [0.9]


def test_offers_after_which_an_order_came() -> None:
    # bea's and cyd's were not followed within 7 days, dan's was; fay's as well is early enough, but she ordered later.
    assert Hindsight(recording()).summary()["offered"] == {"judged": 4, "ordered_within_7_days": 1}


def test_the_period_is_what_was_replayed() -> None:
    assert period(recording()) == {"from": "2023-11-14", "to": "2024-02-22", "days": 101, "shoppers": 7}


def test_nothing_recorded_is_nothing_said() -> None:
    found = Hindsight(Recording()).summary()
    assert found["calibration"] == found["alerts_by_month"] == []
    assert found["base_rate"] is None
