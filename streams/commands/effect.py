"""``offerstream effect``: what campaigns brought beyond their holdout."""

from __future__ import annotations

import json
from pathlib import Path

import click

from streams.commands.common import BROKER, JSON, OUT_FILE, TEXT
from streams.outside.brought import (
    MEASURE_COLUMNS,
    NOTHING,
    PART_COLUMNS,
    VERDICTS,
    Brought,
    between,
    brought,
    budget_in_words,
    counted_in_words,
    course,
    intervals_in_words,
    measure_rows,
    part_rows,
    share,
)
from streams.plot import plot
from streams.records.words import money, printable, shown_day
from streams.settings import Settings
from streams.terminal import print_rows


@click.command()
@click.argument("campaign", required=False, type=TEXT)
@click.option("--page", type=OUT_FILE, metavar="FILE.html", help="Write it as one HTML page that needs no other file.")
@BROKER
@JSON
def effect(campaign: str | None, page: Path | None, broker: str | None, as_json: bool) -> None:
    """Print what a campaign brought beyond its holdout: orders, revenue, margin, cost, profit, each with its interval.

    CAMPAIGN: its id; without it all that are measured, a line each. Of one: whether it pays and how much longer it
    takes to tell, whether both sides have the shares that were asked for, its budget, its arms and segments, and profit
    over time. Shoppers count once their window and the time for returns are over. docs/effect.md tells the method.
    """
    settings = Settings.from_environment(broker=broker)
    found = brought(settings, campaign)
    if page is not None:
        from streams.pages.effect import page as drawn

        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(drawn(found), encoding="utf-8")
    if as_json:
        documents = [each.document() for each in found]
        click.echo(json.dumps(documents if campaign is None else documents[0], indent=2))
    elif campaign is None:
        _list(found)
    else:
        _one(found[0])
    if page is not None:
        click.echo(f"{page}: open it in a browser.", err=True)


def _list(found: list[Brought]) -> None:
    rows = []
    for each in found:
        whole = each.estimates[0]
        profit = whole.incremental.get("profit")
        rows.append(
            (
                each.campaign,
                shown_day(whole.event_time_ms),
                f"{whole.shoppers:,}",
                f"{whole.held:,}",
                "–" if profit is None else money(round(profit.mean), whole.currency),
                "–" if profit is None else between("profit", profit, whole.currency),
                share(whole.roi)[0],
                "–" if each.balance is None else money(each.balance.spent_cents, whole.currency),
                "differ" if whole.sides_differ else "as asked for" if whole.sides else "–",
                VERDICTS[whole.verdict],
            )
        )
    columns = ("campaign", "until", "shoppers", "holdout", "profit", "interval", "profit over cost", "spent", "sides",
               "verdict")  # fmt: skip
    if rows:
        print_rows(columns, rows)
    else:
        click.echo(f"No campaign: {NOTHING}")


def _one(of: Brought) -> None:
    if not of.estimates:
        click.echo(printable(f"{of.campaign}: {NOTHING}"))
        _facts([("budget", budget_in_words(of))])
        return
    whole = of.estimates[0]
    click.echo(printable(f"{of.campaign}: {whole.words}"))
    _facts([("counted", counted_in_words(whole)), ("sides", whole.sides), ("budget", budget_in_words(of))])
    if rows := measure_rows(whole):
        click.echo()
        print_rows(MEASURE_COLUMNS, rows)
    if len(of.estimates) > 1:
        click.echo("\nSo far, by arm and segment:")
        print_rows(PART_COLUMNS, part_rows(of.estimates))
    if points := course(of):
        click.echo(f"\nProfit beyond the holdout so far, in {whole.currency}:")
        for line in plot(points, lambda cents: f"{cents / 100:,.0f}", shown_day):
            click.echo(line)
    if rows:
        click.echo(f"\n{intervals_in_words(of.estimates)}")


def _facts(facts: list[tuple[str, str]]) -> None:
    for name, says in facts:
        if says:
            click.echo(printable(f"  {name:<8} {says}"))
