"""Where the card of a version has another model ahead."""

from __future__ import annotations

from typing import Any

from models.measured import behind


def card(models: dict[str, Any], **between: Any) -> dict[str, Any]:
    return {
        "metrics": {"shop": {"units": {"segments": {"all": {"models": models} | between}}, "none": {"segments": {}}}}
    }


def test_a_better_baseline_is_told_with_what_chance_says() -> None:
    models = {"ours": {"unexplained": 1.001}, "no_answer": {"unexplained": 1.0}, "ols": {"unexplained": 1.2}}
    chance = {"ours - no_answer": [-0.04, 0.047]}
    assert list(behind(card(models, unexplained_95=chance))) == [
        "units (shop): unexplained 1.001, no_answer 1; it may be chance"
    ]
    sure = {"ours - no_answer": [0.0005, 0.047]}
    assert next(behind(card(models, unexplained_95=sure))).endswith("that is beyond chance")
    assert next(behind(card(models))).endswith("no_answer 1")


def test_more_is_better_of_ranks_and_less_of_errors() -> None:
    ranked = {"ours": {"auc": 0.7, "brier": 0.2}, "trees": {"auc": 0.6, "brier": 0.1}}
    assert not list(behind(card(ranked)))  # the first measure tells
    assert list(behind(card({"ours": {"auc": 0.7}, "trees": {"auc": 0.71}, "champion": {"auc": 0.8}}))) == [
        "units (shop): auc 0.7, the one that was live 0.8"
    ]


def test_nothing_is_told_where_nothing_can_be_compared() -> None:
    assert not list(behind(card({"ours": {"rows": 3}})))
    assert not list(behind(card({"ours": {"auc": 0.7}, "trees": {"rows": 3}, "ours, Chinese": {"auc": 0.9}})))
