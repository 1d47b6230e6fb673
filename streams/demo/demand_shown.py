"""Demand on the page and in a terminal: what will sell, what to order, which prices to test."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from streams.demo import figures
from streams.pages.markup import Inside, beside, legend, section, table, tag
from streams.plot import bars
from streams.records.words import money

Numbers = dict[str, Any]
TITLE = "What will sell, what to order, which prices to test"
#: Stretches of 7 days that a table says, the newest ones.
TOLD = 7
#: A title in a terminal has so much room.
ROOM = 34


def shown(n: Numbers) -> Element | None:
    """Five items with what was foretold of them and what came, what to order, and five prices to test."""
    told, priced = n["demand"], n["prices"]
    if not told["drawn"]:
        return None
    marks = legend(("sold", "sold in 7 days"), ("middle", "foretold: the middle"), ("half", "25 to 75 in 100"),
                   ("interval", "5 to 95 in 100"))  # fmt: skip
    blocks: list[Inside] = [tag("p", _lead(told)), tag("h3", "What will sell next week")]
    for number, row in enumerate(told["drawn"]):
        blocks += [
            tag("p", tag("strong", f"{row['title']} ({row['item_id']})"), f": {_words(row)}"),
            beside(figures.foretold(f"demand-{number}", row), None if number else marks, _weeks(row)),
        ]
    blocks += [*_orders(told), *_prices(priced)]
    return section("demand", TITLE, *blocks)


def _lead(told: Numbers) -> str:
    lead = f"At the end of a day a worker foretells what items will sell: {told['items']:,} items now. "
    if (held := told["held"]) is not None:
        seen = " (the model learned from these very weeks)" if held["seen_in_training"] else ", none of which taught it"
        lead += (
            f"Of {held['forecasts']:,} forecasts whose 7 days are over{seen}, {held['within_90']:.1%} came within 5 to "
            f"95 in 100 and {held['within_50']:.1%} within 25 to 75; middles were {held['wape']:.0%} off (sum of "
            "errors over sum of units). "
        )
    return lead + "Five are drawn: of which something is to be ordered, those that will bring most."


def _words(row: Numbers) -> str:
    week, plan = row["next_7_days"], row["plan"]
    said = f"{week['mean']:,.0f} in 7 days ({week['p05']:,.0f} to {week['p95']:,.0f})"
    if (price := row["price"]) is not None:
        said += f" at {money(price['p50'], row['currency'])}"
    if plan is None:
        return f"{said}; no stock was counted"
    order = f"order {plan['order_quantity']:,}" if plan["order_quantity"] else "order nothing"
    return f"{said}; {_lasts(plan)}; {order}"


def _lasts(plan: Numbers) -> str:
    likely = plan["runs_out"]["likely"]
    if not plan["simulated_on_hand"]:
        return "nothing in stock"
    return f"{plan['simulated_on_hand']:,} in stock, sold out " + (f"on {likely}" if likely else "in over 60 days")


def _weeks(row: Numbers) -> Element:
    """The newest stretches in numbers, the newest one first."""
    rows = []
    for week in row["weeks"][: -TOLD - 1 : -1]:
        told, units = week["foretold"], week["units"]
        ranged = ["–"] * 3
        if told is not None:
            ranged = [f"{told['p50']:,.0f}", *(f"{told[a]:,.0f}–{told[b]:,.0f}" for a, b in _RANGES)]
        rows.append([week["from"], "to come" if units is None else f"{units:,}", *ranged])
    head = ["7 days from", "sold", "middle", "25–75 in 100", "5–95 in 100"]
    return table(head, rows, f"{row['title']}: units in 7 days, foretold and sold")


_RANGES = (("p25", "p75"), ("p05", "p95"))


def _orders(told: Numbers) -> list[Inside]:
    rows = [[f"{row['title']} ({row['item_id']})", *_plan(row["plan"])] for row in told["orders"]]
    head = ["item (id)", "as of", "in stock", "sold out on", "5 to 95 in 100", "on order", "order", "at stake"]
    words = (
        f"Of {told['to_order']:,} items something is to be ordered, and {told['alerts']:,} will likely be sold out "
        "before an order placed now arrives. Stock is simulated."
    )
    made = table(head, rows, "Those with most at stake: what cannot be sold until an order arrives")
    return [tag("h3", "What runs out, and what to order"), tag("p", words), made if rows else None]


def _plan(plan: Numbers) -> list[str]:
    out, stake = plan["runs_out"], plan["at_stake_cents"]
    days = [out["likely"] or "in over 60 days", f"{out['soonest'] or '…'} to {out['latest'] or '…'}"]
    return [
        plan["as_of"],
        f"{plan['simulated_on_hand']:,}",
        *(days if plan["simulated_on_hand"] else ["sold out", "–"]),
        f"{plan['simulated_on_order']:,}",
        f"{plan['order_quantity']:,}",
        "–" if stake is None else money(stake, plan["currency"]),
    ]


def _prices(priced: Numbers) -> list[Inside]:
    lines = [
        tag("li", tag("strong", f"{row['title']} ({row['item_id']})"), f": {row['in_words']}")
        for row in priced["best"]
    ]  # fmt: skip
    return [
        tag("h3", "Prices to test"),
        tag("p", f"{_assumed(priced)} Nothing changes a price by itself."),
        tag("ul", *lines) if lines else tag("p", _no_price(priced)),
    ]


def _assumed(priced: Numbers) -> str:
    return f"If {priced['assumed_margin']:.0%} of the usual price is left over: more profit a week, and why."


def _no_price(priced: Numbers) -> str:
    return "None: " + (", ".join(f"{n:,} {why.replace('_', ' ')}" for why, n in priced["why"].items()) or "no item")


def lines(n: Numbers) -> list[tuple[str, str]]:
    """The same for a terminal, at most twelve: (style, line)."""
    told, priced = n["demand"], n["prices"]
    head = f"Demand: units by 7 days, of {told['items']:,} items the first to order of (stock is simulated)"
    found = [("bold", head)]
    for row in told["drawn"]:
        sold = bars([week["units"] for week in row["weeks"] if week["units"] is not None])
        name = row["title"] if len(row["title"]) <= ROOM else row["title"][: ROOM - 1] + "…"
        found.append(("", f"  {sold} {name} ({row['item_id']}): {_words(row)}"))
    if not told["drawn"]:
        found.append(("", "  nothing is foretold: of items that sold 20 units in 30 days, at the end of a day"))
    found.append(("bold", f"Prices to test. {_assumed(priced)}"))
    found += [("", f"  {row['title']} ({row['item_id']}): {row['in_words']}") for row in priced["best"]]
    return found if priced["best"] else [*found, ("", f"  {_no_price(priced)}")]
