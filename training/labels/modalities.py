"""What there is of listings: titles, pictures and sounds, each as models take it, and which of them are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.tasks.multimodal.task import MODALITIES
from streams.entities.item import ITEM
from streams.features.feature import Unreadable
from training.labels.listings import Shown, first_with
from training.told import Told

SOURCES = [ITEM.catalogue.inputs[f"payload.{of}"].source for of in MODALITIES.values()]
SIDE = SOURCES[1].side
#: A sound's frames and pitches are averaged by so many.
POOLED = 2


@dataclass(frozen=True)
class Modalities:
    """Of n listings, what there is; 0 where it is not."""

    has: npt.NDArray[np.bool_]
    """[n, 3] whether there is a text, a picture, a sound."""
    grams: npt.NDArray[np.float32]
    """[n, width] hash buckets of the title's grams."""
    points: npt.NDArray[np.uint8]
    """[n, 96, 96, 3]"""
    sounds: npt.NDArray[np.float32]
    """[n, frames, pitches] loudness, averaged by ``POOLED``."""

    def __len__(self) -> int:
        return len(self.has)


def modalities(records: Sequence[Any]) -> Modalities:
    """What there is of records."""
    n, (grams, _, sound) = len(records), SOURCES
    frames, pitches = sound.shape
    found = Modalities(
        np.zeros((n, len(SOURCES)), np.bool_),
        np.zeros((n, grams.width), np.float32),
        np.zeros((n, SIDE, SIDE, 3), np.uint8),
        np.zeros((n, frames // POOLED, pitches // POOLED), np.float32),
    )
    for i, record in enumerate(records):
        made = [_made(source, record) for source in SOURCES]
        found.has[i] = [each is not None for each in made]
        if made[0] is not None:
            found.grams[i] = made[0]
        if made[1] is not None:
            found.points[i] = made[1].reshape(SIDE, SIDE, 3)
        if made[2] is not None:
            blocks = sound.floats(made[2]).reshape(frames // POOLED, POOLED, pitches // POOLED, POOLED)
            found.sounds[i] = blocks.mean(axis=(1, 3))
    return found


def listings(told: Told) -> Shown:
    """The first record of each item with a title, a picture or a sound, one of which can be read, and its category."""
    return first_with(
        told,
        lambda record: bool(record.title or record.image or record.audio),
        lambda record: any(_made(source, record) is not None for source in SOURCES),
    )


def _made(source: Any, record: Any) -> Any:
    try:
        return source.of(record)
    except Unreadable:
        return None
