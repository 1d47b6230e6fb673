"""``offerstream campaigns forecast``: what to expect of campaigns before they begin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from streams.campaign_book import read
from streams.commands.campaigns import checked
from streams.commands.common import BROKER, JSON
from streams.effects.forecast import Forecast, Span, holdouts
from streams.outside.campaigning import not_noticed
from streams.outside.rehearsal import LEAST_DAYS, rehearse
from streams.outside.rehearsed import RehearsalError, Rehearsed
from streams.records.campaigns import CampaignSet
from streams.records.words import money, printable
from streams.settings import Settings
from streams.terminal import print_rows, progress_bar

SHARES = (0.02, 0.05, 0.1, 0.2, 0.5)
NO_ADS = "campaigns of ads are not rehearsed: the requests of the past had other ads. Begin with a small budget."
ASSUMED = (
    "The past days come again to shoppers as they stand now, decided on by the worker's own code with money and a "
    "coupon for every offer; who came for the first time in them comes again as somebody new as well.",
    "Offers change nothing that anybody does: what they bring is assumed_uplift, what they cost assumed_redemption of "
    "the file. Profit is told from no uplift at all to twice as much.",
    "Campaigns outside the file are left out, as is what is returned after the window.",
)


@click.command("forecast")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--days", type=click.IntRange(LEAST_DAYS, 365), default=28, show_default=True,
    help="How long it runs, and as many past days come again; whole weeks are best.",
)  # fmt: skip
@BROKER
@JSON
def forecast(file: Path, days: int, broker: str | None, as_json: bool) -> None:
    """Print what to expect of the campaigns of a file before they begin: audience, cost, profit, and the least effect
    that their holdout can show, beside other holdouts.

    FILE is YAML, or - for standard input; nothing is sent, and drafts are told of as well. The events of the past days
    come again, to shoppers as they stand now, under these campaigns. What offers bring is what the file assumes. Exit
    code 1 where the past cannot tell, such as that nobody would enter; 2 where the file is wrong.
    """
    from models.store import Shelf, Store

    settings = Settings.from_environment(broker=broker)
    chosen, says_shop = checked(file, settings.currency, as_json)
    settings.access.require()
    if not says_shop:
        chosen = CampaignSet(shop=read(settings.access).shop, campaigns=chosen.campaigns)
    ads = [campaign for campaign in chosen.campaigns if campaign.of_ads]
    told, failed = list[dict[str, Any]](), [RehearsalError(f"{each.id}: {NO_ADS}") for each in ads]
    chosen = CampaignSet(shop=chosen.shop, campaigns=tuple(each for each in chosen.campaigns if not each.of_ads))
    if not chosen.campaigns and failed:
        raise failed[0]
    with progress_bar("Events that came again", None) as tell:
        found = rehearse(settings, Shelf(Store(settings.models)), chosen, days, tell)
    for each in found:
        try:
            ahead = each.ahead()
        except RehearsalError as error:
            failed.append(error)
            continue
        told.append(_document(each, ahead))
        if not as_json:
            _print(each, ahead)
    notes = [note for campaign in chosen.campaigns for note in not_noticed(campaign)]
    if as_json:
        untold = [str(error) for error in failed]
        click.echo(json.dumps({"campaigns": told, "untold": untold, "assumed": ASSUMED, "notes": notes}, indent=2))
    elif told:
        for line in ASSUMED:
            click.echo(line)
    for note in notes:
        click.echo(f"Note: {note}.", err=True)
    for each_failed in failed[:-1]:
        click.echo(f"Note: {each_failed}", err=True)
    if failed:
        raise failed[-1]


def _print(of: Rehearsed, ahead: Forecast) -> None:
    click.echo(printable(f"{of.campaign.id}: {ahead.words}"))
    for name, says in _facts(of, ahead):
        click.echo(printable(f"  {name:<9} {says}"))
    click.echo()
    rows = [
        (f"{share:.1%}", f"{round(ahead.audience.mean * share):,}", money(round(cents), of.currency))
        for share, cents in _holdouts(of, ahead)
    ]
    print_rows(("holdout", "shoppers in it", "least profit per shopper that shows, looked at all the time"), rows)
    click.echo()


def _facts(of: Rehearsed, ahead: Forecast) -> Iterator[tuple[str, str]]:
    past, budget = of.past, of.campaign.budget[of.currency].total_cents
    days, window = of.days, of.campaign.effect.window_days
    yield "rehearsed", f"{of.events:,} events of {days} days; {of.entered:,} shoppers entered, {of.held:,} held back"
    if of.silent:
        yield "", f"{of.silent:,} of them did nothing in these days, and so nothing again: too little is told of them"
    yield "audience", f"{_numbers(ahead.audience)} shoppers"
    made = ", ".join(f"{arm} {n:,}" for arm, n in of.arms.most_common())
    yield "offers", f"{of.arms.total():,} ({made})" if made else "none"
    yield "cost", f"{_money(ahead.cost_cents, of.currency)}; budget {money(budget, of.currency)}"
    if ahead.cost_cents.mean > budget:
        yield "", "the budget does not last: fewer offers are made than told here"
    yield "profit", f"{_money(ahead.profit_cents, of.currency)} beyond the holdout, as the file assumes"
    mean, deviation = (money(round(cents), of.currency) for cents in (past.margin_mean, past.margin_deviation))
    yield "without", f"such shoppers bring {mean} of margin in {window:g} days, deviation {deviation}"
    yield "", f"({past.shoppers:,} shoppers; the time before explains {past.explained:.0%} of the variance)"
    others = sorted(of.withheld.items(), key=lambda each: -len(each[1]))
    others = [(reason, shoppers) for reason, shoppers in others if reason != "campaign_holdout"]
    if held := ", ".join(f"{reason} {len(shoppers):,}" for reason, shoppers in others):
        yield "held back", f"{held} shoppers, some for several reasons"


def _holdouts(of: Rehearsed, ahead: Forecast) -> list[tuple[float, float]]:
    shares = tuple(sorted({*SHARES, of.campaign.holdout_share}))
    return list(zip(shares, holdouts(of.past, ahead.audience.mean, shares), strict=True))


def _document(of: Rehearsed, ahead: Forecast) -> dict[str, Any]:
    """All of it for programs."""
    past = asdict(of.past)
    spans = {name: value._asdict() for name, value in vars_of(ahead).items() if isinstance(value, Span)}
    return {
        "campaign": of.campaign.id,
        "days": of.days,
        "currency": of.currency,
        **vars_of(ahead),
        **spans,
        "events": of.events,
        "rehearsed": {"entered": of.entered, "held": of.held, "offers": dict(of.arms)},
        "withheld": {reason: len(shoppers) for reason, shoppers in sorted(of.withheld.items())},
        "budget_cents": of.campaign.budget[of.currency].total_cents,
        "belief_cents": of.belief._asdict(),
        "offer": asdict(of.offer),
        "past": past | {"entered": past["entered"].tolist()},
        "holdouts": [{"share": share, "detectable_always_cents": cents} for share, cents in _holdouts(of, ahead)],
    }


def vars_of(ahead: Forecast) -> dict[str, Any]:
    """Its fields by name."""
    return {name: getattr(ahead, name) for name in Forecast.__dataclass_fields__}


def _numbers(span: Span) -> str:
    return f"{round(span.mean):,} ({round(span.low):,} to {round(span.high):,})"


def _money(span: Span, currency: str) -> str:
    low, mean, high = (money(round(each), currency) for each in span)
    return f"{mean} ({low} to {high})"
