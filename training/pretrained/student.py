"""A small encoder that learns from a large one what texts are alike: a table of a row per token, of which a text is the
mean.

It learns by ridge regression, on a shop's own texts and on pieces of them as short as queries, the main directions of
the teacher's vectors. A row's numbers are whole, a byte each. It is an encoder as any other, with the teacher's
tokenizer and licence, and takes some 0.1 ms where the teacher takes several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from models.declared import Declaration
from models.encoder import Encoder, EncoderArtifact, Vectors, made
from training.errors import TrainingError
from training.fit import Tell
from training.pretrained.graphs import Graph

#: Whole texts that are learned from, at most, and as many pieces; tokens that get a row, the most frequent ones.
TEXTS, ROWS, LEAST = 8_000, 6_000, 50
#: Words of a piece.
PIECE = 4
#: How much rows are held back; the texts that are held out choose.
PENALTIES = (0.003, 0.01, 0.03, 0.1)
HELD, ALIKE = 10, 10
Floats = npt.NDArray[np.float64]


def distilled(
    teacher: Encoder, texts: Sequence[str], name: str, *, width: int = 128, seed: int = 1,
    tell: Tell = lambda _stage, _done, _total: None,
) -> EncoderArtifact:  # fmt: skip
    """The student, proven. Raises ``TrainingError`` where there are too few texts, ``ArtifactError`` where it fails."""
    declared = teacher.artifact.declaration
    if declared.text is None:
        raise TrainingError(f"{teacher.name} encodes pictures: only encoders of texts can be distilled.")
    some = examples(texts, seed)
    if len(some) < LEAST:
        raise TrainingError(f"There are {len(texts)} texts: at least {LEAST} different ones are needed to learn from.")
    wanted = _of_teacher(teacher, some, tell)
    main = np.linalg.eigh(wanted.T.astype(np.float64) @ wanted)[1][:, ::-1][:, :width]
    target = wanted @ main
    tell("learning", 0, None)
    row_of, counts = _counts([teacher.tokens(text) for text in some], teacher.tokens.size)
    held = np.arange(len(some)) % HELD == 0
    tables = {penalty: _ridge(counts[~held], target[~held], penalty) for penalty in PENALTIES}
    likeness = {penalty: _cosine(counts[held] @ table, target[held]) for penalty, table in tables.items()}
    best = max(likeness, key=lambda each: likeness[each])
    same = _same(counts[held] @ tables[best], target[held])
    declaration = Declaration(
        name=name,
        licence=declared.licence,
        source=f"distilled from {teacher.name} {teacher.version} on {len(some):,} texts ({declared.source})",
        intended_use=declared.intended_use,
        limits=f"Order of words counts for nothing. Of texts held out the cosine to the teacher is "
        f"{likeness[best]:.3f}, and of the {ALIKE} most alike {same:.0%} are the teacher's.",
        output="rows",
        pooling="mean",
        text=msgspec.structs.replace(declared.text, ids="tokens", mask="", types=""),
    )
    return made(declaration, graph(row_of, tables[best]), teacher.artifact.tokenizer)


def examples(texts: Sequence[str], seed: int) -> list[str]:
    """Some of the texts, and pieces of one to four words that stand together in them, each once."""
    rng = np.random.default_rng(seed)
    known = sorted({text for text in texts if text.strip()})
    chosen = [known[i] for i in rng.permutation(len(known))[:TEXTS].tolist()]
    pieces = []
    for text in chosen:
        words = text.split()
        many = int(rng.integers(1, PIECE + 1))
        start = int(rng.integers(0, max(1, len(words) - many + 1)))
        pieces.append(" ".join(words[start : start + many]))
    found = list(dict.fromkeys([*chosen, *pieces]))
    return [found[i] for i in rng.permutation(len(found)).tolist()]


def graph(row_of: npt.NDArray[np.int32], table: Floats) -> bytes:
    """``tokens`` [1, t] → ``rows`` [1, t, width]. ``row_of`` [tokens]: the row of each; ``table`` [rows, width]."""
    g = Graph()
    scale = np.maximum(np.abs(table).max(axis=0), 1e-12) / 127
    whole = g.constant(np.round(table / scale).astype(np.int8))
    rows = g.node("Gather", whole, g.node("Gather", g.constant(row_of), "tokens"))
    said = g.node("Mul", g.node("Cast", rows, to=TensorProto.FLOAT), g.constant(scale.astype(np.float32)))
    width = table.shape[1]
    return g.model("student", ("tokens", TensorProto.INT64, [1, "t"]), (said, "rows", [1, "t", width]))


def _of_teacher(teacher: Encoder, texts: Sequence[str], tell: Tell) -> Vectors:
    found = []
    for at in range(0, len(texts), 100):
        tell("asking the teacher", at, len(texts))
        found.append(teacher.texts(texts[at : at + 100]))
    return np.concatenate(found)


def _counts(tokens: Sequence[Sequence[int]], size: int) -> tuple[npt.NDArray[np.int32], Any]:
    """([size] the row of each token, 0 of those that have none; [n, rows] which share of each text's tokens has it)."""
    from scipy.sparse import csr_matrix

    lengths = np.array([len(each) for each in tokens])
    flat = np.array([token for each in tokens for token in each], np.int64)
    often = np.bincount(flat, minlength=size)
    frequent = np.argsort(-often, kind="stable")[: min(ROWS - 1, int((often > 0).sum()))]
    row_of = np.zeros(size, np.int32)
    row_of[frequent] = np.arange(1, len(frequent) + 1)
    share = np.repeat(1 / np.maximum(lengths, 1), lengths)
    text = np.repeat(np.arange(len(tokens)), lengths)
    row = row_of[flat]
    kept = row > 0
    found = csr_matrix((share[kept], (text[kept], row[kept])), (len(tokens), len(frequent) + 1))
    return row_of, found


def _ridge(counts: Any, target: Floats, penalty: float) -> Floats:
    """[rows, width] the table; row 0, of tokens that have none, is 0."""
    from scipy.linalg import cho_factor, cho_solve

    square = (counts.T @ counts).toarray()
    square[np.diag_indices_from(square)] += penalty
    found: Floats = cho_solve(cho_factor(square, lower=True, overwrite_a=True), counts.T @ target)
    found[0] = 0.0
    return found


def _unit(rows: Floats) -> Floats:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _cosine(one: Floats, other: Floats) -> float:
    return float((_unit(one) * _unit(other)).sum(axis=1).mean())


def _same(one: Floats, other: Floats) -> float:
    """Of the most alike of each by one, the share that is among those by the other."""
    near = []
    for rows in (_unit(one), _unit(other)):
        like = rows @ rows.T
        np.fill_diagonal(like, -2.0)
        near.append(np.argsort(-like, axis=1, kind="stable")[:, :ALIKE])
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(*near, strict=True)]))
