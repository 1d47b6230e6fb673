"""Graphs written node by node, for weights that come without one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 8


class Graph:
    """A graph that grows by one node at a time; the same nodes and numbers give the same bytes."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, values: npt.ArrayLike) -> str:
        """The name of some numbers."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """The name of what a node gives; of several the first, the others end in 1, 2, …"""
        name = f"n{len(self._nodes)}"
        names = [name, *(f"{name}_{k}" for k in range(1, outputs))]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return name

    def model(self, name: str, given: tuple[str, int, list[Any]], said: tuple[str, str, list[Any]]) -> bytes:
        """The whole: the input's name, type and shape; what is its output, its name and shape."""
        self._nodes.append(helper.make_node("Identity", [said[0]], [said[1]]))
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(*given)],
            [helper.make_tensor_value_info(said[1], TensorProto.FLOAT, said[2])],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
