"""One shopper's story: what they did, what their silence meant, what was said of it, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

from streams.decisions.churn_alert import LEVELS
from streams.demo.recording import Act, Recording
from streams.features.kinds.decay import DAY_MS
from streams.monitoring.alert_truth import ALERT_DAYS
from streams.records import words
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.outcomes import ChurnAlerted

CONSENT = {
    "allowed": "Marketing may write to them",
    "forbidden": "Marketing must not write to them",
    "never_said": "They have never said whether marketing may write to them",
}
#: So many reasons of the alert are told.
REASONS = 2


@dataclass(frozen=True, slots=True)
class Story:
    """What is told, and what a picture of it needs. Times are UTC milliseconds since 1970."""

    shopper_id: str
    at_ms: int
    """Of the alert that the story is about."""
    rule: str
    """Why this shopper."""
    lines: list[tuple[str, str]]
    """(what it is about, what is told) each."""
    timeline: dict[str, Any] = field(default_factory=dict)


def choose(recording: Recording) -> ChurnAlerted | None:
    """The alert to tell of: one that silence raised, with an offer or an order later. Of these, one whose 30 days can
    be judged, of the highest level, that an offer followed, and of the shopper with most orders before; then the
    earliest. Whether it came true is not looked at."""
    offered: dict[str, list[int]] = {}
    for offer in recording.offers:
        offered.setdefault(offer.shopper_id, []).append(offer.event_time_ms)

    def rank(alert: ChurnAlerted) -> tuple[Any, ...]:
        at, shopper = alert.event_time_ms, alert.shopper_id
        judged = at + ALERT_DAYS * DAY_MS <= recording.end_ms
        before = sum(order.at_ms <= at for order in recording.orders(shopper))
        return judged, LEVELS.index(alert.level), _soon(offered.get(shopper, ()), at), before, -at, shopper

    def goes_on(alert: ChurnAlerted) -> bool:
        ordered = [order.at_ms for order in recording.orders(alert.shopper_id)]
        later = max([*ordered, *offered.get(alert.shopper_id, ())], default=0)
        return min(ordered, default=later) < alert.event_time_ms <= later

    found = [alert for alert in recording.alerts if alert.due.kind == "silence" and goes_on(alert)]
    return max(found, key=rank, default=None)


def _soon(offers_ms: Any, at_ms: int) -> bool:
    return any(at_ms <= offer <= at_ms + ALERT_DAYS * DAY_MS for offer in offers_ms)


def tell(recording: Recording, alert: ChurnAlerted) -> Story:
    """The story of an alert."""
    teller = _Teller(recording, alert)
    return Story(alert.shopper_id, alert.event_time_ms, teller.rule(), list(teller.lines()), teller.timeline())


class _Teller:
    def __init__(self, recording: Recording, alert: ChurnAlerted) -> None:
        self.recording, self.alert, self.at = recording, alert, alert.event_time_ms
        orders = recording.orders(alert.shopper_id)
        self.before = [order for order in orders if order.at_ms <= self.at]
        self.after = [order for order in orders if order.at_ms > self.at]
        self.silent_from = self.before[-1].at_ms
        self.until = self.at + ALERT_DAYS * DAY_MS
        self.known = self.until <= recording.end_ms
        self.alerts = self._mine(recording.alerts)
        self.decided = sorted(
            [*self._mine(recording.offers), *self._mine(recording.withheld)], key=lambda said: said.event_time_ms
        )
        self.judged = sorted(
            (answer for answer in recording.judged if answer.shopper == alert.shopper_id), key=lambda one: one.at_ms
        )

    def _mine(self, said: Any) -> list[Any]:
        return [one for one in said if one.shopper_id == self.alert.shopper_id]

    def rule(self) -> str:
        offer = isinstance(self._answer(), OfferMade)
        return (
            f"Of all {self.alert.level} alerts that silence raised"
            + (" and that an offer followed" if offer else "")
            + (f", and whose {ALERT_DAYS} days lie within the data" if self.known else "")
            + ", it is the one whose shopper had ordered most often before; whether it came true was not looked at."
        )

    def lines(self) -> Iterator[tuple[str, str]]:
        yield "What they did", " ".join(self._did())
        yield "What silence meant", " ".join(self._silence())
        before = [one for one in self.alerts if self.silent_from < one.event_time_ms < self.at]
        if before:
            days = (f"{one.level} on {words.shown_day(one.event_time_ms)} ({one.score:.0%})" for one in before)
            yield "Alerted before", f"{', '.join(days)}."
        yield f"Alerted {words.shown_day(self.at)}", " ".join(self._alerted())
        yield self._offered()
        yield "What came of it", " ".join(self._came())

    def _money(self, cents: float) -> str:
        return words.money(round(cents), self.alert.currency)

    def _did(self) -> Iterator[str]:
        orders, day = self.before, words.shown_day
        if len(orders) > 2:
            gaps, cents = _gaps(orders), median(order.cents for order in orders)
            yield (
                f"Ordered {len(orders):,} times from {day(orders[0].at_ms)} to {day(self.silent_from)}, usually "
                f"{_days(median(gaps))} apart (at most {_days(max(gaps))}) for {self._money(cents)}."
            )
        else:
            yield "Ordered " + " and ".join(f"on {day(o.at_ms)} for {self._money(o.cents)}" for o in orders) + "."
        acts = [act.type for act in self.recording.acts.get(self.alert.shopper_id, ()) if act.at_ms <= self.at]
        if shown := acts.count("offer_shown"):
            yield f"Addressed by campaigns {_times(shown)}, redeemed {_times(acts.count('offer_redeemed'))}."
        yield f"{CONSENT[self.alert.consent]}."

    def _silence(self) -> Iterator[str]:
        yield f"No order after {words.shown_day(self.silent_from)}."
        due = [answer for answer in self.judged if answer.silence and self.silent_from < answer.at_ms <= self.at]
        if due:
            known = "By their own rhythm" if len(self.before) > 2 else "With too few orders for a rhythm of their own"
            again = f", and {_times(len(due) - 1)} more" if due[1:] else ""
            late = _days((due[0].at_ms - self.silent_from) / DAY_MS)
            yield f"{known} they were overdue {late} later: a timer made them due then{again}."
            at_last = [answer.score for answer in self.judged if answer.at_ms <= self.silent_from][-1:]
            scores = [*(f"{score:.0%} at the last order" for score in at_last), f"{due[0].score:.0%} then"]
            scores += [f"{answer.score:.0%} in the end" for answer in due[1:][-1:]]
            yield f"How likely they leave: {', '.join(scores)}."

    def _alerted(self) -> Iterator[str]:
        alert = self.alert
        yield f"{alert.level}: {alert.score:.0%} likely to order nothing in {ALERT_DAYS} days."
        if alert.promised is not None:
            yield f"Promised: {alert.promised:.0%} of such alerts come true."
        if alert.reasons:
            yield f"Why: {'; '.join(reason.text for reason in alert.reasons[:REASONS])}."
        yield f"At stake: {self._money(alert.value_at_stake_cents)} of margin in 90 days."

    def _answer(self) -> OfferMade | OfferWithheld | None:
        """What was decided about an offer for the alert: the first made until the alert can be judged, else the last
        word of this silence, which may be older than the alert, for the same is not said twice."""
        made = [said for said in self.decided if isinstance(said, OfferMade)]
        made = [said for said in made if self.at <= said.event_time_ms <= self.until]
        found: list[Any] = made[:1] or self._so_far()[-1:]
        return found[0] if found else None

    def _so_far(self) -> list[Any]:
        return [said for said in self.decided if self.silent_from < said.event_time_ms <= self.at]

    def _offered(self) -> tuple[str, str]:
        answer = self._answer()
        before = [said for said in self._so_far() if said is not answer]
        made = sum(isinstance(said, OfferMade) for said in before)
        reasons = sorted({words.guard_in_words(said.reason) for said in before if isinstance(said, OfferWithheld)})
        held = f"{len(before) - made} held back ({'; '.join(reasons)})" if reasons else ""
        parts = [part for part in (f"{made} made" if made else "", held) if part]
        earlier = f" Earlier in this silence: {', '.join(parts)}." if parts else ""
        if answer is None:
            return "Offered", "Nothing: no offer was considered."
        title = "Offered" if isinstance(answer, OfferMade) else "Not offered"
        since = " since" if answer.event_time_ms < self.at else ""
        return f"{title}{since} {words.shown_day(answer.event_time_ms)}", f"{words.about(answer)}.{earlier}"

    def _came(self) -> Iterator[str]:
        come, end = self.after[:1], words.shown_day(self.recording.end_ms)
        for order in come:
            late = _days((order.at_ms - self.at) / DAY_MS)
            back = f"They ordered on {words.shown_day(order.at_ms)}, {late} after the alert"
            paid = f"for {self._money(order.cents)}"
            if order.at_ms <= self.until:
                yield f"{back}, {paid}: it did not come true."
            else:
                yield f"Nothing in {ALERT_DAYS} days: the alert came true. {back}, {paid}."
        if self.after[1:]:
            yield f"Until the data end ({end}) they ordered {_times(len(self.after) - 1)} more."
        if not come and self.known:
            yield f"Nothing in {ALERT_DAYS} days: the alert came true. Until the data end ({end}) no order came."
        elif not come:
            yield f"Until the data end ({end}) no order came: too early to judge the alert."
        if isinstance(self._answer(), OfferMade):
            yield "They never saw the offer: these data were recorded before it was made."

    def timeline(self) -> dict[str, Any]:
        """What a picture needs: orders (time, cents), scores, alerts and offers, and the silence of the alert."""
        recording, ends = self.recording, [order.at_ms for order in self.after[:1]]
        return {
            "from_ms": recording.first_ms or 0,
            "to_ms": recording.end_ms,
            "currency": self.alert.currency,
            "orders": [[order.at_ms, order.cents] for order in [*self.before, *self.after]],
            "scores": [[one.at_ms, one.score] for one in self.judged],
            "alerts": [[alert.event_time_ms, alert.level, alert.score] for alert in self.alerts],
            "offers": [
                [said.event_time_ms, "made" if isinstance(said, OfferMade) else said.reason] for said in self.decided
            ],
            "silence": [self.silent_from, *(ends or [recording.end_ms])],
        }


def _gaps(orders: list[Act]) -> list[float]:
    return [(b.at_ms - a.at_ms) / DAY_MS for a, b in pairwise(orders)]


def _days(days: float) -> str:
    """A span as people say it.

    >>> _days(0.4), _days(1.0), _days(2.34), _days(64.1)
    ('less than a day', 'a day', '2.3 days', '64 days')
    """
    shown = f"{days:.1f}".removesuffix(".0") if days < 10 else f"{days:.0f}"
    return "less than a day" if days < 0.75 else "a day" if shown == "1" else f"{shown} days"


def _times(n: int) -> str:
    """How often.

    >>> _times(0), _times(1), _times(3)
    ('never', 'once', '3 times')
    """
    return {0: "never", 1: "once", 2: "twice"}.get(n, f"{n:,} times")
