"""Words, pictures and sounds in training: as rows of records, and as the tensors of a network that a row holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.predictor import Predictor
from models.task import Task
from streams.entities.contents import find
from streams.features.feature import FromRecord
from streams.processing.scoring import Inputs
from training.export import widths


def tensors(task: Task, upstream: Sequence[Predictor] = ()) -> tuple[Any, dict[str, Any]]:
    """(input ``features`` [n, width], by address the part of it that is this feature): [n, *shape] of what is made of
    records, such as [n, 96, 96, 3] of ``payload.picture``; else [n, width]."""
    import keras

    inputs_of, wide = find(task.entity).catalogue.inputs, widths(task, upstream)
    row = keras.Input((sum(wide),), name="features", dtype="float32")
    found: dict[str, Any] = {}
    start = 0
    for address, width in zip(task.features, wide, strict=True):
        source = inputs_of[address].source if address in inputs_of else None
        shape = source.shape if isinstance(source, FromRecord) else (width,)
        found[address] = keras.layers.Reshape(shape, name=address.replace(".", "_"))(row[:, start : start + width])
        start += width
    return row, found


def rows_of(
    task: Task, records: Sequence[Any], known: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    """[n, width] what the stream gives a model of a task when these records make due, 0 where they say nothing.
    ``known`` [n, k]: the task's features of the rows, in its order, where it takes any.

    A picture takes 108 KiB of a row: make some rows at a time. Raises ``ValueError`` where ``known`` has another
    width.
    """
    catalogue = find(task.entity).catalogue
    places = catalogue.places(a for a in task.features if a in catalogue.features)
    beside = np.zeros((len(records), 0), np.float32) if known is None else known
    width = sum(place.stop - place.start for place in places.values())
    if beside.shape != (len(records), width):
        raise ValueError(f"Features of {task.name} are [{len(records)}, {width}], not {list(beside.shape)}.")
    return Inputs(beside, places, records, catalogue.payloads).matrix(task.features)
