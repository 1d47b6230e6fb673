"""Which known text is most like each of some others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def nearest(known: Sequence[str], texts: Sequence[str], at_once: int = 512) -> npt.NDArray[np.int64]:
    """[k] of each text the place of the known one with the highest cosine of TF-IDF of words; the first of equals."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    table = words.fit_transform(known).T.tocsc()
    rows = words.transform(texts)
    parts = [
        np.asarray((rows[start : start + at_once] @ table).todense()).argmax(axis=1)
        for start in range(0, len(texts), at_once)
    ]
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, np.int64)
