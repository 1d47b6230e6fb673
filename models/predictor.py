"""A loaded model: float32 rows in, scores out, one ONNX run per slice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from models.artifact import Artifact, ArtifactError

#: Rows per ONNX run. Larger blocks gain nothing, and equal answers were proven up to here.
BLOCK = 1000


class Predictor:
    """Scores rows with one artifact.

    One thread per run: measured fastest for slices of a few hundred rows beside other work on the same core, and
    the answers of a row then do not depend on which rows it stands with (a law over all tasks).
    """

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.task, self.version, self.digest = artifact.task.name, artifact.version, artifact.digest
        self.features, self.outputs = artifact.task.features, artifact.task.outputs
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(artifact.model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a class of its own per kind of damage
            raise ArtifactError(f"ONNX Runtime refuses the model of {self.task!r}: {error}") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if [i.name for i in inputs] != ["features"] or inputs[0].shape[1:] != [len(self.features)]:
            found = ", ".join(f"{i.name} {i.shape}" for i in inputs)
            raise ArtifactError(f"The model of {self.task!r} takes {found}, not features [n, {len(self.features)}].")
        if {o.name for o in outputs} != set(self.outputs):
            raise ArtifactError(f"The model of {self.task!r} gives {[o.name for o in outputs]}, not {self.outputs}.")
        self._warm_up()

    def _warm_up(self) -> None:
        for values in self.score(np.repeat(self.artifact.reference[None], 2, axis=0)).values():
            if values.shape != (2,) or not np.isfinite(values).all() or not ((values >= 0) & (values <= 1)).all():
                raise ArtifactError(f"The model of {self.task!r} does not give one probability per row.")

    def score(self, x: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float64]]:
        """[n] scores per output for float32 [n, f]; f in the order of ``features``."""
        if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != len(self.features):
            raise ValueError(f"{self.task!r} takes float32 [n, {len(self.features)}], not {x.dtype} {list(x.shape)}.")
        names = list(self.outputs)
        blocks = [
            self._session.run(names, {"features": np.ascontiguousarray(x[i : i + BLOCK])})
            for i in range(0, max(1, len(x)), BLOCK)
        ]
        return {
            name: np.concatenate([block[k].reshape(-1) for block in blocks]).astype(np.float64)
            for k, name in enumerate(names)
        }

    def contributions(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """[n, f] how much each feature moved the first output: score less the score with a typical value instead."""
        n, f = x.shape
        changed = np.repeat(x[:, None, :], f, axis=1)
        diagonal = np.arange(f)
        changed[:, diagonal, diagonal] = self.artifact.reference
        first = self.outputs[0]
        base, without = self.score(x)[first], self.score(changed.reshape(n * f, f))[first]
        return base[:, None] - without.reshape(n, f)
