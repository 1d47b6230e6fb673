"""A history replayed by parts, shoppers apart, on several processes or machines: the same rows, bit for bit.

Whoever replays a part maps the history's file and takes its own shoppers' events from it; of the others it reads when
they happened, for a timer fires when the whole log's time has come to it. Rows come together in canonical order, which
no number of parts changes: by time, due points before snapshots, by shopper, and one shopper's in the order of the log.

Dask runs them: a part is a plain function of a file, which it gives to processes of this machine without any server, or
to a cluster by its address. Ray would do as well, with a daemon and an object store, for which nothing here has a use.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints
from streams.processing.rules import Rules
from training.errors import Misuse, TrainingError
from training.history import History
from training.replay import Part, Rows, replay, standing

T = TypeVar("T")


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
            said = str(error)
        # One that found nobody stops when it is collected; if that is while another one starts, it waits for ever.
        gc.collect()
        raise TrainingError(f"The Dask cluster at {self.address}: {said}")


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
    asked = [(number, workers.count, features, how) for number in range(workers.count)]
    return canonical(_parts(rows_of_part, history, workers, kept_in, asked, tell))


def stood(
    history: History,
    features: tuple[str, ...],
    shopper: Ints,
    at_ms: Ints,
    workers: Workers,
    kept_in: Path,
    tell: Callable[[int], None] = lambda _n: None,
    *,
    rules: Rules | None = None,
) -> npt.NDArray[np.float32]:
    """[n, f] what ``training.replay.standing`` says, by parts, with the same bits; otherwise like ``replayed``."""
    count = workers.count
    mine = [np.flatnonzero(shopper % count == number) for number in range(count)]
    asked = [(number, count, features, shopper[mine[number]], at_ms[mine[number]], rules) for number in range(count)]
    found = np.concatenate(_parts(standing_of_part, history, workers, kept_in, asked, tell))
    return found[np.argsort(np.concatenate(mine))]


def rows_of_part(
    path: str, events: int, number: int, count: int, features: tuple[str, ...], how: dict[str, Any]
) -> Rows:
    """The rows of one part of the first events of a kept history: what a worker does."""
    return replay(_part(path, events, number, count), features, **how)


def standing_of_part(
    path: str,
    events: int,
    number: int,
    count: int,
    features: tuple[str, ...],
    shopper: Ints,
    at_ms: Ints,
    rules: Rules | None,
) -> npt.NDArray[np.float32]:
    """How shoppers of one part stood, as ``rows_of_part``."""
    part = _part(path, events, number, count)
    return standing(part, features, np.searchsorted(part.shopper, shopper), at_ms, rules=rules)


def _part(path: str, events: int, number: int, count: int) -> Part:
    return Part.of(History.read(Path(path))[0].until(events), number, count)


def _parts(
    function: Callable[..., T],
    history: History,
    workers: Workers,
    kept_in: Path,
    asked: list[tuple[Any, ...]],
    tell: Callable[[int], None],
) -> list[T]:
    """What a function of a kept history's file, and how many of its events count, answers for each part."""
    path, events = history.kept_in, len(history)
    if not path:
        file = kept_in / "parts.arrow"
        history.write(file)
        path = str(file.absolute())
    each = [(path, events, *some) for some in asked]
    here = workers.count == 1 and not workers.address
    found: list[T] = []
    for answer in [function(*some) for some in each] if here else _on_dask(function, each, workers):
        found.append(answer)
        tell(events * len(found) // workers.count)
    return found


def canonical(parts: list[Rows]) -> Rows:
    """Rows of parts as one, in the order that all numbers of parts give."""
    x, at_ms, why, shopper = (np.concatenate([getattr(p, name) for p in parts]) for name in Rows.__slots__)
    # Stable: a shopper is in one part, so rows that are alike in all three are in the order of the log.
    order = np.lexsort((shopper, why, at_ms))
    return Rows(x[order], at_ms[order], why[order], shopper[order])


def _on_dask(function: Callable[..., T], asked: list[tuple[Any, ...]], workers: Workers) -> list[T]:
    import dask

    parts = [dask.delayed(function, pure=True)(*each) for each in asked]
    if workers.address is None:
        return list(dask.compute(*parts, scheduler="processes", num_workers=workers.count, chunksize=1))
    from distributed import KilledWorker

    try:
        with workers.connected() as client:
            return list(client.gather(client.compute(parts)))
    except (OSError, TimeoutError, KilledWorker) as error:
        raise TrainingError(f"The Dask cluster at {workers.address}: {error}") from error
