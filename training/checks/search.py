"""``python -m training.checks.search --data DIR``: how well queries are answered, on graded results of Chorus/Icecat.

NDCG at 10 with gain 2^grade - 1, over the 116 queries that have a grade above 0, two ways that bracket the truth: over
all 19,406 products, where what nobody graded counts as wrong, and among graded products alone. Beside them the share
of the first ten that was graded. What ships was chosen on these queries, so what folds say is told too: of five, by
query, weights are chosen on four and measured on the fifth, and LightGBM learns to re-rank the best 100. Intervals by
redrawing queries; differences are to BM25F chosen in the same folds. A JSON object per ranking; some three minutes on
one core.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streams.features.payload.words import words as unstemmed
from streams.search.index import FIELDS, SATURATION, Document, Field, Index
from streams.search.likeness import together
from streams.search.words import MOST_WORDS, stems
from training.redraws import ends

Floats = npt.NDArray[np.float64]
FOLDS, REDRAWN, DEPTH = 5, 2000, 100
#: What BM25F chooses from: weights of title and attributes, loss by length, saturation.
GRID = tuple(product((1.0, 3.0, 5.0), (0.0, 0.3, 1.0), (0.5, 0.75, 0.9), (0.6, 1.2)))
#: How much LightGBM's score counts beside BM25F's, each scaled within its query.
BLENDS = (0.0, 0.1, 0.3, 1.0)


class Graded:
    """Products and graded queries. ``grades``: query → product → 0 … 3."""

    def __init__(self, folder: Path) -> None:
        self.products: dict[str, Document] = {}
        for path in sorted(folder.glob("*.json.zip")):
            with zipfile.ZipFile(path) as packed:
                for found in json.loads(packed.read(packed.namelist()[0])):
                    told = {k: v for k, v in found.items() if k.startswith("attr_t_")}
                    text = found.get("short_description", "")
                    said = Document(title=found["title"], brand=found["supplier"], description=text, attributes=told)
                    self.products[found["id"]] = said
        grades: dict[str, dict[str, int]] = {}
        with (folder / "Broad_Query_Set_rated.csv").open() as file:
            for row in csv.DictReader(file):
                if row["docid"] in self.products:
                    grades.setdefault(row["query"], {})[row["docid"]] = int(row["rating"])
        self.grades = {query: found for query, found in grades.items() if max(found.values()) > 0}
        self.queries = tuple(self.grades)

    def index(self, read: Callable[[str, int], list[str]] = stems, named: bool = False) -> Index:
        """All products. ``named``: by the names of their attributes as well."""
        index = Index(read)
        for item, said in sorted(self.products.items()):
            if named:
                both = {k: f"{k.removeprefix('attr_t_').replace('_', ' ')} {v}" for k, v in said.attributes.items()}
                said = msgspec.structs.replace(said, attributes=both)
            index.put(item, said)
        return index


Scored = Mapping[str, Mapping[str, float]]
"""Query → product → score; a product without one has 0."""


def gain(grades: Sequence[int]) -> float:
    """Discounted gain of the first ten."""
    return sum((2.0**grade - 1) / np.log2(rank + 2) for rank, grade in enumerate(grades[:10]))


def measured(graded: Graded, scored: Scored) -> Floats:
    """[queries, 3] NDCG over all products, NDCG among graded ones, share of the first ten that was graded."""
    rows = []
    for query in graded.queries:
        grades, scores = graded.grades[query], scored[query]
        ideal = gain(sorted(grades.values(), reverse=True))
        first = sorted(scores, key=lambda item: (-scores[item], item))[:10]
        among = sorted(grades, key=lambda item: (-scores.get(item, 0.0), item))
        full, only = gain([grades.get(item, 0) for item in first]), gain([grades[item] for item in among])
        rows.append((full / ideal, only / ideal, sum(item in grades for item in first) / 10))
    return np.array(rows)


def told(name: str, found: Floats, beside: Floats | None, seed: int) -> dict[str, Any]:
    """Means with 95% intervals, and the difference to another ranking of the same queries."""
    drawn = np.random.default_rng(seed).integers(0, len(found), (REDRAWN, len(found)))

    def interval(values: Floats) -> list[float]:
        return [round(float(values.mean()), 4), *ends(values[drawn].mean(axis=1))]

    said: dict[str, Any] = {"ranking": name, "all": interval(found[:, 0]), "graded_only": interval(found[:, 1])}
    said["graded_at_10"] = round(float(found[:, 2].mean()), 3)
    if beside is not None:
        said["all_less_bm25f"] = interval(found[:, 0] - beside[:, 0])
        said["graded_only_less_bm25f"] = interval(found[:, 1] - beside[:, 1])
    return said


def scored(graded: Graded, index: Index, read: Callable[[str, int], list[str]] = stems) -> Scored:
    """Every product's score for every query."""
    answers = {}
    for query in graded.queries:
        places, scores = index.scores(list(dict.fromkeys(read(query, MOST_WORDS))))
        answers[query] = dict(zip(index.ids(places), scores.tolist(), strict=True))
    return answers


def fields(title: float, attributes: float, length: float) -> tuple[Field, ...]:
    """Fields that weigh so."""
    weights = {"title": title, "attributes": attributes}
    return tuple(replace(f, weight=weights.get(f.name, 1.0), length=length) for f in FIELDS)


def folds(n: int, seed: int) -> npt.NDArray[np.int64]:
    """[n] the fold of each query."""
    return np.random.default_rng(seed).permutation(n) % FOLDS


def chosen(found: Sequence[Floats], fold: npt.NDArray[np.int64]) -> Floats:
    """What the best of some rankings comes to in each fold, chosen on the others by the mean of both readings."""
    whole = np.zeros_like(found[0])
    for k in range(FOLDS):
        best = max(found, key=lambda each: each[fold != k, :2].mean())
        whole[fold == k] = best[fold == k]
    return whole


def features(index: Index, whole: Mapping[str, float], by_field: Sequence[Mapping[str, float]], query: str,
             items: Sequence[str], products: Mapping[str, Document]) -> Floats:  # fmt: skip
    """[items, f] what LightGBM sees of a query and an item."""
    words = list(dict.fromkeys(stems(query, MOST_WORDS)))
    ranked = np.array(sorted(whole.values(), reverse=True)[:DEPTH] or [1.0])
    rarity = sum(1 / np.log2(2 + index.frequency(word)) for word in words) + 1e-9
    rows = []
    for item in items:
        said, score = products[item], whole.get(item, 0.0)
        title = stems(said.title, 64)
        at = [title.index(word) for word in words if word in title]
        first = min(at) / len(title) if at else 1.5
        after = (len(title) - 1 - max(at)) / len(title) if at else 1.5
        phrase = " ".join(words) in " ".join(title)
        brand = stems(said.brand, 8) == words
        numbers = sum(any(c.isdigit() for c in word) for word in words if word in title)
        rows.append(
            (score / ranked[0], score / ranked[:10].mean(), score / ranked.mean(), score / rarity,
             *(each.get(item, 0.0) for each in by_field), len(at) / max(len(words), 1), first, after, phrase, brand,
             numbers, len(title), len(said.attributes), len(said.description), len(words))
        )  # fmt: skip
    return np.array(rows, np.float64)


def boosted(graded: Graded, index: Index, fold: npt.NDArray[np.int64], seed: int) -> list[Scored]:
    """Of each of ``BLENDS``: LightGBM, learned on the other folds' grades, beside BM25F on the best ``DEPTH``."""
    import lightgbm

    whole, by_field = scored(graded, index), []
    for field in FIELDS:
        if field.name != "category":
            index.weigh([replace(f, weight=float(f == field)) for f in FIELDS], SATURATION)
            by_field.append(scored(graded, index))
    index.weigh(FIELDS, SATURATION)
    items = reranked(whole, graded.grades)
    seen = {
        q: features(index, whole[q], [each[q] for each in by_field], q, items[q], graded.products)
        for q in graded.queries
    }
    blended: list[dict[str, dict[str, float]]] = [{} for _ in BLENDS]
    for k in range(FOLDS):
        learned = [q for q, f in zip(graded.queries, fold, strict=True) if f != k]
        x, y = [], list[int]()
        for query in learned:
            some = [i for i, item in enumerate(items[query]) if item in graded.grades[query]]
            x.append(seen[query][some])
            y += [graded.grades[query][items[query][i]] for i in some]
        how = {"objective": "lambdarank", "num_leaves": 7, "learning_rate": 0.05, "min_data_in_leaf": 30, "seed": seed,
               "feature_fraction": 0.5, "lambda_l2": 5, "bagging_fraction": 0.8, "bagging_freq": 1, "num_threads": 1,
               "label_gain": [0, 1, 3, 7], "lambdarank_truncation_level": 10, "verbose": -1,
               "deterministic": True}  # fmt: skip
        trees = lightgbm.train(how, lightgbm.Dataset(np.concatenate(x), y, group=[len(e) for e in x]), 120)
        for query in (q for q, f in zip(graded.queries, fold, strict=True) if f == k):
            said = np.asarray(trees.predict(seen[query]), np.float64)
            for share, into in zip(BLENDS, blended, strict=True):
                into[query] = mixed(whole[query], items[query], said, share)
    return list(blended)


def mixed(whole: Mapping[str, float], items: Sequence[str], said: Floats, share: float) -> dict[str, float]:
    """BM25F's scores of some items, each by the highest, and what else is ``said`` of them, standardized and weighted;
    all above 0."""
    plain = np.array([whole.get(item, 0.0) for item in items])
    both = together(plain, said, share)
    return dict(zip(items, (both - both.min() + 1).tolist(), strict=True))


def reranked(whole: Scored, grades: Mapping[str, Mapping[str, int]]) -> dict[str, list[str]]:
    """By query, the items that are scored anew: the best ``DEPTH``, and the graded ones."""
    best = {q: sorted(s, key=lambda item: (-s[item], item))[:DEPTH] for q, s in whole.items()}
    return {q: list(dict.fromkeys([*best[q], *sorted(grades[q])])) for q in whole}


def only_best(found: Scored, whole: Scored) -> Scored:
    """Scores of those alone that stand among BM25F's best ``DEPTH``."""
    kept = {q: sorted(s, key=lambda item: (-s[item], item))[:DEPTH] for q, s in whole.items()}
    return {query: {item: found[query][item] for item in kept[query]} for query in kept}


def remeasured(graded: Graded, found: Scored, whole: Scored) -> Floats:
    """[queries, 3] as ``measured``, of what scores BM25F's best ``DEPTH`` and all graded products anew."""
    first, among = measured(graded, only_best(found, whole)), measured(graded, found)
    return np.column_stack([first[:, 0], among[:, 1], first[:, 2]])


def gridded(graded: Graded, index: Index, fold: npt.NDArray[np.int64]) -> Floats:
    """[queries, 3] of BM25F with weights chosen in folds; the index is left with those that ship."""
    grid = []
    for title, attributes, length, saturation in GRID:
        index.weigh(fields(title, attributes, length), saturation)
        grid.append(measured(graded, scored(graded, index)))
    index.weigh(FIELDS, SATURATION)
    return chosen(grid, fold)


def main() -> None:
    """Measure, and print a JSON object for each ranking."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.search", description=__doc__)
    asked.add_argument("--data", type=Path, required=True, help="the folder chorus_icecat")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    graded = Graded(given.data)
    fold = folds(len(graded.queries), given.seed)

    def say(name: str, found: Floats, beside: Floats | None = None) -> None:
        print(json.dumps(told(name, found, beside, given.seed)), flush=True)

    plain = graded.index(unstemmed)
    index = graded.index()
    whole = scored(graded, index)
    began = time.perf_counter()
    scored(graded, index)
    spent = (time.perf_counter() - began) / len(graded.queries)
    best = gridded(graded, index, fold)
    say("BM25F, weights chosen in folds", best)
    ships = measured(graded, whole)
    say("BM25F as it ships", ships, best)
    say(
        "the same, names of attributes as well (less what ships)",
        measured(graded, scored(graded, graded.index(named=True))),
        ships,
    )
    say("the same, words with their plural", measured(graded, scored(graded, plain, unstemmed)), best)
    plain.weigh(fields(1.0, 1.0, 0.9), SATURATION)
    say("the same, all fields alike", measured(graded, scored(graded, plain, unstemmed)), best)
    for share, found in zip(BLENDS, boosted(graded, index, fold, given.seed), strict=True):
        say(f"BM25F + {share:g} LightGBM", remeasured(graded, found, whole), best)
    print(json.dumps({"products": len(index), "milliseconds_a_query": round(spent * 1000, 2)}))


if __name__ == "__main__":
    main()
