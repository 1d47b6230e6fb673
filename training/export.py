"""Keras to ONNX, proven equal on real rows before anything is kept."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from models.artifact import CARD_KEYS, VERSION_DIGITS, Artifact, golden_of, listed, population_of
from models.predictor import Predictor, apart
from models.task import Task, Taught
from streams.entities.contents import find
from streams.features.meaning import CODES, meanings
from streams.monitoring.drift import distribution
from streams.monitoring.kinds import numbers
from streams.processing import model
from training.canonical import canonical
from training.errors import TrainingError
from training.halved import halve
from training.quiet import trial

Rows: TypeAlias = npt.NDArray[np.float32]
OPSET = 17
DISTRIBUTION_ROWS = 50_000


class NotEqual(TrainingError):
    """The exported model does not answer as the trained one."""


def to_onnx(model: Any, task: Task, *, half: bool = False) -> bytes:
    """The model as ONNX: input ``features`` [n, f] float32, outputs named as the task names them, dynamic batch.
    The same network gives the same bytes. ``half``: constants that float16 holds exactly are kept so."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        with trial():  # Keras asks NumPy for names that it deprecates
            model.export(path, format="onnx", verbose=False, opset_version=OPSET)
        exported = onnx.load(path)
    if half:
        halve(exported)
    form = canonical(exported, task.name, ("features",), task.output_names)
    for value in (*form.graph.input, *form.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.checker.check_model(form)
    return form.SerializeToString(deterministic=True)


def proven(
    task: Task,
    model: bytes,
    answer: Callable[[Rows], dict[str, Rows]],
    rows: Rows,
    training_rows: Rows,
    card: dict[str, Any],
    upstream: Sequence[Predictor] = (),
) -> Artifact:
    """Make an artifact of ONNX bytes, and prove it equal to the trained model (``answer``) on real rows.

    ``training_rows`` give the typical row and the distributions that drift is measured against (of rows with pictures,
    pass a sample: no more is read of a picture than how large it is). The card is completed
    with what follows from the bytes. Raises ``NotEqual`` when any answer differs by more than the task's tolerance,
    and ``ArtifactError`` when a worker would refuse it.
    """
    trained = {name: np.asarray(values, np.float32) for name, values in answer(rows).items()}
    model = stamped(model, task)
    digest, wide = hashlib.sha256(model).hexdigest(), widths(task, upstream)
    whole = {
        "task": task.name,
        "version": digest[:VERSION_DIGITS],
        "digest": digest,
        "opset": OPSET,
        "features": list(task.features),
        "widths": wide,
        "meanings": meanings(find(task.entity).catalogue.inputs, task.features),
        "codes": CODES,
        "population": population_of(task),
        "upstream": {p.task: p.digest for p in upstream},
        "outputs": list(task.output_names),
        "reference": [float(v) for v in np.median(training_rows[:, listed(wide)], axis=0)],
        "distributions": distributions(task, wide, training_rows, answer),
        **card,
    }
    untaught = [condition.address for condition in task.population if condition == Taught(condition.address)]
    if untaught:
        raise ValueError(f"{task.name} does not say which {', '.join(untaught)} taught it.")
    missing = [key for key in CARD_KEYS if key not in whole]
    if missing:
        raise ValueError(f"The card of {task.name} lacks {', '.join(missing)}.")
    ordered = {key: whole[key] for key in (*CARD_KEYS, *(k for k in whole if k not in CARD_KEYS))}
    artifact = Artifact(task, ordered, model, *golden_of(rows, trained))
    answered = Predictor(artifact, upstream).score(rows)
    worst = 0.0
    for output in task.outputs:
        if output.kind != "ranking":  # Two that are equally likely may come in either order.
            off = apart(trained[output.name].reshape(len(rows), -1), answered[output.name].reshape(len(rows), -1))
            worst = worst if off <= worst else off
    if not worst <= task.tolerance:
        raise NotEqual(f"{task.name}: ONNX and Keras differ by {worst:g}, more than {task.tolerance:g}.")
    artifact.card["largest_difference_to_keras"] = worst
    return artifact


def stamped(model: bytes, task: Task) -> bytes:
    """ONNX bytes that also say which languages taught a version, where its task judges no others: a version that judges
    something else is another one, though its weights be the same."""
    import onnx

    taught = [[each.address, list(each.names)] for each in task.population if isinstance(each, Taught)]
    if not taught:
        return model
    found = onnx.ModelProto.FromString(model)
    onnx.helper.set_model_props(found, {"taught": json.dumps(taught)})
    return found.SerializeToString(deterministic=True)


def distributions(
    task: Task, wide: list[int], rows: Rows, answer: Callable[[Rows], dict[str, Rows]]
) -> dict[str, dict[str, list[float]]]:
    """How each scalar feature, and each number that tells of an answer, was distributed in training."""
    starts = np.cumsum((0, *wide[:-1])).tolist()
    found = {a: distribution(rows[:, s]) for a, s, w in zip(task.features, starts, wide, strict=True) if w == 1}
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), DISTRIBUTION_ROWS)).astype(int)]
    answers = answer(some)
    for output in task.outputs:
        told = numbers(output, answers[output.name])
        found |= {name: distribution(each[np.isfinite(each)]) for name, each in told.items()}
    return found


def widths(task: Task, upstream: Sequence[Predictor] = ()) -> list[int]:
    """How many numbers of a row each feature of a task takes."""
    return model.widths(task.features, find(task.entity).catalogue.inputs, upstream)
