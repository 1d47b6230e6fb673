"""What the card of a version says of it beside others: which measure tells, and who is better by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: What is shown of a new model beside others. The first that was measured says which is better: more, but for ``LESS``.
CHALLENGE = (
    "auc", "top_1", "top_5", "recall_20", "qini", "spearman", "chrf", "coverage", "unexplained", "mae", "brier", "ece",
)  # fmt: skip
LESS = ("unexplained", "mae", "wape", "brier", "ece")


def best_of(models: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> tuple[str, str]:
    """Who of these models is best by the first measure that there is of ours, and that measure.

    >>> best_of({"ours": {"mae": 3.0}, "mean": {"mae": 2.0}, "last": {"mae": 4.0}}, ["mean", "last"])
    ('mean', 'mae')
    """
    measure = next(name for name in CHALLENGE if name in models["ours"])
    sign = -1 if measure in LESS else 1
    return max(names, key=lambda name: sign * models[name][measure]), measure


def behind(card: Mapping[str, Any]) -> Iterator[str]:
    """In which answers another model did better on all rows of a data set than the version, a line each; whether that
    is beyond chance where the card has an interval of it."""
    for dataset, answers in card["metrics"].items():
        for answer, found in answers.items():
            measured = found.get("segments", {}).get("all", {})
            models = measured.get("models", {})
            if not any(name in CHALLENGE for name in models.get("ours", ())):
                continue
            _, measure = best_of(models, ["ours"])
            others = [name for name in models if not name.startswith("ours") and measure in models[name]]
            best, _ = best_of(models, ["ours", *others])
            if best == "ours":
                continue
            title = "the one that was live" if best == "champion" else best
            ours, its = models["ours"][measure], models[best][measure]
            yield f"{answer} ({dataset}): {measure} {ours:g}, {title} {its:g}{_chance(measured, measure, best)}"


def _chance(measured: Mapping[str, Any], measure: str, other: str) -> str:
    between = measured.get(f"{measure}_95", {})
    for name, nothing in ((f"ours - {other}", 0.0), (f"ours / {other}", 1.0)):
        if name in between:
            low, high = between[name]
            return "; it may be chance" if low <= nothing <= high else "; that is beyond chance"
    return ""
