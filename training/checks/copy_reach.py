"""Measures how near ``copy`` can come to what people write, whatever chooses what it says.

``python -m training.checks.copy_reach --data DIR`` prints chrF, of products of Icecat after the card's cut, of the
card's template, of the version that ships, and of oracles, which choose with what people wrote at hand: which slots a
text says and in which order, a step at a time; the same with numbers alone, which say nothing to a reader; and of
descriptions that begin with what people wrote itself, and of those that leave out the names of attributes. Intervals
are of redrawn listings.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from models.tasks.copy.task import LISTED
from streams.copy.languages import ENGLISH
from streams.copy.slots import Slot
from streams.copy.writing import planned
from training.chrf import chrf, counts, intervals
from training.datasets.icecat import ICECAT
from training.labels.copy import Written, written
from training.tasks.copy import SHIPPED, counts_of, template, texts_of
from training.times import parse_time
from training.told import told_by

SEED = 7
#: So many products after the cut, and of each those slots that are most like what was written.
ASKED, LIKE = 150, 6
Texts = list[dict[str, str]]


def nearest_said(known: list[Slot], text: str, form: Callable[[list[str]], str], *, numbers: bool) -> str:
    """Slots in a form, one after the other put where the text comes nearest to one that is known."""
    says = {"text", "yes", "number"} if numbers else {"text", "yes"}
    parts = [ENGLISH.label(slot) if slot.kind == "yes" else slot.value for slot in known if slot.kind in says]
    grams = {text[k : k + 2].lower() for k in range(len(text) - 1)}

    def alike(part: str) -> float:
        return sum(part[k : k + 2].lower() in grams for k in range(len(part) - 1)) / len(part)

    options, found, best = sorted(dict.fromkeys(parts), key=alike, reverse=True)[:LIKE], list[str](), 0.0
    while options and len(found) < LISTED:
        tried = [[*found[:k], part, *found[k:]] for part in options for k in range(len(found) + 1)]
        scores = [chrf(counts([form(one)], [text])) for one in tried]
        if max(scores) <= best:
            break
        best, found = max(scores), tried[int(np.argmax(scores))]
        options = [part for part in options if part not in found]
    return form(found)


def oracle(some: Written, *, numbers: bool) -> Texts:
    """The nearest titles and offer texts of each."""

    def offer(parts: list[str]) -> str:
        return ENGLISH.offer + ", ".join(parts) + ENGLISH.stop

    return [
        {
            "title": nearest_said(known, title, " ".join, numbers=numbers),
            "offer": nearest_said(known, short, offer, numbers=numbers) if short else "",
        }
        for known, title, short in zip(some.slots, some.titles, some.shorts, strict=True)
    ]


def begun_as_written(some: Written, texts: Texts) -> Texts:
    """Descriptions that begin with what people wrote, in place of the title, and go on with the same attributes."""
    found = []
    for text, short in zip(texts, some.shorts, strict=True):
        _, details, rest = text["description"].partition(ENGLISH.details)
        found.append({"description": f"{short} {details}{rest}".strip()})
    return found


def unnamed(texts: Texts) -> Texts:
    """Descriptions with the values of attributes alone, their names left out."""
    found = []
    for text in texts:
        lead, details, rest = text["description"].partition(ENGLISH.details)
        values = [part.partition(ENGLISH.item)[2] for part in rest.split(ENGLISH.next)]
        found.append({"description": lead + details + ENGLISH.next.join(values)})
    return found


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    some = written(told_by(ICECAT.read(parser.parse_args().data)))
    some = some.take(some.at_ms >= parse_time(SHIPPED["icecat"]))
    some = some.take(np.linspace(0, len(some) - 1, ASKED).astype(int))
    ours = texts_of(some, planned(some.slots, Predictor(load_artifact(task("copy"))).score(some.x)))
    fixed = {name: texts_of(some, template(some, (2, 0), True)) for name in ("title", "offer", "description")}
    tried = {"ours": ours, "oracle": oracle(some, numbers=False), "oracle, numbers too": oracle(some, numbers=True)}
    tried |= {"begun as written": begun_as_written(some, ours), "values alone": unnamed(ours)}
    tried["the template's values alone"] = unnamed(fixed["description"])
    for name in fixed:
        for each, texts in tried.items():
            if name not in texts[0]:
                continue
            pair = {"ours": counts_of(texts, some)[name], "template": counts_of(fixed[name], some)[name]}
            ahead = intervals(pair, np.arange(len(some)), SEED)["ours - template"]
            scores = {key: round(chrf(one), 1) for key, one in zip((each, "template"), pair.values(), strict=True)}
            print(f"{len(some)} listings, {name}: {scores}, ahead {ahead}", flush=True)


if __name__ == "__main__":
    main()
