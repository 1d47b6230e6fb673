"""The plot of ``docs/promotion.md``: what policies are worth, week by week."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.checks.promotion.weeks import Week

LINES = (
    ("oracle", "who knew the truth", "0.45", "--"),
    ("ours", "as learned from the campaign", "#0b6e4f", "-"),
    ("assumed", "as the file assumes", "#c1440e", "-"),
    ("random", "anything by chance", "0.7", ":"),
)


def draw(path: Path, runs: Sequence[Sequence[Week]]) -> None:
    """The mean of some runs, and each of them; the same bytes for the same weeks."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "offerstream", "font.size": 9, "svg.fonttype": "none"}):
        figure = Figure(figsize=(7.2, 3.2), layout="constrained")
        axes = figure.add_subplot()
        weeks = np.arange(1, len(runs[0]) + 1)
        for name, called, colour, style in LINES:
            values = np.array([[getattr(week, name) for week in run] for run in runs])
            if name == "ours":
                for run in values:
                    axes.plot(weeks, run, color=colour, lw=0.6, alpha=0.4)
            axes.plot(weeks, values.mean(axis=0), style, color=colour, lw=1.6, label=called)
        axes.axhline(0, color="black", lw=0.6)
        axes.set_xlabel("week")
        axes.set_ylabel("true profit per shopper, cents\nbeyond no offer")
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, format="svg", metadata={"Date": None})
