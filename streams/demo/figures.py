"""The pictures of the page, each of a part of the demo's numbers. All are 400 units wide: so wide is a small telephone,
and there their type is as large as the text around."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from math import log10
from typing import Any
from xml.etree.ElementTree import Element

from streams.decisions.churn_alert import LEVELS
from streams.demo.items import Ranking
from streams.pages.markup import line, picture, scale, tag, text, through
from streams.records.words import GUARDS, shown_day

WIDTH, LEFT, RIGHT = 400.0, 48.0, 394.0
Numbers = dict[str, Any]


def alerts(n: Numbers) -> Element:
    """Per level and month: alerts that came true, that did not, that cannot be judged, and as many as promised."""
    months, inside, panel = n["alerts_by_month"], list[Element](), 150.0
    step, every = (RIGHT - LEFT) / max(len(months), 4), 1 + len(months) // 11
    for k, level in enumerate(reversed(LEVELS[1:])):
        foot, cells = panel * (k + 1) - 24, [month[level] for month in months]
        promised = n["alert_truth"][level]["promised"]
        most = _round_up(max((cell["alerts"] for cell in cells), default=0))
        y = scale(0, most, foot, foot - 92)
        says = f"{level}" + ("" if promised is None else f": {promised:.0%} promised")
        inside += [text(LEFT, foot - 102, says, class_="name"), *_rules(y, most)]
        for i, (month, cell) in enumerate(zip(months, cells, strict=True)):
            x, wide = LEFT + step * i + 3, step - 6
            parts = (("came", cell["came_true"]), ("not", cell["judged"] - cell["came_true"]))
            upto = 0
            for class_, size in (*parts, ("open", cell["alerts"] - cell["judged"])):
                if size:
                    box = {"x": x, "y": y(upto + size), "width": wide, "height": y(upto) - y(upto + size)}
                    inside.append(tag("rect", **box, class_=f"{class_} {level}"))
                upto += size
            if promised is not None and cell["judged"]:
                at = y(promised * cell["judged"])
                inside.append(line(x - 2, at, x + wide + 2, at, class_="promise"))
            if i % every == 0:
                inside.append(text(x + wide / 2, foot + 17, _month(month["month"]), text_anchor="middle"))
    told = "Bars per month for critical, high and watch alerts: those that came true, those that did not, those too "
    told += "young to judge; a mark where the promise lies. The table has the numbers."
    return picture("alerts", "Alerts by month, and what became of them", told, WIDTH, 3 * panel, *inside)


def calibration(n: Numbers) -> Element:
    """What the score said against what came, with 95% intervals."""
    x, y = scale(0, 1, LEFT, RIGHT), scale(0, 1, 330, 10)
    inside = [*_rules(y, 1, _percent), line(x(0), y(0), x(1), y(1), class_="promise")]
    for each in n["calibration"]:
        at, (low, high) = x(each["said"]), each["interval"]
        inside.append(line(at, y(low), at, y(high), class_="whisker"))
        inside.append(tag("circle", cx=at, cy=y(each["came_true"] / each["judged"]), r=5.0, class_="dot"))
    inside += [text(x(v), 350, _percent(v), text_anchor="middle") for v in (0, 0.25, 0.5, 0.75)]
    inside.append(text(RIGHT, 350, "100%", text_anchor="end"))
    inside.append(text(RIGHT, 374, "likely to leave, the score said →", text_anchor="end"))
    inside.append(text(LEFT + 6, 20, "↑ really left"))
    told = "A dot for each range of the score, a line for its 95% interval: right scores lie on the dashed diagonal."
    return picture("calibration", "What the score said, and how many left", told, WIDTH, 382, *inside)


def offers(n: Numbers) -> Element:
    """Offers made, and held back by reason."""
    rows = [("made", n["offers"], "made"), *((GUARDS[g], k, "held") for g, k in n["withheld_by"].items())]
    most, inside = max(1, *(k for _, k, _ in rows)), list[Element]()
    for i, (says, count, class_) in enumerate(rows):
        wide = (RIGHT - 74) * count / most
        inside.append(text(2, 46 * i + 16, says))
        inside.append(tag("rect", x=2.0, y=46 * i + 22.0, width=max(wide, 1.0), height=14.0, class_=class_))
        inside.append(text(wide + 9, 46 * i + 35, f"{count:,}", class_="name"))
    told = "A bar for the offers made, and one for each reason why offers were held back."
    return picture("offers", "Offers made and held back", told, WIDTH, 46.0 * len(rows), *inside)


def timeline(story: Numbers) -> Element:
    """One shopper: what the score said from day to day, and below it when offers and orders came."""
    t = story["timeline"]
    x, y = scale(t["from_ms"], max(t["to_ms"], t["from_ms"] + 1), LEFT + 30, RIGHT), scale(0, 1, 190, 34)
    start, end = t["silence"]
    inside = [
        tag("rect", x=x(start), y=10.0, width=x(end) - x(start), height=286.0, class_="silence"),
        text((x(start) + x(end)) / 2, 26, "silence", text_anchor="middle"),
        *_rules(y, 1, _percent, LEFT + 30),
        tag("polyline", points=through((x(at), y(score)) for at, score in t["scores"]), class_="score"),
    ]
    rows = {"offered": 212.0, "held back": 242.0, "ordered": 272.0}
    inside += [text(0, foot + 14, says) for says, foot in rows.items()]
    marks = [*((at, "offered" if what == "made" else "held back") for at, what in t["offers"])]
    for at, row in [*marks, *((at, "ordered") for at, _ in t["orders"])]:
        inside.append(line(x(at), rows[row], x(at), rows[row] + 18, class_=row.split()[0]))
    for at, level, score in t["alerts"]:
        inside.append(tag("circle", cx=x(at), cy=y(score), r=6.0, class_=f"alert {level}"))
    inside += [text(x(at), 314, shown_day(at)[5:], text_anchor="middle") for at in _quarters(t["from_ms"], t["to_ms"])]
    counts = (len(t[what]) for what in ("alerts", "offers", "orders"))
    told = f"From {shown_day(t['from_ms'])} to {shown_day(t['to_ms'])}: how likely {story['shopper_id']} leaves as a "
    told += "line, {:,} alerts on it, {:,} offers made or held back and {:,} orders below; ".format(*counts)
    told += f"the silence from {shown_day(start)} to {shown_day(end)} is shaded."
    return picture("timeline", f"The timeline of {story['shopper_id']}", told, WIDTH, 320, *inside)


def ranking(name: str, ranked: Ranking, rows: list[Numbers]) -> Element:
    """Items of a list: a bar for the number that they are ranked by, and what each sold from week to week."""
    most, inside = ranked.full or max(1, *(row[ranked.number] for row in rows)), list[Element]()
    left, right = 300.0, RIGHT
    for i, row in enumerate(rows):
        top = 52.0 * i
        wide = 120 * row[ranked.number] / most
        inside.append(text(2, top + 16, _cut(row["title"])))
        inside.append(tag("rect", x=2.0, y=top + 24, width=max(wide, 1.0), height=14.0, class_=name.replace("_", "-")))
        inside.append(text(max(wide, 1.0) + 8, top + 37, ranked.shown(row), class_="name"))
        if weeks := row["weeks"]:
            x = scale(0, max(len(weeks) - 1, 1), left, right)
            y = scale(0, max(1, *weeks), top + 42, top + 22)
            inside.append(line(left, y(0), right, y(0), class_="rule"))
            inside.append(tag("polyline", points=through((x(k), y(w)) for k, w in enumerate(weeks)), class_="score"))
    told = "; ".join(f"{row['title']}: {ranked.shown(row)}" for row in rows)
    return picture(name, ranked.title, f"{told}. The lines are units by week.", WIDTH, 52.0 * len(rows), *inside)


def foretold(name: str, row: Numbers) -> Element:
    """One item by stretches of 7 days: what was foretold of each as a fan, what came as a line."""
    weeks, day = row["weeks"], 86_400_000
    starts = [round(datetime.fromisoformat(f"{week['from']}T00:00Z").timestamp() * 1000) for week in weeks]
    said = [(at, week["foretold"], week["units"]) for at, week in zip(starts, weeks, strict=True) if week["foretold"]]
    most = _round_up(max([1.0, *(told["p95"] for _, told, _ in said), *(week["units"] or 0 for week in weeks)]))
    x, y = scale(starts[0], starts[-1] + 7 * day, LEFT, RIGHT), scale(0, most, 180, 16)
    inside = _rules(y, most)
    for at, told, _ in said:
        left, right = x(at) + 1.0, x(at + 7 * day) - 1.0
        for low, high, class_ in (("p05", "p95", "interval"), ("p25", "p75", "half")):
            size = {"width": right - left, "height": max(y(told[low]) - y(told[high]), 1.0)}
            inside.append(tag("rect", x=left, y=y(told[high]), **size, class_=class_))
        inside.append(line(left, y(told["p50"]), right, y(told["p50"]), class_="middle"))
    came = [(x(at + 3.5 * day), y(w["units"])) for at, w in zip(starts, weeks, strict=True) if w["units"] is not None]
    inside.append(tag("polyline", points=through(came), class_="sold"))
    inside += [tag("circle", cx=at, cy=up, r=3.5, class_="sold") for at, up in came]
    inside += [text(x(at), 200, shown_day(at)[5:]) for at in starts[::3] if x(at) < RIGHT - 130]
    inside.append(text(RIGHT, 200, f"from {weeks[-1]['from'][5:]}", text_anchor="end"))
    within = [told["p05"] <= units <= told["p95"] for _, told, units in said if units is not None]
    next_ = row["next_7_days"]
    told = f"The 7 days from {weeks[-1]['from']} on: {next_['p50']:,.0f} in the middle, {next_['p05']:,.0f} to "
    told += f"{next_['p95']:,.0f}. Of {len(within)} stretches foretold before that are over, {sum(within)} came within "
    told += "5 to 95 in 100. The table has the numbers."
    return picture(name, f"{row['title']}: units in 7 days, foretold and sold", told, WIDTH, 206, *inside)


def progress(n: Numbers) -> Element:
    """Records sent and processed as the seconds passed."""
    points = n["progress"]
    most = _round_up(max(1, n["records_in"]))
    x, y = scale(0, max(points[-1][0], 0.001), LEFT, RIGHT), scale(0, most, 180, 16)
    inside = _rules(y, most)
    for k, class_ in ((1, "sent"), (2, "done")):
        inside.append(tag("polyline", points=through((x(p[0]), y(p[k])) for p in points), class_=class_))
    inside += [text(x(points[-1][0] * v), 198, f"{points[-1][0] * v:.0f} s", text_anchor="middle") for v in (0, 0.5)]
    inside.append(text(RIGHT, 198, f"{points[-1][0]:.0f} s", text_anchor="end"))
    told = f"Two rising lines, sent and processed; both end at {n['records_in']:,} records after {n['seconds']:.0f} s."
    return picture("progress", "Records sent and processed", told, WIDTH, 204, *inside)


def _short(value: float) -> str:
    """A number where there is little room.

    >>> _short(40), _short(100000)
    ('40', '100k')
    """
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _cut(text: str, most: int = 48) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _rules(
    y: Callable[[float], float], most: float, shown: Callable[[float], str] = _short, left: float = LEFT
) -> list[Element]:
    """Lines across at nothing, half and all, and what they stand for."""
    found: list[Element] = []
    for value in (0, most / 2, most):
        found.append(line(left, y(value), RIGHT, y(value), class_="rule"))
        found.append(text(left - 6, y(value) + 5, shown(value), text_anchor="end"))
    return found


def _round_up(value: float) -> float:
    """Where an axis ends that has this value on it: its half is a round number.

    >>> _round_up(0), _round_up(37), _round_up(225.0), _round_up(165633)
    (2.0, 40.0, 300.0, 200000.0)
    """
    unit: int = 10 ** int(log10(max(value, 2) / 2))
    return next(2.0 * unit * digit for digit in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if unit * digit >= value / 2)


def _month(month: str) -> str:
    return datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).strftime("%b")


def _quarters(from_ms: int, to_ms: int) -> Iterable[int]:
    """Where a time axis has its days written."""
    return (from_ms + (to_ms - from_ms) * k // 8 for k in (1, 3, 5, 7))
