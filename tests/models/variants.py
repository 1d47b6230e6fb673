"""Other versions of a shipped model, made from its ONNX graph: real artifacts, proven like any other."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper, numpy_helper

from models.artifact import VERSION_DIGITS, Artifact, load_artifact
from models.predictor import Predictor
from models.task import Task
from tests.worlds import shipped


def variant(task: Task, scale: float = 1.0, *, slow: int = 0) -> Artifact:
    """The shipped model with its first output to the power of ``scale``; ``slow`` adds so many useless layers."""
    artifact = load_artifact(task)
    model = onnx.load_from_string(artifact.model)
    graph, first = model.graph, task.outputs[0].name
    for node in graph.node:
        node.output[:] = [f"{first}_before" if name == first else name for name in node.output]
    graph.initializer.append(numpy_helper.from_array(np.array(scale, np.float32), "variant_scale"))
    graph.node.append(helper.make_node("Pow", [f"{first}_before", "variant_scale"], [first], "variant"))
    if slow:
        _slow_down(graph, first, slow)
    return of_bytes(artifact, model.SerializeToString(deterministic=True))


def _slow_down(graph: onnx.GraphProto, first: str, layers: int) -> None:
    # Its result times zero is added, so nothing but time changes.
    graph.node[-1].output[0] = "fast"
    width = graph.input[0].type.tensor_type.shape.dim[1].dim_value
    graph.initializer.append(numpy_helper.from_array(np.zeros((width, 512), np.float32), "slow_in"))
    graph.initializer.append(numpy_helper.from_array(np.eye(512, dtype=np.float32), "slow_middle"))
    graph.initializer.append(numpy_helper.from_array(np.zeros((512, 1), np.float32), "slow_out"))
    graph.node.append(helper.make_node("MatMul", ["features", "slow_in"], ["slow_0"]))
    for i in range(layers):
        graph.node.append(helper.make_node("MatMul", [f"slow_{i}", "slow_middle"], [f"slow_{i + 1}"]))
    graph.initializer.append(numpy_helper.from_array(np.array([-1]), "slow_flat"))
    graph.node.append(helper.make_node("MatMul", [f"slow_{layers}", "slow_out"], ["slow_column"]))
    graph.node.append(helper.make_node("Reshape", ["slow_column", "slow_flat"], ["slow_end"]))
    graph.node.append(helper.make_node("Add", ["fast", "slow_end"], [first]))


def of_bytes(artifact: Artifact, model: bytes) -> Artifact:
    """An artifact of other bytes with a card that fits, and the answers they give."""
    digest = hashlib.sha256(model).hexdigest()
    card = {**artifact.card, "digest": digest, "version": digest[:VERSION_DIGITS]}
    unproven = replace(artifact, card=card, model=model)
    scorer = Predictor(unproven, shipped().model(artifact.task.name).upstream, prove=False)
    answers = {name: values.astype(np.float32) for name, values in scorer.score(artifact.golden).items()}
    return replace(unproven, answers=answers)
