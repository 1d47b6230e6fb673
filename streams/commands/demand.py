"""``offerstream demand``: what items will sell, what runs out, what to order, and which price to test."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import click
import msgspec
import numpy as np

from streams.commands.common import BROKER, JSON, TEXT
from streams.commands.prices import shipped_version
from streams.features.days import Days
from streams.outside import price_book
from streams.outside.demand_book import LEAST_UNITS, Demand, Left, NothingForetold, read
from streams.outside.price_book import unpriced
from streams.plot import bars
from streams.records.demand import Cents5, InventoryPlanned, Units5
from streams.records.prices import PriceSuggested
from streams.records.words import about, counted, money, printable, shown_day
from streams.settings import Settings, SettingsError
from streams.terminal import print_block, print_rows
from streams.topics import DAY_MS

HEAD = (
    "item",
    "sold in 8 weeks",
    "will sell in 7 days",
    "in 14 days",
    "price paid",
    "in stock",
    "sold out on (soonest)",
    "to order",
    "price to test",
)
#: So many items that are sold out are named.
MOST_NAMED = 10
#: So many prices to test are told with their reasons.
PRICES = 5


@click.command()
@click.argument("items", type=TEXT, nargs=-1)
@click.option("--most", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Items to print.")
@BROKER
@JSON
def demand(items: tuple[str, ...], most: int, broker: str | None, as_json: bool) -> None:
    """Print what items will sell, what is sold out when, what to order, and which price to test.

    ITEMS: these only, with the reasons in words; default: all of which something is foretold, those first of which
    something is to be ordered, then those that will bring most, and below them the five prices to test that are
    expected to bring most, with why. Bars are the units of each of the last 8 full weeks. Units to come are means,
    ranges 5 to 95 in 100; half of such items are sold out by the day that is shown, 5 in 100 by the soonest. As
    sales.forecasts.v1, price.forecasts.v1, inventory.plans.v1 and prices.suggested.v1 have it now; what is more than a
    week older than what is newest of any item is left out. On standard error: sums, which items are left out, and why.
    Exit code 1 where nothing is foretold.
    """
    settings = Settings.from_environment(broker=broker)
    book = read(settings.access)
    found = book.current()
    left = book.left(found)
    known = {each.item_id: each for each in found}
    if missing := [item for item in items if item not in known]:
        raise NothingForetold(
            f"Nothing is foretold of {', '.join(missing)}: only of items that sold at least 20 units in 30 days, in 10 "
            "order lines or more, at the end of a day. offerstream watch items has what all others sell."
        )
    if not found:
        if left.waiting:
            raise NothingForetold(f"Nothing is foretold yet: {_waiting(left, settings.time_zone)}.")
        raise NothingForetold(
            "Nothing is foretold: no worker has come to the end of a day after which an item had sold 20 "
            "units in 30 days. offerstream preview FILE… looks at files of your own; to a worker send a history with "
            "offerstream replay FILE… --wait. Its last day ends when events of a later day come, or with the clock, "
            "for workers with OFFERSTREAM_LIVE_SECONDS as long as it lies back."
        )
    _same_currency(found, settings)
    shown = [known[item] for item in dict.fromkeys(items)] or found[:most]
    if items and not as_json:
        for each in shown:
            print_block(printable(each.item_id), [(what, printable(said)) for what, said in each.lines()])
        return
    if as_json:
        click.echo(json.dumps([_document(each) for each in shown], indent=2))
    else:
        click.echo(in_sum(found), err=True)
        print_rows(HEAD, map(_row, shown))
        _prices(known, price_book.read(settings.access).best())
    if not items:
        if len(found) > len(shown):
            click.echo(f"{len(found) - len(shown):,} more items: --most {len(found)}", err=True)
        for line in _left_out(found, left, settings.time_zone):
            click.echo(printable(line), err=True)


def _same_currency(found: Sequence[Demand], settings: Settings) -> None:
    """Make sure that amounts are in the currency that is set, where one is."""
    said = sorted({each.price.currency for each in found if each.price is not None})
    if "currency" in Settings.told() and said and settings.currency not in said:
        raise SettingsError(
            f"What is foretold is in {' and '.join(said)}, and OFFERSTREAM_CURRENCY is {settings.currency}: set it "
            "back, or name the broker of the other shop (--broker)."
        )


def in_sum(found: Sequence[Demand]) -> str:
    """What all items come to, in a line."""
    said_ms = [each.sales.event_time_ms for each in found]
    sold = sum(each.sales.next_7_days.mean for each in found)
    items, day = counted(len(found), "item"), shown_day(max(said_ms))
    told = f"In the 7 days from {day} on {items} will sell about {sold:,.0f} units"
    if currencies := {each.price.currency for each in found if each.price is not None}:
        told += f", for {money(round(sum(each.week_cents for each in found)), min(currencies))}"
    if plans := [each.plan for each in found if each.plan is not None]:
        orders = [plan for plan in plans if plan.order_quantity]
        gone = sum(plan.on_hand <= 0 for plan in plans)
        told += f". To order: {counted(len(orders), 'item') if orders else 'nothing'}"
        if orders and all(plan.order_cents is not None for plan in orders):
            told += f", for {money(sum(plan.order_cents or 0 for plan in orders), orders[0].currency)}"
        told += f"; sold out: {gone or 'none'}."
    else:
        told += ". No stock was counted, so nothing is said of orders."
    if shown_day(min(said_ms)) != shown_day(max(said_ms)):
        told += f" Said at the end of days since {shown_day(min(said_ms))}."
    return told


def _prices(known: dict[str, Demand], best: Sequence[PriceSuggested]) -> None:
    """The open prices to test that are expected to bring most."""
    held = {item: each.suggestion for item, each in known.items()}
    some = [s for s in best if s == held.get(s.item_id)]
    if some:
        click.echo()
        rows = [(printable(s.item_id), printable(about(s))) for s in some[:PRICES]]
        print_rows(("price to test", "why"), rows)
        more = f"{len(some) - PRICES:,} more: offerstream prices list. " if len(some) > PRICES else ""
        click.echo(f"{more}Nothing changes a price by itself: offerstream prices approve ITEM… --by NAME", err=True)


def _left_out(found: list[Demand], left: Left, zone: str) -> Iterator[str]:
    """What the table lacks, a line each."""
    if left.waiting:
        yield _waiting(left, zone, "more ")
    if left.few:
        gone = [profile.item_id for profile in left.few if profile.on_hand == 0]
        named = ", ".join(gone[:MOST_NAMED]) + (", …" if len(gone) > MOST_NAMED else "")
        every = len(found) + len(left.few) + len(left.waiting)
        yield (
            f"{len(left.few):,} of {every:,} items are not planned (fewer than "
            f"{LEAST_UNITS} units in 30 days, or 10 order lines ever)"
            + (f", {len(gone):,} of them sold out: {named}" if gone else "")
        )
    if said := [each.suggestion for each in found if each.suggestion is not None]:
        yield from filter(None, [unpriced(said, shipped_version())])


def _waiting(left: Left, zone: str, more: str = "") -> str:
    newest = np.array([max(profile.event_time_ms for profile in left.waiting)])
    day = shown_day(int(Days(zone).number(newest)[0]) * DAY_MS)
    return (
        f"{len(left.waiting):,} {more}items wait for the end of {day}: it ends when events of a later day come, or "
        "with the clock, for workers with OFFERSTREAM_LIVE_SECONDS as long as it lies back"
    )


def _document(of: Demand) -> dict[str, object]:
    parts = {"sales": of.sales, "price": of.price, "plan": of.plan, "suggestion": of.suggestion}
    return {"item_id": of.item_id, **{name: msgspec.to_builtins(part) for name, part in parts.items()}}


def _row(of: Demand) -> tuple[str, ...]:
    price, plan, test = of.price, of.plan, of.suggestion
    to_cents = None if test is None else test.to_cents
    return (
        printable(of.item_id),
        bars(of.sales.weeks),
        units(of.sales.next_7_days),
        units(of.sales.next_14_days),
        "" if price is None else cents(price.next_week, price.currency),
        "" if plan is None else f"{plan.on_hand:,}",
        "" if plan is None else sold_out(plan),
        "" if plan is None else f"{plan.order_quantity:,}",
        ""
        if test is None or to_cents is None
        else money(to_cents, test.currency) + (" to learn" if test.why == "test" else ""),
    )


def sold_out(plan: InventoryPlanned) -> str:
    """On which day an item is likely sold out, and on which at the soonest; or that it is."""
    if plan.on_hand <= 0:
        return "sold out"
    likely, soonest = plan.runs_out.likely or "not within 60 days", plan.runs_out.soonest
    return likely if soonest is None else f"{likely} ({soonest})"


def units(told: Units5) -> str:
    """Units on average, and their range.

    >>> units(Units5(mean=12.4, p05=5.0, p25=9.0, p50=12.0, p75=15.0, p95=22.3))
    '12 (5 to 22)'
    """
    return f"{told.mean:,.0f} ({told.p05:,.0f} to {told.p95:,.0f})"


def cents(told: Cents5, currency: str) -> str:
    """The middle of a price, and its range.

    >>> cents(Cents5(p05=199, p25=205, p50=209, p75=209, p95=219), "EUR")
    '2.09 EUR (1.99 EUR to 2.19 EUR)'
    """
    return f"{money(told.p50, currency)} ({money(told.p05, currency)} to {money(told.p95, currency)})"
