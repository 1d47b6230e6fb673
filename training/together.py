"""Which items go with which: those bought, put into carts or looked at in one visit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import TYPE_CODE, Ints
from streams.features.kinds.bought import code_of
from streams.features.kinds.recent import SESSION_GAP_MS
from training.history import History
from training.networks.recommender import BESIDE_ONE, Together
from training.recommending import TOUCHING, Catalogue, touches_of

#: An item in so many visits more counts as if it had been there: of rare ones, little is believed.
SHRUNK = 10.0
#: Of how often an item, and what goes with it, is in any visit: larger ones find what is rarer. Chosen on visits before
#: the cuts of ``training/checks/goes_with.py`` among five pairs, for the tables as they are cut off and rounded.
POWERS = 0.7, 0.3
#: Visits of more items are left out: wholesalers' and robots' say little of what goes with what, and cost their square.
MOST_OF_ONE = 400


def visits(history: History, events: Ints) -> Ints:
    """[k] the visit of each of some events, in order of time: one ends after 30 minutes without an event.

    An event that touches no item on purpose has a visit, too; who asks for items finds none in it."""
    order = np.lexsort((history.time_ms[events], history.shopper[events]))
    shopper, time = history.shopper[events][order], history.time_ms[events][order]
    begins = np.r_[True, (np.diff(shopper) != 0) | (np.diff(time) > SESSION_GAP_MS)][: len(order)]
    found = np.zeros(len(events), np.int64)
    found[order] = np.cumsum(begins) - 1
    return found


def in_visits(history: History, catalogue: Catalogue, events: Ints) -> Any:
    """[visits, items] sparse: 1 where an item was touched in a visit, of visits of at most 400 different ones."""
    import scipy.sparse as sparse

    some = events[np.isin(history.type[events], [TYPE_CODE[cls] for cls in TOUCHING])]
    number = np.zeros(len(history), np.int64)
    number[some] = visits(history, some)
    touch, owner = touches_of(history, some)
    place = catalogue.places(code_of(history.touch_item[touch]).astype(np.int64))
    at = (number[owner][place > 0], place[place > 0] - 1)
    size = (int(number.max(initial=0)) + 1, len(catalogue))
    held = sparse.csr_matrix((np.ones(len(at[0]), np.float32), at), size).sign()
    return held[np.diff(held.indptr) <= MOST_OF_ONE]


def affinity(held: Any) -> Any:
    """[items, items] sparse, of ``in_visits``: how often the column's item is in a visit of the row's, over powers of
    how often either is in any. Of a visit of many items each pair says less, by the logarithm of how many there are.
    An item has nothing to do with itself."""
    import scipy.sparse as sparse

    size, often = np.diff(held.indptr), np.asarray(held.sum(axis=0)).ravel() + SHRUNK
    pairs = (held.T @ (sparse.diags(1.0 / np.log(1.0 + np.maximum(size, 1))) @ held)).tocsr()
    pairs.setdiag(0.0)
    found = (sparse.diags(often ** -POWERS[0]) @ pairs @ sparse.diags(often ** -POWERS[1])).tocsr()
    found.eliminate_zeros()
    return found


def together(found: Any) -> Together:
    """The table of an ``affinity``. What is beyond 99.9% of all that is in it counts as much as that."""
    m = found.shape[0]
    place, weight = np.zeros((1 + m, BESIDE_ONE), np.int16), np.zeros((1 + m, BESIDE_ONE))
    for i in range(m):
        a, b = found.indptr[i : i + 2]
        # Of those that go as well, the more popular one first: the catalogue is in that order.
        best = np.lexsort((found.indices[a:b], -found.data[a:b]))[:BESIDE_ONE]
        place[1 + i, : len(best)] = 1 + found.indices[a:b][best]
        weight[1 + i, : len(best)] = found.data[a:b][best]
    unit = np.quantile(weight[weight > 0], 0.999) if (weight > 0).any() else 1.0
    whole = np.round(32_767 * np.minimum(weight / unit, 1.0)).astype(np.int16)
    return Together(np.where(whole > 0, place, np.int16(0)), whole)


def going_with(table: Together, cart: npt.NDArray[Any], most: int) -> Ints:
    """[n, most] places + 1 of what goes best with carts [n, k] of places + 1 (0: none), as the graph finds it; of two
    that go as well, the more popular one first, and 0 where there is no more."""
    found = np.zeros((len(cart), most), np.int64)
    for i, mine in enumerate(cart):
        near = table.place[mine].ravel().astype(np.int64)
        total = np.bincount(near, table.weight[mine].ravel(), minlength=len(table.place))
        total[mine] = total[0] = 0
        some = np.flatnonzero(total)
        best = some[np.lexsort((some, -total[some]))][:most]
        found[i, : len(best)] = best
    return found
