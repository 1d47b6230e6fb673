"""A history replayed by parts, shoppers apart, on several processes or machines: the same rows, bit for bit.

Whoever replays a part maps the history's file and takes its own shoppers' events from it; of the others it reads when
they happened, for a timer fires when the whole log's time has come to it. Rows come together in canonical order, which
no number of parts changes: by time, due points before snapshots, by shopper, and one shopper's in the order of the log.

Dask runs them: a part is a plain function of a file, which it gives to processes of this machine without any server, or
to a cluster by its address. Ray would do as well, with a daemon and an object store, for which nothing here has a use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import Misuse, TrainingError
from training.history import History
from training.replay import Part, Rows, replay


@dataclass(frozen=True, slots=True)
class Workers:
    """Where parts are replayed: in ``count`` processes here (1: in this one), or on the cluster at ``address``, which
    reads the histories' files at the paths that they have here."""

    count: int = 1
    address: str | None = None
    patience_seconds: float = 10.0
    """How long the cluster may take to answer."""

    def check(self) -> None:
        """Raises ``Misuse`` where Dask is needed and not installed, ``TrainingError`` where no cluster answers."""
        needed = "distributed" if self.address else "dask"
        if (self.address or self.count > 1) and find_spec(needed) is None:
            raise Misuse(
                f"Several workers need the extra 'dask', of which {needed} is not installed: pip install "
                "'offerstream[dask]'."
            )
        if self.address:
            self.connected().close()

    def connected(self) -> Any:
        """A client of the cluster. Raises ``TrainingError``."""
        from distributed import Client

        try:
            return Client(self.address, timeout=self.patience_seconds)
        except (OSError, TimeoutError, ValueError) as error:
            raise TrainingError(f"The Dask cluster at {self.address}: {error}") from error


def replayed(
    history: History,
    features: tuple[str, ...],
    workers: Workers,
    kept_in: Path,
    tell: Callable[[int], None] = lambda _n: None,
    **how: Any,
) -> Rows:
    """The rows of ``training.replay``, in canonical order. ``kept_in``: where a history that is in no file is written
    to. Raises ``TrainingError`` where the cluster cannot be reached, or a part fails there."""
    path, events = history.kept_in, len(history)
    if not path:
        file = kept_in / "parts.arrow"
        history.write(file)
        path = str(file.absolute())
    asked = [(path, events, number, workers.count, features, how) for number in range(workers.count)]
    found: list[Rows] = []
    for rows in _here(asked) if workers.count == 1 and not workers.address else _on_dask(asked, workers):
        found.append(rows)
        tell(events * len(found) // workers.count)
    return canonical(found)


def part_of(path: str, events: int, number: int, count: int, features: tuple[str, ...], how: dict[str, Any]) -> Rows:
    """The rows of one part of the first events of a kept history: what a worker does."""
    history = History.read(Path(path))[0].until(events)
    return replay(Part.of(history, number, count), features, **how)


def canonical(parts: list[Rows]) -> Rows:
    """Rows of parts as one, in the order that all numbers of parts give."""
    x, at_ms, why, shopper = (np.concatenate([getattr(p, name) for p in parts]) for name in Rows.__slots__)
    # Stable: a shopper is in one part, so rows that are alike in all three are in the order of the log.
    order = np.lexsort((shopper, why, at_ms))
    return Rows(x[order], at_ms[order], why[order], shopper[order])


def _here(asked: list[tuple[Any, ...]]) -> list[Rows]:
    return [part_of(*each) for each in asked]


def _on_dask(asked: list[tuple[Any, ...]], workers: Workers) -> list[Rows]:
    import dask

    parts = [dask.delayed(part_of, pure=True)(*each) for each in asked]
    if workers.address is None:
        return list(dask.compute(*parts, scheduler="processes", num_workers=workers.count, chunksize=1))
    from distributed import KilledWorker

    try:
        with workers.connected() as client:
            return list(client.gather(client.compute(parts)))
    except (OSError, TimeoutError, KilledWorker) as error:
        raise TrainingError(f"The Dask cluster at {workers.address}: {error}") from error
