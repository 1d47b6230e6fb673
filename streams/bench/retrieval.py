"""How long ``recommend`` takes to list items for a shopper: ``python -m streams.bench.retrieval [--items 100000]``.

A version that names so many items is built as a training builds it, exported, proven and loaded as a worker loads it,
with codes and numbers that are drawn: they do not change what is computed. It answers shoppers with 64 items bought and
32 seen, one at a time and in slices of 256. Once as it is trained: the 512 most touched items are explored, of all
others those that the shopper knows are found; and once with vectors of all items, of which all are explored. What a run
takes of one core, in milliseconds (the median, and within what 99 of 100 runs are), the same by the clock, which counts
what else the machine does, and the size of the graph.
"""

from __future__ import annotations

import time
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from models.predictor import Predictor
from models.registry import task
from streams.features.kinds.bought import ITEMS_TOLD, halves
from streams.features.kinds.recent import EVENTS_KEPT
from streams.terminal import print_rows

Floats32 = npt.NDArray[np.float32]
#: How many runs of how many shoppers.
RUNS = {1: 1_000, 256: 100}
SHOPPERS, WARM = 1024, 5


def version_of(codes: npt.NDArray[np.int64], placed: int, explored: int, rows: Floats32, seed: int) -> Predictor:
    """A version that names items of ``codes`` (32 bits, none twice), the first ``placed`` with vectors, and explores
    the first ``explored`` of these; proven on some of ``rows`` [n, 404]."""
    from models.tasks.recommend.task import LISTED, WITH_CART
    from training import export
    from training.networks.places import Places
    from training.networks.recommender import BESIDE_ONE, WIDTH, Recommender, Together, answering

    rng, asked = np.random.default_rng(seed), task("recommend")
    vectors = rng.normal(size=(placed, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    popular = -np.log(np.arange(1, len(codes) + 1)).astype(np.float32)
    trained = Recommender(Places(codes), vectors, popular, np.zeros(len(codes), np.float32), explored)
    trained(np.zeros((1, rows.shape[1]), np.float32))
    # Of more items than that no version has what goes with them: 16 bits hold their places.
    goes_with = rng.integers(1, min(placed, 1 << 15), (1 + placed, BESIDE_ONE)).astype(np.int16)
    table = Together(goes_with, np.full(goes_with.shape, 100, np.int16))
    network = answering(trained, LISTED, table, WITH_CART)
    network(np.zeros((1, rows.shape[1]), np.float32))  # what was never asked is not exported

    def answer(x: Floats32) -> dict[str, Floats32]:
        answers = [np.asarray(each, np.float32) for each in network.predict(x, batch_size=64, verbose=0)]
        found = dict(zip(asked.output_names, answers, strict=True))
        return found | {"again": found["again"].reshape(-1)}

    said = ("data", "split", "metrics", "baselines", "intended_use", "limits")
    told = dict.fromkeys(said, "Drawn: only its speed counts.")
    card: dict[str, Any] = {**told, "seed": seed, "names": [f"item-{i}" for i in range(len(codes))]}
    made = export.proven(asked, export.to_onnx(network, asked), answer, rows[:32], rows[:64], card)
    return Predictor(made)


def shoppers(codes: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats32:
    """[n, 404] rows of shoppers who know 96 items each."""
    from training.networks.recommender import PARTS

    parts = {name: rng.uniform(1, 9, (SHOPPERS, width)) for name, width in PARTS.items()}
    for name, known in (("bought_code", ITEMS_TOLD), ("seen_code", EVENTS_KEPT)):
        parts[name] = halves(codes[rng.integers(0, len(codes), (SHOPPERS, known))])
    parts["in_cart"] = np.zeros((SHOPPERS, PARTS["in_cart"]))
    return np.concatenate(list(parts.values()), axis=1).astype(np.float32)


def measure(model: Predictor, rows: Floats32, size: int, runs: int) -> Floats32:
    """[2, 2] milliseconds of a run of ``size`` rows, of a core and by the clock: the median, and within what 99 of 100
    were."""
    spent = np.zeros((2, runs + WARM), np.float32)
    for run in range(runs + WARM):
        some = rows[run * size % len(rows) :][:size]
        began = np.array([time.process_time(), time.perf_counter()])
        model.score(some)
        spent[:, run] = (np.array([time.process_time(), time.perf_counter()]) - began) * 1e3
    found: Floats32 = np.quantile(spent[:, WARM:], [0.5, 0.99], axis=1).T
    return found


@click.command(help=__doc__)
@click.option("--items", type=click.IntRange(1_000), default=100_000, show_default=True, help="Items that are named.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(items: int, seed: int, as_json: bool) -> None:
    """Build, measure and print."""
    from training.recommending import CATALOGUE
    from training.tasks.recommend import EXPLORED

    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.unique(rng.integers(1, 1 << 32, items + items // 10)))[:items]
    rows, found = shoppers(codes, rng), list[tuple[str, ...]]()
    for placed, explored in ((min(CATALOGUE, items), min(EXPLORED, items)), (items, items)):
        model = version_of(codes, placed, explored, rows, seed)
        for size, runs in RUNS.items():
            (median, most), (clock, clock_most) = measure(model, rows, size, runs).tolist()
            mib = len(model.artifact.model) / (1 << 20)
            shown = (f"{median:.2f}", f"{most:.2f}", f"{median / size:.3f}", f"{clock:.2f}", f"{clock_most:.2f}")
            found.append((f"{explored:,}", str(size), *shown, f"{mib:.1f}"))
    heads = ("explored", "shoppers", "ms", "99 of 100", "ms per shopper", "by the clock", "99 of 100", "MiB")
    print_rows(heads, found, as_json)


if __name__ == "__main__":
    main()
