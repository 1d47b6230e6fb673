"""Stores the large constants of an ONNX model in half precision where that holds them exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Smaller ones are not worth a node.
LEAST = 256


def halve(proto: Any) -> None:
    """Let an ONNX model keep constants of ``LEAST`` numbers or more that float16 holds exactly so, and cast them when
    it is loaded: it answers the same."""
    import onnx

    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < LEAST or not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*casts, *nodes])
