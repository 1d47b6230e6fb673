"""Keras to ONNX, proven equal on real rows before anything is written."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import CARD_KEYS, Artifact
from models.predictor import Predictor
from models.task import Task

OPSET = 17
GOLDEN_ROWS = 256


class NotEqual(RuntimeError):
    """The exported model does not answer as the trained one."""


def to_onnx(model: Any, task: Task) -> bytes:
    """The model as ONNX: input ``features`` [n, f] float32, outputs named as the task names them, dynamic batch."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.export(path, format="onnx", verbose=False, opset_version=OPSET)
        exported = onnx.load(path)
    graph = exported.graph
    names = {graph.input[0].name: "features"}
    names |= {out.name: wanted for out, wanted in zip(graph.output, task.outputs, strict=True)}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    # Nothing of the machine or the moment may be in the bytes: same seed, same digest.
    exported.producer_name, exported.producer_version, graph.name = "offerstream", "", task.name
    onnx.checker.check_model(exported)
    return exported.SerializeToString(deterministic=True)


def prove(model: Any, artifact: Artifact, rows: npt.NDArray[np.float32]) -> float:
    """The largest difference between the trained model and the artifact on real rows.

    Raises ``NotEqual`` above the task's tolerance.
    """
    task = artifact.task
    trained = np.asarray(model.predict(rows, batch_size=1000, verbose=0), np.float64).reshape(len(rows), -1)
    answered = Predictor(artifact).score(rows)
    worst = max(float(np.abs(trained[:, k] - answered[name]).max()) for k, name in enumerate(task.outputs))
    if worst > task.tolerance:
        raise NotEqual(f"{task.name}: ONNX and Keras differ by {worst:g}, more than {task.tolerance:g}.")
    return worst


def write(artifact: Artifact, rows: npt.NDArray[np.float32], folder: Path) -> None:
    """Write model, card and golden rows."""
    folder.mkdir(parents=True, exist_ok=True)
    golden = rows[:GOLDEN_ROWS]
    answers = {name: values.astype(np.float32) for name, values in Predictor(artifact).score(golden).items()}
    (folder / "model.onnx").write_bytes(artifact.model)
    (folder / "card.json").write_text(json.dumps(artifact.card, indent=2) + "\n")
    np.savez_compressed(folder / "golden.npz", allow_pickle=False, rows=golden, **answers)


def artifact(task: Task, model: bytes, reference: npt.NDArray[np.float32], card: dict[str, Any]) -> Artifact:
    """An artifact of these bytes; the card is completed with what follows from them."""
    digest = hashlib.sha256(model).hexdigest()
    whole = {
        "task": task.name,
        "digest": digest,
        "opset": OPSET,
        "features": list(task.features),
        "outputs": list(task.outputs),
        "reference": [float(v) for v in reference],
        **card,
    }
    missing = [key for key in CARD_KEYS if key not in whole]
    if missing:
        raise ValueError(f"The card of {task.name} lacks {', '.join(missing)}.")
    return Artifact(task, {key: whole[key] for key in (*CARD_KEYS, *(k for k in whole if k not in CARD_KEYS))}, model)
