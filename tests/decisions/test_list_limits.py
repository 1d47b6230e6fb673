"""What a list leaves out for the sake of the whole, held against plain Python."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.arrays import Hashes, Ints
from streams.columns.layout import Layout, Rows
from streams.columns.shopper_events import item_code
from streams.decisions.list_limits import CATEGORY
from streams.decisions.new_items import NewItems
from streams.decisions.recommendations import RecommendationPolicy, Recommendations, Recommender
from streams.records.outcomes import ItemsRecommended
from streams.settings import Settings, SettingsError
from tests.decisions.test_recommendations import LISTED, NAMES, group, heard


class Facts:
    """What is said of items by name, whenever it is asked for; 0: nothing."""

    def __init__(self, categories: list[int], prices: list[int]) -> None:
        self._of = {item_code(name): both for name, *both in zip(NAMES, categories, prices, strict=True)}

    def look(self, fact: int, items: Hashes, now_ms: Ints, before: Ints) -> Ints:
        assert now_ms.shape == before.shape == items.shape[:1]
        found = [self._of[item][fact != CATEGORY] for item in items.ravel().tolist()]
        return np.array(found, np.int64).reshape(items.shape)


facts_of_all = st.lists(st.integers(0, 4), min_size=len(NAMES), max_size=len(NAMES))
prices_of_all = st.lists(st.sampled_from([0, 10, 99, 100, 101, 400, 900]), min_size=len(NAMES), max_size=len(NAMES))


@settings(max_examples=100)
@given(
    listed=st.lists(st.integers(0, 39), unique=True, max_size=LISTED),
    categories=facts_of_all,
    prices=prices_of_all,
    most=st.integers(0, 4),
    factor=st.sampled_from([0.0, 1.0, 2.0, 4.0]),
    spent=st.sampled_from([(0, 0), (0, 3), (500, 0), (300, 3), (1600, 4)]),
    bought=st.sets(st.sampled_from(NAMES), max_size=6),
    share=st.sampled_from([0.0, 1.0]),
    new=st.tuples(st.integers(0, 4), st.sampled_from([0, 10, 101, 900])),
)
def test_a_list_has_not_too_much_of_a_category_and_no_price_far_from_what_a_shopper_pays(
    listed: list[int],
    categories: list[int],
    prices: list[int],
    most: int,
    factor: float,
    spent: tuple[int, int],
    bought: set[str],
    share: float,
    new: tuple[int, int],
) -> None:
    policy = RecommendationPolicy(
        exploration_share=share, most_of_category=most, price_factor=factor, drawn_place=2, just_bought_days=0.0
    )
    each = group(listed, dict.fromkeys(sorted(bought), (9.0, 1)), spent=spent)
    facts, arrived = Facts(categories, prices), heard({"new": 0}, category=new[0], unit_price_cents=new[1])
    recommender = Recommender(policy, lambda items, _: np.zeros(items.shape, np.int64), facts, arrived)
    kept, held = list[str](), Counter[int]()
    for k in listed:
        usual = spent[0] / spent[1] if all(spent) else 0.0
        fits = not (factor and usual and prices[k]) or usual / factor <= prices[k] <= usual * factor
        full = most and categories[k] and held[categories[k]] == most
        if (fits or NAMES[k] in bought) and not full:
            kept.append(NAMES[k])
            held[categories[k]] += 1
    assert recommender.best(each).items(0, 20) == kept[:20]
    # What is new goes by the same limits, beside the 19 for which it leaves room, or any where one is drawn.
    usual = spent[0] / spent[1] if all(spent) else 0.0
    full = (
        most
        and new[0]
        and sum(categories[NAMES.index(name)] == new[0] for name in kept[: None if share else 19]) >= most
    )
    has_new = (
        bool(kept) and not full and (not (factor and usual and new[1]) or usual / factor <= new[1] <= usual * factor)
    )
    decider = Recommendations(recommender, policy, "rules")
    said = [one for _, one in decider.decide(Rows.zeros(Layout(decider.columns), 1), each)]
    for one in said:
        assert isinstance(one, ItemsRecommended)
        names = [item.item_id for item in one.items if item.because != "new"]
        assert {*names, *(item.item_id for item in one.passed_over)} <= set(kept)
        assert len(one.items) == min(len(kept) + has_new, 20)
        assert (len(one.items) > len(names)) == has_new
    assert bool(said) == bool(kept)


def test_what_is_new_leaves_room_for_what_may_be_drawn_of_its_category() -> None:
    """21 items of a list, of which only the last is of the new one's category; a spare may be drawn."""
    facts, new = Facts([0] * 20 + [7] * 20, [0] * 40), heard({"new": 8}, category=7)
    for share, has_new in ((0.0, True), (1.0, False)):
        policy = RecommendationPolicy(exploration_share=share, most_of_category=1)
        recommender = Recommender(policy, lambda items, _: np.zeros(items.shape, np.int64), facts, new)
        each, explored = group(list(range(21)), {}, shoppers=60), 0
        decider = Recommendations(recommender, policy, "rules")
        for _, said in decider.decide(Rows.zeros(Layout(decider.columns), 60), each):
            assert isinstance(said, ItemsRecommended)
            names = {one.item_id for one in said.items}
            explored += "item-20" in names
            assert ("new" in names) == has_new
            assert len(names & {"new", "item-20"}) <= 1
        assert (explored > 0) == (share > 0)


def test_offers_ask_for_nothing_that_is_new() -> None:
    class Nobody:
        def __len__(self) -> int:
            raise AssertionError("Nobody asked for it.")

        def known(self, before: Ints) -> tuple[Ints, list[NewItems]]:
            raise AssertionError("Nobody asked for it.")

    nothing = RecommendationPolicy()
    recommender = Recommender(nothing, lambda items, _: np.zeros(items.shape, np.int64), arrivals=Nobody())
    assert recommender.best(group([1, 2], {})).items(0, 20) == ["item-1", "item-2"]


def test_without_limits_nothing_is_asked_of_items() -> None:
    class Nobody:
        def look(self, fact: int, items: Hashes, now_ms: Ints, before: Ints) -> Ints:
            raise AssertionError("Nobody asked for it.")

    recommender = Recommender(RecommendationPolicy(), lambda items, _: np.zeros(items.shape, np.int64), Nobody())
    assert recommender.best(group([1, 2], {})).items(0, 20) == ["item-1", "item-2"]


def test_what_goes_with_a_cart_is_not_limited() -> None:
    policy = RecommendationPolicy(most_of_category=1)
    facts = Facts([3] * len(NAMES), [0] * len(NAMES))
    recommender = Recommender(policy, lambda items, _: np.zeros(items.shape, np.int64), facts)
    (listed,) = recommender.lists(group([1, 2], {}, cart=((5, 6), (7, 6))))
    assert listed.cart is not None
    assert (listed.usable.sum(), listed.cart.usable.sum()) == (1, 2)


def test_the_limits_are_set_and_named_by_the_log() -> None:
    settings_ = {"recommend_most_of_category": 3, "recommend_price_factor": 4.0}
    rules = Settings(**settings_).rules()  # type: ignore[arg-type]
    wanted = replace(RecommendationPolicy(), most_of_category=3, price_factor=4.0)
    assert rules.recommendation == wanted
    assert (wanted.asks_facts, RecommendationPolicy().asks_facts) == (True, False)
    assert rules.digest != Settings().rules().digest
    with pytest.raises(SettingsError, match=r"RECOMMEND_PRICE_FACTOR is 0.5; it must be 0 or at least 1"):
        Settings(recommend_price_factor=0.5)
    with pytest.raises(ValueError, match=r"price_factor is 0.5: 0, or at least 1"):
        RecommendationPolicy(price_factor=0.5)
