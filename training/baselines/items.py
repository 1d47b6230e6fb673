"""Baselines for the items of the next basket: what is popular, what the shopper buys, and what others like them buy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from training.baselines.graph import Factors

Ints = npt.NDArray[np.int64]
#: Shoppers scored at once.
AT_ONCE = 256


def vectors(shopper: Ints, item: Ints, ago: Ints, shape: tuple[int, int], decay: float) -> Any:
    """[shoppers, items] sparse: each line ``ago`` baskets back counts ``decay ** ago``."""
    import scipy.sparse as sparse

    return sparse.csr_matrix((float(decay) ** ago, (shopper, item)), shape)


def best(scores: Any, k: int) -> Ints:
    """[n, k] the largest of each row, best first; -1 where a score is not above 0."""
    part = np.argpartition(-scores, k, axis=1)[:, :k]
    values = np.take_along_axis(scores, part, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    part, values = np.take_along_axis(part, order, axis=1), np.take_along_axis(values, order, axis=1)
    return np.where(values > 0, part, -1)


def popular(held: Any, who: Ints, k: int) -> Ints:
    """[n, k] the items of most lines, the same for all."""
    count = np.asarray(held.sum(axis=0)).ravel()
    return np.tile(np.argsort(-count, kind="stable")[:k], (len(who), 1))


def personal(held: Any, who: Ints, k: int) -> Ints:
    """[n, k] the shopper's own items by decayed count, then what is popular."""
    count = np.asarray(held.sum(axis=0)).ravel()
    count = 1e-6 * count / count.max()
    return np.concatenate([best(held[some].toarray() + count, k) for some in _blocks(who)])


def tifu_knn(held: Any, who: Ints, k: int, alpha: float = 0.5, neighbours: int = 300) -> Ints:
    """[n, k] TIFU-kNN (Hu et al. 2020): ``alpha`` of the shopper's decayed vector, scaled to its largest, and the rest
    of the mean of those most similar by cosine."""
    import scipy.sparse as sparse

    length = np.sqrt(np.asarray(held.multiply(held).sum(axis=1)).ravel())
    unit = (sparse.diags(1 / np.maximum(length, 1e-12)) @ held).tocsr()
    size = np.asarray(held.sum(axis=1)).ravel()
    scaled = (sparse.diags(1 / np.maximum(size, 1e-12)) @ held).tocsr()
    found = []
    for some in _blocks(who):
        similar = np.asarray((unit[some] @ unit.T).todense())
        similar[np.arange(len(some)), some] = -1
        near = np.argpartition(-similar, neighbours, axis=1)[:, :neighbours]
        rows = np.repeat(np.arange(len(some)), neighbours)
        chosen = sparse.csr_matrix(
            (np.full(len(rows), 1 / neighbours), (rows, near.ravel())), (len(some), held.shape[0])
        )
        found.append(best(alpha * scaled[some].toarray() + (1 - alpha) * (chosen @ scaled).toarray(), k))
    return np.concatenate(found)


def item_knn(held: Any, who: Ints, k: int, neighbours: int = 100) -> Ints:
    """[n, k] items most often bought by the same shoppers as theirs (cosine, 100 neighbours each), and theirs."""
    import scipy.sparse as sparse

    once = held.sign()
    length = np.sqrt(np.asarray(once.sum(axis=0)).ravel())
    unit = (once @ sparse.diags(1 / np.maximum(length, 1e-12))).tocsc()
    similar = (unit.T @ unit).tocsr()
    kept = []
    for i in range(similar.shape[0]):
        a, b = similar.indptr[i : i + 2]
        if b - a > neighbours:
            least = np.partition(similar.data[a:b], -neighbours)[-neighbours]
            similar.data[a:b][similar.data[a:b] < least] = 0
        kept.append(b - a)
    similar.eliminate_zeros()
    return np.concatenate([best((held[some] @ similar).toarray(), k) for some in _blocks(who)])


def als(held: Any, seed: int, factors: int = 64) -> Factors | None:
    """Implicit alternating least squares (Hu, Koren, Volinsky 2008); None where ``implicit`` is not there."""
    try:
        from implicit.als import AlternatingLeastSquares
    except ImportError:
        return None
    model = AlternatingLeastSquares(factors=factors, iterations=15, random_state=seed, num_threads=1)
    model.fit(held.tocsr().astype(np.float32), show_progress=False)
    return Factors(np.asarray(model.user_factors), np.asarray(model.item_factors))


def by_factors(factors: Factors, who: Ints, k: int) -> Ints:
    """[n, k] the items of the largest inner products, best first."""
    found = []
    for some in _blocks(who):
        scores = factors.shopper[some] @ factors.item.T
        found.append(best(scores - scores.min() + 1.0, k))
    return np.concatenate(found)


def _blocks(who: Ints) -> list[Ints]:
    return [who[start : start + AT_ONCE] for start in range(0, len(who), AT_ONCE)]


def co_visit(
    shopper: Ints, item: Ints, ago: Ints, shape: tuple[int, int], who: Ints, k: int, fades: float = 0.9
) -> Ints:
    """[n, k] the shopper's own items, the newest first, and those that others touched right before or after them."""
    import scipy.sparse as sparse

    order = np.lexsort((-ago, shopper))
    one, other = order[:-1], order[1:]
    near = (shopper[one] == shopper[other]) & (item[one] != item[other])
    pairs = sparse.csr_matrix((np.ones(near.sum()), (item[one][near], item[other][near])), (shape[1], shape[1]))
    pairs = pairs + pairs.T
    size = np.maximum(np.asarray(pairs.sum(axis=1)).ravel(), 1.0)
    held = vectors(shopper, item, ago, shape, fades).tocsr()
    found = []
    for some in _blocks(who):
        own = held[some]
        found.append(best((own + 0.3 * (own @ (sparse.diags(size**-0.5) @ pairs))).toarray(), k))
    return np.concatenate(found)
