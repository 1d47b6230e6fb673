"""The story: which shopper, and what is told of them."""

from __future__ import annotations

import msgspec

from streams.demo.recording import Recording
from streams.demo.story import choose, tell
from streams.records.outcomes import ChurnAlerted
from tests.demo.recordings import day, orders, recording, silent
from tests.outcomes import withheld


def told(made: Recording, alert: ChurnAlerted | None = None) -> dict[str, str]:
    alert = alert or choose(made)
    assert alert is not None
    return dict(tell(made, alert).lines)


def test_it_is_of_the_gravest_judged_alert_of_silence_with_an_offer_and_most_orders() -> None:
    chosen = choose(recording())
    assert chosen is not None
    assert (chosen.shopper_id, chosen.event_time_ms) == ("bea", day(40))


def test_the_order_in_which_alerts_were_read_does_not_matter() -> None:
    made, other = recording(), recording()
    other.alerts.reverse()
    other.offers.reverse()
    assert choose(made) == choose(other)


def test_there_is_none_where_nothing_followed_an_alert_of_silence() -> None:
    made = recording()
    made.alerts = [alert for alert in made.alerts if alert.shopper_id in ("eve", "gus")]
    assert choose(made) is None


def test_it_tells_what_they_did_and_what_silence_meant() -> None:
    lines = told(recording())
    assert lines["What they did"] == (
        "Ordered 11 times from 2023-11-14 to 2023-12-04, usually 2 days apart (at most 2 days) for 10.00 USD. "
        "Marketing may write to them."
    )
    assert lines["What silence meant"] == (
        "No order after 2023-12-04. By their own rhythm they were overdue 4 days later: a timer made them due then, "
        "and twice more. How likely they leave: 2% at the last order, 10% then, 72% in the end."
    )


def test_it_tells_alerts_with_reasons_in_words_and_the_offer() -> None:
    lines = told(recording())
    assert lines["Alerted before"] == "watch on 2023-12-14 (40%)."
    assert lines["Alerted 2023-12-24"] == (
        "critical: 72% likely to order nothing in 30 days. Promised: 50% of such alerts come true. Why: Days since the "
        "last order: 24 days (typical: 7 days); Orders ever: 2. At stake: 123.45 USD of margin in 90 days."
    )
    assert lines["Offered 2023-12-24"].startswith(
        "10% off tea, at most 1,234.56 USD, until 2023-12-31: likely to leave"
    )
    assert "Earlier in this silence: 1 held back (had one a short while ago (cooldown))." in lines["Offered 2023-12-24"]


def test_it_tells_why_there_was_no_offer() -> None:
    made = recording()
    made.offers, made.withheld = [], [withheld("bea", "w1", "no_consent", day(30))]
    made.alerts = [alert for alert in made.alerts if alert.shopper_id == "bea"]
    assert told(made)["Not offered since 2023-12-14"].startswith("no consent to marketing")
    made.withheld = []
    assert told(made)["Offered"] == "Nothing: no offer was considered."


def test_it_tells_what_came_of_it() -> None:
    made = recording()
    seen = "They never saw the offer: these data were recorded before it was made."
    assert told(made)["What came of it"] == (
        "Nothing in 30 days: the alert came true. They ordered on 2024-02-02, 40 days after the alert, for 10.00 USD. "
        + seen
    )
    made.acts["bea"] = [*made.acts["bea"][:-1], made.acts["bea"][-1]._replace(at_ms=day(55))]
    assert told(made)["What came of it"] == (
        f"They ordered on 2024-01-08, 15 days after the alert, for 10.00 USD: it did not come true. {seen}"
    )
    del made.acts["bea"][-1]
    assert told(made)["What came of it"] == (
        f"Nothing in 30 days: the alert came true. Until the data end (2024-02-22) no order came. {seen}"
    )
    of_bea, made.end_ms = choose(made), day(50)
    assert "too early to judge" in told(made, of_bea)["What came of it"]


def test_of_one_order_no_rhythm_is_told() -> None:
    made = Recording()
    for _ in made.passing([*orders("ann", 0, 70)]):
        pass
    made.add(silent("ann", 21, "watch"))
    lines = told(made)
    assert lines["What they did"].startswith("Ordered on 2023-11-14 for 10.00 USD.")
    assert lines["What silence meant"] == "No order after 2023-11-14."


def test_the_picture_is_given_orders_scores_alerts_offers_and_the_silence() -> None:
    made = recording()
    chosen = choose(made)
    assert chosen is not None
    timeline = tell(made, chosen).timeline
    assert timeline["silence"] == [day(20), day(80)]
    assert len(timeline["orders"]) == 12
    assert timeline["offers"] == [[day(31), "cooldown"], [day(40), "made"]]
    assert [level for _, level, _ in timeline["alerts"]] == ["watch", "critical"]
    assert timeline["scores"][-1] == [day(40), 0.72]
    assert msgspec.to_builtins(timeline) == timeline
