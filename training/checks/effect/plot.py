"""The plot of ``docs/effect.md``: what looking all the time does to a t-test, and what it does not do to ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def draw(path: Path, curves: dict[str, dict[str, Any]], shoppers: npt.NDArray[np.int64]) -> None:
    """Share of campaigns without an effect that were called one so far, by shop; the same bytes for the same curves."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "offerstream", "font.size": 9, "svg.fonttype": "none"}):
        figure = Figure(figsize=(7.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        # A few hundred points draw the same line as thousands, in a tenth of the file.
        some = np.unique(np.geomspace(1, len(shoppers), 150).astype(int)) - 1
        for i, (shop, by) in enumerate(curves.items()):
            for which, style in (("naive", ":"), ("ours", "-")):
                axes.plot(
                    shoppers[some], 100 * by[which][some], style, color=f"C{i}", lw=1.3, label=f"{shop}, {_said(which)}"
                )
        axes.axhline(5, color="black", lw=0.8)
        axes.text(210, 5.6, "5%", va="bottom")
        axes.set_xscale("log")
        axes.set_xlim(200, shoppers[-1])
        axes.set_xlabel("shoppers so far; nobody's orders are changed")
        axes.set_ylabel('% of campaigns called\n"effect" so far')
        axes.legend(fontsize=7, ncols=1, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _said(which: str) -> str:
    return "t-test" if which == "naive" else "ours"
