"""The report of a card: one page that needs nothing else and says what was measured."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from models.artifact import load_artifact
from models.registry import SHIPPED, task
from models.task import Task
from training import report
from training.demand import over_time
from training.report import page


@pytest.mark.parametrize("each", SHIPPED, ids=lambda t: t.name)
def test_a_report_shows_every_measured_number(each: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_svg", lambda _figure: "<svg></svg>")  # Drawing takes ten times as long as the rest.
    card = load_artifact(each).card
    text = page(card, each.question)
    for answers in card["metrics"].values():
        for found in answers.values():
            for m in found["segments"].values():
                for model, values in m["models"].items():
                    assert f"<td>{model}</td>" in text
                    assert all(f"<td>{value:,}</td>" in text for value in values.values())
    for key in ("shops", "shops_after_cut"):
        for cells in card.get("levels", {}).get(key, {}).values():
            for cell in cells.values():
                assert f"<td>{cell['judged']:,}</td>\n<td>{cell['came_true']:,}</td>".replace("\n", "") in text
    for outputs in card.get("recalibration", {}).values():
        for sides in outputs.values():
            assert all(f"<td>{values['ece']:g}</td>" in text for values in sides.values())
    for sides in card.get("calibrated", {}).get("measured", {}).values():
        assert all(f"<td>{side['ece']:g}</td>" in text for side in sides.values())
    assert text.count("<svg") == ("levels" in card) + sum(
        bool(found.get("curves")) + bool(found.get("over_time")) + bool(found.get("importance"))
        for answers in card["metrics"].values()
        for found in answers.values()
    )


@pytest.mark.parametrize("each", SHIPPED, ids=lambda t: t.name)
def test_a_report_is_drawn_and_loads_nothing(each: Task) -> None:
    """With one history and answer of the card: the others are drawn in the same way."""
    card = _short(each)
    text = page(card, each.question)
    assert not re.search(r"""(?:src|href)\s*=\s*["']https?:""", text)
    assert "<script" not in text
    (drawn,) = (found for answers in card["metrics"].values() for found in answers.values())
    pictures = ("curves", "over_time", "importance")
    assert text.count("<svg") == ("levels" in card) + sum(bool(drawn.get(name)) for name in pictures)
    assert text.count("</svg>") == text.count("<svg")


@pytest.mark.parametrize(("name", "amounts"), [("sales", True), ("ad", False)])
def test_amounts_are_drawn_against_what_came(name: str, amounts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On axes of their own: a line from 0 to 1 is none for units."""
    drawn: list[Any] = []

    def kept(figure: Any) -> str:
        drawn.append(figure)
        return "<svg></svg>"

    monkeypatch.setattr(report, "_svg", kept)
    page(_short(task(name)), "?")
    (axis,) = (axis for axis in drawn[0].axes if "ten groups" in axis.get_title())
    assert (axis.get_xlabel() == "mean of what was foretold") == amounts
    assert (axis.get_xscale() == "log") == amounts
    *models, same = axis.lines
    assert models
    assert list(same.get_xdata()) == list(same.get_ydata())
    held = [value for each in models for value in (*each.get_xdata(), *each.get_ydata())]
    assert list(same.get_xdata()) == ([min(held), max(held)] if amounts else [0, 1])


def test_what_was_foretold_is_drawn_against_what_came_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in a card is a point of the picture, of ours with a fan."""
    drawn: list[Any] = []
    monkeypatch.setattr(report, "_svg", lambda figure: drawn.append(figure) or "<svg></svg>")  # type: ignore[func-returns-value]
    card = _short(task("sales"))
    label, day = np.array([1.0, 3.0, 8.0]), np.array([0, 0, 7 * 86_400_000])
    told = {"ours": np.outer(label, [0.2, 0.5, 1.0, 1.5, 3.0]), "ets": label * 2}
    (answers,) = card["metrics"].values()
    (found,) = answers.values()
    found["over_time"] = over_time(label, told, day)
    page(card, "?")
    (axis,) = (axis for figure in drawn for axis in figure.axes if "what came, by the day" in axis.get_title())
    lines = {line.get_label(): list(line.get_ydata()) for line in axis.lines}
    assert lines == {"ours": [2.0, 8.0], "ets": [4.0, 16.0], "came": [2.0, 8.0]}
    assert len(axis.collections) == 2
    assert [text.get_text() for text in axis.get_xticklabels()] == ["1970-01-01", "1970-01-08"]


def test_the_same_card_gives_the_same_page() -> None:
    card = _short(task("ad"))
    text = page(card, "?")
    assert "<svg" in text
    assert page(card, "?") == text


def _short(each: Task) -> dict[str, Any]:
    """A task's card, with what was measured of one answer in one history: one with curves where there are such."""
    card = load_artifact(each).card
    measured = [(name, answer, found) for name, them in card["metrics"].items() for answer, found in them.items()]
    name, answer, found = max(measured, key=lambda each: bool(each[2].get("curves")))
    return card | {"metrics": {name: {answer: found}}}


def test_what_a_card_says_is_text_not_markup() -> None:
    card = _short(SHIPPED[0]) | {"limits": "<script>alert(1)</script>"}
    assert "<script" not in page(card, "?")
