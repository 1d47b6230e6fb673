"""Histories and the outcomes they must give, in both worlds."""

from __future__ import annotations

from typing import Any

from streams.decisions.promotion import PromotionPolicy
from streams.features.shopper import CATALOGUE
from streams.records.events import ClockTicked
from tests.histories.conftest import Tell
from tests.shoppers import DAY, HOUR, NOON, Log, consented, log_of, ordered, viewed


def weekly(shopper: str, weeks: int) -> Log:
    """A regular: an order a week."""
    return log_of(*(ordered(shopper, NOON + i * 7 * DAY, f"{shopper}-{i}", cents=4000) for i in range(weeks)))


def tick(days: float) -> Log:
    return log_of(ClockTicked(event_time=NOON + int(days * DAY)))


def somebody_outside_the_holdout() -> str:
    policy = PromotionPolicy()
    return next(name for name in (f"shopper-{i}" for i in range(100)) if not policy.in_holdout(name))


def of_kind(outcomes: list[dict[str, Any]], field: str, task: str = "churn") -> list[dict[str, Any]]:
    """The outcomes with a field that stand on a task's model, or on none."""
    told = [o | o["answers"].get(task, {}) if "answers" in o else o for o in outcomes]
    return [o for o in told if field in o and o.get("model", {"task": task})["task"] == task]


def test_a_newcomer_who_falls_silent_is_reported_once_per_level(tell: Tell) -> None:
    outcomes = tell(log_of(ordered("a", NOON, "o1")) + tick(22) + tick(23) + tick(90))
    alerts = of_kind(outcomes, "level")
    assert {alert["shopper_id"] for alert in alerts} == {"a"}
    assert all(alert["reasons"] for alert in alerts)
    assert len({alert["level"] for alert in alerts}) == len(alerts) > 0
    silences = [o for o in of_kind(outcomes, "scores") if o["due"]["kind"] == "silence"]
    assert silences[0]["event_time_ms"] == NOON + 21 * DAY
    assert len(silences) == 7


def test_silence_scores_higher_than_the_last_order(tell: Tell) -> None:
    outcomes = tell(weekly("a", 8) + tick(7 * 7 + 8))
    scores = sorted((o["event_time_ms"], o["scores"]["lapse_30d"]) for o in of_kind(outcomes, "scores"))
    assert scores[-1][1] > scores[-2][1]
    assert scores[-1][0] == NOON + 7 * 7 * DAY + 7 * DAY


def test_an_offer_without_consent_is_withheld_and_says_so(tell: Tell) -> None:
    name = somebody_outside_the_holdout()
    outcomes = tell(log_of(ordered(name, NOON, "o1")) + tick(22))
    assert not of_kind(outcomes, "max_discount_cents")
    assert {o["reason"] for o in of_kind(outcomes, "campaign")} == {"no_consent"}


def test_with_consent_the_offer_is_made_in_the_favourite_category(tell: Tell) -> None:
    name = somebody_outside_the_holdout()
    outcomes = tell(
        log_of(
            consented(name, NOON - HOUR, "k"),
            ordered(name, NOON, "o1", cents=6000, category="tea"),
            viewed(name, NOON + 1, "v1", category="mugs"),
        )
        + tick(22)
    )
    offers = of_kind(outcomes, "max_discount_cents")
    assert offers
    assert all(o["category"] == "tea" and o["currency"] == "USD" for o in offers)
    assert all(o["max_discount_cents"] == 2 * 6000 * o["discount_percent"] // 100 for o in offers)


def test_an_event_said_twice_counts_once(tell: Tell) -> None:
    outcomes = tell(log_of(ordered("a", NOON, "o1"), ordered("a", NOON, "o1"), ordered("a", NOON + 1, "o2")))
    assert len(of_kind(outcomes, "scores")) == 2


def test_an_event_older_than_the_watermark_is_late_and_kept(tell: Tell) -> None:
    outcomes = tell(log_of(viewed("a", NOON, "v1"), viewed("a", NOON - 2 * HOUR, "v2")))
    (late,) = of_kind(outcomes, "late_id")
    assert (late["event_id"], late["watermark_ms"]) == ("v2", NOON - HOUR)
    assert len(of_kind(outcomes, "scores", "behaviour")) == 1


def test_views_within_an_hour_are_one_due_point_and_an_order_another(tell: Tell) -> None:
    start = NOON // HOUR * HOUR
    views = [viewed("a", start + i * 60_000, f"v{i}") for i in range(10)]
    outcomes = tell(log_of(*views, ordered("a", start + 11 * 60_000, "o1"), viewed("a", start + HOUR, "v10")))
    assert sorted(o["due"]["ref"] for o in of_kind(outcomes, "scores", "behaviour")) == ["o1", "v0", "v10"]


def test_whoever_never_ordered_cannot_stop_ordering(tell: Tell) -> None:
    """Churn was trained on buyers: of others it says nothing, however long they are silent, and nothing follows."""
    views = [viewed("a", NOON + i * DAY, f"v{i}") for i in range(3)]
    outcomes = tell(log_of(consented("a", NOON - HOUR, "k"), *views) + tick(30) + tick(90))
    assert of_kind(outcomes, "scores", "behaviour")
    assert not of_kind(outcomes, "scores")
    assert not of_kind(outcomes, "level")
    assert not of_kind(outcomes, "campaign")


def test_an_alert_holds_all_that_is_needed_to_act_on_it(tell: Tell) -> None:
    orders = [ordered("a", NOON + i * 10 * DAY, f"o{i}", cents=3000, units=2, category="tea") for i in range(4)]
    late = consented("a", NOON + (30 + 58) * DAY, "k2")
    outcomes = tell(log_of(consented("a", NOON - HOUR, "k"), *orders, late))
    alert = max(of_kind(outcomes, "level"), key=lambda said: said["event_time_ms"])
    assert alert["consent"] == "allowed"
    assert alert["favourite_category"] == "tea"
    assert alert["usual_basket"] == {"value_cents": 6000, "units": 2.0, "days_between": 10.0}
    # Four orders of 60.00 since the first, at a margin of 30%: so much would 90 days more at that pace bring.
    days = (alert["event_time_ms"] - NOON) / DAY
    assert alert["value_at_stake_cents"] == round(90 * 4 / days * 6000 * 0.3)
    assert alert["currency"] == "USD"
    assert len(alert["rules"]) == 12
    assert all(reason["text"].startswith(CATALOGUE.features[reason["feature"]].meaning) for reason in alert["reasons"])


def test_what_is_withheld_is_said_once_until_something_changes(tell: Tell) -> None:
    name = somebody_outside_the_holdout()
    orders = [ordered(name, NOON + i * 40 * DAY, f"o{i}") for i in range(3)]
    asked = log_of(orders[0]) + tick(22) + log_of(orders[1]) + tick(62 + 7)
    said = of_kind(tell(asked), "campaign")
    assert [o["reason"] for o in said] == ["no_consent"]
