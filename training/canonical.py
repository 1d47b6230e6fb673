"""An ONNX model in canonical form: the same operations on the same constants, the same bytes.

The converter orders nodes and names values as its sets and optimizers happen to walk, another way at each run. Here a
value's name says how it is made (a digest of the operator, its attributes and the names of what goes in), so equal
values have one name and are made once, and nodes are ordered by their distance from the input, then by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

_DIGITS = 16
#: Operators that give something else at each run: two of them are not one.
_RANDOM = {
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
    "Dropout",
}


def canonical(exported: Any, name: str, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """A new ``ModelProto`` with these names for the graph, its inputs and its outputs, and nothing in it of the
    converter, the machine or the moment. Raises ``ValueError`` for what has no canonical form here."""
    import onnx

    graph = exported.graph
    _check(exported, name)
    named = {"": ""} | {value.name: to for value, to in zip(graph.input, inputs, strict=True)}
    distance = dict.fromkeys(named.values(), 0)
    constants: dict[str, Any] = {}
    nodes: dict[str, Any] = {}
    for tensor in graph.initializer:
        constant = _unnamed(tensor)
        constant.name = named[tensor.name] = _digest(constant)
        constants[constant.name], distance[constant.name] = constant, 0
    for node in graph.node:  # what goes in comes first
        if node.op_type == "Identity":
            named[node.output[0]] = named[node.input[0]]
            continue
        made = onnx.NodeProto(op_type=node.op_type, domain=node.domain, input=[named[i] for i in node.input])
        for attribute in sorted(node.attribute, key=lambda a: a.name):
            made.attribute.add().CopyFrom(attribute)
            if attribute.type == onnx.AttributeProto.TENSOR:
                made.attribute[-1].t.CopyFrom(_unnamed(attribute.t))
        digest = _digest(made)
        made.output.extend(f"{digest}.{i}" if o else "" for i, o in enumerate(node.output))
        if digest in nodes and nodes[digest].output != made.output:
            raise ValueError(f"{name}: two equal {node.op_type} nodes give other outputs.")
        named |= {o: to for o, to in zip(node.output, made.output, strict=True) if o}
        distance |= {to: 1 + max((distance[i] for i in made.input), default=0) for to in made.output if to}
        nodes[digest] = made

    def order(digest: str) -> tuple[int, str]:
        return max((distance[i] for i in nodes[digest].input), default=0), digest

    ends = [
        onnx.helper.make_node("Identity", [named[value.name]], [to])
        for value, to in zip(graph.output, outputs, strict=True)
    ]
    form = onnx.ModelProto(ir_version=exported.ir_version, producer_name="offerstream")
    form.opset_import.extend(sorted(exported.opset_import, key=lambda o: o.domain))
    form.graph.name = name
    form.graph.node.extend([*(nodes[digest] for digest in sorted(nodes, key=order)), *ends])
    form.graph.initializer.extend(constants[key] for key in sorted(constants))
    form.graph.input.extend(graph.input)
    form.graph.output.extend(graph.output)
    for value, to in zip((*form.graph.input, *form.graph.output), (*inputs, *outputs), strict=True):
        value.name = to
    return form


def _check(exported: Any, name: str) -> None:
    import onnx

    graph, inner = exported.graph, (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    inside = [n.op_type for n in graph.node if any(a.type in inner for a in n.attribute)]
    odd = {
        f"a graph inside of {', '.join(inside)}": inside,
        "functions": exported.functions,
        "sparse constants": graph.sparse_initializer,
        "constants in other files": [t for t in graph.initializer if t.data_location != onnx.TensorProto.DEFAULT],
        "inputs with a default": {v.name for v in graph.input} & {t.name for t in graph.initializer},
        "operators of other domains": [n for n in graph.node if n.domain not in ("", "ai.onnx")],
        "operators that draw at random": [n for n in graph.node if n.op_type in _RANDOM],
    }
    for what, found in odd.items():
        if found:
            raise ValueError(f"{name} has {what}: there is no canonical form of that.")


def _unnamed(tensor: Any) -> Any:
    import onnx

    found = onnx.TensorProto()
    found.CopyFrom(tensor)
    found.name = found.doc_string = ""
    return found


def _digest(proto: Any) -> str:
    return hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()[:_DIGITS]
