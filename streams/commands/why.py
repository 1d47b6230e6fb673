"""``offerstream why``: how one shopper stands, and what is missing for an offer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import click
import msgspec

from models.registry import TASKS
from streams.campaigns.words import in_words
from streams.commands.common import BROKER, JSON, TEXT
from streams.decisions.churn_alert import OUTPUT, TASK
from streams.outside.units import unit_of
from streams.outside.why import CampaignSeen, Standing, offer, standing
from streams.records import portrait, words
from streams.records.words import money, shown_day, shown_time
from streams.settings import Settings

_OFFER = re.compile("[0-9a-f]{32}")


@click.command()
@click.argument("shopper", type=TEXT, metavar="SHOPPER|OFFER_ID")
@BROKER
@JSON
def why(shopper: str, broker: str | None, as_json: bool) -> None:
    """Print what is known of a shopper, why they got what they got or nothing, and what is missing for an offer.

    Scores, their profile in words, the levels of the model that serves them, consent, favourite category, their last
    alert and offers, and when they are looked at next; of each campaign whether it addresses them now and how it
    decided last, or of the built-in offer holdout, cooldown and frequency cap. As of the last flush; times are event
    time.

    Of the id of a campaign's offer: how it came to be made.
    """
    settings = Settings.from_environment(broker=broker)
    if _OFFER.fullmatch(shopper) and (receipt := offer(settings, shopper)) is not None:
        lines = in_words(receipt)
        click.echo(json.dumps(msgspec.to_builtins(receipt), indent=2) if as_json else "\n".join(lines))
        return
    found = standing(settings, shopper)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found), indent=2))
        return
    click.echo(words.printable(f"{shopper} as of {shown_time(found.as_of_ms)}, the newest event of their partition"))
    for name, value in _rows(found):
        click.echo(words.printable(f"  {name:<14} {value}"))
    for seen in found.campaigns or ():
        for line in _campaign(seen):
            click.echo(words.printable(line))
    click.echo(words.printable(verdict(found)))


def _campaign(seen: CampaignSeen) -> Iterator[str]:
    now = {True: "addresses them now", False: "does not address them now", None: "it is not known if it means them"}
    state = "" if seen.approval == "approved" else f" ({seen.approval})"
    yield f"  campaign {seen.campaign}{state}: {now[seen.addressed]} ({' '.join(seen.audience.split())})"
    if seen.receipt is None:
        yield "    no decision about them in 90 days left a receipt: nothing triggered it, or they were not addressed"
        return
    first, *lines = in_words(seen.receipt)
    yield f"    last decided {first}"
    yield from (f"      {line}" for line in lines)


def verdict(found: Standing) -> str:
    """What is missing for an offer, in one sentence."""
    if found.identified_as is not None:
        return f"{found.shopper_id} was identified as {found.identified_as}: offerstream why {found.identified_as}"
    if found.campaigns is not None:
        told = [
            f"{seen.campaign}: {'an offer was made' if seen.receipt.decision == 'offered' else seen.receipt.reason}"
            for seen in found.campaigns
            if seen.receipt is not None
        ]
        return f"Last decisions: {'; '.join(told)}." if told else "No campaign has decided about them of late."
    if found.missing:
        return f"Missing for an offer: {'; '.join(found.missing)}."
    return f"Nothing is missing: {found.percent}% off is offered when they are next due, unless it is by an order."


def _shown(task: str, output: str, score: float | list[float], currency: str) -> str:
    """An answer for people: amounts of money as such.

    >>> _shown("value", "revenue_90d", 8670.08, "USD"), _shown("churn", "lapse_30d", 0.516, "USD")
    ('86.70 USD', '0.52')
    """
    values = score if isinstance(score, list) else [score]
    known = next((each for each in TASKS if each.name == task), None)
    if known is not None and unit_of(known, output).startswith("cents"):
        return " ".join(money(round(each), currency) for each in values)
    return " ".join(f"{each:.2f}" for each in values)


def _rows(found: Standing) -> Iterator[tuple[str, str]]:
    if found.identified_as is not None:
        yield "identified", f"as {found.identified_as}; what follows is how they stood then, and is theirs"
    if found.merged_ids:
        yield "merged", f"{found.merged_ids} earlier {'id' if found.merged_ids == 1 else 'ids'} of theirs"
    yield "last event", shown_time(found.last_event_ms)
    every = "" if found.days_between_orders is None else f", every {found.days_between_orders:g} days"
    basket = f": {money(found.usual_basket_cents, found.currency)} each{every}" if found.orders else ""
    yield "orders", f"{found.orders:,}{basket}"
    answers = {} if found.scored is None else found.scored.answers
    for task, answer in sorted(answers.items(), key=lambda item: item[0] != TASK):
        first = [OUTPUT] if OUTPUT in answer.scores else []
        names = dict.fromkeys([*first, *answer.scores])
        told = ", ".join(f"{name} {_shown(task, name, answer.scores[name], found.currency)}" for name in names)
        assert found.scored is not None
        yield f"{task} score", f"{told} ({shown_day(found.scored.event_time_ms)}, version {answer.model.version})"
    if found.profile is not None:
        yield from portrait.rows(found.profile)
    levels = ", ".join(f"{level} from {score:.2f}" for level, score in found.thresholds.items())
    yield "levels", f"{levels} (version {found.model}); held now: {found.level}"
    if found.alerted_ms is not None:
        yield "alerted", f"{found.alerted_level}, {shown_day(found.alerted_ms)}"
    default = "" if found.consent != "never_said" else f", so by default {'allowed' if found.may_write else 'not'}"
    yield "consent", words.CONSENT.get(found.consent, found.consent) + default
    yield "favourite", found.favourite_category or "not known"
    if found.campaigns is None:
        yield "holdout", "yes: never gets an offer" if found.holdout else "no"
        made = ", ".join(map(shown_day, found.offers_ms)) or "none yet"
        possible = "now" if found.next_offer_ms is None else shown_time(found.next_offer_ms)
        yield "offers", f"{made}; cooldown and frequency cap allow one: {possible}"
    for name, outcome in (
        ("last alert", found.last_alert),
        ("last offer", found.last_offer),
        ("last withheld", found.last_withheld),
        ("items", found.recommended),
        ("last ad", found.last_ad),
    ):
        if outcome is not None:
            yield name, f"{shown_day(outcome.event_time_ms)}  {words.said(outcome)}"
    silent = "" if found.silence_due_ms is None else f"{shown_time(found.silence_due_ms)} if they stay silent, or "
    yield "due again", f"{silent}with their next event that decides"
