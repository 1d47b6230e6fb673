"""``python -m training.checks.new_words --data DIR``: whether words say who buys an item that is new to all.

Orders of a shop (``--shop complete_journey`` has categories and titles, ``online_retail`` titles only) from two weeks
after a cut on, for 92 days after it. Items first sold since the cut, in the 28 days before an order's day, and never
bought by its shopper are ranked by units of those 28 days; by units times the root of how much likelier the shopper
buys of the category than anybody (``training.checks.new_items``); and by either times e to the power of how like the
item is to the three likest of what the shopper bought, standardized among the items. Alike by the grams of titles
(cosine of TF-IDF), and by the embeddings of ``multimodal`` as it ships. Told: how often one of the order's is among 20,
and 95% of what that is more than without words, whole shoppers redrawn. Powers are chosen by an earlier ``--cut``. A
JSON object.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.columns.arrays import Ints
from streams.columns.shopper_events import item_code
from streams.records.items import ItemListed
from streams.settings import Settings
from training.datasets import complete_journey, online_retail
from training.datasets.complete_journey_items import title_of
from training.datasets.dataset import read_table
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
    said = measure(history, words_of(TITLES[given.shop](given.data)), cut_ms, given.seed)
    print(json.dumps({"shop": given.shop, "cut": given.cut} | said))


def _gifts(data: Path | None) -> dict[str, str]:
    rows = read_table(online_retail.files(data)[0])
    rows = rows[rows["Description"].notna()]
    return dict(zip(rows["StockCode"].astype(str).tolist(), rows["Description"].str.strip().tolist(), strict=True))


def _groceries(data: Path | None) -> dict[str, str]:
    (path,) = [path for path in complete_journey.files(data) if path.stem == "products"]
    rows = read_table(path)
    what = zip(*(rows[name].tolist() for name in ("product_id", "product_type", "package_size")), strict=True)
    return {str(product): title for product, kind, package in what if (title := title_of(kind, package))}


TITLES = {"complete_journey": _groceries, "online_retail": _gifts}


def words_of(titles: dict[str, str]) -> Words:
    """Of items' titles."""
    records = [ItemListed(event_id="e", item_id=item, event_time=0, title=title) for item, title in titles.items()]
    grams = rows_of(task("category"), records)
    model, asked = Predictor(load_artifact(task("multimodal"))), task("multimodal")
    parts = [records[at : at + 200] for at in range(0, len(records), 200)]
    embedded = np.concatenate([model.score(rows_of(asked, part))["embedding"] for part in parts])
    embedded = embedded / np.maximum(np.linalg.norm(embedded, axis=1, keepdims=True), 1e-9)
    vectors = {"grams": texts_of(grams, rarity(grams, 1 << 16)).tocsr(), "multimodal": embedded}
    return Words({item_code(item): at for at, item in enumerate(titles)}, vectors)


def measure(history: History, words: Words, cut_ms: int, seed: int) -> dict[str, object]:
    """Shares of orders by method, and 95% of what each with words has more than without."""
    rng, lines = np.random.default_rng(seed), _Lines(history, words)
    hits: dict[str, list[bool]] = {}
    shoppers = []
    for asked in orders_with_new(history, lines, cut_ms, rng, lines.row >= 0):
        shoppers.append(asked.shopper)
        for name, score in lines.scores(asked).items():
            best = np.argsort(-score, kind="stable")[:LISTED]
            hits.setdefault(name, []).append(bool(asked.wanted[best].any()))
    found = {name: np.array(each, np.float64) for name, each in hits.items()}
    gains = {name: each - found[name.partition(" · ")[0]] for name, each in found.items() if " · " in name}
    many, more = intervals(shoppers, gains, rng)
    shares = {name: round(float(each.mean()), 4) for name, each in found.items()}
    return {"orders": len(shoppers), "shoppers": many, "among_20": shares, "more_95": more}


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
            like = _standard(self._likeness(vectors, new, past))
            for called, score in plain.items():
                for power in POWERS:
                    found[f"{called} · {name}^{power}"] = score * np.exp(power * like)
        return found

    def _likeness(self, vectors: Any, new: Ints, past: Ints) -> Floats:
        """[k] the mean cosine of new items and the likest of what was bought last."""
        bought = self.row[np.unique(self.item[past[-LATELY:]])]
        bought = bought[bought >= 0]
        if not len(bought):
            return np.zeros(len(new))
        like = vectors[self.row[new]] @ vectors[bought].T
        dense: Floats = np.asarray(like.todense() if hasattr(like, "todense") else like, np.float64)
        few = min(LIKEST, dense.shape[1])
        return np.asarray(np.partition(dense, -few, axis=1)[:, -few:].mean(axis=1))


def _standard(x: Floats) -> Floats:
    return (x - x.mean()) / max(float(x.std()), 1e-9)


if __name__ == "__main__":
    main()
