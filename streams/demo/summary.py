"""The numbers of the demo, and how a terminal shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.decisions.churn_alert import LEVELS
from streams.decisions.promotion import GUARDS
from streams.demo import demand_shown
from streams.demo.campaigns import cells
from streams.demo.following import ITEM_FATES, Followed
from streams.demo.items import RANKINGS
from streams.demo.recording import Recording
from streams.demo.scrape import RECORD_FATES, by, quantile
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.plot import bars
from streams.records.words import printable

#: The progress that is kept: so many points are enough for a picture.
POINTS = 100


def summary(followed: Followed, sent: int, read: dict[str, int], recording: Recording) -> dict[str, Any]:
    """What the worker counted beside what was ``sent`` and ``read`` from topics, each outcome once. ``adds_up`` when
    every record has a fate, and all outcomes were read that the worker said; one that was killed can not say how many
    it said."""
    samples, progress = followed.samples, followed.progress
    fates = followed.fates[SHOPPER.name]
    outcomes = by(samples, "offerstream_outcomes_total", "kind")
    reasons = Counter(said.reason for said in recording.withheld)
    levels = Counter[str](alert.level for alert in recording.alerts)
    seconds = progress[-1][0]
    kinds = {
        "alerts": "ChurnAlerted",
        "offers": "OfferMade",
        "withheld": "OfferWithheld",
        "scored": "Scored",
        "item_profiles": "ItemProfiled",
    }
    said = {name: outcomes[kind] for name, kind in kinds.items()}
    return {
        "records_in": sent,
        **{fate: fates[fate] for fate in RECORD_FATES},
        **read,
        "withheld_by": {guard: reasons[guard] for guard in GUARDS},
        "alerts_by_level": {level: levels[level] for level in LEVELS[1:]},
        "profiles": outcomes["ProfileUpdated"],
        "due_by": dict(by(samples, "offerstream_due_points_total", "kind", entity="shopper")),
        "seconds": round(seconds, 2),
        "events_per_second": round(sent / seconds, 1),
        "progress": [[round(at, 2), *counted] for at, *counted in _thinned(progress)],
        "decision_p50_ms": round(1000 * quantile(samples, "offerstream_decision_seconds", 0.5), 2),
        "decision_p99_ms": round(1000 * quantile(samples, "offerstream_decision_seconds", 0.99), 2),
        "read_from_topics": read,
        "killed": followed.killed,
        "adds_up": sum(fates[fate] for fate in RECORD_FATES) == sent
        and items_add_up(followed)
        and (followed.killed > 0 or read == said),
    }


def items_add_up(followed: Followed) -> bool:
    """Whether each record of the items' log has a fate."""
    return sum(followed.fates[ITEM.name][fate] for fate in ITEM_FATES) == followed.items_in


def _thinned(progress: Sequence[tuple[float, int, int]]) -> Sequence[tuple[float, int, int]]:
    """At most about ``POINTS`` of them, the first and the last among them."""
    step = max(1, ceil(len(progress) / POINTS))
    return [*progress[:-1:step], progress[-1]]


def show(console: Console, numbers: dict[str, Any], out: Path, page: Path) -> None:
    """Print the numbers, the story and where both are kept."""
    console.print()
    table = Table(title="What happened", show_header=False, title_justify="left", min_width=60)
    for name, told in rows(numbers):
        table.add_row(Text(printable(name)), Text(printable(told), style="bold red" if told.startswith("NO") else ""))
    console.print(table)
    story = numbers["story"]
    if story is None:
        console.print("\nNo story: no shopper whom silence raised an alert for got an offer or ordered later.")
    else:
        whom = printable(story["shopper_id"])
        console.print(f"\nOne shopper's story: {whom}", style="bold", markup=False, highlight=False)
        grid = Table.grid(padding=(0, 2))
        for title, told in story["lines"]:
            grid.add_row(Text(printable(title), style="bold"), Text(printable(told)))
        console.print(grid)
        console.print(f"Why this one: {story['rule']}", style="dim", markup=False)
    _show_recommended(console, numbers["recommended"])
    _show_items(console, numbers["items"])
    for style, line in demand_shown.lines(numbers):
        console.print(("\n" if style else "") + printable(line), style=style, markup=False, highlight=False)
    console.print(f"\nThe page: {page} (open it in a browser). The numbers: {out}. Next: README.md, “Go on from here”.")


def _show_recommended(console: Console, told: dict[str, Any] | None) -> None:
    if told is None or not told["lines"]:
        return
    head = f"What {told['shopper_id']} was to be shown after {told['day']}"
    console.print("\n" + printable(head), style="bold", markup=False, highlight=False)
    grid = Table.grid(padding=(0, 2))
    for name, why in told["lines"]:
        grid.add_row(*(Text(printable(cell)) for cell in (f"  {name}", why)))
    console.print(grid)


def _show_items(console: Console, items: dict[str, Any]) -> None:
    console.print("\nItems, by units of each week (stock is simulated)", style="bold", markup=False, highlight=False)
    for name, ranked in RANKINGS.items():
        grid = Table.grid(padding=(0, 2))
        for row in items[name]:
            what = f"{row['title']} ({row['item_id']})"
            grid.add_row(*(Text(printable(cell)) for cell in (f"  {ranked.shown(row)}", bars(row["weeks"]), what)))
        means = ranked.meaning.partition(". ")[0].removesuffix(".") if items[name] else "none"
        console.print(f"{ranked.title}: {means}", markup=False, highlight=False)
        console.print(grid)


def rows(s: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What happened, a line each: (what, how many)."""
    days = s["period"]
    yield "replayed", f"{days['shoppers']:,} households, {span(days)}"
    yield "records in", f"{s['records_in']:,} = " + " + ".join(f"{s[fate]:,} {fate}" for fate in RECORD_FATES)
    yield "due points", ", ".join(f"{n:,} by {kind}" for kind, n in s["due_by"].items())
    yield "churn alerts", f"{s['alerts']:,} ({', '.join(f'{n:,} {k}' for k, n in s['alerts_by_level'].items())})"
    yield from _truth(s)
    anyway = s["offered"]
    week = f"; {anyway['ordered_within_7_days']:,} of {anyway['judged']:,} ordered within 7 days"
    yield "offers made", f"{s['offers']:,}{week if anyway['judged'] else ''}"
    held = ", ".join(f"{n:,} {k.replace('_', ' ')}" for k, n in s["withheld_by"].items() if n)
    yield "offers withheld", f"{s['withheld']:,}" + (f" ({held})" if held else "")
    if s["withheld_by"]["no_consent"]:
        yield "", "no consent: a household has consented once a campaign of the shop addressed it"
    for each in s["campaigns"]:
        name, budget, aside, spent, offers, shoppers, holdout, profit = cells(each)
        yield f"campaign {name}", f"{offers} offers, {aside} of {budget} set aside, {spent} spent"
        yield "", f"beyond the holdout: {profit}, {shoppers} shoppers against {holdout}"
    told = s["items"]
    parts = " + ".join(f"{told[fate]:,} {fate}" for fate in ITEM_FATES if told[fate] or fate in RECORD_FATES)
    yield "items' log", f"{told['records_in']:,} = {parts}, applied after {told['seconds']:.0f} s"
    for name, system in s["systems"].items():
        yield name, f"{system['answers']:,} answers: {system['meaning']} ({system['topic']})"
    passed = f"{days['days']:,} days in {s['seconds']:.0f} s"
    yield "speed", f"{s['events_per_second']:,.0f} events/s end to end, {passed}"
    yield "decisions", f"{s['decision_p50_ms']} ms median, {s['decision_p99_ms']} ms p99 after a slice arrived"
    verdict = "yes" if s["adds_up"] else "NO"
    yield "adds up", f"{verdict}: every record has a fate, {outcomes_in_words(s)}"


def _truth(s: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for level, told in s["alert_truth"].items():
        if told["judged"]:
            low, high = (f"{100 * bound:.0f}" for bound in told["interval"])
            promise = "" if told["promised"] is None else f", promised {100 * told['promised']:.0f}%"
            right = f"{100 * told['came_true'] / told['judged']:.0f}% of {told['judged']:,}"
            yield f"… {level} came true", f"{right} (95%: {low} to {high}%{promise})"
    if s["base_rate"] is not None:
        yield "… of all judged", f"{100 * s['base_rate']:.0f}% ordered nothing in the {s['alert_days']} days after"
    lapses = s["foretold"]
    if lapses["foretold"]:
        told = f"{lapses['foretold']:,} of {lapses['lapses']:,} foretold, {lapses['days_before']:.0f} days before"
        yield f"{lapses['lapse_days']} days of silence", told
        yield "alerts per shopper", f"{s['alerts_per_shopper_month']:.2f} a month"


def outcomes_in_words(s: dict[str, Any]) -> str:
    """What was compared of outcomes."""
    if not s["killed"]:
        return "every outcome was read back from its topic"
    again = sum(s["said_again"].values())
    return (
        f"though the worker was killed while campaigns ran: {again:,} outcomes were said again under the same ids, and "
        "offers cost what was set aside for them, to the cent"
    )


def span(period: dict[str, Any]) -> str:
    """The days that were really replayed.

    >>> span({"from": "2017-01-01", "to": "2017-02-19", "days": 50})
    '2017-01-01 to 2017-02-19 (50 days)'
    """
    return f"{period['from']} to {period['to']} ({period['days']:,} days)"
