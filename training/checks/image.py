"""``python -m training.checks.image --data DIR``: what pictures show and which are alike, ours beside what others do.

Grocery Store on its official lists, taught as what ships; Fashion-MNIST on its official parts, by a network of the same
kind on smaller pictures. A tenth of what teaches is held out: with ``--validate`` it is what is told, and the test is
not looked at. A JSON object per data set and seed: the share right first (and that of what was held out), the size as
it would ship, of how many pictures ONNX then says the same class, and of the ten most alike how many show the same. On
one core some 5 minutes a seed of the first, 20 of the second: with ``--kept`` a training that was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from models.registry import task
from models.session import session
from models.tasks.image.task import LISTED
from streams.settings import Settings
from training import export
from training.baselines import pictures as baselines
from training.fit import Schedule
from training.labels.listings import Shown
from training.labels.pictures import pictures, points
from training.networks.pictures import Shape, Variation, answering, pooled
from training.source import of_name
from training.sureness import names_of
from training.tasks.image import (
    LEAST_PICTURES,
    LINEAR_ROWS,
    MOST_CLASSES,
    PHASES,
    SHIPPED,
    VALIDATION_SHARE,
    targets,
    taught,
)
from training.times import parse_time

Ints: TypeAlias = npt.NDArray[np.int64]


class Set(NamedTuple):
    """How a data set is cut, and taught."""

    cut: str
    shape: Shape
    how: Variation
    phases: tuple[tuple[int, Schedule], ...]


SETS = {
    "grocery_store": Set(SHIPPED["grocery_store"], Shape(), Variation(), PHASES),
    # Grey, all of one size, none hidden.
    "fashion_mnist": Set(
        "2017-08-02",
        Shape(side=32, residual=(1, 1, 1), dropout=0.1),
        Variation(least=0.95, beyond=0.06, colour=0.0, light=0.1, hole=0.25),
        (
            (24, Schedule(epochs=10, batch=128, rate=4e-3, weight_decay=3e-2, average=0.995)),
            (32, Schedule(epochs=12, batch=128, rate=3e-3, weight_decay=3e-2, average=0.995)),
        ),
    ),
}


def main() -> None:
    """Measure, and print a JSON object for each data set and seed."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.image", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder of the data sets that come in no package")
    asked.add_argument("--only", action="append", choices=list(SETS), help="one data set; several are possible")
    asked.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    asked.add_argument("--validate", action="store_true", help="tell what is held out of what teaches")
    asked.add_argument("--kept", type=Path, help="folder where a training that was cut off is kept, and goes on")
    given = asked.parse_args()
    for name in given.only or SETS:
        for seed in given.seeds:
            _print(name, seed, given)


def _print(name: str, seed: int, given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as empty:
        kept_in = given.kept / f"{name}-{seed}" if given.kept else Path(empty)
        print(json.dumps({"data": name} | measure(name, given.data, seed, given.validate, kept_in)), flush=True)


def measure(name: str, data: Path | None, seed: int, validate: bool, kept_in: Path) -> dict[str, Any]:
    """What a data set's answers come to."""
    began, how = time.monotonic(), SETS[name]

    def tell(what: str, done: int = 0, total: int | None = None) -> None:
        if not done % 200:
            print(
                f"[{time.monotonic() - began:4.0f} s] {name}: {what} {done:,}/{total or 0:,}",
                file=sys.stderr,
                flush=True,
            )

    told, _ = of_name(name, data, Settings(), "item").load(Path("build/training"), lambda n: tell("reading", n))
    shown = pictures(told)
    names, label, teach, choose, test = divided(shown, how.cut)
    seen, wanted = _points(shown, teach), targets(label[teach], shown.parent[teach], len(names))
    held, cpu = _points(shown, choose), time.process_time()

    def after(network: Any, side: int) -> None:
        right = _share(_answers(network, held, side)[0] == label[choose])
        tell(f"after an epoch of {side} points {right} of what was held out are right")

    network = taught(
        seen, label[teach], wanted, seed=seed, kept_in=kept_in, tell=tell, shape=how.shape, how=how.how,
        phases=how.phases, after=after,
    )  # fmt: skip
    cpu = time.process_time() - cpu
    held_out = _share(_answers(network, held, how.shape.side)[0] == label[choose])
    test = choose if validate else test
    looked, truth = _points(shown, test), label[test]
    said, like = _answers(network, looked, how.shape.side)
    found = {
        "rows": len(test), "seed": seed, "parameters": int(network.count_params()), "teaching_cpu_s": round(cpu),
        "held_out": held_out,
        "right": {"ours": _share(said == truth)}, "recall_10": {"ours": _alike(like, truth)},
    } | _exported(network, how.shape, looked, said)  # fmt: skip
    some = np.random.default_rng(seed).permutation(len(teach))[:LINEAR_ROWS]
    for called, kind in baselines.KINDS.items():
        tell(f"fitting a linear classifier on {called}")
        made = kind(looked)
        answer = baselines.linear(kind(seen[some]), label[teach][some], made)
        found["right"] |= {called: _share(answer == truth)}  # type: ignore[operator]
        found["recall_10"] |= {called: _alike(made, truth)}  # type: ignore[operator]
    above = dict(zip(label[teach].tolist(), shown.parent[teach].tolist(), strict=True))
    coarse = [above[int(a)] == above.get(int(b)) for a, b in zip(said, truth, strict=True)]
    return found | {"right_coarse": _share(np.array(coarse)), "seconds": round(time.monotonic() - began)}


def divided(shown: Shown, cut: str) -> tuple[list[str], Ints, Ints, Ints, Ints]:
    """(classes, [n] the place of each picture's, and which pictures teach, which tenth of those before the cut chooses,
    which test)."""
    before = shown.found.at_ms < parse_time(cut)
    names = names_of(shown.found.label[before], MOST_CLASSES, LEAST_PICTURES)
    place = {each: i for i, each in enumerate(names)}
    label = np.array([place.get(each, -1) for each in shown.found.label.tolist()], np.int64)
    teach = np.flatnonzero(before & (label >= 0))
    held = len(teach) - int(len(teach) * VALIDATION_SHARE)
    return names, label, teach[:held], teach[held:], np.flatnonzero(~before)


def _points(shown: Shown, places: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    return points([shown.found.records[i] for i in places.tolist()])


def _exported(network: Any, shape: Shape, looked: npt.NDArray[np.uint8], said: Ints) -> dict[str, float]:
    """The size of the network as it would ship, and of how many pictures it then says the same class."""
    asked = task("image")
    whole = answering(network, asked, shape, LISTED, 1.0)
    whole(np.zeros((1, *whole.input_shape[1:]), np.float32))  # what was never asked is not exported
    model = export.to_onnx(whole, asked, half=True)
    ready, same = session(model, asked.name), 0
    for at in range(0, len(looked), 200):
        rows = looked[at : at + 200].reshape(-1, whole.input_shape[1]) / np.float32(255)
        same += int((ready.run(["shown"], {"features": rows})[0][:, 0] == said[at : at + 200]).sum())
    return {"kb": round(len(model) / 1000, 1), "onnx_says_the_same": round(same / len(looked), 4)}


def _answers(
    network: Any, looked: npt.NDArray[np.uint8], side: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Of pictures and their mirror images, as what is exported does."""
    small = pooled(looked, side)
    one, like, _ = network.predict(small, batch_size=256, verbose=0)
    other, also, _ = network.predict(small[:, :, ::-1], batch_size=256, verbose=0)
    return np.asarray((one + other).argmax(axis=1), np.int64), like + also


def _share(right: npt.NDArray[np.bool_]) -> float:
    return round(float(right.mean()), 4)


def _alike(like: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> float:
    return round(float(np.nanmean(baselines.alike(like, truth)["recall"])), 4)


if __name__ == "__main__":
    main()
