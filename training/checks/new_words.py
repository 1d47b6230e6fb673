"""``python -m training.checks.new_words --data DIR``: whether words say who buys an item that is new to all.

Orders of a shop (``--shop complete_journey`` has categories and titles, ``online_retail`` titles only) from two weeks
after a cut on, for 92 days after it. Items first sold since the cut, in the 28 days before an order's day, and never
bought by its shopper are ranked by units of those 28 days; by units times the root of how much likelier the shopper
buys of the category than anybody (``training.checks.new_items``); and by either times e to the power of how like the
item is to what the shopper bought, to the three likest of it or (``sum``) to all of it together, standardized among the
items. Alike by the grams of titles (cosine of TF-IDF), by 512 bits of a simhash of the same grams, and by the
embeddings of ``multimodal`` as it ships, in bytes; of the last two less what all items have in common. Told: how often
one of the order's is among 20, and 95% of what that is more than without words, whole shoppers redrawn; and the mean
reciprocal rank of the first of the order's. Powers are chosen by an earlier ``--cut``. A JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from xxhash import xxh64_digest

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.columns.arrays import Ints
from streams.columns.shopper_events import item_code
from streams.decisions.looks import in_steps
from streams.records.items import ItemListed
from streams.settings import Settings
from training.datasets.listings import LISTINGS
from training.history import History
from training.networks.bag import rarity, texts_of
from training.networks.inputs import rows_of
from training.new_items import OrderLines, OrderWithNew, intervals, orders_with_new
from training.ranking import LISTED
from training.source import of_name

Floats = npt.NDArray[np.float64]
#: Of so many items bought last likeness counts, of the likest few.
LATELY, LIKEST = 200, 3
POWERS = (0.1, 0.25, 0.5, 1.0)
BITS = 512


class Words(NamedTuple):
    """What titles say of items."""

    place: dict[int, int]
    """Of an item, by hash, the row."""
    vectors: dict[str, Any]
    """By name, [items, k] of length 1."""


def main() -> None:
    """Measure, and print it."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.new_words", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder of the data sets that come in no package")
    asked.add_argument("--shop", choices=("complete_journey", "online_retail"), default="complete_journey")
    asked.add_argument("--cut", default="2017-10-01")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    history, _ = of_name(given.shop, given.data, Settings()).load(Path("build/training"), lambda _n: None)
    cut_ms = int(np.datetime64(given.cut, "ms").astype(np.int64))
    said = measure(history, words_of(list(LISTINGS[given.shop](given.data))), cut_ms, given.seed)
    print(json.dumps({"shop": given.shop, "cut": given.cut} | said))


def words_of(records: Sequence[ItemListed]) -> Words:
    """Of items' listings."""
    grams = rows_of(task("category"), records)
    model, asked = Predictor(load_artifact(task("multimodal"))), task("multimodal")
    parts = [records[at : at + 200] for at in range(0, len(records), 200)]
    embedded = np.concatenate([model.score(rows_of(asked, part))["embedding"] for part in parts])
    vectors = {
        "grams": texts_of(grams, rarity(grams, 1 << 16)).tocsr(),
        "simhash": _apart(np.array([_simhash(row[row > 0]) for row in grams])),
        "multimodal": _apart(in_steps(embedded).astype(np.float64)),
    }
    return Words({item_code(record.item_id): at for at, record in enumerate(records)}, vectors)


def _simhash(grams: npt.NDArray[np.float32]) -> Floats:
    """[512] of each bit of the grams' hashes whether most of them have it, as 1 or -1."""
    whole = [b"".join(xxh64_digest(gram.tobytes(), seed) for seed in range(BITS // 64)) for gram in grams]
    bits = np.unpackbits(np.frombuffer(b"".join(whole), np.uint8).reshape(-1, BITS // 8), axis=1)
    return np.where(2 * bits.sum(axis=0) >= len(bits), 1.0, -1.0)


def _apart(vectors: Floats) -> Floats:
    """Of length 1, less their mean."""
    off = vectors - vectors.mean(axis=0)
    return off / np.maximum(np.linalg.norm(off, axis=1, keepdims=True), 1e-9)


def measure(history: History, words: Words, cut_ms: int, seed: int) -> dict[str, object]:
    """Shares of orders by method, and 95% of what each with words has more than without."""
    rng, lines = np.random.default_rng(seed), _Lines(history, words)
    hits: dict[str, list[bool]] = {}
    ranks: dict[str, list[float]] = {}
    shoppers = []
    for asked in orders_with_new(history, lines, cut_ms, rng, lines.row >= 0):
        shoppers.append(asked.shopper)
        for name, score in lines.scores(asked).items():
            best = asked.wanted[np.argsort(-score, kind="stable")]
            hits.setdefault(name, []).append(bool(best[:LISTED].any()))
            ranks.setdefault(name, []).append(1 / (1 + float(best.argmax())))
    found = {name: np.array(each, np.float64) for name, each in hits.items()}
    gains = {name: each - found[name.partition(" · ")[0]] for name, each in found.items() if " · " in name}
    many, more = intervals(shoppers, gains, rng)
    shares = {name: round(float(each.mean()), 4) for name, each in found.items()}
    rank = {name: round(float(np.mean(each)), 4) for name, each in ranks.items()}
    return {"orders": len(shoppers), "shoppers": many, "among_20": shares, "more_95": more, "reciprocal_rank": rank}


class _Lines(OrderLines):
    """With what titles say of items."""

    def __init__(self, history: History, words: Words) -> None:
        super().__init__(history)
        self.row = np.array([words.place.get(int(item), -1) for item in self.items])
        """Of each item its row of ``words``; -1: it has none."""
        self._words = words

    def scores(self, asked: OrderWithNew) -> dict[str, Floats]:
        """By method, [k] what new items get."""
        new, past, lately = asked.new, asked.past, self.between(asked.since, asked.now)
        units = self.many(new, lately)
        plain = {"units": units}
        if len(self.categories) > 1:
            plain["units and category"] = units * np.sqrt(self.likelier(new, past, self.usual(lately)))
        found = dict(plain)
        for name, vectors in self._words.vectors.items():
            for few, said in ((LIKEST, name), (LATELY, f"{name} sum")):
                like = _standard(self._likeness(vectors, new, past, few))
                for called, score in plain.items():
                    for power in POWERS:
                        found[f"{called} · {said}^{power}"] = score * np.exp(power * like)
        return found

    def _likeness(self, vectors: Any, new: Ints, past: Ints, few: int) -> Floats:
        """[k] the mean cosine of new items and the likest ``few`` of what was bought last."""
        bought = self.row[np.unique(self.item[past[-LATELY:]])]
        bought = bought[bought >= 0]
        if not len(bought):
            return np.zeros(len(new))
        like = vectors[self.row[new]] @ vectors[bought].T
        dense: Floats = np.asarray(like.todense() if hasattr(like, "todense") else like, np.float64)
        few = min(few, dense.shape[1])
        return np.asarray(np.partition(dense, -few, axis=1)[:, -few:].mean(axis=1))


def _standard(x: Floats) -> Floats:
    return (x - x.mean()) / max(float(x.std()), 1e-9)


if __name__ == "__main__":
    main()
