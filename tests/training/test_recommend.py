"""Items found by their hashes, what comes next, and how lists are measured."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from streams.columns.shopper_events import item_code
from streams.features.kinds.bought import code_of, halves
from streams.features.kinds.cart import CART_TOLD
from tests.shoppers import DAY, HOUR, NOON, ordered, viewed
from training.baselines import items as baselines
from training.baselines.graph import light_gcn
from training.checks import recommend as check
from training.history import History, history_of
from training.networks.recommender import PARTS
from training.ranking import measured
from training.recommending import BELIEVED, Catalogue, examples, rebought
from training.replay import replay
from training.together import affinity, going_with, in_visits, together, visits

BITS = 2**32


@pytest.mark.parametrize("m", [1, 48, 3_000, 70_000])
def test_every_item_is_found_at_its_place_and_no_other_code_is(m: int) -> None:
    from training.networks.places import Places

    drawn = np.random.default_rng(m).integers(1, BITS, 2 * m)
    known = np.unique(drawn[:m])
    asked = np.concatenate([known, drawn[m:], [0]])
    found = np.asarray(Places(known).of(halves(asked[None]).astype(np.float32)))[0]
    at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    assert (found == np.where(known[at] == asked, at + 1, 0)).all()


def test_a_catalogue_has_no_item_twice() -> None:
    from training.networks.places import Places

    with pytest.raises(ValueError, match="different codes"):
        Places(np.array([3, 3]))


def test_what_comes_next_are_the_items_of_the_next_event() -> None:
    history = history_of(
        [
            viewed("a", NOON, "v1", item_id="tea"),
            ordered("b", NOON + 1, "o0", item_id="cup"),
            ordered("a", NOON + DAY, "o1", item_id="pot"),
            viewed("a", NOON + 2 * DAY, "v2", item_id="tea"),
        ],
        "USD",
    )
    assert history.item_ids == ["cup", "pot", "tea"]
    rows = replay(history, ("items.known",), cadence_ms=1)
    rows = rows.select(rows.why == 0)
    found = examples(history, rows, rows.x)
    by_time = {
        (int(s), int(t)): found.items(i).tolist()
        for i, (s, t) in enumerate(zip(found.shopper, found.at_ms, strict=True))
    }
    assert by_time == {
        (0, NOON): [item_code("pot")],
        (1, NOON + 1): [],
        (0, NOON + DAY): [item_code("tea")],
        (0, NOON + 2 * DAY): [],
    }
    assert found.x[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0]
    catalogue = Catalogue.of(history.touch_item, 2)
    assert catalogue.item[0] == item_code("tea")
    assert catalogue.places(code_of(catalogue.item).astype(np.int64)).tolist() == [1, 2]


def test_how_often_an_item_is_bought_again_is_held_against_all_items() -> None:
    catalogue = Catalogue(np.array([5, 6, 7]), np.ones(3, np.int64), np.array([5, 6, 7], np.uint64))
    x = np.zeros((2_000, sum(PARTS.values())), np.float32)
    # All bought the first two; the first comes next in half of the rows, the second in a tenth.
    bought = np.zeros((len(x), PARTS["bought_code"] // 2), np.int64)
    bought[:, :2] = [5, 6]
    x[:, : PARTS["bought_code"]] = halves(bought)
    wanted = np.zeros((len(x), 64), np.int32)
    wanted[::2, 0] = 1
    wanted[::10, 1] = 2
    again = rebought(x, wanted, catalogue)
    few = BELIEVED / len(x)
    assert again == pytest.approx(np.log([(0.5 / 0.3 + few) / (1 + few), (0.1 / 0.3 + few) / (1 + few), 1.0]), abs=1e-5)


def cups_and_pots() -> History:
    """Visits: a pot comes with a cup, tea with everything, a rug alone."""
    events = []
    for n in range(40):
        at = NOON + n * DAY
        names = ("pot", "cup", "tea") if n % 2 else ("mat", "tea")
        events += [viewed(f"s{n}", at + 60_000 * k, f"v{n}-{k}", item_id=name) for k, name in enumerate(names)]
        events.append(viewed(f"s{n}", at + 3 * HOUR, f"r{n}", item_id="rug"))
    return history_of(events, "USD")


def test_what_came_in_one_visit_goes_together_and_the_rarer_goes_better() -> None:
    history = cups_and_pots()
    events = np.arange(len(history))
    assert len(np.unique(visits(history, events))) == 80
    catalogue = Catalogue.of(history.touch_item, 9)
    table = together(affinity(in_visits(history, catalogue, events)))
    names = {item_code(name): name for name in history.item_ids}
    told = ["", *(names[item] for item in catalogue.item.tolist())]
    going = {told[k]: [told[i] for i in table.place[k] if i] for k in range(1, len(told))}
    assert going["rug"] == []
    assert going["pot"] == ["cup", "tea"]
    assert going["mat"] == ["tea"]
    assert set(going["tea"]) == {"pot", "cup", "mat"}
    cart = np.array([[told.index("pot"), told.index("tea")], [told.index("rug"), 0]])
    assert [[told[i] for i in best if i] for best in going_with(table, cart, 3)] == [["cup", "mat"], []]


def test_the_graph_finds_what_goes_with_carts_and_says_the_same_of_a_row_alone() -> None:
    from training.networks.places import Places
    from training.networks.recommender import BESIDE_ONE, Recommender, Together, answering

    rng = np.random.default_rng(1)
    codes = np.unique(rng.integers(1, BITS, 60))
    m = len(codes)
    place = np.stack([rng.permutation(m)[:BESIDE_ONE] + 1 for _ in range(m + 1)]).astype(np.int16)
    how = np.sort(rng.integers(1, 32_768, (m + 1, BESIDE_ONE)), axis=1)[:, ::-1].astype(np.int16)
    how[::7, 3:] = 0
    place[how == 0], place[0], how[0] = 0, 0, 0
    table = Together(place, how)
    flat = np.zeros(m, np.float32)
    network = Recommender(Places(codes), rng.normal(size=(m, 16)).astype(np.float32), flat, flat, m)
    network(np.zeros((1, sum(PARTS.values())), np.float32))
    cart = np.stack([rng.permutation(m)[:CART_TOLD] + 1 for _ in range(50)])
    for i, row in enumerate(cart):
        row[i % (CART_TOLD + 1) :] = 0
    x = np.zeros((len(cart), sum(PARTS.values())), np.float32)
    x[:, -2 * CART_TOLD :] = halves(np.r_[0, codes][cart])
    answers = answering(network, 24, table, 10)
    found, weight, of = (np.asarray(each) for each in answers(x)[-3:])
    wanted = going_with(table, cart, m)
    for i in range(len(cart)):
        mine = cart[i][cart[i] > 0]
        total: dict[int, int] = {}
        best: dict[int, list[int]] = {}
        for item in mine.tolist():
            for near, r in zip(place[item].tolist(), how[item].tolist(), strict=True):
                total[near] = total.get(near, 0) + r
                best[near] = [*best.get(near, []), r]
        some = found[i][weight[i] > 0].astype(int) + 1
        assert len(set(some)) == len(some) == min(10, (wanted[i] > 0).sum())
        assert not set(some) & set(mine)
        counted = [total[item] for item in some]
        assert counted == sorted((total[k] for k in wanted[i][wanted[i] > 0]), reverse=True)[: len(some)]
        for item, with_ in zip(some.tolist(), of[i].astype(int) + 1, strict=False):
            assert how[with_][place[with_] == item].max() == max(best[item])
        assert (found[i][weight[i] == 0] == -1).all()
        alone = answers(x[i : i + 1])[-3:]
        assert all((np.asarray(a)[0] == b[i]).all() for a, b in zip(alone, (found, weight, of), strict=True))


def test_lists_are_measured_alike() -> None:
    def items(*each: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        return np.array(each, np.uint64)

    best = np.zeros((2, 20), np.uint64)
    best[:, :3] = [1, 2, 3]
    none = np.zeros((2, 20), np.uint64)
    found = measured({"ours": best, "none": none}, [items(1, 9), items(7)], [items(1), items()], 1)
    ours = found["models"]["ours"]
    assert (ours["recall_20"], ours["hit_20"], ours["repeat"], ours["explore"], ours["coverage"]) == (
        0.25,
        0.5,
        1,
        0,
        3,
    )
    assert found["models"]["none"]["recall_20"] == 0
    assert found["recall_20_95"]["ours - none"] == found["recall_20_95"]["ours"]


def test_a_method_that_is_not_measured_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """ALS needs ``implicit``; item-kNN is too much for many items."""
    monkeypatch.setitem(sys.modules, "implicit", None)
    monkeypatch.setitem(sys.modules, "implicit.als", None)
    held, who = csr_matrix(np.eye(400, dtype=np.float32)), np.arange(3)
    assert baselines.als(held, 1) is None
    line = np.arange(400)
    found, lacking = check._baselines("online_retail", held, who, (line, line, line))
    assert (set(found), lacking) == ({"popular", "personal", "tifu_knn", "item_knn"}, {})
    monkeypatch.setattr(check, "MOST_ITEMS", 400)
    found, lacking = check._baselines("complete_journey", held, who, (line, line, line))
    assert "item_knn" not in found
    assert set(lacking) == {"item-kNN"}


def two_tastes() -> csr_matrix:
    """[40, 20] shoppers who have half of the first, or of the last, ten items."""
    rng = np.random.default_rng(3)
    rows = [10 * (n % 2) + rng.permutation(10)[:5] for n in range(40)]
    at = (np.repeat(np.arange(40), 5), np.concatenate(rows))
    return csr_matrix((np.ones(200), at), (40, 20))


def test_a_graph_tells_what_those_of_one_taste_do_not_have_yet() -> None:
    held = two_tastes()
    found = light_gcn(held, seed=1, width=8, steps=60)
    score = found.shopper @ found.item.T
    score[held.toarray() > 0] = -np.inf
    best = np.argsort(-score, axis=1)[:, :5]
    assert ((best >= 10) == (np.arange(40) % 2 == 1)[:, None]).mean() > 0.95


def test_two_towers_find_what_comes_next(tmp_path: Path) -> None:
    from training.networks.towers import asked, towers_of

    held = two_tastes()
    places = np.zeros((40, 96), np.int64)
    places[:, :5] = 1 + held.indices.reshape(40, 5)
    x = np.zeros((40, sum(PARTS.values())), np.float32)
    wanted = np.zeros((40, 64), np.int32)
    # What comes next: an item of the same ten.
    wanted[:, 0] = 1 + 10 * (np.arange(40) % 2) + np.arange(40) // 2 % 10
    towers = towers_of(
        np.tile(x, (8, 1)), np.tile(places, (8, 1)), np.tile(wanted, (8, 1)), 20,
        seed=1, kept_in=tmp_path, width=8, steps=60, batch=64,
    )  # fmt: skip
    score = asked(towers, x, places) @ np.asarray(towers.vectors(np.arange(1, 21))).T
    best = np.argsort(-score, axis=1)[:, :5]
    assert ((best >= 10) == (np.arange(40) % 2 == 1)[:, None]).mean() > 0.9


def test_a_long_tail_is_named_and_has_no_vectors() -> None:
    few = np.repeat(np.arange(1, 30_001, dtype=np.uint64), 3)
    assert len(Catalogue.of_shop(few)) == 24_576
    assert len(Catalogue.of_shop(np.arange(1, 40_001, dtype=np.uint64))) == 40_000


def test_items_beyond_the_vectors_are_listed_again_and_nothing_goes_with_them() -> None:
    from training.networks.places import Places
    from training.networks.recommender import BESIDE_ONE, Recommender, Together, answering

    rng = np.random.default_rng(1)
    codes, flat = np.arange(1, 101), np.zeros(100, np.float32)
    table = np.zeros((41, BESIDE_ONE), np.int16)
    table[1:, 0] = 1 + np.arange(40)[::-1]
    network = Recommender(Places(codes), rng.normal(size=(40, 16)).astype(np.float32), flat, flat, 40)
    x = np.zeros((1, sum(PARTS.values())), np.float32)
    network(x)
    bought = np.zeros((1, PARTS["bought_code"] // 2), np.int64)
    bought[0, :4] = [3, 50, 70, 99]
    x[:, : PARTS["bought_code"]] = halves(bought)
    x[:, -2 * CART_TOLD :] = halves(np.array([[99, 3, *[0] * (CART_TOLD - 2)]]))
    found = answering(network, 24, Together(table, table), 10)(x)
    items, weight, beside, cart, cart_weight, cart_of = (np.asarray(each)[0] for each in found[1:])
    assert {2, 49, 69, 98} <= set(items[weight > 0].astype(int).tolist())
    assert (beside[np.isin(items, [49, 69, 98])] == -1).all()
    assert cart[cart_weight > 0].tolist() == [37]
    assert cart_of[cart_weight > 0].tolist() == [2]


def test_what_towers_say_of_known_items_is_the_same_in_the_graph() -> None:
    from training.networks.places import Places
    from training.networks.recommender import KNOWN, Recommender
    from training.networks.towers import SCALE, Taste, Towers, asked

    rng = np.random.default_rng(1)
    codes, flat = np.arange(1, 61), np.zeros(60, np.float32)
    network = Recommender(Places(codes), rng.normal(size=(60, 16)).astype(np.float32), flat, flat, 60)
    bought = np.zeros((30, PARTS["bought_code"] // 2), np.int64)
    bought[:, :6] = np.stack([rng.permutation(60)[:6] + 1 for _ in range(30)])
    x = np.zeros((30, sum(PARTS.values())), np.float32)
    x[:, : PARTS["bought_code"]] = halves(bought)
    x[:, PARTS["bought_code"] : PARTS["bought_code"] + 6] = rng.integers(0, 90, (30, 6))
    places = np.zeros((30, KNOWN), np.int64)
    places[:, :6] = bought[:, :6]
    towers = Towers(60, 8)
    query = asked(towers, x, places)
    plain = np.asarray(network(x)["known"])
    network.taste = Taste.of(towers, 0.3)
    more = np.asarray(network(x)["known"]) - plain
    vectors = np.asarray(towers.vectors(places[:, :6]))
    assert more[:, :6] == pytest.approx(0.3 * SCALE * np.einsum("nkd,nd->nk", vectors, query), abs=0.05)
    assert np.abs(more[:, :6]).max() > 0.3
    assert (more[:, 6:] == 0).all()
