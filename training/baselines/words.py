"""Linear models of TF-IDF over words, or over the characters within them: what is hard to beat on short texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def _vectors(kind: str, chinese: bool) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if kind == "characters":
        how: dict[str, Any] = {"analyzer": "char", "ngram_range": (1, 3)} if chinese else {}
        return TfidfVectorizer(**({"analyzer": "char_wb", "ngram_range": (2, 5)} | how), sublinear_tf=True, min_df=2)
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)


def machine(kind: str, texts: Sequence[str], label: npt.NDArray[Any], test: Sequence[str]) -> npt.NDArray[Any]:
    """[n] the label that a linear support vector machine gives each text of ``test``."""
    from sklearn.svm import LinearSVC

    vectors = _vectors(kind, False)
    found = LinearSVC(max_iter=300).fit(vectors.fit_transform(texts), label)
    return np.asarray(found.predict(vectors.transform(test)))


def chance(kind: str, texts: Sequence[str], label: Floats, test: Sequence[str], chinese: bool = False) -> Floats:
    """[n] how likely a logistic regression (C = 10) finds each text of ``test`` positive."""
    learned, asked = tfidf(kind, texts, test, chinese)
    return regression(learned, label > 0.5, asked)


def tfidf(kind: str, texts: Sequence[str], test: Sequence[str], chinese: bool = False) -> tuple[Any, Any]:
    """(rows of ``texts``, rows of ``test``), sparse, by the words of ``texts``."""
    vectors = _vectors(kind, chinese)
    return vectors.fit_transform(texts), vectors.transform(test)


def regression(learned: Any, positive: npt.NDArray[np.bool_], asked: Any) -> Floats:
    """[n] how likely a logistic regression (C = 10) finds each row of ``asked``."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=10.0, max_iter=300).fit(learned, positive)
    return np.asarray(found.predict_proba(asked)[:, 1], np.float64)
