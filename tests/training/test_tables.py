"""What is printed after a training: who is ahead, and what alerts promise."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from models.artifact import Artifact, load_artifact
from models.measured import CHALLENGE
from models.registry import SHIPPED, task
from models.task import Task
from training.evaluate import compare
from training.tables import alerts, challenge, summary, verdicts


def printed(table: Table, width: int = 200) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def beside(difference: tuple[float, float]) -> Artifact:
    """The shipped churn model as if it were new, and so far ahead of another one on Complete Journey."""
    artifact = load_artifact(task("churn"))
    card: dict[str, Any] = copy.deepcopy(artifact.card)
    measured = card["metrics"]["complete_journey"]["lapse_30d"]["segments"]["all"]
    measured["models"]["champion"] = dict(measured["models"]["ours"], auc=0.5)
    measured["auc_95"]["ours - champion"] = list(difference)
    return replace(artifact, card=card)


@pytest.mark.parametrize("each", SHIPPED, ids=lambda each: each.name)
def test_a_summary_has_every_model_that_was_measured(each: Task) -> None:
    artifact = load_artifact(each)
    text = printed(summary(artifact))
    for answers in artifact.card["metrics"].values():
        for found in answers.values():
            for model, values in found["segments"].get("all", {"models": {}})["models"].items():
                assert model in text
                first = next(values[name] for name in CHALLENGE if name in values)
                assert f"{first:g}" in text


@pytest.mark.parametrize(
    ("difference", "side"), [((0.01, 0.02), "ahead"), ((-0.01, 0.02), "level"), ((-0.03, -0.01), "behind")]
)
def test_who_is_ahead_is_said_only_beyond_chance(difference: tuple[float, float], side: str) -> None:
    said = list(verdicts(beside(difference), ["complete_journey", "cdnow"]))
    assert said == [f"complete_journey: beside the shipped model, the new one is {side} in lapse_30d."]


def test_chances_that_are_clearly_nearer_the_truth_are_ahead_where_the_order_is_level() -> None:
    artifact = beside((-0.011, 0.013))
    measured = artifact.card["metrics"]["complete_journey"]["lapse_30d"]["segments"]["all"]
    measured["models"]["ours"]["ece"], measured["models"]["champion"]["ece"] = 0.028, 0.165
    measured["brier_95"] = {"ours - champion": [-0.06, -0.03]}
    (said,) = verdicts(artifact, ["complete_journey"])
    assert said.endswith("is ahead in lapse_30d (level in AUC, better calibrated: off by 0.028, not 0.165).")
    assert "Brier +0.030 … +0.060" in printed(challenge(artifact, ["complete_journey"]))
    measured["brier_95"] = {"ours - champion": [0.01, 0.03]}
    (said,) = verdicts(artifact, ["complete_journey"])
    assert said.endswith("is behind in lapse_30d (level in AUC, worse by its Brier score).")


def test_scores_that_only_order_well_are_told_from_chances_by_their_brier_score() -> None:
    rng = np.random.default_rng(7)
    chance = rng.random(1000)
    label = (rng.random(1000) < chance).astype(float)
    found = compare(label, {"ours": chance, "champion": chance**3}, np.arange(1000), {}, seed=7)["segments"]["all"]
    low, high = found["brier_95"]["ours - champion"]
    models = found["models"]
    assert low <= models["ours"]["brier"] - models["champion"]["brier"] <= high < 0
    assert found["auc_95"]["ours - champion"] == (0.0, 0.0)


def test_no_answer_is_cut_off_and_shares_are_told_from_amounts() -> None:
    artifact = load_artifact(task("sales"))
    text = printed(challenge(artifact, ["complete_journey"]), 120)
    assert "units_14d_quantiles" in text
    assert "of the total" in " ".join(text.replace("│", " ").split())


def test_the_new_one_stands_beside_the_shipped_one_and_the_best_baseline() -> None:
    artifact = beside((0.012, 0.034))
    models = artifact.card["metrics"]["complete_journey"]["lapse_30d"]["segments"]["all"]["models"]
    best = max((name for name in models if name not in ("ours", "champion")), key=lambda name: models[name]["auc"])
    rows = [line.split("│")[1:-1] for line in printed(challenge(artifact, ["complete_journey"])).splitlines()]
    cells = [[cell.strip() for cell in row] for row in rows if row]
    first = next(i for i, row in enumerate(cells) if row[1] == "lapse_30d")
    new, shipped, baseline = cells[first : first + 3]
    assert (new[0], new[4]) == ("complete_journey", "new")
    assert (shipped[4], shipped[5], shipped[-1]) == ("shipped", "0.500", "+0.012 … +0.034")
    assert baseline[4] == f"{best} (best baseline)"
    assert baseline[5] == f"{models[best]['auc']:.3f}"


def test_how_many_times_as_often_first_is_told_also_when_the_other_never_was() -> None:
    artifact = load_artifact(task("behaviour"))
    card: dict[str, Any] = copy.deepcopy(artifact.card)
    measured = card["metrics"]["complete_journey"]["next_category"]["segments"]["all"]
    measured["models"]["champion"] = {**measured["models"]["ours"], "top_1": 0.0}
    measured["top_1_95"]["ours / champion"] = [7e8, 8e8]
    artifact = replace(artifact, card=card)
    text = printed(challenge(artifact, ["complete_journey"]))
    assert "> 100 … > 100 times" in text
    assert "1.08 … 1.12 times" in text  # the GRU
    assert "ahead in next_category" in next(verdicts(artifact, ["complete_journey"]))


def test_alerts_say_what_they_promise_and_which_never_come() -> None:
    artifact = load_artifact(task("churn"))
    levels = artifact.card["levels"]
    assert f"critical from {levels['thresholds']['critical']:g} ({levels['promised']['critical']:.0%})" in alerts(
        artifact
    )
    never = copy.deepcopy(artifact.card)
    never["levels"]["thresholds"]["critical"] = 2.0
    assert "critical never" in alerts(replace(artifact, card=never))
    assert alerts(load_artifact(task("behaviour"))) == ""


def test_of_an_error_less_is_better() -> None:
    artifact = load_artifact(task("price_optimize"))
    card: dict[str, Any] = copy.deepcopy(artifact.card)
    measured = card["metrics"]["complete_journey"]["elasticity"]["segments"]["all"]
    measured["models"]["champion"] = {**measured["models"]["ours"], "unexplained": 0.9}
    measured["unexplained_95"]["ours - champion"] = [-0.12, -0.08]
    artifact = replace(artifact, card=card)
    assert "+0.080 … +0.120" in printed(challenge(artifact, ["complete_journey"]))
    assert "category (best baseline)" in printed(challenge(artifact, ["complete_journey"]))
    assert "ahead in elasticity" in next(verdicts(artifact, ["complete_journey"]))


@pytest.mark.parametrize(
    ("ranks", "errs", "side", "why"),
    [
        ((0.01, 0.02), (-9.0, -1.0), "ahead", "."),
        ((0.01, 0.02), (-9.0, 1.0), "ahead", " (ahead in rank correlation, level in absolute error)."),
        ((-0.01, 0.02), (-9.0, -1.0), "ahead", " (level in rank correlation, better by its error)."),
        ((0.01, 0.02), (1.0, 9.0), "behind", " (ahead in rank correlation, worse by its error)."),
        ((-0.02, -0.01), (-9.0, -1.0), "behind", " (behind in rank correlation, better by its error)."),
        ((-0.01, 0.02), (-1.0, 9.0), "level", "."),
    ],
)
def test_who_ranks_better_and_errs_more_is_not_ahead(
    ranks: tuple[float, float], errs: tuple[float, float], side: str, why: str
) -> None:
    artifact = load_artifact(task("value"))
    card: dict[str, Any] = copy.deepcopy(artifact.card)
    measured = card["metrics"]["cdnow"]["revenue_90d"]["segments"]["all"]
    measured["models"]["champion"] = measured["models"]["ours"]
    measured["spearman_95"]["ours - champion"], measured["mae_95"]["ours - champion"] = list(ranks), list(errs)
    artifact = replace(artifact, card=card)
    (said,) = verdicts(artifact, ["cdnow"])
    assert said == f"cdnow: beside the shipped model, the new one is {side} in revenue_90d{why}"
    text, (low, high) = printed(challenge(artifact, ["cdnow"])), errs
    assert f"{ranks[0]:+.3f} … {ranks[1]:+.3f}" in text
    assert f"error {-high:+.0f} … {-low:+.0f} cents" in text
    assert f"{measured['models']['ours']['mae']:,.0f} cents" in text


def test_what_items_sell_is_judged_by_its_error() -> None:
    artifact = load_artifact(task("sales"))
    card: dict[str, Any] = copy.deepcopy(artifact.card)
    answer, found = next((a, f) for a, f in card["metrics"]["complete_journey"].items() if "all" in f["segments"])
    found["segments"]["all"]["wape_95"]["ours - champion"] = [-0.02, -0.01]
    said = list(verdicts(replace(artifact, card=card), ["complete_journey"]))
    assert said == [f"complete_journey: beside the shipped model, the new one is ahead in {answer}."]
