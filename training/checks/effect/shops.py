"""Simulated shops whose truth is known, from tame to wild, and the shoppers of a real experiment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, float], Floats]


@dataclass(frozen=True, slots=True)
class Shop:
    """``draw(rng, n, lift)``: n shoppers' columns (n, 7) as ``streams.effects.sums.COLUMNS``, whole numbers; ``lift``:
    how many times the orders of an untreated shopper. ``margin``: mean margin per untreated shopper, in cents.
    ``holdout``: share held back where one looks all the time; half where so few order that a tenth would never be
    enough."""

    name: str
    meaning: str
    draw: Draw
    margin: float
    holdout: float = 0.1


MARGIN = 0.3


def simulated(orders: float, alike: float, amount: float, spread: float, before: float) -> Draw:
    """Shoppers order at a rate of their own (gamma, shape ``alike``, mean ``orders`` in the window), for lognormal
    amounts around their own one; ``before``: how many windows long the time before is."""

    def draw(rng: np.random.Generator, n: int, lift: float) -> Floats:
        rate = rng.gamma(alike, orders / alike, n)
        # Half of the log's variance is between shoppers, half between one window and another.
        own = amount * np.exp(rng.normal(0, spread / np.sqrt(2), n))
        count, past = rng.poisson(rate * lift), rng.poisson(rate * before)
        revenue, spent = (c * own * np.exp(rng.normal(0, spread / np.sqrt(2), n)) for c in (count, past))
        zero = np.zeros(n)
        return np.rint(np.stack([count, count, revenue, MARGIN * revenue, zero, past, np.minimum(spent, 1e7)], 1))

    return draw


#: Name, what it is, and orders, alikeness, amount in cents, spread and windows before of ``simulated``.
KINDS = (
    ("grocery", "half of the shoppers order in the window, amounts vary little", (1.2, 1.0, 2500, 0.6, 4)),
    ("fashion", "12% order, amounts vary", (0.15, 0.6, 5000, 1.0, 6)),
    ("electronics", "4% order, amounts vary much", (0.05, 0.5, 9000, 1.3, 6)),
    ("wholesale", "30% order, a few for a hundred times the usual amount", (0.5, 0.7, 8000, 1.7, 4)),
)
SIMULATED = tuple((name, meaning, simulated(*parts)) for name, meaning, parts in KINDS)


def shops() -> list[Shop]:
    """The simulated ones; their mean margin is known: orders times the lognormal's mean."""
    return [
        Shop(name, meaning, simulated(*parts), MARGIN * parts[0] * parts[2] * float(np.exp(parts[3] ** 2 / 2)))
        for name, meaning, parts in KINDS
    ]


def resampled(rows: Floats) -> Draw:
    """Real shoppers, drawn with replacement: whatever their tails are; no lift."""

    def draw(rng: np.random.Generator, n: int, lift: float) -> Floats:
        assert lift == 1.0, "Only what was seen can be drawn again: lift is 1."
        return rows[rng.integers(0, len(rows), n)]

    return draw


def hillstrom(folder: Path) -> tuple[Floats, npt.NDArray[np.str_]] | None:
    """Columns (64,000, 7) and arms of Hillstrom's e-mail experiment of 2008; None: ``folder`` does not hold it.

    Orders: whether they bought in two weeks; revenue: what for; margin: the same, there is no cost; before: nothing is
    known of orders, and what they spent in the year before.
    """
    path = folder / "hillstrom" / "hillstrom_data.csv"
    if not path.is_file():
        return None
    names = path.open().readline().strip().split(",")
    wanted = [names.index(name) for name in ("conversion", "spend", "history", "visit")]
    told = np.loadtxt(
        path, np.str_, delimiter=",", skiprows=1, usecols=[*wanted, names.index("segment")], quotechar='"'
    )
    bought, spent, history, visit = told[:, :4].astype(np.float64).T
    arms = told[:, 4]
    zero = np.zeros(len(bought))
    # Units hold visits: a measure like any other.
    rows = np.stack([bought, visit, 100 * spent, 100 * spent, zero, zero, 100 * history], 1)
    return np.rint(rows), arms
