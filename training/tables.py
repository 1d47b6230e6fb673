"""What came of a training, as tables: everything that a card measured, or the new model beside the shipped one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from models.artifact import Artifact
from models.measured import CHALLENGE, LESS, best_of
from streams.outside.units import unit_of

#: What a summary shows of each model, as far as it was measured.
SUMMARY = (
    "base_rate", "auc", "brier", "ece", "top_1", "top_3", "top_5", "mrr", "recall_10", "recall_20", "ndcg_20", "qini",
    "spearman", "mae", "bias", "chrf", "coverage", "invented", "unexplained",
)  # fmt: skip
#: Measures that a card has intervals of.
BETWEEN = ("auc", "top_1", "recall_20", "qini", "spearman", "chrf", "unexplained")
#: Errors that a verdict takes in besides: who ranks well may still say amounts, or chances, that are far off.
ERRORS = ("mae", "wape", "brier")
_CALLED = {
    "auc": "AUC",
    "qini": "Qini",
    "spearman": "rank correlation",
    "mae": "absolute error",
    "brier": "Brier score",
    "ece": "calibration error",
}


def summary(artifact: Artifact) -> Table:
    """What a card measured on all rows: a line per data set, answer and model."""
    lines = [
        (dataset, answer, model, values, _told(_interval(measured, model)))
        for dataset in artifact.card["metrics"]
        for answer, measured in _all_rows(artifact, dataset)
        for model, values in measured["models"].items()
    ]
    shown = [name for name in SUMMARY if any(name in values for *_, values, _ in lines)]
    table = Table("data set", "answer", "model", "rows", *(name.replace("_", " ") for name in shown), "95% interval")
    for dataset, answer, model, values, between in lines:
        numbers = [f"{values[name]:g}" if name in values else "" for name in shown]
        table.add_row(dataset, answer, model, f"{values['rows']:,}", *numbers, between)
    return table


def challenge(artifact: Artifact, histories: Sequence[str], champion: str = "shipped") -> Table:
    """The new model, the champion, called so, and the best baseline on the same rows after the cut: a block per history
    and answer. The last column is by how much the new one is ahead in the first measure (of first places: how many
    times as many), then how much less it errs: of chances in the Brier score, of amounts in their own unit, or as a
    share of the total."""
    blocks = [(name, *found, _chosen(found[1], champion)) for name in histories for found in _all_rows(artifact, name)]
    values = [measured["models"][model] for *_, measured, models in blocks for model in models]
    shown = [name for name in CHALLENGE if any(name in found for found in values)]
    called = [_CALLED.get(name, name.replace("_", " ")) for name in shown]
    table = Table()
    table.add_column("history", overflow="fold")
    table.add_column("answer", no_wrap=True, min_width=max((len(answer) for _, answer, *_ in blocks), default=0))
    for title in ("rows", "happened", "model", *called, "new ahead by, 95%"):
        table.add_column(title, overflow="fold")
    for name, answer, measured, models in blocks:
        unit = unit_of(artifact.task, answer)
        happened = measured["models"]["ours"].get("base_rate")
        place = [name, answer, f"{measured['models']['ours']['rows']:,}", "" if happened is None else f"{happened:.1%}"]
        for model, title in models.items():
            found = measured["models"][model]
            numbers = [_number(metric, found[metric], unit) if metric in found else "" for metric in shown]
            table.add_row(*place, title, *numbers, _told_ahead(measured, model, unit))
            place = [""] * len(place)
        table.add_section()
    return table


def standing(artifact: Artifact, history: str) -> dict[str, list[str]]:
    """On a history: in which answers the new model is ``ahead`` of the champion, ``level`` with it, or ``behind``,
    beyond chance: of an amount, in rank correlation and in its error, of a chance, in AUC and in its Brier score.
    ``behind`` is who is so in one of them, ``ahead`` who is so in one and behind in none. Empty where there was no
    champion."""
    found: dict[str, list[str]] = defaultdict(list)
    for answer, measured in _all_rows(artifact, history):
        if sides := set(_sides(measured).values()):
            found["behind" if "behind" in sides else "ahead" if "ahead" in sides else "level"].append(answer)
    return dict(found)


def _sides(measured: dict[str, Any]) -> dict[str, str]:
    """By measure, on which side of the champion the new model is."""
    return {
        name: "behind" if high < nothing else "ahead" if low > nothing else "level"
        for name, (low, high), nothing in _ahead(measured, "champion")
    }


def _why(measured: dict[str, Any]) -> str:
    """In which measure it is on which side, where they differ: in brackets, else empty."""
    sides = _sides(measured)
    if len(set(sides.values())) < 2:
        return ""
    models, told = measured["models"], []
    for name, side in sides.items():
        better = {"ahead": "better", "behind": "worse"}.get(side)
        if name not in ERRORS or better is None:
            told.append(f"{side} in {_CALLED.get(name, name.replace('_', ' '))}")
        elif name == "brier" and (models["ours"]["ece"] < models["champion"]["ece"]) == (side == "ahead"):
            off = (f"{models[model]['ece']:.3f}" for model in ("ours", "champion"))
            told.append(f"{better} calibrated: off by {', not '.join(off)}")
        else:
            told.append(f"{better} by its {'Brier score' if name == 'brier' else 'error'}")
    return f" ({', '.join(told)})"


def verdicts(artifact: Artifact, histories: Sequence[str], champion: str = "the shipped model") -> Iterator[str]:
    """The same in words, a line per history."""
    for name in histories:
        if found := standing(artifact, name):
            why = {answer: answer + _why(measured) for answer, measured in _all_rows(artifact, name)}
            told = (
                f"{side} in {', '.join(why[answer] for answer in found[side])}"
                for side in ("ahead", "level", "behind")
                if side in found
            )
            yield f"{name}: beside {champion}, the new one is {'; '.join(told)}."


def alerts(artifact: Artifact) -> str:
    """From which scores on the model alerts, and what that promises; empty for a model that does not."""
    levels = artifact.card.get("levels")
    if not levels:
        return ""
    told = [
        f"{level} from {at:g} ({levels['promised'][level]:.0%})"
        if at <= 1
        else f"{level} never (no score kept enough of its promise before the cut)"
        for level, at in levels["thresholds"].items()
    ]
    return f"Alerts by {levels['output']}, and how many are promised to come true: {', '.join(told)}."


def effects_found(artifact: Artifact) -> Iterator[str]:
    """What each arm does, in words; nothing of a model that does not say."""
    for name, found in artifact.card.get("effects", {}).items():
        if "left_out" in found:
            yield f"{name}: {found['left_out']}"
            continue
        low, high = (100 * end for end in found["average_95"])
        said = f"{name}: {100 * found['average']:+.1f} orders per 100 shoppers (95%: {low:+.1f} to {high:+.1f})"
        slope, error, _ = found["slopes"].get("of the arm alone", (0.0, 0.0, 0.0))
        if found["heterogeneous"]:
            yield f"{said}; shoppers differ in it (slope {slope:.2f} ± {error:.2f} on shoppers not seen in training)."
        elif found["constant"]:
            yield f"{said}; no heterogeneity found: the same is said of everybody."
        else:
            yield f"{said}; no heterogeneity found of its own: shoppers differ as they do whatever the arm."


def _all_rows(artifact: Artifact, dataset: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(answer, what was measured on all rows of a data set)."""
    for answer, found in artifact.card["metrics"].get(dataset, {}).items():
        if "all" in found["segments"]:
            yield answer, found["segments"]["all"]


def intervals(measured: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Which measure a card has intervals of (empty: of none), and these by model, difference and ratio."""
    found = next((name for name in BETWEEN if measured.get(f"{name}_95")), "")
    return found, measured.get(f"{found}_95", {})


def _interval(measured: dict[str, Any], name: str) -> tuple[float, float] | None:
    found = intervals(measured)[1].get(name)
    return None if found is None else (found[0], found[1])


def _ahead(measured: dict[str, Any], model: str) -> list[tuple[str, tuple[float, float], float]]:
    """In which measures a card says how far our model is ahead of another one: the measure, by how much (95%, more is
    better), and what that is when it is not."""
    found = []
    for name in dict.fromkeys((intervals(measured)[0], *ERRORS)):
        between = measured.get(f"{name}_95", {})
        if f"ours / {model}" in between:
            low, high = between[f"ours / {model}"]
            found.append((name, (low, high), 1.0))
        elif f"ours - {model}" in between:
            low, high = between[f"ours - {model}"]
            found.append((name, (-high, -low) if name in LESS else (low, high), 0.0))
    return found


def _told(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:g} … {interval[1]:g}"


def _told_ahead(measured: dict[str, Any], model: str, unit: str) -> str:
    told = []
    for name, interval, nothing in _ahead(measured, model):
        if nothing:
            told.append(" … ".join("> 100" if v > 100 else f"{v:.2f}" for v in interval) + " times")
        elif name == "wape":
            told.append("error " + " … ".join(f"{100 * v:+.1f}%" for v in interval) + " of the total")
        elif name == "mae":
            told.append(f"error {' … '.join(_amount(v, unit, '+') for v in interval)} {unit}".rstrip())
        else:
            said = " … ".join(f"{v:+.3f}" for v in interval)
            told.append(f"Brier {said}" if name == "brier" else said)
    return "\n".join(told)


def _number(metric: str, value: float, unit: str) -> str:
    return f"{_amount(value, unit)} {unit}".rstrip() if metric == "mae" else f"{value:.3f}"


def _amount(value: float, unit: str, sign: str = "") -> str:
    """A number of some unit: cents whole."""
    return f"{value:{sign},.0f}" if unit.startswith("cents") else f"{value:{sign},.3f}"


def _chosen(measured: dict[str, Any], champion: str) -> dict[str, str]:
    """Models that are shown, and how they are called."""
    models = measured["models"]
    found = {name: called for name, called in (("ours", "new"), ("champion", champion)) if name in models}
    others = [name for name in models if name not in found]
    if others:
        best, _ = best_of(models, others)
        found[best] = f"{best} (best baseline)"
    return found
