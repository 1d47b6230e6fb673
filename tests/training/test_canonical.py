"""However a converter orders and names a model, its canonical form has the same bytes and gives the same answers."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from models.registry import TASKS
from models.store import Shelf
from models.task import Task
from training.canonical import canonical


def reordered(model: Any, rng: Random) -> Any:
    """The same function as a converter might write it at another run: other names, another order, aliases."""
    graph = onnx.ModelProto.FromString(model.SerializeToString()).graph
    waiting, made, order = list(graph.node), {"", *(v.name for v in (*graph.input, *graph.initializer))}, []
    while waiting:
        ready = [node for node in waiting if made.issuperset(node.input)]
        chosen = rng.choice(ready)
        waiting.remove(chosen)
        made |= set(chosen.output)
        order.append(chosen)
    ends = {v.name for v in (*graph.input, *graph.output)}
    names: dict[str, str] = {"": ""} | {name: name for name in ends}
    for node in order:
        for value in (*node.input, *node.output):
            names.setdefault(value, f"value_{rng.getrandbits(60)}")
        node.name = f"node_{rng.getrandbits(60)}"
        node.input[:], node.output[:] = [names[i] for i in node.input], [names[o] for o in node.output]
        attributes = rng.sample(list(node.attribute), len(node.attribute))
        del node.attribute[:]
        node.attribute.extend(attributes)
    constants = rng.sample(list(graph.initializer), len(graph.initializer))
    for constant in constants:
        constant.name = names[constant.name]
    # What two nodes read may as well be two constants.
    twice = onnx.TensorProto.FromString(constants[0].SerializeToString())
    twice.name = "twice"
    reader = next(n for n in order if constants[0].name in n.input)
    reader.input[:] = ["twice" if i == constants[0].name else i for i in reader.input]
    again = onnx.ModelProto.FromString(model.SerializeToString())
    again.producer_name = "another"
    for field, items in (("node", order), ("initializer", [*constants, twice])):
        del getattr(again.graph, field)[:]
        getattr(again.graph, field).extend(items)
    return again


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.name)
@pytest.mark.parametrize("seed", range(3))
def test_order_and_names_do_not_matter(task: Task, seed: int) -> None:
    artifact = Shelf().artifact(task.name)
    model = onnx.ModelProto.FromString(artifact.model)
    other = reordered(model, Random(seed))
    onnx.checker.check_model(other)
    assert other.SerializeToString() != artifact.model
    form = canonical(other, task.name, ("features",), task.output_names).SerializeToString(deterministic=True)
    assert form == canonical(model, task.name, ("features",), task.output_names).SerializeToString(deterministic=True)
    rows = {"features": np.asarray(artifact.golden, np.float32)}
    answers = [ort.InferenceSession(m).run(None, rows) for m in (artifact.model, form)]
    for ours, canonicals in zip(*answers, strict=True):
        np.testing.assert_array_equal(ours, canonicals)


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.name)
def test_what_ships_is_in_canonical_form(task: Task) -> None:
    model = Shelf().artifact(task.name).model
    form = canonical(onnx.ModelProto.FromString(model), task.name, ("features",), task.output_names)
    assert form.SerializeToString(deterministic=True) == model


def test_a_graph_inside_of_a_node_is_refused() -> None:
    branch = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])], "branch", [], [onnx.helper.make_empty_tensor_value_info("y")]
    )
    node = onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node], "g", [value("x", onnx.TensorProto.BOOL, [])], [value("y", onnx.TensorProto.BOOL, [])]
    )
    with pytest.raises(ValueError, match="inside of If"):
        canonical(onnx.helper.make_model(graph), "g", ("x",), ("y",))
