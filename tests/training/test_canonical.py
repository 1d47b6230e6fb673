"""However a converter orders and names a model, its canonical form has the same bytes and gives the same answers."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx.reference import ReferenceEvaluator

from models.registry import SHIPPED
from models.store import Shelf
from models.task import Task
from training.canonical import canonical
from training.export import stamped


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


@pytest.mark.parametrize("task", SHIPPED, ids=lambda t: t.name)
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


@pytest.mark.parametrize("task", SHIPPED, ids=lambda t: t.name)
def test_what_ships_is_in_canonical_form(task: Task) -> None:
    artifact = Shelf().artifact(task.name)
    form = canonical(onnx.ModelProto.FromString(artifact.model), task.name, ("features",), task.output_names)
    assert stamped(form.SerializeToString(deterministic=True), artifact.task) == artifact.model


def model_of(*nodes: Any, **more: Any) -> Any:
    """float32 x [n, 4] → y."""
    value = onnx.helper.make_tensor_value_info
    ends = [value("x", onnx.TensorProto.FLOAT, ["n", 4])], [value("y", onnx.TensorProto.FLOAT, None)]
    graph = onnx.helper.make_graph(list(nodes), "g", *ends, **more)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])


def made(op: str, takes: list[str], gives: list[str], **attributes: Any) -> Any:
    return onnx.helper.make_node(op, takes, gives, **attributes)


BRANCH = onnx.helper.make_graph(
    [made("Identity", ["x"], ["z"])], "branch", [], [onnx.helper.make_empty_tensor_value_info("z")]
)
TENSOR = onnx.helper.make_tensor("x", onnx.TensorProto.FLOAT, [4], [0.0] * 4)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (model_of(made("If", ["x"], ["y"], then_branch=BRANCH, else_branch=BRANCH)), "inside of If"),
        (model_of(made("Relu", ["x"], ["y"], domain="ours")), "other domains"),
        (model_of(made("RandomNormalLike", ["x"], ["y"])), "at random"),
        (model_of(made("Relu", ["x"], ["y"]), initializer=[TENSOR]), "default"),
        (
            model_of(
                made("Split", ["x"], ["a", "b"], axis=1),
                made("Split", ["x"], ["c", "d", "e", "f"], axis=1),
                made("Concat", ["a", "c"], ["y"], axis=1),
            ),
            "other outputs",
        ),
    ],
)
def test_what_has_no_canonical_form_is_refused(model: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        canonical(model, "g", ("x",), ("y",))


def test_equal_nodes_are_one_and_the_function_stays() -> None:
    nodes = [made("Neg", ["x"], ["a"]), made("Neg", ["x"], ["b"]), made("Sub", ["x", "a"], ["c"])]
    model = model_of(*nodes, made("Mul", ["c", "b"], ["d"]), made("Identity", ["d"], ["y"]))
    form = canonical(model, "g", ("x",), ("y",))
    assert [node.op_type for node in form.graph.node] == ["Neg", "Sub", "Mul", "Identity"]
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    for m in (model, form):
        (y,) = ReferenceEvaluator(m).run(None, {"x": x})
        np.testing.assert_array_equal(y, -2 * x * x)
