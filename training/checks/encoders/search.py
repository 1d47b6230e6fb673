"""Search: likeness of query and product beside BM25F's score."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.encoder import MODEL, TOKENIZER, Encoder
from streams.search.likeness import read_of
from training.checks.search import (
    Floats,
    Graded,
    chosen,
    folds,
    gridded,
    measured,
    mixed,
    remeasured,
    reranked,
    scored,
    told,
)
from training.pretrained.student import distilled

#: How much likeness counts beside BM25F's score, each scaled within its query.
BLENDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


def likeness(graded: Graded, items: dict[str, list[str]], encoder: Encoder) -> dict[str, Floats]:
    """By query, the cosine of each of its items."""
    needed = sorted({item for some in items.values() for item in some})
    place = {item: i for i, item in enumerate(needed)}
    products = encoder.texts([read_of(graded.products[item]) for item in needed])
    queries = encoder.texts(list(items))
    return {
        query: (products[[place[item] for item in some]] @ asked).astype(np.float64)
        for (query, some), asked in zip(items.items(), queries, strict=True)
    }


def of_student(folder: Path, encoder: Encoder, seed: int) -> Iterator[dict[str, Any]]:
    """The same by a small encoder that learned of this one, on the catalogue alone: no query, no grade."""
    graded = Graded(folder / "chorus_icecat")
    texts = [text for found in graded.products.values() for text in (found.title, read_of(found)) if text]
    student = Encoder(distilled(encoder, texts, f"{encoder.name}-small", seed=seed))
    declaration, files = student.artifact.declaration, student.artifact.files()
    yield {
        "encoder": student.name,
        "bytes": {name: len(files[name]) for name in (MODEL, TOKENIZER)},
        "milliseconds": student.artifact.card["milliseconds"],
        "limits": declaration.limits,
    }
    yield from rankings(folder, student, seed)


def rankings(folder: Path, encoder: Encoder, seed: int) -> Iterator[dict[str, Any]]:
    """BM25F as it ships, each blend, likeness alone of what BM25F finds, and the blend that folds choose."""
    graded = Graded(folder / "chorus_icecat")
    index, fold = graded.index(), folds(len(graded.queries), seed)
    best, whole = gridded(graded, index, fold), scored(graded, index)
    items = reranked(whole, graded.grades)
    like = likeness(graded, items, encoder)

    def say(name: str, found: Floats) -> dict[str, Any]:
        return {"encoder": encoder.name} | told(name, found, best, seed)

    yield say("BM25F as it ships", measured(graded, whole))
    blends = []
    for share in BLENDS:
        blends.append(remeasured(graded, {q: mixed(whole[q], items[q], like[q], share) for q in items}, whole))
        yield say(f"BM25F + {share:g} likeness", blends[-1])
    alone = {q: dict(zip(items[q], (like[q] + 2).tolist(), strict=True)) for q in items}
    yield say("likeness alone, of BM25F's best 100", remeasured(graded, alone, whole))
    yield say("BM25F + likeness, its weight chosen in folds", chosen(blends, fold))
