"""The published measures of FreshRetailNet: errors over what was sold, and their sum, of days in stock, by day."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.checks.freshretail.data import Floats, Series
from training.checks.freshretail.rows import Rows
from training.redraws import ends, how_often

DRAWS = 1_000


class Judge:
    """Rows of one or more weeks, of which days in stock are judged."""

    def __init__(self, s: Series, rows: Rows) -> None:
        self.kept = s.in_stock[rows.series, rows.day]
        self._series, self._day = rows.series[self.kept], rows.day[self.kept]
        self.came = s.daily[rows.series, rows.day][self.kept]
        self._n, self.days = s.daily.shape[0], np.unique(self._day)

    def _sums(self, values: Floats) -> Floats:
        """[series, days]"""
        table = np.zeros((self._n, len(self.days)))
        np.add.at(table, (self._series, np.searchsorted(self.days, self._day)), values)
        return table

    def measure(self, answers: dict[str, Floats], seed: int) -> dict[str, dict[str, Any]]:
        """By answer [rows]: WAPE and WPE in percent, each the mean over days, with 95% intervals over series, and the
        difference of WAPE of the first answer less it."""
        sold, often = self._sums(self.came), how_often(self._n, seed, DRAWS)
        found, drawn = dict[str, dict[str, Any]](), dict[str, Floats]()
        first = next(iter(answers))
        for name, answer in answers.items():
            off = answer[self.kept] - self.came
            absolute, signed = self._sums(np.abs(off)), self._sums(off)
            with np.errstate(invalid="ignore"):  # of few series none may be drawn that sold anything: left out
                drawn[name] = (100 * (often @ absolute) / (often @ sold)).mean(axis=1)
                bias = (100 * (often @ signed) / (often @ sold)).mean(axis=1)
            found[name] = {
                "wape": _mean(absolute, sold), "wape_95": ends(drawn[name], 2),
                "wpe": _mean(signed, sold), "wpe_95": ends(bias, 2),
                "first_less_it_95": ends(drawn[first] - drawn[name], 2),
            }  # fmt: skip
        return found

    def coverage(self, quantiles: Floats) -> dict[str, float]:
        """Of quantiles [rows, 5] at ``network.LEVELS``: which share of days lay within 80% and 95%, in percent."""
        told, came = quantiles[self.kept], self.came
        pairs: dict[str, tuple[Any, Any]] = {"80%": (told[:, 1], told[:, 3]), "95%": (told[:, 0], told[:, 4])}
        return {
            name: round(100 * float(((low <= came) & (came <= high)).mean()), 1) for name, (low, high) in pairs.items()
        }

    def scale(self, mean: Floats) -> float:
        """By what a mean is to be multiplied to have been right in all."""
        return float(self.came.sum() / max(float(mean[self.kept].sum()), 1e-9))


def _mean(part: Floats, whole: Floats) -> float:
    return round(float((100 * part.sum(axis=0) / whole.sum(axis=0)).mean()), 2)
