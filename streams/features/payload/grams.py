"""A text as numbers: its runs of characters and its words, each as a hash bucket."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from xxhash import xxh32_intdigest

from streams.features.feature import FromRecord
from streams.features.payload.words import UNSPACED

#: All are exact in float32.
BUCKETS = 1 << 20
#: Of a text no more is read, and no more grams are looked at, however often one comes again.
MAX_CHARACTERS, MAX_GRAMS = 8_000, 4_096
#: Letters of a word beyond these are not looked at.
MAX_WORD = 64
_WORD = re.compile(r"[^\W_]+")
_TAG = re.compile(r"<[^<>]{0,2000}>")


@dataclass(frozen=True, slots=True)
class Grams(FromRecord):
    """The first ``width`` distinct grams of some text fields of a record, in the order in which they come, each as one
    of 1,048,576 hash buckets from 1 on; 0 after the last one. None for a record without text.

    Grams of a word are the word, the word with the one before it, and its runs of ``shortest`` to ``longest``
    characters with a space at either end (``longest`` 0: none). Chinese and Japanese, written without spaces, give runs
    of 1 to 3 characters instead. Tags and entities of HTML are taken out, case and width do not matter.

    >>> from types import SimpleNamespace
    >>> Grams(("title",), 6, 2, 3).of(SimpleNamespace(title="Tea, 5g")).tolist()
    [926935.0, 800113.0, 801563.0, 383.0, 831888.0, 669868.0]
    """

    fields: tuple[str, ...]
    width: int
    shortest: int = 2
    longest: int = 5
    needs: str = ""
    """A field without which nothing is made of a record."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.width,)

    def of(self, record: Any) -> npt.NDArray[np.float32] | None:
        """[width] the grams' buckets."""
        texts = [text for name in self.fields if (text := getattr(record, name, None))]
        if not texts or (self.needs and not getattr(record, self.needs, None)):
            return None
        found: dict[int, None] = {}
        for gram in islice(grams("\n".join(texts), self.shortest, self.longest), MAX_GRAMS):
            found[xxh32_intdigest(gram.encode()) % BUCKETS + 1] = None
            if len(found) == self.width:
                break
        row = np.zeros(self.width, np.float32)
        row[: len(found)] = list(found)
        return row


def plain(text: str) -> str:
    """The beginning of a text without HTML, in one case and width.

    >>> plain("<b>Ｇreen</b> tea &amp; milk")
    ' green  tea & milk'
    """
    return in_one_width(text).casefold()[:MAX_CHARACTERS]


def in_one_width(text: str) -> str:
    """The beginning of a text without HTML, in one width; longer than it was where characters stand for several.

    >>> in_one_width("<b>Ｇreen</b> tea &amp; milk")
    ' Green  tea & milk'
    """
    text = text[:MAX_CHARACTERS]
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    return unicodedata.normalize("NFKC", text)


def grams(text: str, shortest: int, longest: int) -> Iterator[str]:
    """The grams of a text, word by word, some more than once. Runs of characters are marked by a space where a word
    ends, words by ``=``.

    >>> list(grams("No 茶叶", 2, 3))
    ['=no', ' n', 'no', 'o ', ' no', 'no ', '茶', '叶', '茶叶']
    """
    before = ""
    for match in _WORD.finditer(plain(text)):
        word, at = match.group(), 0
        for run in UNSPACED.finditer(word):
            if run.start() > at:
                yield from _of_word(word[at : run.start()], before, shortest, longest)
            yield from _runs(run.group(), 1, 3)
            before, at = "", run.end()
        if at < len(word):
            yield from _of_word(word[at:], before, shortest, longest)
            before = word[at:]


def _of_word(word: str, before: str, shortest: int, longest: int) -> Iterator[str]:
    word = word[:MAX_WORD]
    yield f"={word}"
    if before:
        yield f"={before[:MAX_WORD]} {word}"
    if longest:
        yield from _runs(f" {word} ", shortest, longest)


def _runs(text: str, shortest: int, longest: int) -> Iterator[str]:
    for n in range(shortest, longest + 1):
        for start in range(len(text) - n + 1):
            yield text[start : start + n]
