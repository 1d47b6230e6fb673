"""Which aspects of an item a review praises and criticises, clause by clause, by lists of words and a few rules.

A clause praises an aspect where it has words of praise for it, or where it names the aspect and thinks well of
whatever it speaks of; likewise it criticises. A word that is negated counts for the other side. Some words praise an
aspect only where the clause names no other one (``alone``): a lovely dress looks well, a lovely taste does not. One
clause says one thing of an aspect; a review may do both.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from streams.features.payload.language import language_of, readable
from streams.records.reviewed import ASPECTS
from streams.reviews.clauses import clauses

#: Where a word may begin: a run of Latin letters at its begin, or any character that is no ASCII.
_PLACE = re.compile(r"\b[a-z]+|[^\x00-\x7f]")
_FIRST = re.compile(r"[a-z]+")
#: A Latin word is negated by one of these within the three words before it, a Chinese one right before it.
_NEGATED = re.compile(r"\b(?:not|no|n't|never|isn't|wasn't|don't|doesn't|didn't|hardly|nothing|without)\b")
_NO = re.compile(r"[不没无](?:是|太|很|算|会|够|怎么)?$|不怎么$")
_NEAR = 3


class Word(NamedTuple):
    """A word of the lists, with the lists that have it."""

    text: str
    lists: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lists:
    """All words, by their first run of Latin letters or their first character; the longest first."""

    names: tuple[str, ...]
    """What each list is called: ``size.praise``, ``any.good``, …"""
    by_first: dict[str, tuple[Word, ...]]


@cache
def lists() -> Lists:
    """Those of ``words.toml``."""
    held = tomllib.loads(files("streams.reviews").joinpath("words.toml").read_text("utf-8"))
    names = tuple(f"{about}.{kind}" for about, kinds in held.items() for kind in kinds)
    found: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        about, kind = name.split(".")
        for words in held[about][kind].values():
            for word in words:
                found.setdefault(word, []).append(number)
    first: dict[str, list[Word]] = {}
    for word in sorted(found, key=lambda each: (-len(each), each)):
        start = match.group() if (match := _FIRST.match(word)) else word[0]
        first.setdefault(start, []).append(Word(word, tuple(dict.fromkeys(found[word]))))
    return Lists(names, {start: tuple(words) for start, words in first.items()})


def signs(clause: str) -> dict[str, list[int]]:
    """Which lists a clause in lower case has words of, and for each of these words 1, or -1 where it is negated. Words
    of a list do not overlap: the first counts, of those that begin together the longest.

    >>> signs("not soft at all")
    {'quality.praise': [-1]}
    """
    known = lists()
    found: dict[int, list[int]] = {}
    end: dict[int, int] = {}
    for match in _PLACE.finditer(clause):
        start = match.start()
        for word, of in known.by_first.get(match.group(), ()):
            stop = start + len(word)
            if not clause.startswith(word, start) or (word.isascii() and _goes_on(clause, stop)):
                continue
            free = [each for each in of if end.get(each, 0) <= start]
            if free:
                sign = -1 if _negated(clause[:start], word.isascii()) else 1
                for each in free:
                    found.setdefault(each, []).append(sign)
                    end[each] = stop
    return {known.names[each]: values for each, values in found.items()}


def _goes_on(clause: str, stop: int) -> bool:
    return stop < len(clause) and (clause[stop].isalnum() or clause[stop] == "_")


def _negated(before: str, latin: bool) -> bool:
    if not latin:
        return _NO.search(before) is not None
    return _NEGATED.search(" ".join(before.split()[-_NEAR:])) is not None


def thought(clause: str) -> dict[str, int]:
    """Of each aspect that a clause praises 1, of each that it criticises -1.

    >>> thought("the fabric is not soft"), thought("love the fabric"), thought("it has buttons")
    ({'quality': -1}, {'quality': 1}, {})
    """
    return _thought(signs(clause.casefold()))


def _thought(found: dict[str, list[int]]) -> dict[str, int]:
    if not found:
        return {}
    general = sum(found.get("any.good", ())) - sum(found.get("any.bad", ()))
    named, judged = [aspect for aspect in ASPECTS if f"{aspect}.names" in found], {}
    for aspect in ASPECTS:
        praise, complaint = [*found.get(f"{aspect}.praise", ())], found.get(f"{aspect}.complaint", ())
        if all(each == aspect for each in named):
            praise += found.get(f"{aspect}.alone", ())
        if praise or complaint:
            sign = sum(praise) - sum(complaint)
        else:
            sign = general if f"{aspect}.names" in found else 0
        if sign:
            judged[aspect] = 1 if sign > 0 else -1
    return judged


class Told(NamedTuple):
    """What a review says of an aspect, and the clause that says it first."""

    aspect: str
    praised: bool
    clause: str


class Read(NamedTuple):
    """What is read in a review."""

    language: str | None
    """``en``, ``zh``, or None: nothing can be told of it."""
    told: list[Told]
    """At most two of an aspect: praise and criticism."""
    small: bool
    """Whether it finds the size small …"""
    large: bool
    """… or large."""


NOTHING = Read(None, [], False, False)


def read(title: str | None, text: str | None, stated: str | None = None) -> Read:
    """What a review's title and text say, in the order in which they say it.

    >>> for told in read("Hm", "Soft fabric, but it runs small.").told:
    ...     print(*told)
    quality True Soft fabric
    size False it runs small
    """
    whole = readable("\n".join(part for part in (title, text) if part))
    language = language_of(whole, stated)
    if language is None:
        return NOTHING
    told: dict[tuple[str, bool], Told] = {}
    small = large = False
    for clause, found in _signs_of(whole):
        for aspect, sign in _thought(found).items():
            told.setdefault((aspect, sign > 0), Told(aspect, sign > 0, clause))
        small |= sum(found.get("size.small", ())) > 0
        large |= sum(found.get("size.large", ())) > 0
    return Read(language, list(told.values()), small, large)


def _signs_of(text: str) -> Iterator[tuple[str, dict[str, list[int]]]]:
    for clause in clauses(text):
        yield clause, signs(clause.casefold())
