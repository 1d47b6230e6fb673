"""A text as numbers: its words, each as a hash bucket."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from xxhash import xxh32_intdigest

from streams.features.feature import FromRecord

#: All are exact in float32.
BUCKETS = 1 << 16
_WORD = re.compile(r"[^\W_]+")
#: Scripts that are written without spaces: each pair of neighbouring characters counts as a word.
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


@dataclass(frozen=True, slots=True)
class Words(FromRecord):
    """The first ``width`` words of some text fields of a record, one after the other, each as one of 65,536 hash
    buckets from 1 on; 0 after the last one. None for a record without text.

    >>> from types import SimpleNamespace
    >>> Words(("title",), 4).of(SimpleNamespace(title="Green  TEA, green")).tolist()
    [49390.0, 31153.0, 49390.0, 0.0]
    """

    fields: tuple[str, ...]
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.width,)

    def of(self, record: Any) -> npt.NDArray[np.float32] | None:
        """[width] the words' buckets."""
        texts = [text for name in self.fields if (text := getattr(record, name, None))]
        if not texts:
            return None
        found = np.zeros(self.width, np.float32)
        known = words(" ".join(texts), self.width)
        found[: len(known)] = [xxh32_intdigest(word.encode()) % BUCKETS + 1 for word in known]
        return found


def words(text: str, most: int) -> list[str]:
    """The first words of a text: letters and digits, whatever their case and width; of Chinese and Japanese each pair
    of characters.

    >>> words("Ｇreen tea 500g; 绿茶叶", 9)
    ['green', 'tea', '500g', '绿茶', '茶叶']
    """
    found: list[str] = []
    for match in _WORD.finditer(unicodedata.normalize("NFKC", text).casefold()):
        word, at = match.group(), 0
        for run in UNSPACED.finditer(word):
            found += [word[at : run.start()]] if run.start() > at else []
            characters, at = run.group(), run.end()
            found += [characters[i : i + 2] for i in range(max(1, len(characters) - 1))]
        found += [word[at:]] if at < len(word) else []
        if len(found) >= most:
            break
    return found[:most]
