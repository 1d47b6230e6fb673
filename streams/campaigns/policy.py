"""What a campaign as a file has it would have decided where another one did, and what that would have earned.

Known of each decision is what its receipt says: the values read, the arms and how likely each was. What followed is
known where an offer was made, or kept back by the holdout: shoppers of the holdout tell what no contact brings. Where
no contact was chosen nobody measured what followed; such decisions count among those that a policy is about, and weigh
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.campaigns.arms import Values, draw
from streams.campaigns.plan import UPLIFT_TASK, Plan, Plans
from streams.columns.arrays import Bools, Floats, Ints
from streams.effects.decided import Decision
from streams.effects.off_policy import Evaluation, Logged, SupportError, evaluate

#: What keeps an arm back whatever a file says of money.
HARD = ("basket_unknown", "out_of_stock", "rated_worse", "bad_reviews", "worse_than_held")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a campaign would have earned for each decision, in cents of profit within the window."""

    campaign: str
    decisions: int
    known: int
    """Of these, whose window is known …"""
    held: int
    """… and was one of the holdout."""
    policy: Evaluation
    """As the file has it; its gain is beyond what ran."""
    ran: Evaluation
    """As it ran, without its holdout."""
    nobody: Evaluation
    """No contact to anybody; its gain is beyond what ran."""
    contacted: float
    """Share whom the policy offers something."""


def judge(plans: Plans, plan: Plan, decisions: Sequence[Decision]) -> Judged:
    """Hold a campaign of a file against decisions of the one that ran. Raises ``SupportError`` where those cannot
    tell."""
    mine = [each for each in decisions if each.receipt.campaign == plan.id]
    if not mine:
        raise SupportError(f"There is no decision of campaign {plan.id} among these receipts.")
    own = [_offer(key) for key in plan.keys]
    # Arms that the file does not have ran as well, and are never chosen by it.
    there = {_offer(arm.key) for each in mine for arm in each.receipt.arms}
    if unknown := [arm.id for arm, key in zip(plan.campaign.offers, own, strict=True) if key not in there]:
        raise SupportError(
            f"Nobody was ever offered {', '.join(unknown)} of campaign {plan.id} as the file has it: what it does is "
            "not known. Apply the file with an exploration_share above 0, and ask again when windows are over."
        )
    others = sorted(there - set(own))
    log, chance, nothing, admissible = _logged(plan, [*own, *others], mine)
    worth = _worth(plans, plan, own, mine)
    allowed = admissible[: len(own)] & (worth.left >= plan.campaign.economics.margin_floor - 1e-9) & (worth.uplift >= 0)
    allowed &= _addressed(plan, mine)
    policy = _probabilities(allowed, worth.profit, plan.campaign.exploration_share)
    never, none = np.zeros((len(mine), len(others))), np.zeros(len(mine))
    # Choices: no contact, the arms, and no contact of which nobody measured what followed.
    ran = np.c_[nothing, chance.T, none]
    wanted = np.c_[1 - policy.sum(axis=0), policy.T, never, none]
    nobody = np.c_[np.ones(len(mine)), np.zeros(chance.T.shape), none]
    features = _features(mine)
    return Judged(
        plan.id,
        len(mine),
        known=sum(each.outcome is not None for each in mine),
        held=sum(each.held for each in mine),
        policy=evaluate(log, wanted, features, against=ran),
        ran=evaluate(log, ran, features),
        nobody=evaluate(log, nobody, features, against=ran),
        contacted=float(policy.sum(axis=0).mean()),
    )


def _logged(plan: Plan, names: list[str], mine: list[Decision]) -> tuple[Logged, Floats, Floats, Bools]:
    """The log, [A, n] how likely each arm was, [n] how likely no contact was, [A, n] what might have been offered."""
    n, arms = len(mine), len(names)
    # An arm that was not there yet might have been offered, for all that a receipt says: it had no chance.
    chance, admissible = np.zeros((arms, n)), np.ones((arms, n), np.bool_)
    choice, reward = np.full(n, arms + 1), np.zeros(n)
    for i, each in enumerate(mine):
        for a, arm in enumerate(each.receipt.arms):
            place = names.index(_offer(arm.key))
            chance[place, i], admissible[place, i] = each.chance[a], arm.refused not in HARD
        if each.outcome is not None:
            reward[i] = each.profit_cents
            choice[i] = 0 if each.held else 1 + names.index(_offer(each.receipt.arms[each.chosen].key))
    nothing = np.array([each.nothing for each in mine])
    chosen = np.array([each.chosen >= 0 for each in mine])
    held = np.array([each.held for each in mine])
    share = float(held.sum() / max(1, chosen.sum()))
    if not 0 < share < 1:
        raise SupportError(
            f"Of {int(chosen.sum()):,} decisions of campaign {plan.id} whose window is over {int(held.sum()):,} were "
            "of its holdout: only where there is one is known what no contact brings. Set its holdout_share above 0."
        )
    propensities = np.c_[share * (1 - nothing), (1 - share) * chance.T, nothing]
    shopper = np.unique([each.receipt.shopper_id for each in mine], return_inverse=True)[1].astype(np.int64)
    return (
        Logged(choice, reward, propensities[np.arange(n), choice], shopper, propensities),
        chance,
        nothing,
        admissible,
    )


def _offer(key: str) -> str:
    """What an arm is, whomever it is offered."""
    return key.rpartition(".")[0]


def _worth(plans: Plans, plan: Plan, names: list[str], mine: list[Decision]) -> Values:
    """[A, n] what each arm brings as the file has it: by the uplift that a model said then, else as assumed."""
    uplift = np.repeat(plan.arms.uplift[:, None], len(mine), axis=1)
    for i, each in enumerate(mine):
        if any(model.task == UPLIFT_TASK for model in each.receipt.models):
            for arm in each.receipt.arms:
                if _offer(arm.key) in names and arm.uplift is not None:
                    uplift[names.index(_offer(arm.key)), i] = arm.uplift
    basket = _column(plan.campaign.economics.basket, None, mine)
    campaign: Ints = np.full(len(mine), plans.plans.index(plan))
    uplift = np.pad(uplift, ((0, len(plans.table.arm_is) - len(names)), (0, 0)))
    values = Values.of(plans.table, campaign, basket, uplift)
    return values.select(len(names), slice(None))


def _addressed(plan: Plan, mine: list[Decision]) -> Bools:
    """[n] whom the file's audience has."""
    columns: dict[str, Floats] = {}
    for address, index in plan.audience.reads:
        values = _column(address, index, mine)
        if index is None:
            columns[address] = values
        else:
            wide = columns.setdefault(address, np.full((len(mine), 1), np.nan))
            more = max(0, index + 1 - wide.shape[1])
            columns[address] = wide = np.pad(wide, ((0, 0), (0, more)), constant_values=np.nan)
            wide[:, index] = values
    return plan.audience.judge(columns.__getitem__, len(mine))[0]


def _column(address: str, index: int | None, mine: list[Decision]) -> Floats:
    """[n] what was read of shoppers; NaN where unknown. Raises ``SupportError`` where it was not read."""
    name = address if index is None else f"{address}[{index}]"
    missing = sum(name not in each.receipt.values for each in mine)
    if missing:
        raise SupportError(
            f"{missing:,} of {len(mine):,} receipts do not say {name}, which the file asks for: a receipt has what the "
            "campaign of its time read. Let that one read it as well, such as by `and known(NAME)`."
        )
    found = [each.receipt.values[name] for each in mine]
    return np.array([np.nan if value is None else value for value in found], np.float64)


def _probabilities(allowed: Bools, profit: Floats, share: float) -> Floats:
    """[A, n] how likely each arm is."""
    n, none = profit.shape[1], np.zeros(profit.shape[1])
    best = draw(allowed, profit, none, none + 1.0, none).best
    admissible = allowed.sum(axis=0)
    found = np.where(allowed, share / (admissible + 1), 0.0)
    some = np.flatnonzero(best >= 0)
    found[best[some], some] += 1 - share
    assert found.shape == (len(profit), n)
    return found


def _features(mine: list[Decision]) -> Floats:
    """[n, d] what every receipt says, and whether it was known: what rewards are predicted by."""
    names = sorted(set.intersection(*(set(each.receipt.values) for each in mine)))
    columns = [np.ones(len(mine))]
    for name in names:
        values = _column(name, None, mine)
        known = np.isfinite(values)
        columns += [np.where(known, values, 0.0), known.astype(np.float64)]
    return np.stack(columns, axis=1)
