"""An ONNX model in canonical form: the same function, the same bytes.

The converter orders nodes and names values as its sets and optimizers happen to walk, another way at each run. Here a
value's name says how it is made (a digest of the operator, its attributes and the names of what goes in), so equal
values have one name and are made once, and nodes are ordered by their distance from the input, then by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

_DIGITS = 16


def canonical(exported: Any, name: str, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """A new ``ModelProto`` with these names for the graph, its inputs and its outputs, and nothing in it of the
    converter, the machine or the moment. Raises ``ValueError`` for a model with graphs inside of nodes."""
    import onnx

    graph = exported.graph
    named = {"": ""} | {value.name: to for value, to in zip(graph.input, inputs, strict=True)}
    distance = dict.fromkeys(named.values(), 0)
    constants, nodes = {}, {}
    for tensor in graph.initializer:
        constant = onnx.TensorProto()
        constant.CopyFrom(tensor)
        constant.name = constant.doc_string = ""
        constant.name = named[tensor.name] = _digest(constant)
        constants[constant.name], distance[constant.name] = constant, 0
    for node in graph.node:  # what goes in comes first
        if node.op_type == "Identity":
            named[node.output[0]] = named[node.input[0]]
            continue
        if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
            raise ValueError(f"{name} has a graph inside of {node.op_type}, which has no canonical form.")
        made = onnx.NodeProto(op_type=node.op_type, domain=node.domain, input=[named[i] for i in node.input])
        made.attribute.extend(sorted(node.attribute, key=lambda a: a.name))
        digest = _digest(made)
        made.output.extend(f"{digest}.{i}" if o else "" for i, o in enumerate(node.output))
        named |= {o: to for o, to in zip(node.output, made.output, strict=True) if o}
        distance |= {to: 1 + max((distance[i] for i in made.input), default=0) for to in made.output if to}
        nodes[digest] = made
    ordered = sorted(nodes.values(), key=lambda n: (max(distance[o] for o in n.output if o), n.output[0]))
    ends = [
        onnx.helper.make_node("Identity", [named[value.name]], [to])
        for value, to in zip(graph.output, outputs, strict=True)
    ]
    form = onnx.ModelProto(ir_version=exported.ir_version, producer_name="offerstream")
    form.opset_import.extend(sorted(exported.opset_import, key=lambda o: o.domain))
    form.graph.name = name
    form.graph.node.extend([*ordered, *ends])
    form.graph.initializer.extend(constants[key] for key in sorted(constants))
    form.graph.input.extend(graph.input)
    form.graph.output.extend(graph.output)
    for value, to in zip((*form.graph.input, *form.graph.output), (*inputs, *outputs), strict=True):
        value.name = to
    return form


def _digest(proto: Any) -> str:
    return hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()[:_DIGITS]
