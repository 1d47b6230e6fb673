"""Hillstrom's e-mails of 2008, a real randomised experiment whose effects are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.effects import boundaries
from streams.effects.difference import difference
from streams.effects.moments import Moments

Floats = npt.NDArray[np.float64]
CONTROL = "No E-Mail"
#: Per customer beyond those without an e-mail, as Radcliffe ("Hillstrom's MineThatData Email Analytics Challenge: An
#: Approach Using Uplift Modelling", 2008) and everybody since reports: share who visit, share who buy, dollars spent.
KNOWN = {"Mens E-Mail": (0.0766, 0.0068, 0.77), "Womens E-Mail": (0.0452, 0.0031, 0.42)}
#: Column of the measures (visits stand in units), and how many of it make one of the known unit.
MEASURED = (("visits", 1, 1.0), ("orders", 0, 1.0), ("dollars", 2, 100.0))


@dataclass(frozen=True, slots=True)
class Effect:
    """One e-mail, one measure: what is known, and our interval for one look and for looking all the time."""

    email: str
    measure: str
    known: float
    mean: float
    once: tuple[float, float]
    always: tuple[float, float]
    shows_after: int | None
    """Customers, in the file's order, after which the interval that may be looked at all the time leaves 0 for good."""


def effects(rows: Floats, arms: npt.NDArray[np.str_], every: int = 100) -> list[Effect]:
    """Of both e-mails, from columns and arms as ``shops.hillstrom`` reads them."""
    found = []
    for email, known in KNOWN.items():
        mine = (arms == email) | (arms == CONTROL)
        table, held = rows[mine], arms[mine] == CONTROL
        looks = np.r_[np.arange(every, len(table), every), len(table)]
        sizes = [np.cumsum(side, dtype=np.int64)[looks - 1] for side in (~held, held)]
        treated, kept = (Moments.running(table[side], n) for side, n in zip((~held, held), sizes, strict=True))
        gap = difference(treated, kept)
        reach = boundaries.always(gap.n, len(table), 0.05)
        for (name, column, unit), truth in zip(MEASURED, known, strict=True):
            mean, error = gap.mean[:, column] / unit, np.sqrt(gap.error[:, column, column]) / unit
            hidden = np.flatnonzero(~(gap.enough & (abs(mean) > reach * error)))
            shows = None if hidden[-1] == len(looks) - 1 else int(looks[hidden[-1] + 1])
            one, all_ = boundaries.once(0.05) * error[-1], reach[-1] * error[-1]
            at = float(mean[-1])
            found.append(Effect(email, name, truth, at, (at - one, at + one), (at - all_, at + all_), shows))
    return found
