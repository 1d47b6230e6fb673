"""``offerstream why``: how one shopper stands, and what is missing for an offer."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import msgspec

from streams.commands.common import BROKER, JSON, TEXT
from streams.decisions.churn_alert import OUTPUT, TASK
from streams.records import words
from streams.records.words import money, shown_day, shown_time
from streams.settings import Settings
from streams.why import Standing, standing


@click.command()
@click.argument("shopper", type=TEXT)
@BROKER
@JSON
def why(shopper: str, broker: str | None, as_json: bool) -> None:
    """Print what is known of a shopper, why they got what they got, and what is missing for an offer.

    Scores, the levels of the model that serves them, consent, favourite category, holdout, cooldown and frequency cap,
    their last alert and offers, and when their silence is looked at next. As of the last flush; times are event time.
    """
    found = standing(Settings.from_environment(broker=broker), shopper)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found), indent=2))
        return
    click.echo(words.printable(f"{shopper} as of {shown_time(found.as_of_ms)}, the newest event of their partition"))
    for name, value in _rows(found):
        click.echo(words.printable(f"  {name:<14} {value}"))
    click.echo(words.printable(verdict(found)))


def verdict(found: Standing) -> str:
    """What is missing for an offer, in one sentence."""
    if found.missing:
        return f"Missing for an offer: {'; '.join(found.missing)}."
    return f"Nothing is missing: {found.percent}% off is offered when they are next due, unless it is by an order."


def _shown(score: float | list[float]) -> str:
    return " ".join(f"{each:.2f}" for each in (score if isinstance(score, list) else [score]))


def _rows(found: Standing) -> Iterator[tuple[str, str]]:
    yield "last event", shown_time(found.last_event_ms)
    every = "" if found.days_between_orders is None else f", every {found.days_between_orders:g} days"
    basket = f": {money(found.usual_basket_cents, found.currency)} each{every}" if found.orders else ""
    yield "orders", f"{found.orders:,}{basket}"
    answers = {} if found.scored is None else found.scored.answers
    for task, answer in sorted(answers.items(), key=lambda item: item[0] != TASK):
        first = [OUTPUT] if OUTPUT in answer.scores else []
        told = ", ".join(f"{name} {_shown(answer.scores[name])}" for name in dict.fromkeys([*first, *answer.scores]))
        assert found.scored is not None
        yield f"{task} score", f"{told} ({shown_day(found.scored.event_time_ms)}, version {answer.model.version})"
    levels = ", ".join(f"{level} from {score:.2f}" for level, score in found.thresholds.items())
    yield "levels", f"{levels} (version {found.model}); held now: {found.level}"
    if found.alerted_ms is not None:
        yield "alerted", f"{found.alerted_level}, {shown_day(found.alerted_ms)}"
    default = "" if found.consent != "never_said" else f", so by default {'allowed' if found.may_write else 'not'}"
    yield "consent", words.CONSENT.get(found.consent, found.consent) + default
    yield "favourite", found.favourite_category or "not known"
    yield "holdout", "yes: never gets an offer" if found.holdout else "no"
    made = ", ".join(map(shown_day, found.offers_ms)) or "none yet"
    possible = "now" if found.next_offer_ms is None else shown_time(found.next_offer_ms)
    yield "offers", f"{made}; cooldown and frequency cap allow one: {possible}"
    for name, outcome in (
        ("last alert", found.last_alert),
        ("last offer", found.last_offer),
        ("last withheld", found.last_withheld),
    ):
        if outcome is not None:
            yield name, f"{shown_day(outcome.event_time_ms)}  {words.said(outcome)}"
    silent = "" if found.silence_due_ms is None else f"{shown_time(found.silence_due_ms)} if they stay silent, or "
    yield "due again", f"{silent}with their next event that decides"
