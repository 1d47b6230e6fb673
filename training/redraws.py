"""95% bootstrap intervals, the same for every measure: what is drawn again, and between which ends what is measured
of it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Ends: TypeAlias = tuple[float, float]
#: What is measured of what came and what was said, [k] each.
Measure: TypeAlias = Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]


def of_rows(n: int, seed: int, rounds: int) -> Iterator[Ints]:
    """So many redraws of n rows, [n] each."""
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        yield rng.integers(0, n, n)


def of_groups(group: npt.NDArray[np.int64], seed: int, rounds: int) -> Iterator[Ints]:
    """So many redraws of the rows [n] of whole groups, as many groups as there are."""
    rng = np.random.default_rng(seed)
    order = np.argsort(group, kind="stable")
    names, starts = np.unique(group[order], return_index=True)
    parts = np.split(order, starts[1:])
    for _ in range(rounds):
        yield np.concatenate([parts[i] for i in rng.integers(0, len(names), len(names))])


def how_often(n: int, seed: int, rounds: int) -> Ints:
    """[rounds, n] how often each of n is drawn: for sums, which then need no rows."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), rounds)


def ends(values: npt.ArrayLike, digits: int = 4) -> Ends:
    """Between which the middle 95% of redraws lie; those that have no value (NaN) are left out.

    >>> ends(np.arange(1001.0)), ends([1.0, float("nan"), 1.0])
    ((25.0, 975.0), (1.0, 1.0))
    """
    low, high = np.nanquantile(np.asarray(values, np.float64), (0.025, 0.975))
    return round(float(low), digits), round(float(high), digits)


def intervals(drawn: Mapping[str, npt.ArrayLike], digits: int = 4) -> dict[str, Ends]:
    """Of what each was in every redraw [rounds], and of ``ours - NAME`` of each other: the same redraws serve all, so
    the differences are paired."""
    found = {name: np.asarray(values, np.float64) for name, values in drawn.items()}
    found |= {f"ours - {name}": found["ours"] - values for name, values in found.items() if name != "ours"}
    return {name: ends(values, digits) for name, values in found.items()}


def measured(
    measures: Mapping[str, Measure],
    label: npt.NDArray[Any],
    answers: Mapping[str, npt.NDArray[Any]],
    draws: Iterable[Ints],
) -> dict[str, dict[str, Ends]]:
    """By measure, the interval of each answer and of ``ours - NAME``; ``answers`` must hold ``ours``."""
    drawn: dict[str, dict[str, list[float]]] = {key: {name: [] for name in answers} for key in measures}
    for rows in draws:
        for key, measure in measures.items():
            for name, answer in answers.items():
                drawn[key][name].append(measure(label[rows], answer[rows]))
    return {key: intervals(values) for key, values in drawn.items()}
