"""What campaigns brought as one page that needs no other file: words, tables, and profit over time as a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from xml.etree.ElementTree import Element

from streams.outside.brought import (
    MEASURE_COLUMNS,
    NOTHING,
    PART_COLUMNS,
    VERDICTS,
    Brought,
    between,
    budget_in_words,
    counted_in_words,
    course,
    intervals_in_words,
    measure_rows,
    part_rows,
    share,
)
from streams.pages.markup import (
    Inside,
    beside,
    document,
    legend,
    line,
    picture,
    scale,
    section,
    table,
    tag,
    text,
    through,
    tiles,
)
from streams.records.words import money, shown_day, shown_time

LEFT, RIGHT, TOP, FOOT = 64.0, 394.0, 12.0, 232.0


def page(campaigns: Sequence[Brought]) -> str:
    """The whole page."""
    names = ", ".join(each.campaign for each in campaigns) or "no campaign yet"
    title = f"What campaigns brought: {names}"
    if not campaigns:
        return document(title, tag("h1", "What campaigns brought"), tag("p", NOTHING.capitalize(), class_="lead"))
    many = len(campaigns) > 1
    heading = tag("h1", "What campaigns brought" if many else f"What {names} brought")
    return document(title, heading, *(each for i, of in enumerate(campaigns) for each in _campaign(i, of, many)))


def _campaign(number: int, of: Brought, many: bool) -> list[Inside]:
    name = f"campaign-{number}"
    if not of.estimates:
        return [section(name, of.campaign, tag("p", NOTHING.capitalize()), tag("p", f"Budget: {budget_in_words(of)}."))]
    whole = of.estimates[0]
    told: list[Inside] = [tag("p", whole.words, class_="lead"), _tiles(of)]
    counted = counted_in_words(whole)
    told += [
        tag("p", f"{counted[0].upper()}{counted[1:]}."),
        tag("p", tag("strong", "Do not believe it: ") if whole.sides_differ else None, whole.sides)
        if whole.sides
        else None,
        tag("p", f"Budget: {budget_in_words(of)}."),
    ]
    rows = measure_rows(whole)
    if rows:
        made = table(MEASURE_COLUMNS, rows, "The whole campaign, beyond its holdout")
        marks = legend(("score", "estimate"), ("interval", "interval"))
        told.append(beside(_drawing(name, of), marks, made) if course(of) else made)
    if len(of.estimates) > 1:
        told.append(table(("", *PART_COLUMNS[2:]), _named(of), "By arm and segment, so far"))
        lines = (tag("li", tag("b", f"{_name(each.arm, each.segment)}: "), each.words) for each in of.estimates[1:])
        told.append(tag("details", tag("summary", "The same in words"), tag("ul", *lines)))
    if rows:
        told.append(tag("p", intervals_in_words(of.estimates), class_="note"))
    return [section(name, of.campaign if many else "So far", *told)]


def _tiles(of: Brought) -> Element:
    whole = of.estimates[0]
    told = [("verdict", VERDICTS[whole.verdict]), ("shoppers with offers", f"{whole.shoppers:,}")]
    told.append(("of the holdout", f"{whole.held:,}"))
    if (profit := whole.incremental.get("profit")) is not None:
        told.append(("profit so far", money(round(profit.mean), whole.currency)))
        if profit.low is not None:
            told.append(("its interval", between("profit", profit, whole.currency)))
    if whole.roi is not None:
        told.append(("profit over cost", share(whole.roi)[0]))
    if of.balance is not None:
        told.append(("spent", money(of.balance.spent_cents, of.currency)))
    return tiles(*told)


def _name(arm: str, segment: str) -> str:
    return ", ".join(name for name in ("all arms" if arm == "*" else arm, "" if segment == "*" else segment) if name)


def _named(of: Brought) -> list[tuple[str, ...]]:
    rows = zip(of.estimates, part_rows(of.estimates), strict=True)
    return [(_name(each.arm, each.segment), *row[2:]) for each, row in rows]


def _drawing(name: str, of: Brought) -> Element:
    """Profit so far with its interval, from day to day."""
    points, currency = course(of), of.estimates[0].currency
    ends = [end for _, *found in points for end in found if end is not None]
    ticks = _ticks(min(*ends, 0.0), max(*ends, 0.0))
    first, last = points[0][0], points[-1][0]
    x, y = scale(first, max(last, first + 1), LEFT, RIGHT), scale(ticks[0], ticks[-1], FOOT, TOP)
    inside: list[Element] = []
    for value in ticks:
        inside.append(line(LEFT, y(value), RIGHT, y(value), class_="nothing" if value == 0 else "rule"))
        inside.append(text(LEFT - 6, y(value) + 5, f"{value / 100:,.0f}", text_anchor="end"))
    known = [(at, low, high) for at, low, _, high in points if low is not None and high is not None]
    if len(known) > 1:
        edge = [(x(at), y(high)) for at, _, high in known] + [(x(at), y(low)) for at, low, _ in reversed(known)]
        inside.append(tag("polygon", points=through(edge), class_="interval"))
    elif known:
        at, low, high = known[0]
        inside.append(line(x(at), y(low), x(at), y(high), class_="whisker"))
    inside.append(tag("polyline", points=through((x(at), y(mean)) for at, _, mean, _ in points), class_="score"))
    inside.append(tag("circle", cx=x(last), cy=y(points[-1][2]), r=5.0, class_="dot"))
    inside.append(text(LEFT, FOOT + 20, shown_day(first)))
    if last > first:
        inside.append(text(RIGHT, FOOT + 20, shown_day(last), text_anchor="end"))
    inside.append(text(LEFT + 4, TOP + 12, f"↑ {currency}"))
    profit = of.estimates[0].incremental["profit"]
    told = f"Up to {shown_time(last)} the estimate is {money(round(points[-1][2]), currency)}, its interval "
    told += f"{between('profit', profit, currency)}. The table has the numbers."
    return picture(f"{name}-profit", "Profit beyond the holdout so far, over time", told, 400, FOOT + 28, *inside)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from one at or below ``low`` to one at or above ``high``; 0 is among them where it lies between.

    >>> _ticks(-130, 420)
    [-200.0, 0.0, 200.0, 400.0, 600.0]
    """
    wide = max(high - low, 1.0)
    unit = 10.0 ** floor(log10(wide / 4))
    step = next(unit * digit for digit in (1, 2, 5, 10) if unit * digit >= wide / 5)
    start, stop = floor(low / step), -floor(-high / step)
    return [step * k for k in range(start, max(stop, start + 1) + 1)]
