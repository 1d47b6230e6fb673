"""docs/models.md says what the cards say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.artifact import load_artifact
from models.registry import task

DOCS = Path(__file__).parents[2] / "docs"
README, PROFILES = (DOCS / "models.md").read_text(), (DOCS / "profiles.md").read_text()


def measured(name: str, dataset: str, output: str) -> dict[str, Any]:
    (found,) = (a for d, a in load_artifact(task(name)).card["metrics"].items() if d.split(" (")[0] == dataset)
    segment: dict[str, Any] = found[output]["segments"]["all"]
    return segment


def test_churn_is_as_good_as_the_readme_says() -> None:
    for dataset, title in (
        ("complete_journey", "Complete Journey, 2017-10-01"),
        ("online_retail", "Online Retail, 2011-09-10"),
        ("cdnow", "CDNOW, 1998-04-01"),
    ):
        m = measured("churn", dataset, "lapse_90d")
        ours, (low, high) = m["models"]["ours"], m["auc_95"]["ours"]
        row = f"| {title} | {ours['rows']:,} | {ours['base_rate']:.1%} | "
        row += f"**{ours['auc']:.3f}** [{low:.3f}, {high:.3f}] ({ours['ece']:.3f}) |"
        for other in ("lightgbm", "rfm_logistic", "bg_nbd"):
            row += f" {m['models'][other]['auc']:.3f} ({m['models'][other]['ece']:.3f}) |"
        assert row in README
    leads = [
        m["models"]["ours"]["auc"] - max(v["auc"] for name, v in m["models"].items() if name != "ours")
        for dataset in ("complete_journey", "online_retail", "cdnow")
        for m in (measured("churn", dataset, f"lapse_{days}d") for days in (30, 60, 90))
    ]
    assert min(leads) > -0.001
    ahead = [lead for lead in leads if lead > 0]
    said = " ".join(README.split())
    assert f"ahead in {len(ahead)} of nine cells (three shops, three horizons), by up to {max(leads):.3f}" in said


def alerts_row(levels: dict[str, Any], dataset: str, title: str) -> str:
    """A shop's line in the README's table of alerts: watch · high · critical in each cell."""
    base, told = levels["base_rate"][dataset], levels["foretold"][dataset]
    whole, after = levels["shops"][dataset].values(), levels["shops_after_cut"][dataset].values()
    promised = " · ".join(f"{cell['promised']:.0%}" for cell in whole)
    parts = [
        " · ".join(f"{c['came_true'] / c['judged']:.0%} of {c['judged']:,}" for c in part) for part in (whole, after)
    ]
    ours, rfm = (told[side]["foretold"] / told[side]["lapses"] for side in ("ours, one level", "rfm, one level"))
    row = f"| {title} | {base['came_true'] / base['judged']:.1%} | {promised} | {parts[0]} | {parts[1]} |"
    return f"{row} {ours:.0%} (RFM {rfm:.0%}) | {levels['alerts_per_shopper_month'][dataset]:.2f} |"


def test_alerts_come_true_as_the_readme_says() -> None:
    levels = load_artifact(task("churn")).card["levels"]
    for dataset, title in (
        ("complete_journey", "Complete Journey"),
        ("online_retail", "Online Retail"),
        ("cdnow", "CDNOW"),
    ):
        assert alerts_row(levels, dataset, title) in README
    assert f"from scores of {' · '.join(f'{at:g}' for at in levels['thresholds'].values())}" in " ".join(README.split())


def test_behaviour_is_as_good_as_the_readme_says() -> None:
    for dataset, best in (("complete_journey", "gru"), ("taobao", "markov")):
        m = measured("behaviour", dataset, "next_category")
        ours, (low, high) = m["models"]["ours"], m["top_1_95"]["ours"]
        row = f" | {ours['rows']:,} | **{ours['top_1']:.1%}** [{100 * low:.1f}, {100 * high:.1f}] |"
        row += f" {m['models']['gru']['top_1']:.1%} | {m['models']['markov']['top_1']:.1%} |"
        assert row in README
        low, high = m["top_1_95"][f"ours / {best}"]
        assert f"{ours['top_1'] / m['models'][best]['top_1']:.2f} [{low:.2f}, {high:.2f}]" in README
    assert f"{ours['top_5'] / m['models'][best]['top_5']:.2f} times)" in README
    said = " ".join(README.split())
    for output in ("purchase_7d", "purchase_session"):
        for dataset in ("complete_journey", "online_retail"):
            m = measured("behaviour", dataset, output)
            lead = m["models"]["ours"]["auc"] - m["models"]["rfm_logistic"]["auc"]
            low, high = m["auc_95"]["ours - rfm_logistic"]
            assert f"{lead:.3f} [{low:.3f}, {high:.3f}]" in said


OTHERS = ("lightgbm", "bg_nbd_gamma_gamma", "rfm_regression", "last_90_days")


def value_row(dataset: str, title: str) -> str:
    """A shop's line in the table of what shoppers bring: absolute error in whole units of money · rank correlation."""
    m = measured("value", dataset, "revenue_90d_quantiles")
    ours = m["models"]["ours"]
    cells = [f"{x['mae'] / 100:,.2f} · {x['spearman']:.3f}" for x in (m["models"][name] for name in ("ours", *OTHERS))]
    row = f"| {title} | {ours['rows']:,} | {ours['mean'] / 100:,.2f} | **{cells[0]}** | {' | '.join(cells[1:])} |"
    return f"{row} {ours['coverage']:.0%} ({m['models']['lightgbm']['coverage']:.0%}) |"


def value_ahead(dataset: str) -> str:
    """By how much ours errs less, and ranks better, than LightGBM, in words."""
    m = measured("value", dataset, "revenue_90d_quantiles")
    low, high = (end / 100 for end in m["mae_95"]["ours - lightgbm"])
    worse, better = m["spearman_95"]["ours - lightgbm"]
    return f"[{low:+.2f}, {high:+.2f}] and [{worse:+.3f}, {better:+.3f}]"


def mean_row(dataset: str, title: str, output: str) -> str:
    """A line in the table of means: absolute error, of revenue in whole units of money, and rank correlation."""
    m, revenue = measured("value", dataset, output), output == "revenue_90d"
    models, (unit, places) = m["models"], (100, 2) if revenue else (1, 3)
    counted = "bg_nbd_gamma_gamma" if revenue else "bg_nbd"
    cells = []
    for name in ("ours", "lightgbm", counted, "rfm_regression", "last_90_days"):
        error = f"{models[name]['mae'] / unit:,.{places}f}"
        best = models[name]["mae"] == min(each["mae"] for each in models.values())
        cells.append(f"{f'**{error}**' if best else error} · {models[name]['spearman']:.3f}")
    for name in ("lightgbm", counted):
        low, high = (end / unit for end in m["mae_95"][f"ours - {name}"])
        cells.append(f"[{low:+.{places}f}, {high:+.{places}f}]")
    return f"| {title.split(', ')[0]}, {'revenue' if revenue else 'orders'} | {' | '.join(cells)} |"


def test_value_is_as_good_as_the_readme_says() -> None:
    for dataset, title in (
        ("complete_journey", "Complete Journey, 2017-10-01"),
        ("online_retail", "Online Retail, 2011-09-10"),
        ("cdnow", "CDNOW, 1998-04-01"),
    ):
        assert value_row(dataset, title) in README
        assert value_ahead(dataset) in " ".join(README.split())
        for output in ("revenue_90d", "orders_90d"):
            assert mean_row(dataset, title, output) in README
    profiles = " ".join(PROFILES.split())
    revenue = measured("value", "complete_journey", "revenue_90d")["models"]
    assert f"({revenue['lightgbm']['mae'] / 100:.2f} against {revenue['ours']['mae'] / 100:.2f})" in profiles
    orders = measured("value", "cdnow", "orders_90d")["models"]
    assert f"({orders['bg_nbd']['mae']:.3f} against {orders['ours']['mae']:.3f})" in profiles


def price_row(dataset: str, title: str, week: int) -> str:
    """A line of the table of prices, where they moved before: errors in cents, and how much the ranges of all hold."""
    m, whole = (
        load_artifact(task("price_forecast")).card["metrics"][dataset][f"price_week_{week}_quantiles"]["segments"][name]
        for name in ("prices_move", "all")
    )
    models, held = m["models"], whole["models"]["ours"]
    errors = [models[name]["mae"] for name in ("ours", "ets", "last_value")]
    share = errors[0] / min(errors[1:]) - 1
    low, high = (100 * end for end in m["wape_95"]["ours - ets"])
    row = f"| {title} | {week} | {held['rows']:,} | {m['share']:.0%} | {' | '.join(f'{e:.1f}' for e in errors)} |"
    return f"{row} {share:+.1%} | {low:+.2f} to {high:+.2f} | {held['coverage']:.1%} · {held['coverage_inner']:.1%} |"


def test_price_forecast_is_as_good_as_the_readme_says() -> None:
    for dataset, title in (
        ("complete_journey", "Complete Journey, 2017-10-01"),
        ("online_retail", "Online Retail, 2011-09-10"),
    ):
        for week in (1, 2):
            assert price_row(dataset, title, week) in README


def test_price_optimize_is_as_good_as_the_readme_says() -> None:
    card = load_artifact(task("price_optimize")).card
    m = measured("price_optimize", "complete_journey", "elasticity")
    models, ends = m["models"], m["unexplained_95"]
    cells = [f"{models[name]['unexplained']:.1%}" for name in ("ours", "category", "ols")]
    less = [" to ".join(f"{100 * v:+.2f}" for v in ends[f"ours - {name}"]) for name in ("ols", "category")]
    row = f"| Complete Journey, 2017-10-01 | {models['ours']['rows']:,} | {' | '.join((*cells, *less))} |"
    assert row in README
    said, gain = " ".join(README.split()), card["profit"]["complete_journey"]["profit_percent_95"]
    for name in ("ours", "ours - ols_where_ours_may"):
        middle, low, high = gain[name]
        assert f"{middle:+.2f}% [{low:+.2f}, {high:+.2f}]" in said
    middle, low, high = gain["ours - ols"]
    assert f"{-middle:.2f}% [{-high:.2f}, {-low:.2f}] more" in said
    placebo, found = card["placebo"], card["elasticity"]
    assert f"of {placebo['tested']} categories with three items or more {placebo['passed']} passed" in said
    assert (
        f"{found['mean']:.2f} (±{found['error']:.2f}) on average with a spread of {found['between_items_sd']:.2f}"
        in said
    )


FUSED = ("late fusion", "best that is there", "picture alone", "text alone", "sound alone")


def multimodal_row(pattern: str) -> str:
    """A line of the table of what there is of an item: right first · of the ten most alike, of its kind."""
    m = load_artifact(task("multimodal")).card["metrics"]["grocery_listings"]["shown"]["segments"][pattern]
    (low, high), (worse, better) = m["top_1_95"]["ours"], m["recall_10_95"]["ours"]
    models = m["models"]
    row = f"| {pattern} | {models['ours']['top_1']:.1%} [{100 * low:.1f}, {100 * high:.1f}] · "
    row += f"{models['ours']['recall_10']:.1%} [{100 * worse:.1f}, {100 * better:.1f}] |"
    for other in FUSED:
        said = models[other]
        row += f" {said['top_1']:.1%} · {said['recall_10']:.1%} |" if said["top_1"] else " – |"
    return row


def multimodal_gain(pattern: str) -> str:
    """How often ours is right, and finds what is alike, over the best of the single branches, of each the best."""
    m = load_artifact(task("multimodal")).card["metrics"]["grocery_listings"]["shown"]["segments"][pattern]
    texts = []
    for metric in ("top_1", "recall_10"):
        best = max(FUSED[1:], key=lambda name, metric=metric: m["models"][name][metric])  # type: ignore[misc]
        low, high = m[f"{metric}_95"][f"ours / {best}"]
        texts.append(f"{m['models']['ours'][metric] / m['models'][best][metric]:.2f} [{low:.2f}, {high:.2f}]")
    return " and ".join(texts)


def test_multimodal_is_as_good_as_the_readme_says() -> None:
    card = load_artifact(task("multimodal")).card
    said = " ".join(README.split())
    for pattern in card["metrics"]["grocery_listings"]["shown"]["segments"]:
        assert multimodal_row(pattern) in README
    for pattern in ("all", "30% missing", "50% missing"):
        assert multimodal_gain(pattern) in said
    for name in ("grocery_listings", "grocery_listings, 30% missing"):
        told = card["sure"]["tests"][name]
        low, high = told["right_95"]
        assert f"{told['sure']:.0%} of them, {told['right']:.1%} [{100 * low:.1f}, {100 * high:.1f}] right" in said
    assert (
        f"sure from a confidence of {card['sure']['from']:g}, chosen for {card['sure']['promised']:.0%} right" in said
    )


def copy_row(text: str, segment: str) -> str:
    """A line of the table of what is written: chrF of ours, the template's, the nearest listing's text's; the lead."""
    m = load_artifact(task("copy")).card["metrics"]["icecat"][text]["segments"][segment]
    models, between = m["models"], m["chrf_95"]
    low, high = between["ours - template"]
    cells = " | ".join(f"{models[name]['chrf']:.1f}" for name in ("template", "nearest"))
    ours = models["ours"]["chrf"]
    lead = f"{ours - models['template']['chrf']:+.1f} [{low:+.1f}, {high:+.1f}]"
    return f"| {text}, {segment} | {models['ours']['rows']:,} | **{ours:.1f}** | {cells} | {lead} |"


def test_copy_is_as_good_as_the_readme_says() -> None:
    card = load_artifact(task("copy")).card
    found = card["metrics"]["icecat"]
    for text in ("title", "offer", "description"):
        for segment in ("all", "other suppliers"):
            assert copy_row(text, segment) in README
    said = " ".join(README.split())
    for language in found["texts"]["segments"]["all"]["models"].values():
        assert language["invented"] == language["other_faults"] == 0
        assert f"{language['coverage']:.2%}" in said
        assert language["coverage"] >= 0.95
    nearest = found["title"]["segments"]["all"]["models"]["nearest"]
    assert f"The nearest listing invents {nearest['invented']:,} in as many titles" in said
    assert f"{found['title']['segments']['all']['models']['ours']['rows']:,} listings" in said


def review_row(segment: str) -> str:
    """A line of the table of which reviews are helpful: AUC of ours and of the baselines, and the lead over length."""
    m = load_artifact(task("review")).card["metrics"]["womens_clothing_reviews"]["helpful"]["segments"][segment]
    models, (low, high), (worse, better) = m["models"], m["auc_95"]["ours"], m["auc_95"]["ours - length"]
    others = " | ".join(f"{models[name]['auc']:.3f}" for name in ("length", "length and aspects", "TF-IDF of words"))
    ours = models["ours"]["auc"]
    row = f"| {segment} | {models['ours']['rows']:,} | **{ours:.3f}** [{low:.3f}, {high:.3f}] | {others} |"
    return f"{row} {ours - models['length']['auc']:+.3f} [{worse:+.3f}, {better:+.3f}] |"


def test_review_is_as_good_as_the_readme_says() -> None:
    card = load_artifact(task("review")).card
    for segment in ("all", "other items"):
        assert review_row(segment) in README
    said = " ".join(README.split())
    assert f"Taught by {card['split']['rows']['womens_clothing_reviews']['trained on']:,} reviews" in said
    everyone = card["metrics"]["womens_clothing_reviews"]["helpful"]["segments"]["all"]["models"]["ours"]
    assert f"in which {everyone['base_rate']:.1%} are" in said
