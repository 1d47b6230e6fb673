"""What tasks of whole shops share at their end: what a card says of the split, what features are worth, the proof."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from training import evaluate, export
from training.amounts import spearman
from training.job import CutHistory, FeatureRows, Job
from training.networks.tabular import answers_of
from training.split import window

Rows32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class Shop(Protocol):
    """The rows of one history, of shoppers (``shop_rows``) or of items (``item_rows``)."""

    @property
    def given(self) -> CutHistory:
        """The history, and where it is cut."""

    @property
    def table(self) -> FeatureRows:
        """Its rows."""

    @property
    def x(self) -> Rows32:
        """[n, f] what our network takes of them."""

    @property
    def name(self) -> str:
        """Of the history."""

    @property
    def test(self) -> Mask:
        """[n] which rows are tested."""

    def known(self, days: int) -> Mask:
        """[n] of which rows it was known so many days before the cut what came."""


def split_of(shops: Sequence[Shop], rule: str) -> dict[str, Any]:
    """What a card says of its split."""
    return {
        "rule": rule,
        "windows": {s.name: window(s.table.history, s.given.cut_ms) for s in shops},
        "rows": {s.name: {"trained on": int(s.known(0).sum()), "tested on": int(s.test.sum())} for s in shops},
    }


def answer_of(network: Any, output: str, x: Rows32) -> Rows32:
    """What a network says of rows, one of its outputs."""
    return answers_of(network, x)[output]


def importance(
    job: Job, s: Shop, network: Any, output: str, label: npt.NDArray[np.float64], features: Sequence[str]
) -> dict[str, Any]:
    """What a card says each of the first features (one number each) is worth to an amount: how much rank correlation
    with ``label`` [tested rows] its shuffling costs. Rows of which nothing came (NaN) are left out."""
    there, widths = np.isfinite(label), [(name, 1) for name in features]
    answer = partial(answer_of, network, output)
    worth = evaluate.importance(answer, s.x[s.test][there], label[there], widths, job.seed, of=spearman)
    return {"importance": worth, "importance_of": "rank correlation"}


def proven(job: Job, shops: Sequence[Shop], network: Any, card: dict[str, Any]) -> Artifact:
    """The network as an artifact, proven equal on rows that were tested. Raises ``NotEqual``."""
    tested = np.concatenate([s.x[s.test][:: max(1, int(s.test.sum()) // 700)] for s in shops])
    rows = np.random.default_rng(job.seed).permutation(tested)
    taught = np.concatenate([s.x[s.known(0)][::7] for s in shops])
    onnx = export.to_onnx(network, job.task)
    return export.proven(job.task, onnx, lambda x: answers_of(network, x), rows, taught, card, job.upstream)
