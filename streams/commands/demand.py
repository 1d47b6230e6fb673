"""``offerstream demand``: what items will sell, what runs out, what to order, and which price to test."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import msgspec
import numpy as np

from streams.commands.common import BROKER, JSON, TEXT
from streams.commands.prices import shipped_version
from streams.features.days import Days
from streams.outside.demand_book import LEAST_UNITS, Demand, Left, NothingForetold, read
from streams.outside.price_book import unpriced
from streams.records.demand import Cents5, InventoryPlanned, Units5
from streams.records.words import money, printable, shown_day
from streams.settings import Settings
from streams.terminal import print_block, print_rows
from streams.topics import DAY_MS

HEAD = (
    "item",
    "next 7 days",
    "next 14 days",
    "price paid",
    "in stock",
    "sold out on (soonest)",
    "order",
    "price to test",
)
#: So many items that are sold out are named.
MOST_NAMED = 10


@click.command()
@click.argument("items", type=TEXT, nargs=-1)
@click.option("--most", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Items to print.")
@BROKER
@JSON
def demand(items: tuple[str, ...], most: int, broker: str | None, as_json: bool) -> None:
    """Print what items will sell, what is sold out when, what to order, and which price to test.

    ITEMS: these only, with the reasons in words; default: all of which something is foretold, those first of which
    something is to be ordered, then those that will bring most. Units are means, ranges 5 to 95 in 100; half of such
    items are sold out by the day that is shown, 5 in 100 by the soonest. As sales.forecasts.v1, price.forecasts.v1,
    inventory.plans.v1 and prices.suggested.v1 have it now; what is more than a week older than what is
    newest of any item is left out. On standard error: which items are left out, and why. Exit code 1 where nothing is
    foretold.
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
            "units in 30 days. Send a history with offerstream replay FILE --wait. Its last day ends when events of a "
            "later day come, or with the clock, for workers with OFFERSTREAM_LIVE_SECONDS as long as it lies back."
        )
    shown = [known[item] for item in dict.fromkeys(items)] or found[:most]
    if as_json:
        click.echo(json.dumps([_document(each) for each in shown], indent=2))
    elif items:
        for each in shown:
            print_block(printable(each.item_id), [(what, printable(said)) for what, said in each.lines()])
    else:
        print_rows(HEAD, map(_row, shown))
        if len(found) > len(shown):
            click.echo(f"{len(found) - len(shown):,} more items: --most {len(found)}", err=True)
        for line in _left_out(found, left, settings.time_zone):
            click.echo(printable(line), err=True)


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
