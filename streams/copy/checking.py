"""Holds texts against the attributes that they were made of. A pure function: the same for our templates and for
whatever another writer makes, so that none can pass what the other may not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from streams.copy.languages import ENGLISH, KNOWN_VALUES, Language
from streams.copy.slots import Slot, marked_up
from streams.copy.tokens import (
    CHINESE_DIGITS,
    CHINESE_UNITS,
    NUMBER_WORDS,
    UNITS,
    UNSPACED,
    Token,
    folded,
    said,
    tokens,
)

#: Of each text the fewest and the most characters.
LENGTHS = {"title": (1, 150), "description": (1, 3_000), "offer": (1, 160)}
#: Letters and digits in one word, such as dv7-1211ea.
_CODE = re.compile(rf"[^\W_{UNSPACED}]+(?:[-./+][^\W_{UNSPACED}]+)*")
_QUANTITY = re.compile(r"\d+(?:[.,]\d+)*-?([^\W\d_]+)")
#: Words of a title that say nothing of an item.
_SMALL = frozenset({"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with", "set"})
_NAME = re.compile(r"[^\W\d_]{2,}")
_STOPS = ".!?:;。！？：；\n•-–—\"'“‘(["


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text must not be used. ``kind``: invented_number, invented_unit, invented_code, invented_word, forbidden,
    too_short, too_long, markup, not_covered."""

    text: str
    """Which: title, description, offer; empty: all together."""
    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.text or 'texts'}: {self.kind.replace('_', ' ')}{f' {self.what!r}' if self.what else ''}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. ``coverage``: the share of the attributes that the texts say, 0 to 1."""

    faults: tuple[Fault, ...]
    coverage: float

    @property
    def invented(self) -> int:
        """How many numbers, units, codes and words are not in the attributes."""
        return sum(fault.kind.startswith("invented") for fault in self.faults)


def check(
    texts: Mapping[str, str],
    known: Sequence[Slot],
    language: Language = ENGLISH,
    *,
    forbidden: Collection[str] = (),
    closed: bool = False,
    least_coverage: float = 0.0,
) -> Checked:
    """Hold texts (``title``, ``description``, ``offer``) against the slots they were made of.

    Invented is a number (also in words) that no attribute has, a unit at a number that has another one in the
    attributes or none, a code of letters and digits, a name in capitals within a sentence, a colour or material, and
    in a title any word. ``closed``: besides, any word at all that neither an attribute nor a template of the language
    says; templates keep to that. ``forbidden`` adds to the language's words.

    >>> tea = [Slot("weight", "250 g", "text"), Slot("kind", "green tea", "text")]
    >>> found = check({"title": "Green tea 500 g", "description": "A green tea."}, tea)
    >>> [str(fault) for fault in found.faults], found.coverage
    (["title: invented number '500'"], 0.5)
    """
    of = _source(tuple(known))
    faults = [fault for name, text in texts.items() for fault in _faults(name, text, of, language, forbidden, closed)]
    share = coverage(texts.values(), known, language)
    if share < least_coverage:
        faults.append(Fault("", "not_covered", f"{share:.0%} of the attributes"))
    return Checked(tuple(faults), share)


def coverage(texts: Collection[str], known: Sequence[Slot], language: Language = ENGLISH) -> float:
    """The share of slots that texts say: their values, of yes and no their names; 1 where there is none. More text
    never says less."""
    whole = [said(text) for text in texts]

    def says(slot: Slot) -> bool:
        wanted = [slot.value] if slot.kind in ("text", "number") else [slot.name, language.label(slot)]
        wanted += [KNOWN_VALUES[folded(slot.value)]] if folded(slot.value) in KNOWN_VALUES else []
        return any(said(each) in text for each in wanted for text in whole)

    return sum(map(says, known)) / len(known) if known else 1.0


@dataclass(frozen=True, slots=True)
class _Source:
    """What slots say, as texts are held against it."""

    numbers: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    """Each number with the units of its attribute, in its value or its name."""
    words: frozenset[str]
    codes: frozenset[str]
    whole: str


@lru_cache(maxsize=64)
def _source(known: tuple[Slot, ...]) -> _Source:
    numbers, pairs, words, codes = set[str](), set[tuple[str, str]](), set[str](), set[str]()
    for slot in known:
        name, value = tokens(folded(slot.name)), tokens(folded(slot.value))
        both = [token.text for token in (*name, *value)]
        own = {token.text for token in (*name, *value) if token.kind == "number"}
        joined = folded(f"{slot.name} {slot.value}")
        units = {text for text in both if text in UNITS} | {unit for unit in CHINESE_UNITS if unit in joined}
        units |= {unit for _, unit in _pairs(joined, value)}
        numbers |= own | {NUMBER_WORDS[text] for text in both if text in NUMBER_WORDS}
        pairs |= {(each, unit) for each in own for unit in units}
        words |= set(both)
        codes |= set(_CODE.findall(joined))
    whole = "\n".join(folded(f"{slot.name}\n{slot.value}") for slot in known)
    return _Source(frozenset(numbers), frozenset(pairs), frozenset(words), frozenset(codes), whole)


def _faults(
    name: str, text: str, of: _Source, language: Language, forbidden: Collection[str], closed: bool
) -> Iterator[Fault]:
    least, most = LENGTHS[name]
    if not least <= len(text) <= most:
        kind, limit = ("too_short", least) if len(text) < least else ("too_long", most)
        yield Fault(name, kind, f"{len(text)} characters, {limit} allowed")
    if marked_up(text):
        yield Fault(name, "markup", "")
    plain = folded(text)
    yield from (Fault(name, "forbidden", word) for word in forbidden_in(text, (*language.forbidden, *forbidden)))
    found = tokens(plain)
    yield from (Fault(name, "invented_number", each) for each in _numbers(plain, found) if each not in of.numbers)
    for amount, unit in _pairs(plain, found):
        if amount in of.numbers and (amount, unit) not in of.pairs:
            yield Fault(name, "invented_unit", f"{amount} {unit}")
    for code in _CODE.findall(plain):
        mixed = any(c.isdecimal() for c in code) and any(c.isalpha() and c.isascii() for c in code)
        quantity = _QUANTITY.fullmatch(code)
        if not mixed or (quantity is not None and quantity.group(1) in UNITS):
            continue
        if code not in of.codes and said(code) not in said(of.whole):
            yield Fault(name, "invented_code", code)
    own = _own_words(language)
    for word in dict.fromkeys(_claims(name, text, plain, found, closed)):
        if word not in of.words and word not in own and not _translated(word, of):
            yield Fault(name, "invented_word", word)


def forbidden_in(text: str, words: Collection[str]) -> list[str]:
    """Those of some words that a text says, as whole words; of Chinese wherever they stand.

    >>> forbidden_in("The BEST tea", ["best", "est"]), forbidden_in("全网最低价", ["最低价"])
    (['best'], ['最低价'])
    """
    whole, plain = said(text), folded(text)
    return [word for word in words if (said(word) in whole if said(word).strip() else folded(word) in plain)]


@lru_cache(maxsize=8)
def _own_words(language: Language) -> frozenset[str]:
    own = (*language.phrases, *language.names.values())
    return frozenset(token.text for phrase in own for token in tokens(folded(phrase)) if token.kind != "number")


def _numbers(plain: str, found: Sequence[Token]) -> Iterator[str]:
    """The numbers of a text, also those in words."""
    for token in found:
        if token.kind == "number":
            yield token.text
        elif token.kind == "word" and token.text in NUMBER_WORDS:
            yield NUMBER_WORDS[token.text]
        elif token.kind == "unspaced" and token.text in CHINESE_DIGITS and plain.startswith(CHINESE_UNITS, token.end):
            yield CHINESE_DIGITS[token.text]


def _pairs(plain: str, found: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Each number of a text with the unit that stands at it."""
    for k, token in enumerate(found):
        if token.kind != "number":
            continue
        if k + 1 < len(found) and plain[token.end : found[k + 1].start].strip(" -\u2011") == "":
            after = found[k + 1]
            if after.kind == "unspaced":
                unit = next((unit for unit in CHINESE_UNITS if plain.startswith(unit, after.start)), None)
                if unit is not None:
                    yield token.text, unit
            elif after.text in UNITS and not (after.text == "in" and after.start > token.end):
                yield token.text, after.text
        if k and found[k - 1].text in ("$", "€", "£", "¥", "#") and found[k - 1].end == token.start:
            yield token.text, found[k - 1].text


def _claims(name: str, text: str, plain: str, found: Sequence[Token], closed: bool) -> Iterator[str]:
    """The words of a text that say something of the item, and so must come of its attributes."""
    spoken = [token for token in found if token.kind in ("word", "unspaced")]
    if closed:
        yield from (token.text for token in spoken)
        return
    if name == "title":
        yield from (token.text for token in spoken if token.kind == "word" and token.text not in _SMALL)
    whole = said(plain)
    for word, other in KNOWN_VALUES.items():
        yield from (each for each in (word,) if f" {each} " in whole)
        yield from (each for each in (other,) if len(each) > 1 and each in plain)
    wide = unicodedata.normalize("NFKC", text)
    for match in _NAME.finditer(wide):
        word, before = match.group(), wide[: match.start()].rstrip(" ")
        if any(c.isupper() for c in word[1:]) or (word[0].isupper() and before and before[-1] not in _STOPS):
            yield from (token.text for token in tokens(folded(word)) if token.kind == "word")


def _translated(word: str, of: _Source) -> bool:
    """Whether attributes say a word of more than one character, or say it in the other language."""
    if word in of.whole and len(word) > 1 and not word.isascii():
        return True
    pairs = KNOWN_VALUES.items()
    return any((word == other and known in of.words) or (word == known and other in of.whole) for known, other in pairs)
