"""What a model says of arms decides where it knows the arm and the shopper; elsewhere the file's assumption does."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from models.registry import task
from models.store import Shelf
from streams.campaigns.plan import Plans, arm_key
from streams.entities.shopper import SHOPPER
from streams.features.meaning import CODES, meanings
from streams.features.shopper import CATALOGUE
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.campaigns import Shop
from streams.records.events import encode_event
from streams.records.offers import OfferMade
from streams.records.receipts import Receipt
from streams.records.serving import ModelsChosen, Stages
from tests.campaigns.builders import CONTENT, PERCENT, WORDS, campaign
from tests.decisions.test_campaigns import choose, chosen, of
from tests.leases import leased
from tests.shoppers import Log, random_history, slice_of
from tests.worlds import World, cut, run_plain, shipped

PROMOTION = task("promotion")
CART = campaign(id="cart", arms=[PERCENT, CONTENT], economics={"basket_cents": 3000}, exploration_share=0.2)
SHOP = Shop(default_consent=True, holdout_share=0.0, receipt_share=0.2, time_zone="Europe/Berlin")
TEN, HELLO = (arm_key(CART, arm, SHOP) for arm in CART.offers)


class Says:
    """A model of the task that says one uplift of each arm that it names; NaN of shoppers who ordered an odd number of
    times."""

    task, outputs, upstream, population, at = PROMOTION.name, PROMOTION.outputs, (), (), ()
    features, codes = PROMOTION.features, CODES
    distributions: dict[str, dict[str, list[float]]] = {}  # noqa: RUF012
    levels: dict[str, Any] = {}  # noqa: RUF012
    tiers: dict[str, Any] = {}  # noqa: RUF012
    sure: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, version: str, **uplift: float) -> None:
        self.version, self.digest, self.uplift = version, version * 16, uplift
        self.names = tuple({"ten": TEN, "hello": HELLO}.get(name, name) for name in uplift)
        self.widths = tuple(CATALOGUE.features[a].width for a in self.features)
        self.meanings = meanings(CATALOGUE.features, self.features)
        self.reference = np.zeros(sum(self.widths), np.float32)

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The same for everybody of whom it tells."""
        found = np.zeros((len(x), PROMOTION.outputs[0].width))
        found[:, : len(self.uplift)] = list(self.uplift.values())
        found[x[:, self.features.index("orders.count")] % 2 == 1] = np.nan
        return {"uplift": found}

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """Nothing moves it."""
        return np.zeros((len(x), len(self.features)))


class With:
    """The shipped models and versions of the task."""

    def __init__(self, *models: Says) -> None:
        self.tasks, self._models = shipped().tasks, {model.version: model for model in models}

    def tasks_of(self, entity: str) -> tuple[str, ...]:
        return shipped().tasks_of(entity)

    def outputs(self, task: str) -> Any:
        return shipped().outputs(task)

    def shipped(self, task: str) -> str:
        return shipped().shipped(task)

    def model(self, task: str, version: str | None = None) -> Any:
        return self._models[str(version)] if task == PROMOTION.name else shipped().model(task, version)


def serve(**stages: Any) -> Log:
    return [(None, encode_event(ModelsChosen(stages={PROMOTION.name: Stages(change_id="c", **stages)})))]


LOG = random_history(41, 600, 25, hostile=False)


def run(*models: Says, cuts: Any = (), found: Any = CART, **stages: Any) -> World:
    log = [*choose(chosen(found, **msgspec.to_builtins(SHOP))), *(serve(**stages) if stages else []), *LOG]
    return run_plain(cut(leased(log), cuts), shelf=With(*models))  # type: ignore[arg-type]


def weighed(world: World) -> dict[str, set[tuple[float | None, bool]]]:
    """By arm, the uplifts that receipts say, and whether they name the model."""
    found: dict[str, set[tuple[float | None, bool]]] = {}
    for receipt in of(world, Receipt):
        named = any(model.task == PROMOTION.name for model in receipt.models)
        for arm in receipt.arms:
            found.setdefault(arm.arm, set()).add((arm.uplift, named))
    return found


def test_until_a_shop_has_a_version_of_its_own_every_arm_is_as_assumed() -> None:
    assert PROMOTION.name in Shelf().tasks
    assert Shelf().shipped(PROMOTION.name) == ""
    assert weighed(run()) == {"ten": {(0.2, False)}, "hello": {(0.01, False)}}


def test_a_model_is_believed_of_the_arms_and_shoppers_that_it_knows_and_of_no_others() -> None:
    world = run(Says("v1", ten=0.31, other=0.9), live="v1")
    assert weighed(world) == {"ten": {(0.31, True), (0.2, False)}, "hello": {(0.01, True), (0.01, False)}}
    digests = {m.version for r in of(world, Receipt) for m in r.models if m.task == PROMOTION.name}
    assert digests == {"v1"}


def test_an_arm_that_makes_orders_less_likely_is_never_offered() -> None:
    world = run(Says("v1", ten=-0.05, hello=-0.01), live="v1")
    receipts = {(r.shopper_id, r.due.ref): r for r in of(world, Receipt)}
    told = [r for r in receipts.values() if any(m.task == PROMOTION.name for m in r.models)]
    assert {arm.refused for r in told for arm in r.arms} == {"negative_uplift"}
    assert "offered" not in {r.decision for r in told}
    assert any(r.decision == "offered" for r in receipts.values())  # those of whom it tells nothing


def test_another_offer_under_the_same_name_or_to_others_is_another_arm() -> None:
    plain = msgspec.to_builtins(CART)
    for change in (
        {"audience": "orders.count > 1"},
        {"trigger": {"kind": "silence"}},
        {"arms": [PERCENT | {"percent": 20}, CONTENT]},
    ):
        assert arm_key(*_first(plain | change)) != TEN
    same = {"arms": [PERCENT | {"assumed_uplift": 0.5}, CONTENT], "priority": 7, "budget": {"USD": {"total_cents": 1}}}
    assert arm_key(*_first(plain | same)) == TEN
    segments = [Shop(segments={"vip": f"orders.count > {n}"}) for n in (5, 9)]
    of_segment = campaign(id="cart", audience="segment.vip")
    first, other = (Plans.of(chosen(of_segment, **msgspec.to_builtins(s)), WORDS).plans[0].keys for s in segments)
    assert first != other


def _first(plain: dict[str, Any]) -> tuple[Any, Any, Shop]:
    found = msgspec.convert(plain, type(CART))
    return found, found.arms[0], SHOP


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_canary_and_any_cut_give_the_same_outcomes(size: int) -> None:
    models = Says("v1", ten=0.31), Says("v2", hello=0.4, ten=0.02)
    stages = {"live": "v1", "canary": "v2", "canary_share": 0.5}
    whole = run(*models, **stages)
    assert run(*models, cuts=range(size, len(LOG) + 2, size), **stages).outcomes == whole.outcomes
    said = weighed(whole)
    assert {uplift for uplift, _ in said["ten"]} == {0.31, 0.02, 0.2}
    assert {uplift for uplift, _ in said["hello"]} == {0.01, 0.4}
    assert of(whole, OfferMade)


def test_what_was_live_is_taken_away_again() -> None:
    choices = choose(chosen(CART, **msgspec.to_builtins(SHOP)))
    taken = serve(live="")
    log = leased([*choices, *serve(live="v1"), *LOG[:300], *taken, *LOG[300:]])
    until = log.index(taken[0])
    shelf: Any = With(Says("v1", ten=0.31))
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shelf)
    run_plain(cut(log[:until], []), processor=processor)
    assert processor.in_force.missing == set()
    assert processor.in_force.live(PROMOTION.name) is not None
    after = run_plain([slice_of(log[until:], until)], processor=processor)
    assert processor.in_force.live(PROMOTION.name) is None
    assert weighed(after) == {"ten": {(0.2, False)}, "hello": {(0.01, False)}}
