"""Puts attributes into the templates of a language. Values are copied and nothing else, whatever a plan says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from streams.copy.checking import LENGTHS, check, forbidden_in
from streams.copy.languages import CHINESE, Language
from streams.copy.slots import Slot, bucket
from streams.copy.tokens import folded, said

#: From which chance on what an offer text says is set apart by commas.
COMMAS = 0.5
#: Where a plan names nothing that can be said: so many of the first slots.
FIRST = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """Which slots (places) a title and an offer text say, in which order; what is not said there is in the description.
    ``commas``: whether what an offer text says is set apart by commas."""

    title: tuple[int, ...]
    offer: tuple[int, ...]
    commas: bool = True


def write(known: Sequence[Slot], plan: Plan, language: Language, forbidden: Collection[str] = ()) -> dict[str, str]:
    """``title``, ``description`` and ``offer``, each without faults and within its length, closed to any word that
    neither a slot nor the language says; empty where no slot can be said.

    >>> from streams.copy.languages import ENGLISH
    >>> tea = [Slot("brand", "Acme", "text"), Slot("weight", "250 g", "text"), Slot("organic", "true", "yes")]
    >>> write(tea, Plan(title=(0, 1), offer=(0, 2)), ENGLISH)["description"]
    'Acme 250 g. Details: Organic: yes.'
    """
    words = (*language.forbidden, *forbidden)

    def sayable(slot: Slot) -> bool:
        return not forbidden_in(f"{slot.name} {slot.value} {language.label(slot)} {language.value(slot)}", words)

    can = {k: slot for k, slot in enumerate(known) if sayable(slot)}

    def without_faults(name: str, parts: Sequence[str], form: Callable[[Sequence[str]], str]) -> str:
        """Of the parts as many as can stand beside each other: two may say together what neither does."""

        def faulty(some: Sequence[str]) -> bool:
            return bool(check({name: form(some)}, known, language, forbidden=forbidden, closed=True).faults)

        if not parts or not faulty(parts):
            return form(parts) if parts else ""
        kept: list[str] = []
        for part in parts:
            if not faulty([*kept, part]):
                kept.append(part)
        return form(kept) if kept else ""

    def offer(parts: Sequence[str]) -> str:
        between = ("、" if language is CHINESE else ", ") if plan.commas else " "
        return language.offer + _ended(between.join(parts), language)

    title = without_faults("title", _parts(can, plan.title, language), " ".join)
    if not title:
        return {}

    def description(parts: Sequence[str]) -> str:
        lead = _ended(title, language) + ("" if language is CHINESE else " ")
        return (lead + language.details + _ended(language.next.join(parts), language)) if parts else lead.rstrip()

    rest = [
        f"{language.label(slot)}{language.item}{language.value(slot)}"
        for slot in can.values()
        if slot.kind != "text" or said(slot.value) not in said(title)
    ]
    told = without_faults("description", _within(rest, description), description) or description(())
    return {
        "title": title,
        "description": told,
        "offer": without_faults("offer", _parts(can, plan.offer or plan.title, language), offer) or offer([title]),
    }


def planned(known: Sequence[Sequence[Slot]], answers: Mapping[str, npt.NDArray[Any]]) -> list[Plan]:
    """Of k items what a model of ``copy`` answers of each: it names slots by the hash buckets of their names."""
    found = []
    for slots, title, offer, commas in zip(
        known, answers["title"].tolist(), answers["offer"].tolist(), answers["commas"].reshape(-1).tolist(), strict=True
    ):
        place: dict[int, int] = {}
        for k, slot in enumerate(slots):
            place.setdefault(bucket(slot.name), k)
        one, other = (tuple(place[int(b)] for b in listed if int(b) in place) for listed in (title, offer))
        found.append(Plan(one, other, commas >= COMMAS))
    return found


def _within(parts: Sequence[str], form: Callable[[Sequence[str]], str]) -> Sequence[str]:
    """As many of the first as a description may hold."""
    most = LENGTHS["description"][1]
    while parts and len(form(parts)) > most:
        parts = parts[:-1]
    return parts


def _parts(can: dict[int, Slot], places: Sequence[int], language: Language) -> list[str]:
    """What slots say where their names stand beside none of them: numbers alone, and what an item has not, say
    nothing. What another one says as well is not said twice."""

    def say(slot: Slot) -> str:
        return {"text": slot.value, "yes": language.label(slot), "no": "", "number": ""}[slot.kind]

    chosen = [part for place in dict.fromkeys(places) if place in can and (part := say(can[place]))]
    if not chosen:
        named = sorted(can.values(), key=lambda slot: (folded(slot.name) != "brand", not slot.names))
        chosen = [part for slot in named if (part := say(slot))][:FIRST]
    found: list[str] = []
    for k, part in enumerate(chosen):
        others = chosen[:k] + [other for other in chosen[k + 1 :] if said(other) != said(part)]
        if not any(said(part) in said(other) for other in others):
            found.append(part)
    return found


def _ended(text: str, language: Language) -> str:
    return text if text.endswith((".", "。", "!", "?")) else text + language.stop
