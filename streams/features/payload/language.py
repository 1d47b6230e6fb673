"""The language of a text as a number: what is stated of it where its letters bear that out, else what they say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.features.feature import FromRecord
from streams.features.payload.grams import MAX_CHARACTERS, in_one_width
from streams.features.payload.words import UNSPACED

#: Fewer words, or Chinese characters, say too little to tell a language.
LEAST_WORDS, LEAST_CHARACTERS = 3, 4
_KANA = re.compile(r"[\u3040-\u30ff]")
_LATIN, _LETTER = re.compile(r"[a-z]"), re.compile(r"[^\W\d_]")
#: Marks that no reader sees and that turn what stands after them around.
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_WORD = re.compile(r"[a-z']+")
#: Words that English cannot do without, and that are rare where other languages are written with the same letters.
_ENGLISH = frozenset(
    (
        "the", "and", "is", "it", "this", "that", "was", "of", "for", "with", "are", "but", "not", "very", "have",
        "has", "i", "my", "you", "they", "on", "be", "so", "too", "just", "would", "really", "like", "as", "in",
        "than", "them", "these", "all", "more", "out", "im", "it's", "i'm", "don't", "its", "can", "will", "from",
        "good", "great", "love", "size",
    )
)  # fmt: skip
#: So many of ten letters must be of the script, so many of ten words must be English ones.
_SCRIPT, _SHARE = 0.7, 0.2
#: A tag has at most so many letters, each of which is one of 27 digits.
_LETTERS, _DIGITS = 3, 27
_MOST = _DIGITS**_LETTERS - 1


def number(tag: str) -> float:
    """What stands for a language in a row; 0 for an unknown one, ``""``. Exact in float32.

    >>> number("en"), number("zh"), number("")
    (149.0, 710.0, 0.0)
    """
    found = 0
    for letter in tag[:_LETTERS]:
        found = found * _DIGITS + ord(letter) - ord("a") + 1
    return float(found)


def tag(value: float) -> str:
    """The language that a number stands for.

    >>> tag(number("en")), tag(0.0)
    ('en', '')
    """
    found, left = "", int(value)
    while left:
        left, digit = divmod(left, _DIGITS)
        found = chr(ord("a") + digit - 1) + found
    return found


@dataclass(frozen=True, slots=True)
class Language(FromRecord):
    """The language of some text fields of a record, as ``number`` gives it: the first part of the BCP 47 tag in the
    field ``stated``, unless the text is in letters that the language is not written in; of a text of which nothing is
    stated, or the wrong thing, English and Chinese are told by their letters and words, and others are unknown, 0. None
    for a record without text.

    >>> from types import SimpleNamespace
    >>> def spoken(text, language=None):
    ...     return tag(Language(("text",), "language").of(SimpleNamespace(text=text, language=language))[0])
    >>> spoken("The fabric is soft"), spoken("质量很好"), spoken("Der Stoff ist weich"), spoken("Weich", "de-AT")
    ('en', 'zh', '', 'de')
    >>> spoken("ok", "en"), spoken("质量很好", "en"), spoken("Материал мягкий", "en_GB")
    ('en', 'zh', '')
    """

    fields: tuple[str, ...]
    stated: str

    @property
    def shape(self) -> tuple[int, ...]:
        return (1,)

    @property
    def most(self) -> int:
        """The largest number."""
        return _MOST

    def number(self, name: str) -> float:
        """What stands for a language."""
        return number(name)

    def name(self, value: float) -> str:
        """The language that a number stands for."""
        return tag(value)

    def of(self, record: Any) -> npt.NDArray[np.float32] | None:
        """[1] the number."""
        texts = [text for name in self.fields if (text := getattr(record, name, None))]
        if not texts:
            return None
        text = readable("\n".join(texts))
        said = primary(getattr(record, self.stated, None))
        found = said if said and written_in(text, said) else language_of(text) or ""
        return np.array([number(found)], np.float32)


def primary(stated: str | None) -> str:
    """The language of a BCP 47 tag, ``""`` where it says none.

    >>> primary("zh-Hans"), primary("EN_us"), primary("und"), primary("x-klingon"), primary(None)
    ('zh', 'en', '', '', '')
    """
    said = _first_part(stated)
    letters = said.isascii() and said.isalpha()
    return said if letters and 2 <= len(said) <= _LETTERS and said != "und" else ""


def _first_part(tag: str | None) -> str:
    return (tag or "").casefold().replace("_", "-").partition("-")[0]


def readable(text: str) -> str:
    """The beginning of a text as a person reads it: without HTML and marks that are not seen, in one width.

    >>> readable("<b>Ｇreen</b> tea &amp; milk")
    ' Green  tea & milk'
    """
    return _UNSEEN.sub("", in_one_width(text))[:MAX_CHARACTERS]


def language_of(text: str, stated: str | None = None) -> str | None:
    """``en``, ``zh``, or None where a ``readable`` text is in neither or too short: by what is ``stated`` of it
    (BCP 47), if that is another language, and by its letters and words.

    >>> [language_of(text) for text in ("质量很好", "The fabric is soft", "Der Stoff ist sehr schön und weich", "ok")]
    ['zh', 'en', None, None]
    >>> language_of("good, very good", "de-DE")
    """
    said = _first_part(stated)
    if said not in ("", "en", "zh", "und"):
        return None
    text = text.casefold()
    if _unspaced(text) >= max(LEAST_CHARACTERS, 0.5 * _SCRIPT * len(_LETTER.findall(text))):
        return "zh" if written_in(text, "zh") else None
    words = _WORD.findall(text)
    if len(words) < LEAST_WORDS or not written_in(text, "en"):
        return None
    known = sum(word in _ENGLISH for word in words)
    return "en" if known >= max(1, _SHARE * len(words)) or said == "en" else None


def _unspaced(text: str) -> int:
    """How many characters are of a script without spaces."""
    return sum(len(run) for run in UNSPACED.findall(text))


def written_in(text: str, language: str) -> bool:
    """Whether a ``readable`` text is in the letters of a language: Latin ones of English, characters without kana of
    Chinese. Of any other language it may be.

    >>> written_in("Очень мягкая ткань", "en"), written_in("质量 OK", "zh"), written_in("とても良い", "zh")
    (False, True, False)
    """
    letters = len(_LETTER.findall(text))
    if language == "en":
        return len(_LATIN.findall(text.casefold())) >= _SCRIPT * letters
    if language == "zh":
        unspaced = _unspaced(text)
        return unspaced >= 0.5 * _SCRIPT * letters and len(_KANA.findall(text)) <= 0.1 * unspaced
    return True
