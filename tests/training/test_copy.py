"""``copy`` learns which attributes people say, and chrF is what it is elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.registry import task
from models.tasks.copy.task import LISTED
from streams.copy.slots import MOST, bucket
from streams.copy.writing import planned
from streams.features.payload.attributes import SAYS, Attributes
from streams.records.items import ItemListed
from tests.copy.slots import records
from training.baselines.nearest import nearest
from training.checks.copy_reach import nearest_said
from training.chrf import chrf, counts, intervals
from training.datasets.icecat import attributes
from training.labels.copy import Written, labels, written
from training.tasks.copy import asked, targets, taught, template, texts_of
from training.told import told_by

COLOURS = ("black", "white", "red", "blue")


def listed(n: int) -> ItemListed:
    """A listing whose title says its maker, its name, and its colour, never its origin."""
    colour, origin = COLOURS[n % 4], ("Peru", "Chile", "Spain")[n % 3]
    said = {"origin": origin, "name": f"Model{n}", "colour": colour, "weight": "250"}
    return ItemListed(
        event_id="l", item_id=str(n), event_time=1_600_000_000_000 + n, brand="Acme", attributes=said,
        title=f"Acme Model{n} {colour}", description=f"Model{n}, {colour}, {origin}" if n % 2 else None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def some() -> Written:
    return written(told_by(map(listed, range(300))))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


def test_it_learns_what_titles_say_and_in_which_order(some: Written, kept: Path) -> None:
    from training.networks.slots import network

    x = some.x
    chooser = taught(x[:250], targets(some)[:250], seed=1, kept_in=kept)
    said = asked(network(task("copy"), chooser, LISTED, (0.5, 0.5)), x[250:])
    late = some.take(np.arange(250, 300))
    texts = texts_of(late, planned(late.slots, said))
    assert [text["title"] for text in texts] == late.titles
    assert {"Peru", "Chile", "Spain"} <= set(" ".join(text["offer"] for text in texts).replace(".", "").split())
    fixed = texts_of(late, template(late, (1, 0), True))
    assert {text["title"].split()[-1] for text in fixed} == {"Peru", "Chile", "Spain"}


def test_an_oracle_says_a_title_that_its_slots_can_say(some: Written) -> None:
    known = some.slots[0]
    assert nearest_said(known, "black, Acme Model0", " ".join, numbers=False) == "black Acme Model0"
    assert nearest_said(known, "Model0 250", " ".join, numbers=False) == "Model0"
    assert nearest_said(known, "Model0 250", " ".join, numbers=True) == "Model0 250"


def test_labels_say_what_stands_in_a_text_and_where(some: Written) -> None:
    known = some.slots[0]
    assert [slot.name for slot in known] == ["brand", "origin", "name", "colour", "weight"]
    found = labels(known, "Acme: 250 Model0 in BLACK")
    assert found[:5, 0].tolist() == [1, 0, 1, 1, 0]  # numbers alone teach nothing
    assert np.argsort(found[[0, 2, 3], 1]).tolist() == [0, 1, 2]
    assert (labels(known, "")[:, 0] == -1).all()


def test_a_row_is_what_its_attributes_say(some: Written) -> None:
    row = Attributes().of(some.records[0])
    assert row is not None
    first = row.reshape(MOST, len(SAYS))[3]
    assert first.tolist() == [bucket("colour"), bucket("colour=black"), 1, 5, 0, 6]
    assert not row.reshape(MOST, len(SAYS))[5:].any()
    assert Attributes().of(ItemListed(event_id="l", item_id="a", event_time=0, attributes={"a": "b"})) is None


@given(records)
def test_any_attributes_make_a_row_in_range(record: object) -> None:
    row = Attributes().of(record)
    assert row is None or (row.shape == (MOST * len(SAYS),) and row.min() >= 0 and row.max() <= 1 << 20)


def test_chrf_is_that_of_the_definition() -> None:
    # "abcd" against "abxd": of one character 3 of 4, of two 1 of 3, of three and four none; longer ones do not occur.
    mean = (3 / 4 + 1 / 3) / 4
    assert chrf(counts(["abcd"], ["abxd"])) == pytest.approx(100 * mean)
    # Recall counts twice: precision 1, recall 1/2 of one character, 1/3 of two.
    precision, recall = 1.0, (2 / 4 + 1 / 3) / 2
    assert chrf(counts(["ab"], ["abcd"])) == pytest.approx(100 * 5 * precision * recall / (4 * precision + recall))
    assert chrf(counts(["a b c"], ["abc"])) == 100.0
    assert chrf(counts([""], ["abc"])) == 0.0


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), min_size=1, max_size=5))
def test_chrf_is_between_0_and_100_and_100_only_of_the_same(pairs: list[tuple[str, str]]) -> None:
    one, other = zip(*pairs, strict=True)
    found = chrf(counts(one, other))
    assert 0 <= found <= 100 + 1e-9
    if any("".join(text.split()) for text in one):
        assert chrf(counts(one, one)) == pytest.approx(100)


def test_intervals_hold_what_is_better_apart() -> None:
    ours, theirs = counts(["green tea"] * 20, ["green tea"] * 20), counts(["black"] * 20, ["green tea"] * 20)
    found = intervals({"ours": ours, "template": theirs}, np.arange(20), 1, rounds=50)
    assert found["ours"] == (100.0, 100.0)
    assert found["ours - template"][0] > 50


def test_the_nearest_text_is_that_with_the_same_words() -> None:
    assert nearest(["green tea", "black shoes", "tea cup"], ["shoes", "cup of tea", "zzz"]).tolist() == [1, 2, 0]


def test_attributes_of_icecat_are_read_in_words() -> None:
    product = {"id": "1", "attr_n_weight": 0.5, "attr_b_x__y_": False, "attr_t_t": "x" * 2_001, "attr_t_u": ""}
    assert list(attributes(product)) == [("weight", "0.5"), ("x y", "false")]
