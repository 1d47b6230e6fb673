"""Rows, targets and lists of the task ``recommend``: the same for training, for the card and for baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import TYPE_CODE, Hashes, Ints
from streams.features.kinds.bought import code_of, halves, whole
from streams.features.kinds.recent import EVENTS_KEPT
from streams.records.events import CartItemAdded, ItemViewed, ItemWishlisted, OrderPlaced
from training.fit import Schedule, fit, seed_everything
from training.history import History
from training.networks.places import MOST
from training.networks.recommender import KNOWN, NEVER, PARTS, WIDTH
from training.replay import Rows

Floats32 = npt.NDArray[np.float32]
Tell = Callable[[str, int, int | None], None]
#: Records that touch items on purpose: what comes next is held against.
TOUCHING = (ItemViewed, CartItemAdded, ItemWishlisted, OrderPlaced)
#: Items of a next event that teach or test: more are left out.
TARGETS = 64
#: Items that have vectors, and a table of what goes with them: so an artifact stays below 2 MiB. Where more than this
#: share of all touches are of others, so many are named: then it has some 3 MiB, of 100,000 items 4.
CATALOGUE, LEFT_OUT, NAMED = 24_576, 0.2, MOST
#: Of the rows, so many are shown as if a shopper without any order had only looked at some items of the next order.
AS_SESSION = 0.15
BATCH, RATE = 128, 4e-3
#: A training goes through all rows so often, and more often where they are few, until it has taken so many steps.
EPOCHS, MOST_EPOCHS, STEPS = 2, 24, 900
#: Of how many rows an item's own share of next events counts as much as the share of all items.
BELIEVED = 50.0
#: An item that so many shoppers touched says half of what it would by their number.
FEW = 20.0


@dataclass(frozen=True)
class Catalogue:
    """The items that a model knows, the most touched first."""

    codes: Ints
    """[m] their 32-bit hashes: of two with one hash the less popular is left out."""
    count: Ints
    """[m] how often each was touched."""
    item: Hashes
    """[m] their 64-bit hashes."""

    def __len__(self) -> int:
        return len(self.codes)

    @staticmethod
    def of(items: Hashes, most: int) -> Catalogue:
        """Of all touches that teach."""
        found, count = np.unique(items, return_counts=True)
        code = code_of(found).astype(np.int64)
        order = np.lexsort((found, -count))
        order = order[code[order] != 0]
        _, first = np.unique(code[order], return_index=True)
        order = order[np.sort(first)][:most]
        return Catalogue(code[order], count[order], found[order])

    @staticmethod
    def of_shop(items: Hashes) -> Catalogue:
        """Of all touches that teach: items that have vectors, and those without where they are touched often enough."""
        most = Catalogue.of(items, NAMED)
        few = most.first(CATALOGUE)
        return most if few.count.sum() < (1 - LEFT_OUT) * len(items) else few

    def first(self, most: int) -> Catalogue:
        """The most touched of them."""
        return Catalogue(self.codes[:most], self.count[:most], self.item[:most])

    def places(self, codes: Ints) -> Ints:
        """Of codes: 1 + place, 0 of those that are not in it."""
        order = np.argsort(self.codes)
        at = np.minimum(np.searchsorted(self.codes[order], codes), len(order) - 1)
        return np.where(self.codes[order][at] == codes, order[at] + 1, 0)


@dataclass(frozen=True)
class Examples:
    """n rows that stand right after an event, and the items that the shopper's next event touches."""

    x: Floats32
    """[n, 388]"""
    shopper: Ints
    at_ms: Ints
    following: Ints
    """[n] index into the history of the next event that touches items; -1 where none came."""
    start: Ints
    item: Hashes
    """The items of the next event of row i: ``item[start[i]:start[i + 1]]``, none twice."""

    def __len__(self) -> int:
        return len(self.x)

    def of(self, catalogue: Catalogue, rows: Ints) -> Ints:
        """[k, 64] places + 1 of some rows' next items in a catalogue, 0 for none."""
        found = np.zeros((len(rows), TARGETS), np.int64)
        places = catalogue.places(code_of(self.item).astype(np.int64))
        for i, row in enumerate(rows.tolist()):
            some = places[self.start[row] : self.start[row + 1]]
            some = some[some > 0][:TARGETS]
            found[i, : len(some)] = some
        return found

    def items(self, row: int) -> Hashes:
        """The next items of a row."""
        return self.item[self.start[row] : self.start[row + 1]]


def examples(history: History, rows: Rows, x: Floats32) -> Examples:
    """Of rows in any order."""
    members = np.zeros(256, np.bool_)
    members[[TYPE_CODE[cls] for cls in TOUCHING]] = True
    touching = np.flatnonzero(members[history.type])
    key = (history.shopper[touching] << 48) + history.time_ms[touching]
    order = np.argsort(key, kind="stable")
    after = np.searchsorted(key[order], (rows.shopper << 48) + rows.at_ms, side="right")
    inside = np.minimum(after, len(order) - 1)
    event = touching[order[inside]]
    there = (after < len(order)) & (history.shopper[event] == rows.shopper)
    following = np.where(there, event, -1)
    parts, sizes = [], np.zeros(len(rows), np.int64)
    for i, e in enumerate(following.tolist()):
        if e >= 0:
            some = np.unique(history.touch_item[history.touch_start[e] : history.touch_start[e + 1]])
            parts.append(some)
            sizes[i] = len(some)
    item = np.concatenate(parts) if parts else np.zeros(0, np.uint64)
    return Examples(x, rows.shopper, rows.at_ms, following, np.r_[0, np.cumsum(sizes)], item)


def vectors(history: History, catalogue: Catalogue, events: Ints, seed: int) -> Floats32:
    """[l, 16] the first items by who touched them, of length 1: a truncated singular value decomposition of the logs of
    how often each shopper touched each, every shopper as heavy as any other, and items scaled by the roots of how many
    touched them, those of few less than that: else the rarest would say most. The largest part is left out."""
    import scipy.sparse as sparse
    from scipy.sparse.linalg import svds

    touches, owner = touches_of(history, events)
    catalogue = catalogue.first(CATALOGUE)
    place = catalogue.places(code_of(history.touch_item[touches]).astype(np.int64))
    known = place > 0
    at = (history.shopper[owner][known], place[known] - 1)
    size = (len(history.shoppers), len(catalogue))
    matrix = sparse.csr_matrix((np.ones(known.sum(), np.float32), at), size)
    matrix.data = np.log1p(matrix.data)
    who = np.bincount(matrix.indices, minlength=len(catalogue))
    matrix = matrix @ sparse.diags(np.sqrt(who) / (who + FEW))
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    matrix = sparse.diags(1.0 / np.maximum(length, 1e-9)) @ matrix
    k = min(WIDTH + 1, min(size) - 1)
    first = np.random.default_rng(seed).normal(size=min(size))
    _, value, found = svds(matrix.astype(np.float64), k=k, v0=first)
    # A vector's sign is free: it is chosen by its largest number.
    sign = np.sign(found[np.arange(k), np.abs(found).argmax(axis=1)])
    # The largest one is how popular an item is: by it all would go with all.
    made = ((found * (sign * np.sqrt(value))[:, None])[value < value.max()]).T
    made = made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-6)
    return np.pad(made, ((0, 0), (0, WIDTH - made.shape[1]))).astype(np.float32)


def touches_of(history: History, events: Ints) -> tuple[Ints, Ints]:
    """The touches of some events, and whose event each is."""
    size = np.diff(history.touch_start)[events]
    owner = np.repeat(events, size)
    first = np.repeat(history.touch_start[events] - np.r_[0, np.cumsum(size)[:-1]], size)
    return np.arange(int(size.sum())) + first, owner


def schedule_of(rows: int) -> Schedule:
    """How long is trained on so many rows.

    >>> [schedule_of(n).epochs for n in (120_000, 14_500, 100)]
    [2, 8, 24]
    """
    return Schedule(min(max(EPOCHS, -(-STEPS * BATCH // max(rows, 1))), MOST_EPOCHS), BATCH, rate=RATE)


def rebought(x: Floats32, wanted: npt.NDArray[np.int32], catalogue: Catalogue) -> Floats32:
    """[m] how much likelier an item comes next than any other, of those who bought it (as a log): of few rows, little
    is believed."""
    known, came = np.zeros(len(catalogue) + 1), np.zeros(len(catalogue) + 1)
    for start in range(0, len(x), 1024):
        place = catalogue.places(whole(x[start : start + 1024, : PARTS["bought_code"]]))
        hit = (place[:, :, None] == wanted[start : start + 1024, None, :]).any(axis=2)
        known += np.bincount(place.ravel(), minlength=len(known))
        came += np.bincount(place.ravel(), weights=hit.ravel(), minlength=len(known))
    known, came = known[1:], came[1:]
    usual = max(came.sum(), 1.0) / max(known.sum(), 1.0)
    return np.log((came / usual + BELIEVED) / (known + BELIEVED)).astype(np.float32)


def train(
    found: Examples, rows: Ints, catalogue: Catalogue, start: Floats32, explored: int, schedule: Schedule, seed: int,
    kept_in: Any, tell: Tell, stage: str = "training",
) -> Any:  # fmt: skip
    """A recommender, of some rows with a next event."""
    import tensorflow as tf

    from training.networks.places import Places
    from training.networks.recommender import Recommender

    seed_everything(seed)
    share = np.log(catalogue.count / catalogue.count.sum() * len(catalogue)).astype(np.float32)
    targets = found.of(catalogue, rows).astype(np.int32)
    again = rebought(found.x[rows], targets, catalogue)
    network = Recommender(Places(catalogue.codes), start, share, again, min(explored, len(catalogue)))
    network(np.zeros((1, sum(PARTS.values())), np.float32))
    some = (targets > 0).any(axis=1)
    rows, targets = rows[some], targets[some]

    def drawn(rng: np.random.Generator) -> tuple[Floats32, npt.NDArray[np.int32]]:
        x, wanted = found.x[rows].copy(), targets.copy()
        for i in np.flatnonzero(rng.random(len(rows)) < AS_SESSION).tolist():
            as_session(x, wanted, i, catalogue, rng)
        return x, wanted

    def loss(said: dict[str, Any], _x: Any, wanted: Any) -> Any:
        place, known, other = said["place"], said["known"], said["other"]
        explored_ = tf.shape(other)[1]
        at = tf.range(tf.shape(place)[0])[:, None]
        # What is known is weighed as such alone.
        mine = tf.reduce_max(tf.cast(place[:, :, None] == wanted[:, None, :], tf.float32), axis=1)
        hit = tf.reduce_max(tf.cast(place[:, :, None] == wanted[:, None, :], tf.float32), axis=2)
        hit *= tf.cast(place > 0, tf.float32)

        def spread(places: Any, values: Any) -> Any:
            inside = (places > 0) & (places <= explored_)
            where = tf.stack([tf.broadcast_to(at, tf.shape(places)), tf.where(inside, places, 0)], axis=2)
            grid = tf.scatter_nd(where, values * tf.cast(inside, tf.float32), (tf.shape(place)[0], explored_ + 1))
            return tf.minimum(grid[:, 1:], 1.0)

        owned = spread(place, tf.ones_like(known))
        new = spread(wanted, 1.0 - mine)
        logits = tf.concat([known, other + owned * NEVER], axis=1)
        share = tf.concat([hit, new], axis=1)
        total = tf.reduce_sum(share, axis=1)
        surprise = tf.reduce_sum(share * (tf.reduce_logsumexp(logits, axis=1, keepdims=True) - logits), axis=1)
        weight = total / tf.sqrt(tf.maximum(total, 1.0))
        return tf.reduce_sum(surprise / tf.maximum(total, 1.0) * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)

    fit(network, drawn, loss, schedule, seed=seed, kept_in=kept_in, tell=tell, stage=stage)
    return network


def as_session(
    x: Floats32, wanted: npt.NDArray[np.int32], i: int, catalogue: Catalogue, rng: np.random.Generator, most: int = 8
) -> bool:
    """Show row i as if its shopper had never ordered, and looked at three to ``most`` of the next items a few minutes
    ago: the others are then what comes next. False, and nothing is changed, where there are too few."""
    mine = wanted[i][wanted[i] > 0]
    if len(mine) < 4:
        return False
    mine = rng.permutation(mine)
    shown = mine[: rng.integers(3, min(most, len(mine) - 1) + 1)]
    code = np.zeros((1, EVENTS_KEPT), np.int64)
    code[0, : len(shown)] = catalogue.codes[shown - 1]
    starts = dict(zip(PARTS, np.cumsum([0, *PARTS.values()]).tolist(), strict=False))
    x[i] = 0.0
    x[i, starts["seen_code"] : starts["types"]] = halves(code)[0]
    x[i, starts["types"] : starts["types"] + len(shown)] = TYPE_CODE[ItemViewed]
    x[i, starts["gap_hours"] : starts["gap_hours"] + len(shown)] = 0.02
    x[i, starts["habits"] + 3] = 3650.0
    wanted[i] = 0
    wanted[i, : len(mine) - len(shown)] = mine[len(shown) :]
    return True


def lists(network: Any, x: Floats32, k: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """[n, k] places + 1 of the best items for rows, best first, by the network as trained, and which of them were known
    to the shopper."""
    best, owned = [], []
    for start in range(0, len(x), 512):
        said = {name: np.asarray(v) for name, v in network(x[start : start + 512]).items()}
        n, other = len(said["place"]), said["other"].copy()
        at = np.arange(n)[:, None]
        inside = (said["place"] > 0) & (said["place"] <= other.shape[1])
        other[np.broadcast_to(at, inside.shape)[inside], said["place"][inside] - 1] = 2 * NEVER
        every = np.concatenate([said["known"], other], axis=1)
        top = np.argsort(-every, axis=1, kind="stable")[:, :k]
        place = np.concatenate([said["place"], np.broadcast_to(np.arange(1, other.shape[1] + 1), other.shape)], axis=1)
        found = place[at, top]
        best.append(np.where(every[at, top] > NEVER / 2, found, 0))
        owned.append(top < KNOWN)
    return np.concatenate(best), np.concatenate(owned)
