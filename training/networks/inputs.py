"""A row as the tensors that it holds: how words, pictures and sounds go into a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.predictor import Predictor
from models.task import Task
from streams.entities.contents import find
from streams.features.feature import FromRecord
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
