"""An inverted index of a catalogue, scored by BM25F.

Items get places in the order in which they come; a changed item gets a new one, and its old one is dead. Postings of
most places stand sorted by word (``_Sorted``). Those that came since, and the dead ones, are looked at beside them;
when they are a share of all, everything is sorted anew. Whichever way items came, the same listed items give the same
scores, bit for bit: what is counted of all items are whole numbers, and an item's score adds its words in the order of
the query.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints
from streams.search.words import stems

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an item: how many of its words count, what one of them weighs, and how much (0 … 1) a text longer than
    others loses."""

    name: str
    most: int
    weight: float
    length: float


#: Chosen on all 116 graded queries of Chorus/Icecat; ``training/checks/search.py`` says what folds say.
FIELDS = (
    Field("title", 64, 3.0, 0.9),
    Field("brand", 8, 1.0, 0.9),
    Field("category", 32, 1.0, 0.9),
    Field("description", 256, 1.0, 0.9),
    Field("attributes", 256, 0.3, 0.9),
)
SATURATION = 0.6
"""``k1`` of BM25: how soon the same word again counts for nothing."""
#: So many places, and a share of all, may be dead or not sorted in.
LATELY, SHARE = 256, 8


class Document(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """What is known of a listed item, as far as it is sought by it."""

    title: str = ""
    brand: str = ""
    category_path: tuple[str, ...] = ()
    description: str = ""
    attributes: dict[str, str] = {}

    def texts(self) -> tuple[str, ...]:
        """A text for each of ``FIELDS``."""
        path, values = " ".join(self.category_path), " ".join(self.attributes.values())
        return self.title, self.brand, path, self.description, values

    def digest(self, item_id: str) -> int:
        """64 bits of the item and all that is said of it."""
        said = (self.title, self.brand, self.category_path, self.description, sorted(self.attributes.items()))
        whole = msgspec.json.encode((item_id, said))
        return int.from_bytes(hashlib.blake2b(whole, digest_size=8).digest(), "big")


class Found(NamedTuple):
    """Items that a query found, best first; of the same score by id."""

    items: list[str]
    scores: Floats


class _Item(NamedTuple):
    words: Ints
    """[w] the distinct words, ascending."""
    counts: npt.NDArray[np.int32]
    """[w, fields] how often each is said in each field."""
    lengths: npt.NDArray[np.int32]
    """[fields] words in each field."""
    category: str
    title: str
    digest: int


class _Sorted(NamedTuple):
    """Postings by word."""

    start: Ints
    places: Ints
    counts: npt.NDArray[np.int32]


class Index:
    """Items by the words they say; ``read`` makes words of a text. Not safe to change while another thread searches."""

    def __init__(self, read: Callable[[str, int], list[str]] = stems) -> None:
        self._read, fields = read, FIELDS
        self.weigh(fields, SATURATION)
        self._codes: dict[str, int] = {}
        """Word → its code, for as long as the index lives."""
        self._words: list[str] = []
        self._said_by = np.zeros(1024, np.int64)
        """By code: listed items that say it."""
        self._items: dict[str, int] = {}
        self._ids: list[str] = []
        self._kept: list[_Item | None] = []
        self._lengths = np.zeros((1024, len(fields)), np.int32)
        self._alive = np.zeros(1024, np.bool_)
        self._totals = np.zeros(len(fields), np.int64)
        self._sorted = _Sorted(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros((0, len(fields)), np.int32))
        self._sorted_to = 0
        self._lately: dict[int, list[int]] = {}
        """Code → places that are not sorted in and say it."""
        self._digest = 0
        self.categories: dict[str, int] = {}
        """Category (the narrowest) → listed items of it."""

    def weigh(self, fields: Sequence[Field], saturation: float) -> None:
        """From here on the fields (the same ones) weigh so."""
        self._fields, self._k1 = tuple(fields), saturation
        self._weights = np.array([field.weight for field in fields])
        self._slopes = np.array([field.length for field in fields])

    def __len__(self) -> int:
        """Listed items."""
        return len(self._items)

    @property
    def digest(self) -> str:
        """16 hex digits of the set of listed items and all that is said of them, by whatever path it came to be."""
        return f"{self._digest:016x}"

    @property
    def words(self) -> Sequence[str]:
        """All words, by their codes; another list where codes were given anew. Some may be said by no item any more."""
        return self._words

    @property
    def said_by(self) -> Ints:
        """[words] how many listed items say each."""
        return self._said_by[: len(self._words)]

    def frequency(self, word: str) -> int:
        """Listed items that say a word."""
        code = self._codes.get(word)
        return 0 if code is None else int(self._said_by[code])

    def title(self, item_id: str) -> str:
        """The title of a listed item."""
        return self._of(item_id).title

    def category(self, item_id: str) -> str:
        """The narrowest category of a listed item; empty where none is known."""
        return self._of(item_id).category

    def _of(self, item_id: str) -> _Item:
        item = self._kept[self._items[item_id]]
        assert item is not None
        return item

    def put(self, item_id: str, said: Document) -> None:
        """An item is listed, and this is what is said of it."""
        digest = said.digest(item_id)
        if item_id in self._items and self._of(item_id).digest == digest:
            return
        self.drop(item_id)
        found = [self._read(text, field.most) for text, field in zip(said.texts(), self._fields, strict=True)]
        counted: dict[int, list[int]] = {}
        for column, words in enumerate(found):
            for word in words:
                counted.setdefault(self._code(word), [0] * len(self._fields))[column] += 1
        codes = sorted(counted)
        item = _Item(
            np.array(codes, np.int64),
            np.array([counted[code] for code in codes], np.int32).reshape(-1, len(self._fields)),
            np.array([len(words) for words in found], np.int32),
            said.category_path[-1] if said.category_path else "",
            said.title,
            digest,
        )
        place = len(self._ids)
        if place == len(self._alive):
            self._alive = np.r_[self._alive, np.zeros_like(self._alive)]
            self._lengths = np.r_[self._lengths, np.zeros_like(self._lengths)]
        self._items[item_id] = place
        self._ids.append(item_id)
        self._kept.append(item)
        self._lengths[place], self._alive[place] = item.lengths, True
        for code in codes:
            self._lately.setdefault(code, []).append(place)
        self._count(item, 1)
        self._digest ^= item.digest

    def drop(self, item_id: str) -> None:
        """An item is not listed any more; nothing where it was not."""
        place = self._items.pop(item_id, None)
        if place is None:
            return
        item = self._kept[place]
        assert item is not None
        self._kept[place], self._alive[place] = None, False
        self._count(item, -1)
        self._digest ^= item.digest

    def _code(self, word: str) -> int:
        code = self._codes.setdefault(word, len(self._words))
        if code == len(self._words):
            self._words.append(word)
            if code == len(self._said_by):
                self._said_by = np.r_[self._said_by, np.zeros_like(self._said_by)]
        return code

    def _count(self, item: _Item, by: int) -> None:
        self._said_by[item.words] += by
        self._totals += by * item.lengths
        if item.category:
            left = self.categories.get(item.category, 0) + by
            self.categories[item.category] = left
            if not left:
                del self.categories[item.category]

    def sort(self) -> None:
        """Sort everything in, and give places anew where some are dead; words that nothing says are forgotten."""
        kept = [(item_id, item) for item_id, item in zip(self._ids, self._kept, strict=True) if item is not None]
        self._ids, self._kept = [item_id for item_id, _ in kept], [item for _, item in kept]
        self._items = {item_id: place for place, item_id in enumerate(self._ids)}
        n, size = len(kept), max(1024, 2 * len(kept))
        said = np.flatnonzero(self._said_by[: len(self._words)])
        code = np.zeros(len(self._words), np.int64)
        code[said] = np.arange(len(said))
        self._words = [self._words[i] for i in said.tolist()]
        self._codes = {word: i for i, word in enumerate(self._words)}
        self._said_by = np.r_[self._said_by[said], np.zeros(max(1024, len(said)), np.int64)]
        self._kept = [item._replace(words=code[item.words]) for _, item in kept]
        self._alive, lengths = np.arange(size) < n, np.zeros((size, len(self._fields)), np.int32)
        if kept:
            lengths[:n] = [item.lengths for _, item in kept]
            words = np.concatenate([item.words for item in self._kept if item is not None])
            counts = np.concatenate([item.counts for _, item in kept])
            places = np.repeat(np.arange(n), [len(item.words) for _, item in kept])
            order = np.argsort(words, kind="stable")
            start = np.searchsorted(words[order], np.arange(len(self._words) + 1))
            self._sorted = _Sorted(start, places[order], counts[order])
        else:
            self._sorted = _Sorted(np.zeros(1, np.int64), np.zeros(0, np.int64), self._sorted.counts[:0])
        self._lengths, self._sorted_to, self._lately = lengths, n, {}

    def _postings(self, code: int) -> tuple[Ints, npt.NDArray[np.int32]]:
        """Places that say a word and live, and how often in each field."""
        start, places, counts = self._sorted
        some = slice(int(start[code]), int(start[code + 1])) if code + 1 < len(start) else slice(0, 0)
        alive = self._alive[places[some]]
        found, said = places[some][alive], counts[some][alive]
        late = [place for place in self._lately.get(code, ()) if self._alive[place]]
        if late:
            rows = []
            for place in late:
                item = self._kept[place]
                assert item is not None
                rows.append(item.counts[np.searchsorted(item.words, code)])
            found, said = np.r_[found, np.array(late, np.int64)], np.r_[said, np.array(rows, np.int32)]
        return found, said

    def tidy(self) -> None:
        """Sort in what came lately, where that is much."""
        unsorted = len(self._ids) - self._sorted_to
        dead = len(self._ids) - len(self._items)
        if max(unsorted, dead) > max(LATELY, len(self._items) // SHARE):
            self.sort()

    def ids(self, places: Ints) -> list[str]:
        """The items at some places."""
        return [self._ids[place] for place in places.tolist()]

    def scores(self, words: Sequence[str]) -> tuple[Ints, Floats]:
        """Places of the listed items that say any of some distinct words, ascending, and their BM25F scores."""
        self.tidy()
        n, total = len(self._items), np.zeros(len(self._ids))
        means = np.maximum(self._totals / max(n, 1), 1e-9)
        hit = np.zeros(len(self._ids), np.bool_)
        for word in words:
            code = self._codes.get(word)
            if code is None or not self._said_by[code]:
                continue
            places, counts = self._postings(code)
            said = np.zeros(len(places))
            for column in range(len(self._fields)):
                slope, mean = self._slopes[column], means[column]
                norm = 1 - slope + slope * (self._lengths[places, column] / mean)
                said += self._weights[column] * counts[:, column] / np.maximum(norm, 1e-9)
            many = int(self._said_by[code])
            total[places] += math.log1p((n - many + 0.5) / (many + 0.5)) * (said / (self._k1 + said))
            hit[places] = True
        found = np.flatnonzero(hit)
        return found, total[found]

    def best(self, words: Sequence[str], most: int) -> Found:
        """The best items for some words."""
        places, scores = self.scores(words)
        if len(places) > most:
            least = np.partition(scores, len(scores) - most)[len(scores) - most]
            places, scores = places[scores >= least], scores[scores >= least]
        ids = self.ids(places)
        order = sorted(range(len(ids)), key=lambda i: (-scores[i], ids[i]))[:most]
        return Found([ids[i] for i in order], scores[order])

    def of_category(self, category: str, most: int) -> Found:
        """Items of a category, by id, of no score."""
        some = [(i, item) for i, item in zip(self._ids, self._kept, strict=True) if item is not None]
        ids = sorted(i for i, item in some if item.category == category)[:most]
        return Found(ids, np.zeros(len(ids)))

    def together(self, words: Sequence[str]) -> bool:
        """Whether a listed item says all of some words that the index knows."""
        rarest, *others = sorted(words, key=lambda word: (self.frequency(word), word))
        left = self._postings(self._codes[rarest])[0]
        for word in others:
            if not len(left):
                break
            left = np.intersect1d(left, self._postings(self._codes[word])[0], assume_unique=True)
        return bool(len(left))
