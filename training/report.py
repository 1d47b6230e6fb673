"""``offerstream report``: what a model's card says, as one HTML page that needs nothing else.

Everything comes from the card, so a report can be made of any version, also without the data it was trained on.
"""

from __future__ import annotations

import io
from typing import Any

import jinja2

from training.tables import intervals

Card = dict[str, Any]
_COLOURS = ("#0b6e4f", "#c1440e", "#3a6ea5", "#8a6d1d", "#7a4988", "#777777")

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ card.task }} {{ card.version }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: .5rem 0 1.5rem } caption { text-align: left; color: #555 }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
td { white-space: nowrap }
th:first-child, td:first-child { text-align: left } .ours { font-weight: 600 } code { font-size: .9em }
dt { font-weight: 600 } dd { margin: 0 0 .5rem 0 } svg { max-width: 100%; height: auto }
</style>
<h1>{{ card.task }}, version {{ card.version }}</h1>
<p>{{ question }}</p>
<dl>
<dt>Use it for</dt><dd>{{ card.intended_use }}</dd>
<dt>Limits</dt><dd>{{ card.limits }}</dd>
<dt>Measured against</dt><dd>{{ card.baselines }}</dd>
<dt>Data</dt><dd>{% for d in card.data %}{{ d.name }} – {{ d.meaning }} ({{ d.licence }})<br>{% endfor %}</dd>
<dt>Split</dt><dd>{% for name, value in card.split.items() %}{{ name }}: {{ value | told }}<br>{% endfor %}</dd>
<dt>Seed, opset, size of a row</dt>
<dd>{{ card.seed }}, {{ card.opset }}, {{ card.widths | sum }} numbers of {{ card.features | length }} features</dd>
<dt>Digest</dt><dd><code>{{ card.digest }}</code></dd>
{% for task, digest in card.upstream.items() %}<dt>Takes the outputs of</dt>
<dd>{{ task }} <code>{{ digest }}</code></dd>{% endfor %}
</dl>
{% for block in blocks %}
<h2>{{ block.title }}</h2>
{% for table in block.tables %}
<table><caption>{{ table.caption }}</caption>
<tr>{% for name in table.head %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in table.rows %}<tr{% if row[0] == 'ours' %} class="ours"{% endif %}>
{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</table>
{% endfor %}
{% for picture in block.pictures %}{{ picture | safe }}{% endfor %}
{% endfor %}
</html>
"""


def page(card: Card, question: str) -> str:
    """The page of one card."""
    blocks = []
    if "levels" in card:
        blocks.append(_levels(card["levels"]))
    if "recalibration" in card:
        blocks.append({"title": "Recalibrated from late labels", "tables": [_recalibration(card)], "pictures": []})
    if "calibrated" in card:
        blocks.append(
            {"title": "Calibrated before the cut", "tables": [_calibrated(card["calibrated"])], "pictures": []}
        )
    if "effects" in card:
        blocks.append({"title": "What each arm does", "tables": [_effects(card["effects"])], "pictures": []})
    if "sure" in card:
        blocks.append({"title": "From which confidence on it is sure", "tables": [_sure(card["sure"])], "pictures": []})
    for dataset, answers in card["metrics"].items():
        for output, found in answers.items():
            block: dict[str, Any] = {"title": f"{output} on {dataset}", "tables": [], "pictures": []}
            for segment, m in found["segments"].items():
                block["tables"].append(_table(segment, m))
            if found.get("curves"):
                block["pictures"].append(_curves(found["curves"]))
            if found.get("over_time"):
                block["pictures"].append(_over_time(found["over_time"]))
            if found.get("importance"):
                block["pictures"].append(_importance(found["importance"], found.get("importance_of", "AUC")))
            blocks.append(block)
    environment = jinja2.Environment(autoescape=True)
    environment.filters["told"] = _told
    return environment.from_string(_PAGE).render(card=card, question=question, blocks=blocks)


def _told(value: Any) -> str:
    """A value of a card in words.

    >>> _told({"shop": {"rows": 1200}, "rule": "by time"})
    'shop (rows 1,200), rule by time'
    """
    if isinstance(value, dict):
        pairs = ((k, v, _told(v)) for k, v in value.items())
        return ", ".join(f"{k} ({text})" if isinstance(v, dict) else f"{k} {text}" for k, v, text in pairs)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _table(segment: str, m: dict[str, Any]) -> dict[str, Any]:
    _, between_them = intervals(m)
    names = list(next(iter(m["models"].values())))
    rows = []
    for model, values in m["models"].items():
        between = " … ".join(f"{v:g}" for v in between_them[model]) if model in between_them else ""
        against = next((k for k in (f"ours - {model}", f"ours / {model}") if k in between_them), "")
        ahead = " … ".join(f"{v:g}" for v in between_them[against]) if against else ""
        rows.append([model, *(f"{values[n]:,}" if n in values else "" for n in names), between, ahead])
    head = ["model", *(n.replace("_", " ") for n in names), "95% interval", "ours less it, or ours over it, 95%"]
    return {"caption": f"Rows: {segment}", "head": head, "rows": rows}


def _effects(effects: dict[str, Any]) -> dict[str, Any]:
    """What each arm does on average, and whether shoppers differ in it."""
    rows = []
    for key, found in effects.items():
        if "left_out" in found:
            rows.append([key, "", "", "", "", "", found["left_out"]])
            continue
        low, high = (f"{100 * end:+.1f}" for end in found["average_95"])
        slope = ", ".join(f"{name}: {slope:.2f} ± {error:.2f}" for name, (slope, error, _) in found["slopes"].items())
        differ = "shoppers differ" if found["heterogeneous"] else "no heterogeneity found"
        shoppers = [f"{found[name]:,}" for name in ("offered", "held_back")]
        rows.append([key, *shoppers, f"{100 * found['average']:+.1f}", f"{low} … {high}", slope, differ])
    head = ["arm", "offered", "held back", "orders per 100 shoppers", "95%", "slopes on shoppers not seen", "and"]
    return {"caption": "Beyond shoppers of the holdout, in the window", "head": head, "rows": rows}


def _sure(sure: Card) -> Card:
    """Of each data set, of how many it is sure, and which share of those is right."""
    rows = []
    for name, found in sure["tests"].items():
        between = " … ".join(f"{end:.1%}" for end in found["right_95"]) if "right_95" in found else ""
        right = _percent(found["right"]) if "right" in found else "none can be"
        rows.append([name, f"{found['rows']:,}", _percent(found["sure"]), right, between])
    least = "never" if sure["from"] is None else f"from {sure['from']:g}"
    caption = f"Sure {least}, where {sure['promised']:.0%} are promised to be right; what came after the cut"
    return {"caption": caption, "head": ["data set", "rows", "sure", "of these right", "95% interval"], "rows": rows}


#: Parts of the history that alerts are told of: in the card's keys, and in words.
_PARTS = {"": "the whole history (trained on it up to the cut)", "_after_cut": "after the cut"}


def _levels(levels: dict[str, Any]) -> dict[str, Any]:
    """Thresholds of alerts, what they promise and what came of it."""
    tables = [
        {
            "caption": f"Alerts say: no order within {levels['days']} days, by {levels['output']} as recalibrated",
            "head": ["level", "from a score of", "promised at least"],
            "rows": [[name, f"{at:g}", f"{levels['promised'][name]:.0%}"] for name, at in levels["thresholds"].items()],
        }
    ]
    for key, words in _PARTS.items():
        rows = [
            [shop, name, f"{cell['promised']:.1%}", *_share(cell), _percent(cell["said"])]
            for shop, cells in levels[f"shops{key}"].items()
            for name, cell in cells.items()
        ]
        head = ["shop", "level", "promised", "judged", "came true", "share", "95% interval", "mean score"]
        tables.append({"caption": f"Alerts that came true, {words}", "head": head, "rows": rows})
        rows = []
        for shop, sides in levels[f"foretold{key}"].items():
            base, month = levels[f"base_rate{key}"][shop], levels[f"alerts_per_shopper_month{key}"][shop]
            for side, found in sides.items():
                told = f"{found['foretold']:,} ({found['foretold'] / max(1, found['lapses']):.0%})"
                monthly = f"{month:g}" if side == "ours" else ""
                before = "" if found["days_before"] is None else f"{found['days_before']:g}"
                shares = [_share(found)[2], _share(base)[2]]
                rows.append(
                    [shop, side, f"{found['alerts']:,}", monthly, *shares, f"{found['lapses']:,}", told, before]
                )
        head = ["shop", "by", "alerts", "per shopper and month", "came true", "base rate", "lapses of 60 days"]
        head += ["foretold", "days before, median"]
        tables.append(
            {"caption": f"Lapses foretold, beside RFM with as many alerts, {words}", "head": head, "rows": rows}
        )
    return {"title": "Alerts", "tables": tables, "pictures": [_kept(levels)]}


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _share(cell: dict[str, Any]) -> list[str]:
    low, high = cell["interval"]
    share = _percent(cell["came_true"] / cell["judged"] if cell["judged"] else None)
    return [f"{cell['judged']:,}", f"{cell['came_true']:,}", share, f"{low:.1%} … {high:.1%}"]


def _recalibration(card: Card) -> dict[str, Any]:
    rows = []
    for shop, outputs in card["recalibration"].items():
        for output, sides in outputs.items():
            measured = [f"{values[name]:g}" for name in ("ece", "auc") for values in sides.values()]
            rows.append([shop, output, f"{next(iter(sides.values()))['rows']:,}", *measured])
    head = ["shop", "output", "due points after the cut"]
    head += ["calibration error", "… recalibrated", "AUC", "… recalibrated"]
    return {"caption": "Each score against what came, by what was known when it was given", "head": head, "rows": rows}


def _calibrated(told: Card) -> Card:
    """What a network weighs beside a regression, and what the shift of both does to what came after the cut."""
    rows = [
        [name, f"{sides['after']['rows']:,}", *(f"{side[m]:g}" for m in ("ece", "brier") for side in sides.values())]
        for name, sides in told["measured"].items()
    ]
    caption = (
        f"The {told['rows']:,} newest rows before the cut let the network weigh {told['share']:g}, a regression the "
        f"rest, and add {told['shift']:+.3f} to the logits. What came after the cut, without and with it:"
    )
    head = ["data set", "rows", "calibration error", "… calibrated", "Brier", "… calibrated"]
    return {"caption": caption, "head": head, "rows": rows}


def _kept(levels: dict[str, Any]) -> str:
    """What came true of each level, with its interval, beside the promise."""
    figure = _figure(figsize=(11, 3.6))
    for axis, (key, words) in zip(figure.subplots(1, 2, sharey=True), _PARTS.items(), strict=True):
        names: list[str] = []
        for shop, cells in levels[f"shops{key}"].items():
            for colour, (name, cell) in zip(_COLOURS, cells.items(), strict=False):
                x, share = len(names), cell["came_true"] / max(1, cell["judged"])
                low, high = cell["interval"]
                if cell["judged"]:
                    axis.plot([x, x], [low, high], color=colour, lw=2)
                    axis.plot([x], [share], "o", color=colour)
                axis.plot([x - 0.3, x + 0.3], [cell["promised"]] * 2, color="#222", lw=1)
                names.append(f"{shop} {name}")
        axis.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
        axis.set(title=f"Came true, {words}".split(" (")[0], ylim=(0, 1))
    return _svg(figure)


def _svg(figure: Any) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _figure(**options: Any) -> Any:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "offerstream"  # The same card gives the same page.
    return Figure(**options)


def _curves(found: dict[str, dict[str, list[list[float]]]]) -> str:
    figure = _figure(figsize=(15, 3.8))
    titles = {
        "roc": ("ROC", "false positive rate", "true positive rate"),
        "pr": ("Precision and recall", "recall", "precision"),
        "calibration": ("Calibration, ten groups", "mean score", "share that happened"),
        "lift": ("Lift", "share of shoppers taken, best first", "times the base rate"),
    }
    if of_amounts := "roc" not in next(iter(found.values())):
        titles["calibration"] = (
            "Foretold, and what came: ten groups",
            "mean of what was foretold",
            "mean of what came",
        )
        titles["lift"] = ("Lift", "share taken, by what was foretold, largest first", "times the mean")
    drawn = {kind: said for kind, said in titles.items() if kind in next(iter(found.values()))}
    axes = figure.subplots(1, len(drawn), gridspec_kw={"wspace": 0.3})
    for axis, (kind, (title, x, y)) in zip(axes, drawn.items(), strict=True):
        for colour, (model, curve) in zip(_COLOURS, found.items(), strict=False):
            points = curve[kind]
            axis.plot(
                [p[0] for p in points],
                [p[1] for p in points],
                color=colour,
                lw=2.2 if model == "ours" else 1.1,
                marker="o" if kind == "calibration" else None,
                ms=3,
                label=model,
            )
        ends = [0.0, 1.0]
        if kind == "calibration" and of_amounts:
            values = [value for curve in found.values() for point in curve[kind] for value in point[:2]]
            ends = [min(values), max(values)]
            if ends[0] > 0:
                axis.set(xscale="log", yscale="log")  # a few large amounts hide all the others
        if kind in ("roc", "calibration"):
            axis.plot(ends, ends, color="#bbb", lw=0.8, zorder=0)
        axis.set(title=title, xlabel=x, ylabel=y)
    axes[0].legend(fontsize=8)
    return _svg(figure)


def _over_time(found: dict[str, Any]) -> str:
    """What was foretold against what came, means by the day on which it was said; of quantiles a fan."""
    figure = _figure(figsize=(11, 3.8))
    axis, days = figure.subplots(), range(len(found["from"]))
    for colour, (model, said) in zip(_COLOURS, found["said"].items(), strict=False):
        ours, several = model == "ours", isinstance(said[0], list)
        middle = [values[len(values) // 2] for values in said] if several else said
        if ours and several:
            for low, high, shade in ((0, -1, 0.12), (1, -2, 0.25)):
                ends = [[values[k] for values in said] for k in (low, high)]
                axis.fill_between(days, *ends, color=colour, alpha=shade, lw=0)
        axis.plot(days, middle, color=colour, lw=2.2 if ours else 1.0, label=model)
    axis.plot(days, found["came"], "o-", color="#222", lw=1.4, ms=3.5, label="came")
    axis.set_xticks(list(days), found["from"], rotation=45, ha="right", fontsize=7)
    axis.set(title="Foretold, and what came, by the day on which it was said: mean of all rows", ylim=(0, None))
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _svg(figure)


def _importance(found: list[list[Any]], measure: str) -> str:
    figure = _figure(figsize=(9, 0.3 * len(found) + 1))
    axis = figure.subplots()
    axis.barh([name for name, _ in found], [drop for _, drop in found], color=_COLOURS[0])
    axis.invert_yaxis()
    axis.set(title=f"{measure} lost when a feature's values are shuffled among shoppers", xlabel=measure)
    return _svg(figure)
