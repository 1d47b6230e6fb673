"""ONNX Runtime, opened in one way for every graph."""

from __future__ import annotations

import os
from typing import Any

from models.artifact import ArtifactError

# From its import on ONNX Runtime would report to its maker, and keep an id of the machine in the home.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort


def session(model: bytes, whose: str) -> Any:
    """A graph, ready to run on one thread of the processor; ``whose`` is named in errors. Raises ``ArtifactError``.

    One thread: measured fastest for slices of a few hundred rows beside other work on the same core, and the order of
    additions, with it every bit, is the same each time.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a class of its own per kind of damage
        raise ArtifactError(f"ONNX Runtime refuses the model of {whose!r}: {error}") from error
