"""Trains ``promotion``: how much likelier each arm of each campaign makes an order of a shopper.

Each campaign is a trial of its own. Arms were given with known chances (the share that explores; the holdout), and what
followed is known of who got an offer and of who was kept back: ``streams.effects.decided``. A shopper's features are
those of the due point at which it was decided. What the shop's own trial cannot tell is not answered: arms that too few
got, shoppers unlike all who were in it, and whether people differ where no difference was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from streams.effects.decided import Decision, Joined
from training import export, needs, redraws
from training.baselines.uplift import s_lightgbm
from training.effects import Learned, Tried, learn
from training.job import CutHistory, Job
from training.needs import Need, TooLittle
from training.networks.effects import Calibration, Slope, answering
from training.split import Leak, window
from training.uplift import best_share, effect, qini

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows32 = npt.NDArray[np.float32]

#: What an offer does is known only of a shop's own campaigns.
SHIPPED: dict[str, str] = {}
ARM_COST = "Arms that fewer got are left out, and stay as the campaign assumes."
NEEDS = (
    Need("shoppers with an event before the cut", needs.shoppers_before, 100, 2_000, "Effects of offers are small."),
)
#: Of an arm: windows over before the cut of shoppers who got it; of a campaign: of its holdout.
LEAST_TREATED, LEAST_HELD, ENOUGH_TREATED, ENOUGH_HELD = 200, 100, 5_000, 2_000
#: Of each side so many must have ordered, and not ordered.
LEAST_OF_EACH = 20
#: After the cut fewer windows of an arm than this are not reported.
LEAST_ROWS = 100
ROUNDS = 200


@dataclass(frozen=True)
class Trial:
    """The decisions of one campaign whose windows are over: n of them, of its A arms that enough got."""

    campaign: str
    keys: tuple[str, ...]
    """[A] the arms as they are now (``streams.campaigns.plan.arm_key``)."""
    shopper: Ints
    """[n] index into the history's shoppers."""
    at_ms: Ints
    known_ms: Ints
    """[n] when the window and the time for returns were over."""
    arm: Ints
    """[n] 0: of the holdout."""
    ordered: Floats
    """[n] 1: ordered in the window, and kept some of it."""
    propensity: Floats
    """[n, 1 + A]"""
    x: Rows32

    def select(self, chosen: npt.NDArray[np.bool_]) -> Tried:
        """Some of them, as they teach."""
        return Tried(
            self.x[chosen], self.arm[chosen], self.ordered[chosen], self.propensity[chosen], self.shopper[chosen]
        )


def current(decisions: Sequence[Decision]) -> dict[str, tuple[str, ...]]:
    """By campaign, the keys of its arms in its newest decision: what was offered on other terms is another arm."""
    return {each.receipt.campaign: tuple(arm.key for arm in each.receipt.arms) for each in decisions}


def counts(decided: Joined, cut_ms: int) -> tuple[Counter[str], Counter[str]]:
    """Windows over before the cut: by arm's key of those who got it, by campaign of its holdout."""
    now, got, held = current(decided.decisions), Counter[str](), Counter[str]()
    for each in decided.decisions:
        if each.outcome is None or each.outcome.event_time_ms > cut_ms:
            continue
        keys = now[each.receipt.campaign]
        if each.held:
            held[each.receipt.campaign] += any(arm.key in keys for arm in each.receipt.arms)
        elif each.receipt.arms[each.chosen].key in keys:
            got[each.receipt.arms[each.chosen].key] += 1
    return got, held


def learnable(decided: Joined, cut_ms: int) -> dict[str, tuple[str, ...]]:
    """By campaign, the arms of which something can be learned."""
    got, held = counts(decided, cut_ms)
    found = {
        campaign: tuple(key for key in keys if got[key] >= LEAST_TREATED)
        for campaign, keys in sorted(current(decided.decisions).items())
        if held[campaign] >= LEAST_HELD
    }
    return {campaign: keys for campaign, keys in found.items() if keys}


def enough(decided: Joined, cut_ms: int) -> list[str]:
    """What there is less of than enough, in sentences. Raises ``TooLittle`` where nothing can be learned."""
    (got, held), arms = counts(decided, cut_ms), learnable(decided, cut_ms)
    told = ", ".join(f"{n:,} of {key}" for key, n in got.most_common()) or "none"
    kept = ", ".join(f"{n:,} of {campaign}" for campaign, n in held.most_common()) or "none"
    if not arms:
        raise TooLittle(
            f"Windows that are over before the cut: {told}; of holdouts: {kept}. At least {LEAST_TREATED:,} of an arm "
            f"and {LEAST_HELD:,} of its campaign's holdout are needed. Let the campaign go on, with a holdout_share "
            "and an exploration_share above 0, or move the cut."
        )
    found = []
    for campaign, keys in arms.items():
        few = [f"{got[key]:,} of {key}" for key in keys if got[key] < ENOUGH_TREATED]
        few += [f"{held[campaign]:,} of the holdout of {campaign}"] if held[campaign] < ENOUGH_HELD else []
        if few:
            found.append(
                f"Windows that are over before the cut: {', '.join(few)}. With fewer than {ENOUGH_TREATED:,} of an arm "
                f"or {ENOUGH_HELD:,} of a holdout only large differences between shoppers show."
            )
    left = [key for campaign, keys in current(decided.decisions).items() for key in keys]
    left = [key for key in left if not any(key in keys for keys in arms.values())]
    return [*found, f"{ARM_COST} Left out: {', '.join(left)}."] if left else found


def trial(campaign: str, keys: tuple[str, ...], decided: Joined, given: CutHistory, job: Job) -> Trial:
    """The decisions of a campaign about these arms, with how the shoppers stood."""
    history, place = given.history, {name: i for i, name in enumerate(given.history.shoppers)}
    mine = []
    for each in decided.decisions:
        receipt, outcome = each.receipt, each.outcome
        if receipt.campaign != campaign or outcome is None or receipt.shopper_id not in place:
            continue
        if receipt.event_time_ms > history.end_ms:
            continue
        arms = [arm.key for arm in receipt.arms]
        chances = np.array([each.chance[arms.index(key)] if key in arms else 0.0 for key in keys])
        got = 0 if outcome.held else 1 + keys.index(arms[each.chosen]) if arms[each.chosen] in keys else -1
        if got < 0 or not chances.sum():
            continue
        mine.append((each, got, chances))
    arm = np.array([got for _, got, _ in mine])
    weighed = np.array([chances for *_, chances in mine])
    held = float((arm == 0).mean())
    # Whom the holdout kept back had been given an arm: of those who were, the holdout has its share.
    propensity = np.c_[np.full(len(arm), held), (1 - held) * weighed / weighed.sum(axis=1, keepdims=True)]
    shopper = np.array([place[each.receipt.shopper_id] for each, *_ in mine])
    at_ms = np.array([each.receipt.event_time_ms for each, *_ in mine])
    outcomes = [each.outcome for each, *_ in mine if each.outcome is not None]
    x = job.standing(given, shopper, at_ms, f"replaying for {campaign}")
    return Trial(
        campaign,
        keys,
        shopper,
        at_ms,
        known_ms=np.array([each.event_time_ms for each in outcomes]),
        arm=arm,
        ordered=np.array([float(each.measured is not None and each.measured.orders > 0) for each in outcomes]),
        propensity=propensity,
        x=x,
    )


def _teachable(found: Trial, known: npt.NDArray[np.bool_]) -> bool:
    """Whether on each side enough ordered, and enough did not."""
    sides = [found.ordered[known & (found.arm == arm)] for arm in range(len(found.keys) + 1)]
    return all(LEAST_OF_EACH <= y.sum() <= len(y) - LEAST_OF_EACH for y in sides)


def train(job: Job) -> Artifact:
    """Train each campaign's networks, measure them on what came after the cut, export and prove."""
    (given,), decided = job.histories, job.decided
    assert decided is not None, "It learns of what campaigns decided."
    output, cut_ms = job.task.outputs[0], given.cut_ms
    learned: list[tuple[Trial, Learned]] = []
    effects: dict[str, dict[str, Any]] = {}
    for campaign, keys in learnable(decided, cut_ms).items():
        found = trial(campaign, keys, decided, given, job)
        if (found.known_ms <= found.at_ms).any():
            raise Leak("What followed a decision was known at its own time: then it is no outcome.")
        known = found.known_ms <= cut_ms
        if not _teachable(found, known):
            few = f"fewer than {LEAST_OF_EACH} shoppers of a side ordered, or did not"
            effects |= {key: {"left_out": f"{few}, so nothing is said of it"} for key in keys}
            continue
        kept = job.kept_in / campaign
        learned.append((found, learn(found.select(known), seed=job.seed, kept_in=kept, tell=job.tell)))
    names = [key for found, _ in learned for key in found.keys]
    if not 0 < len(names) <= output.width:
        raise TooLittle(
            f"Something can be learned of {len(names)} arms, 1 to {output.width} can be told of. On each side at least "
            f"{LEAST_OF_EACH} shoppers must have ordered in the window, and as many not."
        )
    metrics: dict[str, Any] = {}
    for found, model in learned:
        known = found.known_ms <= cut_ms
        for place, key in enumerate(found.keys, 1):
            got, held = ((known & (found.arm == arm)).sum() for arm in (place, 0))
            effects[key] = _effect(model.calibration, place - 1, int(got), int(held))
        metrics |= _after_cut(job, found, model, cut_ms)
    job.tell("exporting", 0, None)
    network = answering([model for _, model in learned], output.width, output.name)

    def answer(x: Rows32) -> dict[str, Rows32]:
        return {output.name: np.asarray(network.predict(x, batch_size=8192, verbose=0), np.float32)}

    taught = np.concatenate([model.x for _, model in learned])
    golden = taught[np.random.default_rng(job.seed).permutation(len(taught))[:700]]
    card = {
        "data": job.data,
        "split": {
            "rule": "trained on windows that were over at the cut; tested on decisions after it",
            "windows": {given.name: window(given.history, cut_ms)},
            "rows": {f.campaign: {"trained on": len(model.x)} for f, model in learned},
        },
        "seed": job.seed,
        "metrics": {given.name: metrics},
        "baselines": "An S-learner (LightGBM) of the same rows; the same for everybody has a Qini of 0.",
        "intended_use": "Weighing the arms of the shop's own campaigns, for the shoppers whom they address.",
        "limits": "Of the window after a decision, and of shoppers like those in it. Where no heterogeneity was found, "
        "the average is said of everybody. What is offered on other terms is another arm, of which it knows nothing.",
        "names": names,
        "effects": effects,
    }
    answer(golden)  # Keras exports no network that was never asked
    return export.proven(job.task, export.to_onnx(network, job.task), answer, golden, taught, card)


def _effect(c: Calibration, arm: int, got: int, held: int) -> dict[str, Any]:
    """What a card says of an arm."""
    mean, error = float(c.mean[arm]), float(c.error[arm])
    slopes = {"of the arm alone": c.alone[arm], "whatever the arm": c.every, "between the arms": c.own[arm]}
    return {
        "average": round(mean, 5),
        "average_95": [round(mean - 1.96 * error, 5), round(mean + 1.96 * error, 5)],
        "heterogeneous": c.heterogeneous(arm),
        "constant": not c.matrix[arm].any(),
        "slopes": {name: _told(slope) for name, slope in slopes.items() if np.isfinite(slope.error)},
        "offered": got,
        "held_back": held,
    }


def _told(slope: Slope) -> list[float]:
    """A slope, its standard error, and how much of it is believed."""
    return [round(slope.found, 3), round(slope.error, 3), round(slope.believed, 3)]


def _after_cut(job: Job, found: Trial, model: Learned, cut_ms: int) -> dict[str, Any]:
    """By arm, how well its order of shoppers is that of what it did, among decisions after the cut."""
    told: dict[str, Any] = {}
    later, known = found.at_ms >= cut_ms, found.known_ms <= cut_ms
    rival: Floats | None = None
    for place, key in enumerate(found.keys, 1):
        both = later & ((found.arm == 0) | (found.arm == place))
        treated, y = found.arm[both] == place, found.ordered[both]
        if min(treated.sum(), (~treated).sum()) < LEAST_ROWS:
            continue
        if rival is None:
            x, test = found.x[known].astype(np.float64), found.x[later].astype(np.float64)
            rival = np.full((len(later), len(found.keys)), np.nan)
            rival[later] = s_lightgbm(x, found.arm[known], found.ordered[known], test, job.seed)
        scores = {"ours": model.uplift(found.x[both])[:, place - 1], "s_lightgbm": rival[both, place - 1]}
        best = best_share(scores["ours"], 0.5, np.random.default_rng(job.seed))
        models = {
            name: {
                "rows": int(both.sum()),
                "base_rate": round(float(y[~treated].mean()), 4),
                "qini": _rounded(score, treated, y),
            }
            for name, score in scores.items()
        }
        models["ours"]["effect"] = round(effect(treated, y), 5)
        models["ours"]["effect_in_best_half"] = round(effect(treated[best], y[best]), 5)
        interval = _qini_interval(scores, treated, y, found.shopper[both], job.seed)
        told[f"{key}"] = {"segments": {"all": {"models": models, "qini_95": interval}}}
    return told


def _rounded(score: Floats, treated: npt.NDArray[np.bool_], y: Floats) -> float:
    return round(qini(score, treated, y), 4)


def _qini_interval(
    scores: dict[str, Floats], treated: npt.NDArray[np.bool_], y: Floats, group: Ints, seed: int
) -> dict[str, tuple[float, float]]:
    """95% bootstrap intervals of each Qini, and of ``ours`` less each other; whole shoppers are redrawn."""

    def measure(row: Ints, score: Floats) -> float:
        return qini(score, treated[row], y[row])

    draws = redraws.of_groups(group, seed, ROUNDS)
    return redraws.measured({"qini_95": measure}, np.arange(len(y)), scores, draws)["qini_95"]
