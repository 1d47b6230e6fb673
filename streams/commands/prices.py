"""``offerstream prices``: prices that are suggested, and what is decided about them."""

from __future__ import annotations

import json
import time

import click
import msgspec

from streams.commands.common import BROKER, JSON, TEXT
from streams.commands.groups import Group
from streams.outside import price_experiment
from streams.outside.brought import EVERY, VERDICTS, amount, between
from streams.outside.price_book import read, tell, unpriced
from streams.records.effects import EffectMeasured
from streams.records.prices import PriceSuggested
from streams.records.words import about, money, printable
from streams.settings import Settings
from streams.terminal import print_rows

NOTHING_OPEN = "No price is open: offerstream prices list --all has what was decided, and why none is suggested."
NOTHING_SAID = (
    "Nothing is said of prices: it is at the end of a day, of items that sold at least 20 units in 30 days. "
    "offerstream demand says what is missing."
)


@click.group(cls=Group)
def prices() -> None:
    """Prices that would bring more profit: look at them, approve or reject them. Nothing changes a price by itself."""


@prices.command("list")
@click.option("--all", "every", is_flag=True, help="Also items of which none is suggested, with the reason.")
@click.option("--most", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Items to print.")
@BROKER
@JSON
def prices_list(every: bool, most: int, broker: str | None, as_json: bool) -> None:
    """Print suggested prices that nobody has decided about, those first that are expected to bring most.

    What a price brings is more profit a week, with its 95% interval; the reason is what it stands on.
    """
    book = read(Settings.from_environment(broker=broker).access)
    shown = book.best(every)[:most]
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(s) | {"state": book.state(s.item_id)} for s in shown], indent=2))
        return
    if not shown:
        said = unpriced(book.suggested.values(), shipped_version())
        click.echo(said or NOTHING_OPEN if book.suggested else NOTHING_SAID)
        return
    rows = [(s.item_id, book.state(s.item_id), *_step(s), printable(about(s))) for s in shown]
    print_rows(("item", "state", "price", "suggested", "why"), rows)


def shipped_version() -> str:
    """The version of the task that came with the package."""
    from models.store import Shelf

    return Shelf().shipped("price_optimize")


def _step(suggestion: PriceSuggested) -> tuple[str, str]:
    cents = (suggestion.from_cents, suggestion.to_cents)
    before, after = ("" if c is None else money(c, suggestion.currency) for c in cents)
    return before, after


def _deciding(name: str, decision: str, what: str) -> None:
    """A command that decides about one item or several."""

    @prices.command(name, help=f"{what} A reader of prices.decided.v1 is told; the catalogue changes the price.")
    @click.argument("items", type=TEXT, nargs=-1, required=True)
    @click.option("--by", type=TEXT, required=True, help="Who decides, in your own words.")
    @click.option("--reason", type=TEXT, default="", help="Kept with the decision.")
    @BROKER
    @JSON
    def decide(items: tuple[str, ...], by: str, reason: str, broker: str | None, as_json: bool) -> None:
        access = Settings.from_environment(broker=broker).access
        book, now = read(access), int(time.time() * 1000)
        decided = [book.decision(item, decision, by, reason, now) for item in dict.fromkeys(items)]
        tell(access, decided)
        if as_json:
            click.echo(json.dumps(msgspec.to_builtins(decided), indent=2))
            return
        for one in decided:
            click.echo(printable(f"{one.item_id}: {about(one)}"))


@prices.command("effect")
@BROKER
@JSON
def prices_effect(broker: str | None, as_json: bool) -> None:
    """Print what an experiment with prices brought beyond the items that were to stay (OFFERSTREAM_PRICE_EXPERIMENT).

    Items count once, 14 days after they entered, and where they were drawn to, whether somebody set the price or not.
    Intervals hold however often you look, as those of offerstream effect. docs/prices.md tells the method.
    """
    tested = price_experiment.read(Settings.from_environment(broker=broker).access)
    found = price_experiment.effects(tested)
    tried, changed = price_experiment.changed(tested)
    if as_json:
        told = {"tried": tried, "changed": changed, "estimates": msgspec.to_builtins(found)}
        click.echo(json.dumps(told, indent=2))
        return
    if not found:
        click.echo("Nothing is measured yet: an item counts 14 days after it is first in an experiment.")
        return
    click.echo(printable(found[0].words))
    click.echo(f"  {tried:,} items to be tried, {found[0].held:,} to stay; at the end {changed:,} had another price")
    click.echo()
    head = ("price", "items", "to stay", "units", "revenue", "profit", "interval", "verdict")
    print_rows(head, [_part(each) for each in found])


def _part(of: EffectMeasured) -> tuple[str, ...]:
    """A row of one side: in all beyond as many items that were to stay."""
    name = "all" if of.arm == EVERY else of.arm
    if not of.incremental:
        return name, f"{of.shoppers:,}", f"{of.held:,}", "–", "–", "–", "–", VERDICTS[of.verdict]
    told = (amount(measure, of.incremental[measure].mean, of.currency) for measure in ("units", "revenue", "profit"))
    interval = between("profit", of.incremental["profit"], of.currency)
    return name, f"{of.shoppers:,}", f"{of.held:,}", *told, interval, VERDICTS[of.verdict]


_deciding("approve", "approved", "Approve the prices that are suggested of items.")
_deciding("reject", "rejected", "Reject the prices that are suggested of items.")
