"""The place of a list that is left to chance: what is said of chances is what happens, and tells what else would have
come."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns.layout import Layout, Rows
from streams.decisions.drawn_list import draw_lists
from streams.decisions.recommendations import RecommendationPolicy, Recommendations
from streams.effects.drawn_places import best_and_chances
from streams.effects.off_policy import Logged, evaluate
from streams.records.outcomes import Due, ItemsRecommended, encode_outcome
from streams.settings import Settings, SettingsError
from tests.decisions.test_recommendations import NAMES, group, recommender

EXPLORING = RecommendationPolicy(exploration_share=0.6, drawn_place=3)


def lists(
    policy: RecommendationPolicy,
    shoppers: int,
    items: int,
    ref: str = "e",
    rules: str = "rules",
    new: dict[str, int] | None = None,
) -> list[ItemsRecommended]:
    """What is said to shoppers of whom the same is known; ``items`` that a model lists."""
    each = group(list(range(items)), {}, shoppers=shoppers)
    each = replace(each, due=[Due(kind="event", ref=ref)] * shoppers)
    decider = Recommendations(recommender((), policy, new), policy, rules)
    said = [one for _, one in decider.decide(Rows.zeros(Layout(decider.columns), shoppers), each)]
    return [one for one in said if isinstance(one, ItemsRecommended)]


@settings(max_examples=100)
@given(
    may=st.lists(st.booleans(), min_size=1, max_size=9),
    first=st.integers(0, 4),
    share=st.sampled_from([0.0, 0.05, 0.6, 1.0]),
    whether=st.floats(0, 1, exclude_max=True),
    which=st.floats(0, 1, exclude_max=True),
)
def test_chances_are_those_of_all_draws_there_are(
    may: list[bool], first: int, share: float, whether: float, which: float
) -> None:
    """Held against every list that could have come, each as likely as it is."""
    ranked = [j for j, usable in enumerate(may) if usable]
    left = ranked[first:]
    came = defaultdict[tuple[int, ...], Fraction](Fraction)
    for drawn in left:
        rest = [j for j in left if j != drawn]
        came[*ranked[:first], drawn, *rest] += Fraction(share) / len(left)
    came[*ranked] += 1 - Fraction(share) if left else Fraction(1)
    found = draw_lists(np.array([may]), first, share, np.array([whether]), np.array([which]))
    n = int(found.count[0])
    order = found.order[0, :n].tolist()
    assert n == len(ranked)
    assert came[tuple(order)] > 0
    assert (order == ranked) or (found.explored[0] and whether < share)
    assert found.open[0] == (len(left) > 1)
    for place in range(n):
        there = sum(p for each, p in came.items() if each[place] == order[place])
        assert found.at_place[0, place] == pytest.approx(float(there), abs=1e-12)
        drawn_there = sum(p for each, p in came.items() if left and each[first] == order[place])
        assert found.propensity[0, place] == pytest.approx(float(drawn_there), abs=1e-12)
    if left:
        assert found.propensity[0].sum() == pytest.approx(1)


@pytest.mark.parametrize("new", [{}, {"new": 4}])
def test_over_many_shoppers_each_place_holds_what_its_propensities_say(new: dict[str, int]) -> None:
    """Also where one place is for what is new: it stands there for sure, and is none of those that are drawn."""
    shoppers = 6_000
    said = lists(EXPLORING, shoppers, 23, new=new)
    assert {one.items[9].because for one in said} == ({"new"} if new else {"popular"})
    chances = best_and_chances(said[0])[1]
    assert sum(chances.values()) == pytest.approx(1)
    assert len(chances) == 21
    there = [Counter(one.items[place].item_id for one in said) for place in range(20)]
    told = [{one.items[place].item_id: one.items[place].propensity for one in said} for place in range(20)]
    assert [sum(each.values()) for each in told] == pytest.approx([1.0] * 20, abs=2e-5)
    for each, propensity in zip(there, told, strict=True):
        for item, n in each.items():
            spread = (shoppers * propensity[item] * (1 - propensity[item])) ** 0.5
            assert abs(n - shoppers * propensity[item]) <= 4.5 * spread + 1e-6 * shoppers
    for one in said:
        best, mine = best_and_chances(one)
        assert best == "item-2"
        assert mine == pytest.approx(chances, abs=2e-5)
        assert all(each.propensity == pytest.approx(chances[each.item_id], abs=2e-5) for each in one.passed_over)
    explored = np.mean([one.explored for one in said])
    assert explored == pytest.approx(EXPLORING.exploration_share, abs=0.03)


def test_the_same_due_point_draws_alike_and_another_draws_another() -> None:
    one = lists(EXPLORING, 300, 23)
    assert [encode_outcome(each) for each in lists(EXPLORING, 300, 23)] == [encode_outcome(each) for each in one]
    # Of those explored under one, as many are under the other as anyhow.
    for other in (lists(EXPLORING, 300, 23, ref="f"), lists(EXPLORING, 300, 23, rules="others")):
        both = np.array([[mine.explored, theirs.explored] for mine, theirs in zip(one, other, strict=True)])
        assert np.mean(both[both[:, 0], 1]) == pytest.approx(0.6, abs=0.15)
        assert [each.items for each in other] != [each.items for each in one]


def test_a_list_is_said_when_what_it_is_drawn_from_changes_however_it_was_drawn() -> None:
    """Else lists that were drawn would be said more often than their propensities say."""
    decider = Recommendations(recommender((), EXPLORING), EXPLORING, "rules")
    state = Rows.zeros(Layout(decider.columns), 200)

    def said(items: list[int], ref: str) -> int:
        each = group(items, {}, shoppers=200)
        return len(list(decider.decide(state, replace(each, due=[Due(kind="event", ref=ref)] * 200))))

    ranked = list(range(23))
    assert [said(ranked, ref) for ref in ("a", "b", "c")] == [200, 0, 0]
    # One that only a draw would have shown counts as well: it may be the one that is shown.
    assert [said(items, "d") for items in (ranked[:-1], ranked[:-1], ranked)] == [200, 0, 200]


def test_a_log_of_lists_tells_what_another_policy_would_have_brought() -> None:
    said, rng = lists(EXPLORING, 4_000, 8), np.random.default_rng(7)
    arms = NAMES[2:8]
    worth = np.array([0.1, 0.2, 0.3, 0.1, 0.5, 0.2])
    arm = np.array([arms.index(one.items[2].item_id) for one in said])
    chances = np.array([[best_and_chances(one)[1][name] for name in arms] for one in said])
    log = Logged(
        arm=arm,
        reward=(rng.random(len(arm)) < worth[arm]).astype(np.float64),
        propensity=np.array([one.items[2].propensity for one in said]),
        shopper=np.arange(len(arm)),
        propensities=chances,
    )
    for place in (0, 4):
        policy = np.tile(np.eye(6)[place], (len(arm), 1))
        told = evaluate(log, policy, np.ones((len(arm), 1)))
        for value in (told.ips, told.snips, told.dr):
            low, high = value.interval
            assert low < worth[place] < high
            assert high - low < 0.25


def test_without_a_share_nothing_is_left_to_chance() -> None:
    for said in lists(RecommendationPolicy(exploration_share=0.0), 50, 23):
        assert [one.item_id for one in said.items] == list(NAMES[:20])
        assert {one.propensity for one in said.items} == {1.0}
        assert (said.drawn_place, said.explored, said.passed_over) == (None, False, [])
        with pytest.raises(ValueError, match="left nothing to chance"):
            best_and_chances(said)


def test_the_draw_is_set_and_named_by_the_log() -> None:
    rules = Settings(recommend_exploration_share=0.2, recommend_drawn_place=7, recommend_new_place=9).rules()
    policy = rules.recommendation
    assert (policy.exploration_share, policy.drawn_place, policy.new_place) == (0.2, 7, 9)
    assert Settings().rules().recommendation == RecommendationPolicy()
    assert len({rules.digest, Settings().rules().digest, Settings(recommend_drawn_place=7).rules().digest}) == 3
    with pytest.raises(SettingsError, match="OFFERSTREAM_RECOMMEND_DRAWN_PLACE is 21; it must be a whole number"):
        Settings(recommend_drawn_place=21)
    with pytest.raises(ValueError, match="drawn_place is 5: 1 to 4"):
        RecommendationPolicy(most=4, drawn_place=5)
