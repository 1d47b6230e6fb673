"""Hillstrom's e-mails of 2008 as a trial of two arms: who got which by chance, what was known of them, who visited."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

#: Arms in the order of their codes; the first one is no contact.
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
_PLAIN = ("recency", "history", "mens", "womens", "newbie")
_ONE_OF = {"zip_code": ("Rural", "Surburban", "Urban"), "channel": ("Phone", "Web", "Multichannel")}
FEATURES = (*_PLAIN, *(f"{name} {value}" for name, values in _ONE_OF.items() for value in values))
WOMENS = FEATURES.index("womens")


@dataclass(frozen=True, slots=True)
class Trial:
    """64,000 customers."""

    x: npt.NDArray[np.float32]
    """[n, f]"""
    arm: npt.NDArray[np.int64]
    visit: npt.NDArray[np.float64]
    """[n] 1: visited within two weeks."""


def read(data: Path) -> Trial | None:
    """The trial; None where the folder does not hold it."""
    path = data / "hillstrom" / "hillstrom_data.csv"
    if not path.is_file():
        return None
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    x = [
        [*(float(row[name]) for name in _PLAIN), *(float(row[n] == v) for n, values in _ONE_OF.items() for v in values)]
        for row in rows
    ]
    arm = np.array([ARMS.index(row["segment"]) for row in rows])
    return Trial(np.array(x, np.float32), arm, np.array([float(row["visit"]) for row in rows]))
