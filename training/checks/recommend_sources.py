"""Where items that a shopper never had could come from: each source's lists, without what was had before.

Beside what ships (``ours``: inner products with the vectors of the version) a graph (LightGCN), two towers, ALS,
the table of what goes with a cart, and what is popular. All know the items of the version's catalogue, learn from the
same events, and name 20 of those that a shopper never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Hashes, Ints
from training.baselines import items as baselines
from training.baselines.graph import Factors, light_gcn
from training.choosing import WIDTH, known_places
from training.history import History
from training.networks.towers import asked, towers_of
from training.ranking import LISTED, measured
from training.recommending import CATALOGUE, Catalogue, Examples
from training.together import affinity, in_visits, together

Scores = Callable[[Ints], npt.NDArray[Any]]


@dataclass(frozen=True)
class Known:
    """What teaches, and who is asked about."""

    history: History
    found: Examples
    catalogue: Catalogue
    taught: Ints
    tested: Ints
    """Rows."""
    events: Ints
    held: Any
    """[shoppers, catalogue] sparse: decayed counts."""

    @property
    def who(self) -> Ints:
        """The shoppers of the tested rows."""
        return self.found.shopper[self.tested]


def factors(known: Known, seed: int, kept_in: Path) -> dict[str, Factors]:
    """By method, vectors of the tested rows' shoppers and of the catalogue's items."""
    found = {"light_gcn": light_gcn(known.held, seed=seed)}
    if (als := baselines.als(known.held, seed)) is not None:
        found["als"] = als
    made = {name: Factors(each.shopper[known.who], each.item) for name, each in found.items()}
    x, asked_x = known.found.x[known.taught], known.found.x[known.tested]
    wanted, m = known.found.of(known.catalogue, known.taught).astype(np.int32), len(known.catalogue)
    places = known_places(known.catalogue, x)
    towers = towers_of(x, places, wanted, m, seed=seed, kept_in=kept_in, width=WIDTH)
    query = asked(towers, asked_x, known_places(known.catalogue, asked_x))
    made["two_towers"] = Factors(query, np.asarray(towers.vectors(np.arange(1, m + 1))))
    return made


def sources(
    known: Known, made: Mapping[str, Factors], ours: npt.NDArray[Any], truth: Sequence[Hashes], own: Sequence[Hashes],
    seed: int,
) -> dict[str, Any] | None:  # fmt: skip
    """How much of what each shopper never had is among 20 of each source; None where nobody took anything new.
    ``ours`` [n, explored]: what ours weighs."""
    new = [came[~np.isin(came, mine)] for came, mine in zip(truth, own, strict=True)]
    some = np.flatnonzero([len(each) > 0 for each in new])
    if not len(some):
        return None
    table = _table(known)
    count = known.catalogue.count.astype(np.float64)
    scores: dict[str, Scores] = {
        "ours": lambda at: np.pad(
            ours[at], ((0, 0), (0, len(count) - ours.shape[1])), constant_values=-np.inf
        ),
        "popular": lambda at: np.tile(count, (len(at), 1)),
        "goes_with": lambda at: (known.held[known.who[at]] @ table).toarray(),
    }  # fmt: skip
    scores |= {name: _inner(each) for name, each in made.items()}
    lists = {name: known.catalogue.item[_new(known, score, some)] for name, score in scores.items()}
    nothing = known.catalogue.item[:0]
    return {"shoppers": len(some)} | measured(lists, [new[i] for i in some.tolist()], [nothing] * len(some), seed)


def _inner(each: Factors) -> Scores:
    return lambda at: each.shopper[at] @ each.item.T


def _new(known: Known, score: Scores, rows: Ints) -> Ints:
    """[n, 20] the best that the shoppers of some rows never had."""
    found = []
    for start in range(0, len(rows), baselines.AT_ONCE):
        at = rows[start : start + baselines.AT_ONCE]
        scores, held = np.array(score(at), np.float64), known.held[known.who[at]]
        scores[np.repeat(np.arange(len(at)), np.diff(held.indptr)), held.indices] = -np.inf
        found.append(np.argsort(-scores, axis=1, kind="stable")[:, :LISTED])
    return np.concatenate(found)


def _table(known: Known) -> Any:
    """[catalogue, catalogue] sparse: what goes with each item, as the version holds it."""
    import scipy.sparse as sparse

    held = together(affinity(in_visits(known.history, known.catalogue.first(CATALOGUE), known.events)))
    at, which = np.nonzero(held.place)
    m = len(known.catalogue)
    return sparse.csr_matrix((held.weight[at, which].astype(np.float64), (at - 1, held.place[at, which] - 1)), (m, m))
