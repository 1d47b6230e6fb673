"""Splits by time, and checks that refuse to train on what was not known yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints
from streams.processing.rules import Rules
from training.errors import TrainingError
from training.history import History
from training.labels.horizons import Labels
from training.replay import Rows
from training.told import Told

Mask = npt.NDArray[np.bool_]


class Leak(TrainingError):
    """A row, or its label, knows what lies in its future."""


@dataclass(frozen=True, slots=True)
class Split:
    """Which labels serve for what: [n, k] each, disjoint in time. All that is fitted on was known by ``early_ms``,
    all that a choice is made by (epochs, calibration) was known by ``cut_ms``, and the test begins there."""

    cut_ms: int
    early_ms: int
    fit: Mask
    validate: Mask
    test: Mask

    @property
    def parts(self) -> tuple[Mask, Mask, Mask]:
        """All three."""
        return self.fit, self.validate, self.test


def before_and_after(before: npt.NDArray[np.bool_]) -> dict[str, int]:
    """How many rows teach and how many test, as a card says it, where the cut alone divides them."""
    return {"trained on": int(before.sum()), "tested on": int((~before).sum())}


def window(history: History | Told, cut_ms: int) -> dict[str, str]:
    """What a card says of a data set: from when on events were seen, where training ended and the test began, and
    where the events end."""
    times = {"from": int(history.time_ms[0]), "cut": cut_ms, "to": history.end_ms}
    return {name: datetime.fromtimestamp(ms / 1000, UTC).isoformat() for name, ms in times.items()}


def split(rows: Rows, labels: Labels, cut_ms: int, validation_ms: int) -> Split:
    """Split rows at a cut, the last ``validation_ms`` before it for validation. Raises ``Leak`` should that fail."""
    early_ms, at, known = cut_ms - validation_ms, rows.at_ms[:, None], labels.known_ms
    there = np.isfinite(labels.value)
    found = Split(
        cut_ms,
        early_ms,
        fit=there & (known <= early_ms),
        validate=there & (known > early_ms) & (known <= cut_ms),
        test=there & (at >= cut_ms),
    )
    check_split(found, rows, labels)
    return found


def check_split(found: Split, rows: Rows, labels: Labels) -> None:
    """Raises ``Leak`` when a label is used before it was known, or known no later than its row's own time."""
    at = np.broadcast_to(rows.at_ms[:, None], labels.known_ms.shape)
    used = found.fit | found.validate | found.test
    if (labels.known_ms[used] <= at[used]).any():
        raise Leak("A label was known at its own row's time: then it is no label, and the row may hold it.")
    for name, mask, by in (("fit", found.fit, found.early_ms), ("validate", found.validate, found.cut_ms)):
        if (labels.known_ms[mask] > by).any():
            raise Leak(f"A label to {name} on became known only after {by} ms: it lies in the future of the model.")
    if (at[found.test] < found.cut_ms).any():
        raise Leak("A test row is older than the cut.")
    if (found.fit & found.validate).any() or (used & ~np.isfinite(labels.value)).any():
        raise Leak("A label serves two purposes, or is not known at all.")


def check_rows(
    history: History,
    rows: Rows,
    take: Callable[[History], Rows],
    rng: np.random.Generator,
    allowed_lateness_ms: int = Rules().allowed_lateness_ms,
    moments: int = 3,
    names: Sequence[str] | None = None,
) -> None:
    """Take the rows anew from histories that end early: what stands for a time must not change with what follows it.

    ``take`` makes rows of a history, the way that ``rows`` were made. Compared are rows up to the shorter history's
    watermark: a timer fires only once the watermark passes it. ``names``: of whom or what the rows are; None: of the
    history's shoppers. Raises ``Leak``.
    """
    stops = rng.integers(len(history) // 4, len(history), moments)
    for stop in sorted(set(stops.tolist())):
        moment = int(history.time_ms[stop])
        stop = int(np.searchsorted(history.time_ms, moment, side="right"))
        early = take(history.until(stop))
        moment -= allowed_lateness_ms
        whole, again = _by_row(rows, moment), _by_row(early, moment)
        if whole.keys() != again.keys():
            raise Leak(f"Which rows there are up to {moment} ms depends on events after it.")
        for key, x in whole.items():
            if x != again[key]:
                who = history.shoppers[key[0]] if names is None else names[key[0]]
                raise Leak(f"A row of {who!r} at {key[1]} ms depends on events after it.")


def _by_row(rows: Rows, moment: int) -> dict[tuple[int, int, int], list[bytes]]:
    found: dict[tuple[int, int, int], list[bytes]] = {}
    early: Ints = np.flatnonzero(rows.at_ms <= moment)
    for i in early.tolist():
        key = (int(rows.shopper[i]), int(rows.at_ms[i]), int(rows.why[i]))
        found.setdefault(key, []).append(rows.x[i].tobytes())
    return {key: sorted(values) for key, values in found.items()}
