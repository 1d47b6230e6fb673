"""The word that was meant: the nearest one that items say, by edits; of those as near, the one that most items say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from streams.columns.arrays import Ints
from streams.search.index import Index

#: Words of so many letters are corrected; shorter ones are near too many others.
LEAST, MOST = 4, 32
#: From so many letters on two edits are looked for, not one.
TWO_EDITS = 7
#: So many pairs of characters are sought for a single one.
PAIRS = 4
#: Letters that a word must have in common with one that it begins.
PREFIX = 3


class Speller:
    """Corrects words by those that an index knows. Words with digits are names of models and stay as they are."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._of: Sequence[str] = ()
        self._letters, self._length = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def correct(self, word: str) -> list[str]:
        """What an unknown word was meant to be: one word, or the two that it is made of; empty where nothing is near.
        A word of which it is the beginning comes last: it is what somebody types who is not done."""
        if not _corrected(word):
            return self._with_character(word) if len(word) == 1 and not word.isascii() else []
        self._follow()
        edits = 2 if len(word) >= TWO_EDITS else 1
        near = self._near(word, edits)
        if near and near[0][0] == 1:
            return [near[0][2]]
        halves = [(word[:i], word[i:]) for i in range(2, len(word) - 1)]
        known = [pair for pair in halves if all(self._index.frequency(half) for half in pair)]
        if known:
            return list(max(known, key=lambda pair: (min(map(self._index.frequency, pair)), pair)))
        if near:
            return [near[0][2]]
        begun = [w for w in self._listed(np.flatnonzero(self._length > len(word))) if w.startswith(word)]
        return [min(begun, key=lambda w: (-self._index.frequency(w), w))] if len(word) >= PREFIX and begun else []

    def _with_character(self, character: str) -> list[str]:
        """Of a single Chinese or Japanese character, pairs that it is part of."""
        found = [w for w in self._index.words if character in w and self._index.frequency(w)]
        return sorted(found, key=lambda w: (-self._index.frequency(w), w))[:PAIRS]

    def _follow(self) -> None:
        """Take what words the index learned since."""
        words = self._index.words
        new = words if words is not self._of else words[len(self._length) :]
        letters, length = np.array([_mask(word) for word in new], np.int64), np.array([*map(len, new)], np.int64)
        if words is self._of:
            letters, length = np.r_[self._letters, letters], np.r_[self._length, length]
        self._of, self._letters, self._length = words, letters, length

    def _listed(self, codes: Ints) -> list[str]:
        said = self._index.said_by
        return [self._of[code] for code in codes[said[codes] > 0].tolist()]

    def _near(self, word: str, most: int) -> list[tuple[int, int, str]]:
        """(edits, less how many items say it, word) of words within so many edits, best first."""
        differ = np.bitwise_count(self._letters ^ _mask(word))
        some = np.flatnonzero((np.abs(self._length - len(word)) <= most) & (differ <= 2 * most))
        found = []
        for known in self._listed(some):
            if known.isalpha() and known.isascii() and (d := distance(word, known, most)) <= most:
                found.append((d, -self._index.frequency(known), known))
        return sorted(found)


def _corrected(word: str) -> bool:
    return LEAST <= len(word) <= MOST and word.isascii() and word.isalpha()


def _mask(word: str) -> int:
    """Which letters a word has, as bits."""
    bits = 0
    for letter in word:
        bits |= 1 << (ord(letter) & 31)
    return bits


def distance(one: str, other: str, most: int) -> int:
    """Edits from one word to another (a letter more, less, other, or two neighbours swapped); ``most`` + 1 where there
    are more.

    >>> distance("laptpo", "laptop", 2), distance("labtob", "laptop", 2), distance("desk", "lamp", 2)
    (1, 2, 3)
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        next_row = [i]
        for j, b in enumerate(other, 1):
            cost = min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            next_row.append(cost)
        if min(next_row) > most and (not before or min(row) > most):
            return most + 1
        before, row = row, next_row
    return min(row[-1], most + 1)


def joined(words: Sequence[str], index: Index) -> list[str]:
    """Words that two neighbours of a query are together and that items say, such as ``headset`` of ``head set``."""
    return [whole for a, b in pairwise(words) if index.frequency(whole := a + b)]
