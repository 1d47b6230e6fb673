"""A review as clauses, so that what is praised is told from what is not, and each can be quoted."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from streams.features.payload.grams import MAX_CHARACTERS
from streams.features.payload.words import UNSPACED

#: Of a review no more clauses are read …
MOST = 200
#: … and a clause with Chinese characters has no more characters than this.
LONGEST = 16
#: Fewer words, or Chinese characters, say too little to tell a language.
LEAST_WORDS, LEAST_CHARACTERS = 3, 4
#: Where one thing ends to be said and the next begins: marks, and words that turn.
_ENDS = re.compile(
    r"[.!?;:,…~。！？；：，、\n\r()（）【】\[\]]+|--+"
    r"|\b(?:but|however|although|though|except|yet|while)\b|但是|但|不过|可是|然而|虽然|尽管|只是",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]{0,2000}>")
_KANA = re.compile(r"[\u3040-\u30ff]")
_LATIN, _LETTER, _SPACE = re.compile(r"[a-z]"), re.compile(r"[^\W\d_]"), re.compile(r"\s+")
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


def readable(text: str) -> str:
    """The beginning of a text as a person reads it: without HTML and marks that are not seen, in one width.

    >>> readable("<b>Ｇreen</b> tea &amp; milk")
    ' Green  tea & milk'
    """
    text = text[:MAX_CHARACTERS]
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text))[:MAX_CHARACTERS]


def clauses(text: str) -> Iterator[str]:
    """What a ``readable`` text says one after the other, as it is written; at most 200.

    >>> list(clauses("Soft fabric, but runs LARGE. 质量很好但是太贵了"))
    ['Soft fabric', 'runs LARGE', '质量很好', '太贵了']
    """
    return islice(_all(text), MOST)


def _all(text: str) -> Iterator[str]:
    for part in _ENDS.split(text):
        if not _LETTER.search(part):
            continue
        said = _SPACE.sub(" ", part).strip()
        # Chinese without marks goes on.
        long = LONGEST if UNSPACED.search(said) else len(said)
        yield from (said[start : start + long] for start in range(0, len(said), long))


def language_of(text: str, stated: str | None = None) -> str | None:
    """``en``, ``zh``, or None where a ``readable`` text is in neither or too short: by what is ``stated`` of it
    (BCP 47), if that is another language, and by its letters and words.

    >>> [language_of(text) for text in ("质量很好", "The fabric is soft", "Der Stoff ist sehr schön und weich", "ok")]
    ['zh', 'en', None, None]
    >>> language_of("good, very good", "de-DE")
    """
    said = (stated or "").casefold().replace("_", "-").partition("-")[0]
    if said not in ("", "en", "zh", "und"):
        return None
    text = text.casefold()
    letters = len(_LETTER.findall(text))
    unspaced = sum(len(run) for run in UNSPACED.findall(text))
    if unspaced >= max(LEAST_CHARACTERS, _SCRIPT * letters * 0.5):
        return None if len(_KANA.findall(text)) > 0.1 * unspaced else "zh"
    words = _WORD.findall(text)
    if len(words) < LEAST_WORDS or len(_LATIN.findall(text)) < _SCRIPT * letters:
        return None
    known = sum(word in _ENGLISH for word in words)
    return "en" if known >= max(1, _SHARE * len(words)) or said == "en" else None
