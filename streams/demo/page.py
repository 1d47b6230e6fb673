"""The demo's page: one file that needs no other, made of nothing but the numbers in ``demo.json``
and the sample photos that come with the package.

``SECTIONS`` is its table of contents. A section is a function from the numbers to what it shows, or None where there is
nothing to show; something new that the worker answers gets its own there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from streams.decisions.churn_alert import LEVELS
from streams.demo import before_after, demand_shown, figures, samples
from streams.demo.campaigns import LEAD as CAMPAIGNS_LEAD
from streams.demo.campaigns import cells as campaign_cells
from streams.demo.following import ITEM_FATES
from streams.demo.items import RANKINGS
from streams.demo.scrape import RECORD_FATES
from streams.demo.summary import span
from streams.pages.markup import Inside, beside, document, legend, section, table, tag, tiles
from streams.records.words import guard_in_words, money, shown_day

Numbers = dict[str, Any]


def page(n: Numbers) -> str:
    """The whole page."""
    days = n["period"]
    lead = (
        f"{days['shoppers']:,} households, {span(days)}: what they did went through Apache Kafka, features, models and "
        f"decisions in {n['seconds']:.0f} seconds. This is what was said of them, and what came of it."
    )
    sections = [made for make in SECTIONS if (made := make(n)) is not None]
    title = f"offerstream demo, {days['from']} to {days['to']}"
    return document(title, tag("h1", "offerstream demo"), tag("p", lead, class_="lead"), _tiles(n), *sections)


def _tiles(n: Numbers) -> Element:
    told = [("records", f"{n['records_in']:,}"), ("alerts", f"{n['alerts']:,}"), ("offers", f"{n['offers']:,}")]
    for level, truth in n["alert_truth"].items():
        if level == LEVELS[-1] and truth["judged"]:
            told.append((f"of {level} alerts came true", f"{truth['came_true'] / truth['judged']:.0%}"))
    if n["base_rate"] is not None:
        told.append(("of all judged ordered nothing", f"{n['base_rate']:.0%}"))
    return tiles(*told)


def story(n: Numbers) -> Element | None:
    """One shopper, told and drawn."""
    told = n["story"]
    if told is None:
        return None
    lines = (tag("div", tag("dt", title), tag("dd", says)) for title, says in told["lines"])
    t = told["timeline"]
    marks = legend(("score", "how likely they leave"), *((f"alert {level}", f"{level} alert") for level in LEVELS[1:]))
    said = [(at, f"{level} alert ({score:.0%})") for at, level, score in t["alerts"]]
    said += [(at, "offered" if what == "made" else guard_in_words(what)) for at, what in t["offers"]]
    days = [[shown_day(at), what] for at, what in sorted(said)]
    whole = tag(
        "details",
        tag("summary", f"All that was said of them; {len(t['orders']):,} orders"),
        table(["day", "what"], days, "Alerts and offers, by day"),
    )
    picture = tag("figure", figures.timeline(told), marks)
    return section(
        "story",
        f"One shopper’s story: {told['shopper_id']}",
        tag("div", tag("dl", *lines, class_="story"), tag("div", picture, whole), class_="beside"),
        tag("p", f"Why this one: {told['rule']}", class_="note"),
    )


def alerts(n: Numbers) -> Element:
    """Alerts over time against what was promised."""
    marks = legend(("came", "came true: no order in 30 days"), ("not", "did not"), ("open", "too young to judge"),
               ("promise", "as many as were promised"))  # fmt: skip
    rows = [[month["month"], *(_of(month[level]) for level in LEVELS[1:])] for month in n["alerts_by_month"]]
    whole = [n["alert_truth"][level] for level in LEVELS[1:]]
    rows.append(["all", *(_of(one) for one in whole)])
    rows.append(["share", *(_share(one) for one in whole)])
    rows.append(["95%", *(_interval(one) for one in whole)])
    rows.append(["promised", *("–" if one["promised"] is None else f"{one['promised']:.0%}" for one in whole)])
    rate = "" if n["base_rate"] is None else f" Of all whom the model judged, {n['base_rate']:.0%} ordered nothing."
    lapses = n["foretold"]
    early = (
        f" Of {lapses['lapses']:,} silences of {lapses['lapse_days']} days, {lapses['foretold']:,} were foretold, "
        f"{lapses['days_before']:.0f} days before (median)."
        if lapses["foretold"]
        else ""
    )
    return section(
        "alerts",
        "Alerts, and what was promised",
        tag("p", f"An alert says: no order in the next {n['alert_days']} days.{rate}{early}"),
        beside(
            figures.alerts(n), marks, table(["month", *LEVELS[1:]], rows, "Came true / judged, + too young to judge")
        ),
    )


def calibration(n: Numbers) -> Element | None:
    """The score against who really left."""
    if not n["calibration"]:
        return None
    rows = [
        [f"{100 * c['from']:.0f}–{c['to']:.0%}", f"{c['said']:.0%}", _share(c), _interval(c), f"{c['judged']:,}"]
        for c in n["calibration"]
    ]
    head = ["score", "said", "left", "95%", "answers"]
    told = (
        "Where the score says 40%, 40 in 100 should leave: order nothing in 30 days. Every answer whose 30 days lie "
        "within the data is counted."
    )
    return section(
        "calibration",
        "Is the score right?",
        tag("p", told),
        beside(figures.calibration(n), None, table(head, rows, "Score and truth, by range of the score")),
    )


def offers(n: Numbers) -> Element:
    """Offers made and held back."""
    rows = [["made", f"{n['offers']:,}"]]
    rows += [[guard_in_words(guard), f"{count:,}"] for guard, count in n["withheld_by"].items()]
    anyway = n["offered"]
    week = (
        f"{anyway['ordered_within_7_days']:,} of {anyway['judged']:,} offers were followed by an order within 7 days. "
        "Nobody saw them, for these data were recorded before: what offers do, only a live shop’s holdout can tell."
    )
    return section(
        "offers",
        "Offers made, and held back",
        tag("p", week) if anyway["judged"] else None,
        beside(figures.offers(n), None, table(["offer", "how many"], rows, "Offers by what became of them")),
    )


def campaigns(n: Numbers) -> Element | None:
    """What each campaign spent and brought."""
    if not n["campaigns"]:
        return None
    head = ["campaign", "budget", "set aside", "spent", "offers", "shoppers", "in the holdout", "profit beyond it"]
    rows = [campaign_cells(each) for each in n["campaigns"]]
    days = sorted({day for each in n["campaigns"] for day in each["committed_by_day_cents"]})
    by_day = [
        [day, *(money(each["committed_by_day_cents"].get(day, 0), each["currency"]) for each in n["campaigns"])]
        for day in days
    ]
    told = [tag("li", tag("strong", each["title"]), f": {each['words']}") for each in n["campaigns"] if each["words"]]
    names = [each["id"] for each in n["campaigns"]]
    return section(
        "campaigns",
        "Campaigns: what they spent, and what they brought",
        tag("p", CAMPAIGNS_LEAD),
        table(head, rows, "Each campaign beyond its holdout, with the interval that may be looked at all the time"),
        tag("ul", *told),
        table(["day", *names], by_day, "Set aside for offers, by day"),
    )


def recommended(n: Numbers) -> Element | None:
    """One shopper's list, by name."""
    told = n["recommended"]
    if told is None or not told["lines"]:
        return None
    lead = (
        f"What {told['shopper_id']} was to be shown after {told['day']}, by a model that this shop trained "
        "on its own events of the nine months before October: it went live then, without a restart."
    )
    return section(
        "recommended",
        "One shopper’s next items",
        tag("p", lead),
        table(["item (id)", "why"], [list(line) for line in told["lines"]], "The first items of the list, best first"),
    )


def items(n: Numbers) -> Element | None:
    """Items that sell best, fall, or run out of simulated stock."""
    told, blocks = n["items"], list[Inside]()
    for name, ranked in RANKINGS.items():
        rows = told[name]
        blocks += [tag("h3", ranked.title), tag("p", ranked.meaning)]
        if not rows:
            blocks.append(tag("p", "None."))
            continue
        cells = [
            [
                f"{row['title']} ({row['item_id']})",
                ranked.shown(row),
                f"{row['units_30d']:,}",
                f"{row['units_7d']:,}",
                money(row["price_cents"], row["currency"]) if row["price_cents"] else "–",
            ]
            for row in rows
        ]
        head = ["item (id)", ranked.head, "30 days", "7 days", "price"]
        caption = f"{ranked.title}: units sold in 30 and 7 days, and the price"
        marks = legend(("score", f"units by week, the last {len(rows[0]['weeks'])}"))
        blocks.append(beside(figures.ranking(name, ranked, rows), marks, table(head, cells, caption)))
    if not any(told[name] for name in RANKINGS):
        return None
    sent = told["catalogue"]
    lead = (
        f"{sent.get('item_listed', 0):,} items were listed with real names and prices as paid, "
        f"{sent.get('item_changed', 0):,} price changes told, and {sent.get('stock_counted', 0):,} counts of simulated "
        f"stock. {n['item_profiles']:,} profiles of all items that were sold came of it."
    )
    return section("items", "Items", tag("p", lead), *blocks)


def answers(n: Numbers) -> Element:
    """Each system with an answer of its own, as it stands in Kafka."""
    blocks = []
    for name, system in n["systems"].items():
        example = json.dumps(system["example"], indent=1, ensure_ascii=False)
        blocks += [
            tag("h3", f"{name}: {system['meaning']}"),
            tag("p", f"{system['answers']:,} answers. An example, in ", tag("code", system["topic"]), ":"),
            tag("blockquote", system["in_words"]) if system["in_words"] else None,
            _pictures(system) if system.get("similar") else None,
            tag("details", tag("summary", "The same as it stands in Kafka"), tag("pre", example, tabindex=0)),
        ]
    return section("answers", "What was answered", *blocks)


def _pictures(system: Any) -> Element:
    """The picture of the example, and those that look like it. They stand in the page itself."""

    def shown(item: str, said: str) -> Element | None:
        photo = samples.photo(item)
        return None if photo is None else tag("figure", photo, tag("figcaption", said))

    similar = [
        shown(one["item_id"], f"{one['item_id']}, cosine {one['cosine']:.2f}: {one['shows'] or 'unsure'}")
        for one in system["similar"]
    ]
    return tag("div", shown(system["example"]["item_id"], "the example"), *similar, class_="pictures")


def adding_up(n: Numbers) -> Element:
    """That nothing was lost, and how fast it was."""
    rows = [[fate, f"{n[fate]:,}"] for fate in RECORD_FATES]
    rows.append(["together", f"{sum(n[fate] for fate in RECORD_FATES):,}"])
    rows.append(["records sent", f"{n['records_in']:,}"])
    told = n["items"]
    fates = [[fate, f"{told[fate]:,}"] for fate in ITEM_FATES if told[fate] or fate in RECORD_FATES]
    fates.append(["together", f"{sum(told[fate] for fate in ITEM_FATES):,}"])
    fates.append(["records in the log", f"{told['records_in']:,}"])
    said = [[kind.replace("_", " "), f"{n[kind]:,}", f"{count:,}"] for kind, count in n["read_from_topics"].items()]
    verdict = "It adds up" if n["adds_up"] else "It does NOT add up"
    speed = (
        f"{n['events_per_second']:,.0f} events per second, end to end, on this machine; a decision "
        f"{n['decision_p50_ms']:g} ms (median) and {n['decision_p99_ms']:g} ms (p99) after its slice arrived. "
        f"The items’ log was applied after {told['seconds']:.0f} s."
    )
    tables = tag(
        "div",
        table(["fate", "records"], rows, "Every record has one fate"),
        table(
            ["fate", "records"], fates, "… of the items’ log as well: the catalogue, and what shoppers did by minute"
        ),
        table(["outcome", "said", "read back"], said, "Every outcome is in its topic"),
    )
    return section(
        "adds-up",
        verdict,
        tag("p", speed),
        beside(figures.progress(n), legend(("sent", "sent"), ("done", "processed")), tables),
    )


SECTIONS: tuple[Callable[[Numbers], Element | None], ...] = (
    story,
    alerts,
    calibration,
    offers,
    campaigns,
    recommended,
    items,
    before_after.shown,
    demand_shown.shown,
    answers,
    adding_up,
)


def _of(told: Numbers) -> str:
    young = told.get("alerts", told["judged"]) - told["judged"]
    judged = f"{told['came_true']:,}/{told['judged']:,}" if told["judged"] else ""
    return f"{judged} +{young:,}".strip() if young else judged or "–"


def _share(told: Numbers) -> str:
    return f"{told['came_true'] / told['judged']:.0%}" if told["judged"] else "–"


def _interval(told: Numbers) -> str:
    low, high = told["interval"]
    return f"{100 * low:.0f}–{high:.0%}" if told["judged"] else "–"
