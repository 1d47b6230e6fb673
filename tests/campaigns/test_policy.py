"""What another campaign would have earned: intervals hold the truth, and what cannot be known is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streams.campaigns.arms import draw
from streams.campaigns.policy import judge
from streams.effects.decided import Decision, join
from streams.effects.off_policy import SupportError
from streams.records.campaigns import Campaign
from tests.campaigns.builders import CONTENT, plans
from tests.campaigns.builders import campaign as built
from tests.effects.receipts import outcome, receipt, weighed

HOLDOUT, SHARE = 0.2, 0.3
#: Chance of an order worth 30.00 of margin, by whether the shopper orders much: with nothing, arm a, arm b.
CHANCE = np.array([[0.2, 0.22, 0.45], [0.5, 0.65, 0.5]])
MARGIN = 3_000


def campaign(a: float, b: float, **changes: Any) -> Campaign:
    """Two messages that cost 1.00 each, and what a file assumes of them."""
    arms = [CONTENT | {"id": name, "assumed_uplift": uplift} for name, uplift in (("a", a), ("b", b))]
    economics = {"gross_margin": 0.3, "basket": "orders.average_value", "contact_cents": 100}
    return built(arms=arms, economics=economics, exploration_share=SHARE, **changes)


#: As it ran: mostly a.
RAN = campaign(0.10, 0.05)


def log(rng: np.random.Generator, n: int, holdout: float = HOLDOUT, share: float = SHARE) -> list[Decision]:
    """Decisions of the campaign that ran, drawn as campaigns draw."""
    plan = plans(RAN).plans[0]
    much = rng.random(n) < 0.5
    worth = np.array([[0.10], [0.05]]) * 0.3 * 10_000 - 100 + np.zeros((2, n))
    drawn = draw(worth > -np.inf, worth, np.full(n, share), rng.random(n), rng.random(n))
    held = rng.random(n) < holdout
    receipts, outcomes = [], []
    for i in range(n):
        arm = "ab"[drawn.arm[i]] if drawn.arm[i] >= 0 else None
        decision = "explored_nothing" if arm is None else "campaign_holdout" if held[i] else "offered"
        receipts.append(
            receipt(
                f"s{i}",
                i,
                decision,
                arm,
                propensity=float(drawn.propensity[i]),
                explored=bool(drawn.explored[i]),
                arms=[weighed(arm, float(worth[k, i]), key=plan.keys[k]) for k, arm in enumerate("ab")],
                values={
                    "orders.count": 9.0 if much[i] else 1.0,
                    "orders.average_value": 10_000.0,
                    "offers.consent": 1.0,
                },
            )
        )
        if arm is not None:
            got = 0 if held[i] else 1 + int(drawn.arm[i])
            margin = MARGIN * int(rng.random() < CHANCE[int(much[i]), got])
            outcomes.append(
                outcome(f"f{i}", f"s{i}", i, arm, held=bool(held[i]), margin=margin, cost=0 if held[i] else 100)
            )
    return join(receipts, outcomes).decisions


def truth(policy: np.ndarray) -> float:
    """In cents, of [who orders little, much] × [nothing, a, b] chances."""
    return float(0.5 * (policy * (CHANCE * MARGIN - [0, 100, 100])).sum())


def explored(best: int) -> list[float]:
    """Chances of nothing, a, b where one of them is worth most."""
    return [SHARE / 3 + (1 - SHARE) * (place == best) for place in range(3)]


def judged(chosen: Campaign, decisions: list[Decision]) -> Any:
    found = plans(chosen)
    return judge(found, found.plans[0], decisions)


def test_intervals_hold_the_truth_of_the_file_of_what_ran_and_of_no_contact() -> None:
    much_only = campaign(0.10, 0.05, audience="orders.count > 3")
    held: dict[str, int] = {"other": 0, "ran": 0, "nobody": 0, "some": 0}
    runs = 100
    for seed in range(runs):
        decisions = log(np.random.default_rng(seed), 600)
        other, some = judged(campaign(0.05, 0.10), decisions), judged(much_only, decisions)
        wanted = {
            "other": (other.policy.dr, truth(np.array([explored(2), explored(2)]))),
            "ran": (other.ran.dr, truth(np.array([explored(1), explored(1)]))),
            "nobody": (other.nobody.dr, truth(np.array([[1, 0, 0], [1, 0, 0]]))),
            "some": (some.policy.dr, truth(np.array([[1, 0, 0], explored(1)]))),
        }
        for name, (value, true) in wanted.items():
            held[name] += value.interval[0] <= true <= value.interval[1]
    # 95%, give or take three standard errors of 100 runs.
    assert all(each / runs >= 0.885 for each in held.values()), held


def test_what_is_gained_is_beyond_what_ran() -> None:
    found = judged(campaign(0.05, 0.10), log(np.random.default_rng(1), 20_000))
    gain = truth(np.array([explored(2), explored(2)])) - truth(np.array([explored(1), explored(1)]))
    assert found.policy.gain.interval[0] < gain < found.policy.gain.interval[1]
    assert found.policy.gain.interval[0] > 0 > found.nobody.gain.interval[1]
    assert found.ran.effective > found.policy.effective > 50


def test_a_model_is_asked_for_uplifts_where_it_said_them() -> None:
    decisions = log(np.random.default_rng(2), 2_000)
    assumed = judged(campaign(-0.5, -0.5), decisions)
    assert assumed.contacted == 0
    assert assumed.policy.dr == assumed.nobody.dr


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (campaign(0.1, 0.05, audience="visits.events > 1"), "do not say visits.events"),
        (built(id="other"), "no decision of campaign other"),
        (built(arms=[CONTENT | {"id": "a", "valid_days": 3.0}]), "Nobody was ever offered a"),
    ],
)
def test_what_receipts_do_not_hold_is_refused_with_what_to_do(chosen: Campaign, said: str) -> None:
    with pytest.raises(SupportError, match=said):
        judged(chosen, log(np.random.default_rng(3), 500))


def test_without_a_holdout_or_exploration_it_is_refused() -> None:
    with pytest.raises(SupportError, match="holdout_share above 0"):
        judged(RAN, log(np.random.default_rng(4), 500, holdout=0.0))
    with pytest.raises(SupportError, match="exploration share above 0"):
        judged(campaign(0.05, 0.10), log(np.random.default_rng(4), 500, share=0.0))
