"""What came of a training, as tables: everything that a card measured, or the new model beside the shipped one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from models.artifact import Artifact
from models.measured import CHALLENGE, LESS, best_of

#: What a summary shows of each model, as far as it was measured.
SUMMARY = (
    "base_rate", "auc", "brier", "ece", "top_1", "top_3", "top_5", "mrr", "recall_10", "recall_20", "ndcg_20", "qini",
    "spearman", "mae", "bias", "chrf", "coverage", "invented", "unexplained",
)  # fmt: skip
#: Measures that a card has intervals of.
BETWEEN = ("auc", "top_1", "recall_20", "qini", "spearman", "chrf", "unexplained")
#: Errors that a verdict takes in besides: who ranks well may still say amounts that are far off.
ERRORS = ("mae", "wape")
_CALLED = {
    "auc": "AUC",
    "qini": "Qini",
    "spearman": "rank correlation",
    "mae": "absolute error",
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
    times as many), then how much less it errs."""
    blocks = [(name, *found, _chosen(found[1], champion)) for name in histories for found in _all_rows(artifact, name)]
    values = [measured["models"][model] for *_, measured, models in blocks for model in models]
    shown = [name for name in CHALLENGE if any(name in found for found in values)]
    called = [_CALLED.get(name, name.replace("_", " ")) for name in shown]
    table = Table("history", "answer", "rows", "happened", "model", *called, "new ahead by, 95%")
    for name, answer, measured, models in blocks:
        happened = measured["models"]["ours"].get("base_rate")
        place = [name, answer, f"{measured['models']['ours']['rows']:,}", "" if happened is None else f"{happened:.1%}"]
        for model, title in models.items():
            found = measured["models"][model]
            numbers = [f"{found[metric]:.3f}" if metric in found else "" for metric in shown]
            table.add_row(*place, title, *numbers, _told_ahead(measured, model))
            place = [""] * len(place)
        table.add_section()
    return table


def standing(artifact: Artifact, history: str) -> dict[str, list[str]]:
    """On a history: in which answers the new model is ``ahead`` of the champion, ``level`` with it, or ``behind``,
    beyond chance: of an amount, in rank correlation and in its error. ``behind`` is who is so in one of them, ``ahead``
    who is so in one and behind in none. Empty where there was no champion."""
    found: dict[str, list[str]] = defaultdict(list)
    for answer, measured in _all_rows(artifact, history):
        if sides := _ahead(measured, "champion"):
            behind = any(high < nothing for _, (_, high), nothing in sides)
            ahead = any(low > nothing for _, (low, _), nothing in sides)
            found["behind" if behind else "ahead" if ahead else "level"].append(answer)
    return dict(found)


def verdicts(artifact: Artifact, histories: Sequence[str], champion: str = "the shipped model") -> Iterator[str]:
    """The same in words, a line per history."""
    for name in histories:
        if found := standing(artifact, name):
            told = (f"{side} in {', '.join(found[side])}" for side in ("ahead", "level", "behind") if side in found)
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


def _told_ahead(measured: dict[str, Any], model: str) -> str:
    told = []
    for name, interval, nothing in _ahead(measured, model):
        if nothing:
            said = " … ".join("> 100" if v > 100 else f"{v:.2f}" for v in interval) + " times"
        else:
            said = " … ".join(f"{v:+.3f}" for v in interval)
        told.append(f"error {said}" if name in ERRORS else said)
    return "\n".join(told)


def _chosen(measured: dict[str, Any], champion: str) -> dict[str, str]:
    """Models that are shown, and how they are called."""
    models = measured["models"]
    found = {name: called for name, called in (("ours", "new"), ("champion", champion)) if name in models}
    others = [name for name in models if name not in found]
    if others:
        best, _ = best_of(models, others)
        found[best] = f"{best} (best baseline)"
    return found
