"""What a list of items may never hold, and when it is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tasks.recommend.task import WITH_CART
from streams.columns.layout import Layout, Rows
from streams.columns.shopper_events import item_code
from streams.decisions.decider import Group, Seen
from streams.decisions.recommendations import (
    CODE,
    DAYS,
    FIRST,
    FOR_CARTS,
    SEEN,
    SPEND,
    TASTE,
    TIMES,
    UNITS,
    RecommendationPolicy,
    Recommendations,
    Recommender,
)
from streams.features.kinds.bought import ITEMS_TOLD, halves
from streams.features.kinds.favourites import SLOTS
from streams.features.kinds.recent import EVENTS_KEPT
from streams.processing.arrivals import HeardArrivals
from streams.records.news import SOLD_OUT, ItemArrived
from streams.records.outcomes import Due, ItemsRecommended
from tests.shoppers import DAY, NOON

SURE = RecommendationPolicy(exploration_share=0.0)
NAMES = tuple(f"item-{n}" for n in range(40))
#: What came after the model was taught.
NEW = ("new-1", "new-2", "new-3")
ALL = (*NAMES, *NEW)
LISTED = 24


class Model:
    """One that names items."""

    task, version, digest, names, likeness = "recommend", "v1", "d" * 16, NAMES, None


def codes(names: list[str], width: int) -> np.ndarray[Any, Any]:
    found = np.zeros((1, width), np.int64)
    found[0, : len(names)] = [item_code(name) & 0xFFFF_FFFF for name in names]
    return halves(found).astype(np.float32)


def group(
    listed: list[int],
    bought: dict[str, tuple[float, int]],
    seen: tuple[str, ...] = (),
    first: float = 100.0,
    beside: int = -1,
    weight: float = 0.04,
    cart: tuple[tuple[int, int], ...] = (),
    shoppers: int = 1,
    spent: tuple[int, int] = (0, 0),
) -> Group:
    """One shopper, due: what the model lists, what they bought (days ago, times) and saw, and what goes with which item
    of their cart; or several who are all alike. ``spent``: cents, for so many units."""
    padded = [*listed, *[0] * (LISTED - len(listed))]
    weights = [weight] * len(listed) + [0.0] * (LISTED - len(listed))
    numbers = np.zeros((2, 1, ITEMS_TOLD), np.float32)
    for k, (days, times) in enumerate(bought.values()):
        numbers[:, 0, k] = days, times
    blocks = {
        CODE: codes(list(bought), ITEMS_TOLD), DAYS: numbers[0], TIMES: numbers[1],
        SEEN: codes(list(seen), EVENTS_KEPT), FIRST: np.array([[first]], np.float32),
        SPEND: np.array([[spent[0]]], np.float32), UNITS: np.array([[spent[1]]], np.float32),
        TASTE: np.zeros((1, SLOTS), np.float32),
    }  # fmt: skip
    places, start = {}, 0
    for address, block in blocks.items():
        places[address], start = slice(start, start + block.shape[1]), start + block.shape[1]
    answers = {
        "again": np.array([0.5]),
        "items": np.array([padded], np.float64),
        "weight": np.array([weights]),
        "beside": np.full((1, LISTED), float(beside)),
    }
    going = np.full((3, 1, WITH_CART), -1.0)
    going[1] = 0.0
    for j, (item, of) in enumerate(cart):
        going[:, 0, j] = item, 0.5 / (1 + j), of
    answers |= dict(zip(FOR_CARTS, going, strict=True))
    k = shoppers
    answers = {name: np.repeat(values, k, axis=0) for name, values in answers.items()}
    scores = SimpleNamespace(answers=answers, models=[Model()], used=np.zeros(k, np.int64), learned_day=None)
    features = np.repeat(np.concatenate(list(blocks.values()), axis=1), k, axis=0)
    seen_, zero = Seen(features, places, {"recommend": scores}), np.zeros(k, np.int64)
    return Group(
        seen=seen_, span=slice(0, k), row=np.arange(k), now_ms=zero + NOON + DAY,
        key=[f"s-{n}" for n in range(k)], due=[Due(kind="event", ref="e")] * k,
        event_type=zero, offset=zero, day=zero, before=[1] * k,
    )  # fmt: skip


def heard(items: Mapping[str, int], **more: int) -> HeardArrivals:
    """What is known of new items, the units that each sold since yesterday, from before the log on."""
    found = HeardArrivals()
    said: dict[str, Any] = {"group": "", "event_time": NOON, "source_partition": 0, "source_offset": 0, **more}
    news = [(0, ItemArrived(item_id=name, came_ms=NOON, units=n, **said)) for name, n in items.items()]
    found.hear(news, [-1])
    return found


def recommender(
    out: Iterable[str] = (), policy: RecommendationPolicy | None = None, new: Mapping[str, int] | None = None
) -> Recommender:
    """With some items that are sold out from offset 0 on, and some that are new; nothing is drawn unless ``policy``
    says so."""
    gone = np.array([item_code(name) for name in out], np.uint64)
    return Recommender(
        policy or SURE,
        lambda items, offset: np.where(offset >= 0, SOLD_OUT * np.isin(items, gone), 0),
        arrivals=heard(new or {}),
    )


def decide(
    each: Group,
    policy: RecommendationPolicy | None = None,
    state: Rows | None = None,
    out: Iterable[str] = (),
    new: Mapping[str, int] | None = None,
) -> ItemsRecommended | None:
    decider = Recommendations(recommender(out, policy, new), policy or SURE, "rules")
    state = Rows.zeros(Layout(decider.columns), 1) if state is None else state
    said = list(decider.decide(state, each))
    assert len(said) <= 1
    return said[0][1] if said else None  # type: ignore[return-value]


@settings(max_examples=100)
@given(
    listed=st.lists(st.integers(0, 39), unique=True, max_size=LISTED),
    bought=st.dictionaries(st.sampled_from(ALL), st.tuples(st.floats(0, 90, width=32), st.integers(1, 9)), max_size=12),
    never=st.sets(st.sampled_from(ALL), max_size=5),
    out=st.sets(st.sampled_from(ALL), max_size=9),
    share=st.sampled_from([0.0, 0.05, 1.0]),
    places=st.tuples(st.integers(1, 20), st.integers(0, 20)),
    new=st.dictionaries(st.sampled_from((*NEW, "item-1")), st.sampled_from([0, 4, 8, 16]), max_size=4),
)
def test_a_list_never_holds_what_it_must_not(
    listed: list[int],
    bought: dict[str, tuple[float, int]],
    never: set[str],
    out: set[str],
    share: float,
    places: tuple[int, int],
    new: dict[str, int],
) -> None:
    place, new_place = places
    policy = RecommendationPolicy(
        never=tuple(sorted(never)), exploration_share=share, drawn_place=place, new_place=new_place
    )
    each = group(listed, bought)
    said = decide(each, policy, out=out, new=new)
    items = [] if said is None else list(said.items)
    assert len({one.item_id for one in items}) == len(items) <= policy.most
    assert not (never | out) & {one.item_id for one in items}
    # One place is for what the model does not name, and nothing else is; of that alone no list is made.
    kept = [
        NAMES[k]
        for k in listed
        if NAMES[k] not in never | out
        and not (NAMES[k] in bought and bought[NAMES[k]][0] < 3 and not _ripe(bought[NAMES[k]], policy))
    ]
    may = {name: units for name, units in new.items() if kept and name not in {*never, *out, *bought, *NAMES}}
    at = [k for k, one in enumerate(items) if one.because == "new"]
    behind = max(new_place, place + 1)
    if has_new := bool(may) and new_place > 0 and behind <= policy.most:
        assert at == [min(behind, len(items)) - 1]
        one = items.pop(at[0])
        assert may[one.item_id] == max(may.values())
        assert (one.propensity, one.weight, one.of) == (1.0, 0.0, None)
    else:
        assert not at
    most = policy.most - has_new
    names = [one.item_id for one in items]
    # Offers of campaigns name the first of the same list, as it is without a draw and without what is new.
    best = recommender(out, policy, new).best(each)
    for one in items:
        days, times = bought.get(one.item_id, (1e9, 0))
        ripe = times >= 2 and days >= np.float32(policy.ripe * 100.0 / times)
        assert (one.because == "due_again") == (one.item_id in bought and ripe)
        assert days >= policy.just_bought_days or ripe
    # Nothing else is left out, and only what is drawn is moved.
    assert best.items(0, 20) == kept[: policy.most]
    assert (best.count.tolist(), best.task(0)) == ([min(len(kept), policy.most)], "recommend" if kept else None)
    passed = [] if said is None else [one.item_id for one in said.passed_over]
    assert share == 0 or {*names, *passed} == set(kept)
    if said is not None and said.explored:
        drawn = names[place - 1]
        kept.remove(drawn)
        kept.insert(place - 1, drawn)
    assert [*names, *passed] == kept[: None if share else most]
    assert (said is not None and said.drawn_place == place) == (share > 0 and len(kept) > place)


def _ripe(of: tuple[float, int], policy: RecommendationPolicy) -> bool:
    return bool(of[1] >= 2 and of[0] >= np.float32(policy.ripe * 100.0 / of[1]))


def test_a_list_is_said_when_it_changes() -> None:
    decider = Recommendations(recommender(), SURE, "rules")
    state = Rows.zeros(Layout(decider.columns), 1)
    one, other = group([1, 2, 3], {}), group([2, 1, 3], {})
    assert [len(list(decider.decide(state, each))) for each in (one, one, other, other, one)] == [1, 0, 1, 0, 1]
    # An empty one takes back what was said, once.
    assert [len(list(decider.decide(state, group([], {})))) for _ in range(2)] == [1, 0]
    assert len(list(decider.decide(state, one))) == 1
    # Weights alone are no other list.
    assert not list(decider.decide(state, group([1, 2, 3], {}, weight=0.03)))
    # Another item that is new is one, and none any more.
    several: tuple[dict[str, int], ...] = ({"new-1": 0}, {"new-1": 4}, {"new-1": 4, "new-2": 8}, {})
    others = [Recommendations(recommender(new=new), SURE, "rules") for new in several]
    assert [len(list(other.decide(state, one))) for other in others] == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("bought", "seen", "beside", "because", "of"),
    [
        ({"item-1": (50.0, 4)}, (), 3, "due_again", None),
        ({"item-1": (10.0, 4)}, (), 3, "bought_before", None),
        ({}, ("item-1",), 3, "seen_lately", None),
        ({}, (), 3, "goes_with", "item-3"),
        ({}, (), -1, "popular", None),
    ],
)
def test_each_item_says_why(
    bought: dict[str, tuple[float, int]], seen: tuple[str, ...], beside: int, because: str, of: str | None
) -> None:
    said = decide(group([1], bought, seen, beside=beside))
    assert said is not None
    assert [(one.item_id, one.because, one.of) for one in said.items] == [("item-1", because, of)]


@settings(max_examples=60)
@given(
    cart=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), unique_by=lambda one: one[0], max_size=WITH_CART),
    bought=st.dictionaries(st.sampled_from(NAMES), st.tuples(st.floats(0, 9, width=32), st.integers(1, 9)), max_size=6),
    never=st.sets(st.sampled_from(NAMES), max_size=5),
    out=st.sets(st.sampled_from(NAMES), max_size=9),
)
def test_what_goes_with_a_cart_holds_nothing_that_a_list_must_not(
    cart: list[tuple[int, int]], bought: dict[str, tuple[float, int]], never: set[str], out: set[str]
) -> None:
    policy = RecommendationPolicy(never=tuple(sorted(never)))
    said = decide(group([], bought, cart=tuple(cart)), policy, out=out)
    items = [] if said is None else said.goes_with_cart
    kept = [
        (NAMES[item], NAMES[of])
        for item, of in cart
        if NAMES[item] not in never | out
        and not (NAMES[item] in bought and bought[NAMES[item]][0] < 3 and not _ripe(bought[NAMES[item]], policy))
    ]
    assert [(one.item_id, one.of) for one in items] == kept[: policy.with_cart]
    assert {one.because for one in items} <= {"goes_with"}
    assert said is None or not said.items


def test_lists_are_said_anew_when_what_goes_with_the_cart_changes() -> None:
    decider = Recommendations(recommender(), SURE, "rules")
    state = Rows.zeros(Layout(decider.columns), 1)
    empty, one, other, of = (group([1, 2], {}, cart=cart) for cart in ((), ((5, 6),), ((7, 6),), ((5, 8),)))
    told = [len(list(decider.decide(state, each))) for each in (empty, one, one, other, of, empty, empty)]
    assert told == [1, 1, 0, 1, 1, 1, 0]


def test_a_version_that_says_nothing_of_carts_lists_items_all_the_same() -> None:
    each = group([1], {}, cart=((5, 6),))
    answers: Any = each.seen.scores["recommend"].answers
    for name in FOR_CARTS:
        del answers[name]
    said = decide(each)
    assert said is not None
    assert ([one.item_id for one in said.items], said.goes_with_cart) == (["item-1"], [])


def test_nothing_is_said_where_nothing_was_answered() -> None:
    each = group([1], {})
    each.seen.scores["recommend"].answers["again"][:] = np.nan
    assert decide(each) is None
