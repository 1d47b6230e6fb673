"""The report of a card: one page that needs nothing else and says what was measured."""

from __future__ import annotations

import re

import pytest

from models.artifact import load_artifact
from models.registry import SHIPPED
from models.task import Task
from training.report import page


@pytest.mark.parametrize("each", SHIPPED, ids=lambda t: t.name)
def test_a_report_shows_every_measured_number_and_loads_nothing(each: Task) -> None:
    card = load_artifact(each).card
    text = page(card, each.question)
    assert not re.search(r"""(?:src|href)\s*=\s*["']https?:""", text)
    assert "<script" not in text
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
    assert text.count("<svg") == ("levels" in card) + sum(
        bool(found.get("curves")) + bool(found.get("importance"))
        for answers in card["metrics"].values()
        for found in answers.values()
    )
    assert page(card, each.question) == text  # the same card gives the same page


def test_what_a_card_says_is_text_not_markup() -> None:
    card = load_artifact(SHIPPED[0]).card | {"limits": "<script>alert(1)</script>"}
    assert "<script" not in page(card, "?")
