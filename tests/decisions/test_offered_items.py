"""Items that cannot be bought are in no list and no offer from where the log says so, whatever an arm is for; those
that are new are in lists from there on."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import msgspec
import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from models.likeness import Likeness
from models.registry import task
from streams.columns.arrays import Floats
from streams.decisions.recommendations import RecommendationPolicy
from streams.effects.drawn_places import best_and_chances
from streams.entities.shopper import SHOPPER
from streams.features.meaning import CODES, meanings
from streams.features.shopper import CATALOGUE
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import ItemViewed, OrderLine, OrderPlaced, encode_event
from streams.records.news import LEVELS, ItemArrived, ItemAvailable, ItemUnavailable, encode_news
from streams.records.offers import OfferMade
from streams.records.outcomes import ItemsRecommended
from streams.records.receipts import Receipt
from streams.records.serving import ModelsChosen, Stages
from tests.campaigns.builders import CONTENT, PERCENT, campaign
from tests.decisions.test_campaigns import chosen, with_choices
from tests.shoppers import NOON, Log, log_of, ordered, random_history, slice_of, viewed
from tests.worlds import DictTier, World, crashed

RECOMMEND = task("recommend")
LISTED = RECOMMEND.outputs[1].width
NAMES = tuple(f"item-{n}" for n in range(40))
NEW = ("new-1", "new-2", "new-3")
ANY: dict[str, Any] = {
    "economics": {"basket_cents": 3000},
    "caps": [{"offers": 12, "days": 0.01}],
}
SHORT = {"valid_days": 0.01}
PAIR, PREORDER = ("item-3", "item-4"), ("item-5",)
SET = chosen(
    campaign(id="named", arms=[PERCENT | SHORT | {"applies_to": "items", "names": list(PAIR)}], priority=300, **ANY),
    campaign(
        id="early",
        arms=[CONTENT | SHORT | {"applies_to": "items", "names": list(PREORDER)}],
        priority=200,
        **ANY | {"economics": {"basket_cents": 3000, "min_stock": 0, "min_rating": 4}},
    ),
    campaign(id="shown", arms=[PERCENT | SHORT | {"applies_to": "recommended", "most_items": 4}], **ANY),
    holdout_share=0,
    caps=[{"offers": 12, "days": 0.01}],
)


#: What items are like.
LIKE = np.random.default_rng(3).integers(-127, 128, (64, 64)).astype(np.int8)


class Ranks:
    """A model of the task that ranks its items from a place on that the shopper's number of orders gives."""

    task, version, outputs, upstream, at = RECOMMEND.name, "v1", RECOMMEND.outputs, (), ()
    digest, features, codes, population = "a" * 16, RECOMMEND.features, CODES, RECOMMEND.population
    names, widths = NAMES, tuple(CATALOGUE.features[a].width for a in RECOMMEND.features)
    distributions: dict[str, Any] = {}  # noqa: RUF012
    levels: dict[str, Any] = {}  # noqa: RUF012
    tiers: dict[str, Any] = {}  # noqa: RUF012
    sure: dict[str, Any] = {}  # noqa: RUF012
    likeness = Likeness(8, "b" * 16, np.ones(64, np.int8), LIKE[: len(NAMES)])
    meanings = meanings(CATALOGUE.features, features)
    reference = np.zeros(sum(widths), np.float32)

    def score(self, x: Floats) -> dict[str, Floats]:
        """The same for all who ordered as often."""
        start = x[:, sum(self.widths[: self.features.index("orders.count")])]
        items = (start[:, None] * 3 + np.arange(LISTED)) % len(NAMES)
        weight = np.tile(np.linspace(0.9, 0.1, LISTED), (len(x), 1))
        return {"again": np.full(len(x), 0.5), "items": items, "weight": weight, "beside": np.full(items.shape, -1.0)}

    def contributions(self, x: Floats) -> Floats:
        """Nothing moves it."""
        return np.zeros((len(x), len(self.features)))


class OneTask:
    """A shelf with the model, and nothing else."""

    def tasks_of(self, entity: str) -> tuple[str, ...]:
        return (RECOMMEND.name,) if entity == "shopper" else ()

    def outputs(self, task: str) -> Any:
        return self.model(task).outputs

    def shipped(self, task: str) -> str:
        return ""

    def model(self, task: str, version: str | None = None) -> Ranks:
        return Ranks()


SERVED: Log = [(None, encode_event(ModelsChosen(stages={RECOMMEND.name: Stages(change_id="c", live="v1")})))]


#: So that what the log says of items decides as well.
RULES = Rules(recommendation=RecommendationPolicy(most_of_category=2, price_factor=3.0))


def processor(tier: DictTier | None = None, rules: Rules = RULES) -> PartitionProcessor:
    shelf: Any = OneTask()
    return PartitionProcessor(SHOPPER, 0, rules, shelf, tier=tier, limit=8)


def gone(offset: int, item: str, why: str = "sold_out") -> Log:
    said: dict[str, Any] = {"group": "", "item_id": item, "event_time": NOON, "source_partition": 0, "why": why}
    return [(None, encode_news(ItemUnavailable(**said, source_offset=offset)))]


def back(offset: int, item: str) -> Log:
    said: dict[str, Any] = {"group": "", "item_id": item, "event_time": NOON, "source_partition": 0}
    return [(None, encode_news(ItemAvailable(**said, source_offset=offset)))]


def arrived(offset: int, item: str, units: int) -> Log:
    said: dict[str, Any] = {"group": "", "item_id": item, "event_time": NOON, "source_partition": 0}
    news = ItemArrived(
        **said, source_offset=offset, came_ms=NOON, units=units, category=units % 3, unit_price_cents=900,
        # Of the one that sells nothing yet nobody knows what it is like.
        embedding=LIKE[offset % len(LIKE)].tobytes() if units else b"", embedded_by="b" * 16,
    )  # fmt: skip
    return [(None, encode_news(news))]


@cache
def a_history() -> Log:
    """A clickstream in which items that a model ranks, and arms name, come and go."""
    rng, new, log = random.Random(1), random.Random(2), Log()
    for n, record in enumerate(random_history(1, 300, 10)):
        log.append(record)
        if rng.random() < 0.4:
            item = rng.choice((*NAMES, *PAIR * 4, *PREORDER * 4))
            log += gone(n, item, rng.choice(LEVELS[1:])) if rng.random() < 0.5 else back(n, item)
        if new.random() < 0.1:
            item = new.choice(NEW)
            log += new.choice((arrived(n, item, new.choice((0, 4, 8, 16))), gone(n, item), back(n, item)))
    return [*SERVED, *with_choices(log, (10, SET))]


@dataclass
class Said:
    """What was said, record by record of the log, and how much there was against each item at each."""

    offers: list[tuple[int, OfferMade]] = field(default_factory=list)
    lists: list[tuple[int, ItemsRecommended]] = field(default_factory=list)
    receipts: list[tuple[int, Receipt]] = field(default_factory=list)
    against: list[dict[str, str]] = field(default_factory=list)
    new: list[set[str]] = field(default_factory=list)
    world: World = field(default_factory=World)

    @staticmethod
    @cache
    def of() -> Said:
        """A record at a time."""
        found, one, against, new = Said(), processor(), dict[str, str](), set[str]()
        for offset, (key, value) in enumerate(a_history()):
            said = msgspec.json.decode(value or b"{}")
            if key is None and said["type"] in ("item_unavailable", "item_available"):
                against[said["item_id"]] = said.get("why", "")
            elif key is None and said["type"] == "item_arrived":
                new.add(said["item_id"])
            found.against.append(dict(against))
            found.new.append(set(new))
            result = one.apply(slice_of([(key, value)], offset))
            found.world.take_result(result)
            for outcome in result.outcomes:
                if isinstance(outcome, OfferMade):
                    found.offers.append((offset, outcome))
                elif isinstance(outcome, ItemsRecommended):
                    found.lists.append((offset, outcome))
                elif isinstance(outcome, Receipt):
                    found.receipts.append((offset, outcome))
        found.world.packed = DictTier(one.drain_changes()).held
        return found


def in_order(one: tuple[int, ItemsRecommended | Receipt]) -> tuple[int, bool, int, bool]:
    """As they were decided: at one record timers come first, and what is listed comes before campaigns."""
    offset, said = one
    return offset, said.due.kind == "event", said.event_time_ms, isinstance(said, Receipt)


def test_nothing_that_cannot_be_bought_is_listed_or_offered() -> None:
    """Held against the news, read one record after the other."""
    said, lists = Said.of(), dict[str, list[str]]()
    every: list[tuple[int, ItemsRecommended | Receipt]] = [*said.lists, *said.receipts]
    offers = {offer.outcome_id: offer for _, offer in said.offers}
    refused, drawn, shown_new = list[str | None](), 0, set[str]()
    for offset, one in sorted(every, key=in_order):
        against = said.against[offset]
        if isinstance(one, ItemsRecommended):
            assert not any(against.get(item.item_id) for item in one.items)
            items = [item.item_id for item in one.items if item.because != "new"]
            fresh = {item.item_id for item in one.items} - {*items}
            assert fresh <= said.new[offset]
            shown_new |= fresh
            drawn += one.explored
            # Offers name items as they stand without the draw.
            lists[one.shopper_id] = items if one.drawn_place is None else [*items[:3], best_and_chances(one)[0]]
            continue
        (arm,), shown = one.arms, lists.get(one.shopper_id, [])
        if one.campaign == "shown":
            # A list is said when it changes, so it is as it was said last, and nothing of it is gone.
            assert not any(against.get(item) for item in shown)
            assert (arm.refused == "nothing_to_recommend") == (not shown)
            named = shown[:4]
        else:
            named = list(PAIR if one.campaign == "named" else PREORDER)
            whys = {against.get(item, "") for item in named}
            out = "delisted" in whys or ("sold_out" in whys and one.campaign == "named")
            bad = "badly_reviewed" in whys and one.campaign == "early"
            worse = {"rated_worse"} if "rated_worse" in whys else {"bad_reviews"} if bad else {None, "worse_than_held"}
            wanted = {"out_of_stock"} if out else worse
            assert arm.refused in wanted
        refused.append(arm.refused)
        if one.decision == "offered":
            assert one.offer_id is not None
            assert one.items == offers[one.offer_id].items == named
            assert bool(one.models) == (one.campaign == "shown")
    assert drawn
    assert shown_new == {*NEW}
    made = [offer.campaign for offer in offers.values()]
    assert min(made.count(name) for name in ("named", "early", "shown")) > 4
    assert {"nothing_to_recommend", "out_of_stock", "rated_worse", "bad_reviews"} <= set(refused)


@settings(max_examples=4, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(cuts=st.sets(st.integers(1, 500), max_size=12), lost=st.floats(0, 1), at=st.floats(0, 1))
def test_any_cut_and_a_crash_give_the_same_bits(cuts: set[int], lost: float, at: float) -> None:
    """Some of the flush before the crash reached the table, its progress record did not."""
    log, whole, rng = a_history(), Said.of().world, random.Random(repr(cuts))
    crash = 2 + int(at * (len(log) - 3))
    found = crashed(log, crash, lost, rng, bounds=cuts, make=processor)
    assert found.outcomes == whole.outcomes
    assert found.rows == whole.rows


def test_what_others_say_of_items_counts_in_ones_list() -> None:
    """From the record on that says it, whoever it is about."""
    teas, others = [("item-6", None), ("item-7", 480), ("item-8", 510)], [("item-9", 160), ("item-10", 5_000)]
    bob = [
        ItemViewed(
            event_id=item, shopper_id="bob", event_time=NOON + k, item_id=item, unit_price_cents=cents,
            category="tea" if k < len(teas) else None,
        )
        for k, (item, cents) in enumerate([*teas, *others])
    ]  # fmt: skip
    lines = [OrderLine(item_id=item, quantity=1, unit_price_cents=500) for item in "xyz"]
    ann = [
        OrderPlaced(event_id=f"o{k}", shopper_id="ann", event_time=NOON + 10 + k, order_id=f"{k}", lines=lines)
        for k in range(2)
    ]
    found = list[list[list[str]]]()
    for log in ([*ann, *bob], [ann[0], *bob, ann[1]]):
        one = processor(rules=replace(RULES, recommendation=replace(RULES.recommendation, exploration_share=0.0)))
        outcomes = one.apply(slice_of([*SERVED, *log_of(*log)])).outcomes
        lists = [said for said in outcomes if isinstance(said, ItemsRecommended) and said.shopper_id == "ann"]
        found.append([[item.item_id for item in said.items] for said in lists])
    # The model lists from item-6 on after two orders.
    ranked = [f"item-{n}" for n in range(6, 30)]
    assert found[0][1] == ranked[:20]
    # Of tea two are enough; the other two cost more than three times what ann pays, or less than a third of it.
    assert found[1][1] == [item for item in ranked if item not in ("item-8", "item-9", "item-10")][:20]


def test_news_of_items_makes_nobody_due_and_cuts_no_slice() -> None:
    log = log_of(ordered("ann", NOON, "o1"), viewed("ann", NOON + 1))
    news = [record for n in range(50) for record in gone(n, f"item-{n}")]
    one = processor()
    result = one.apply(slice_of([*SERVED, *with_choices([*news, *log, *news], (0, SET))]))
    plain = processor().apply(slice_of([*SERVED, *with_choices(log, (0, SET))]))
    assert result.due_kinds == plain.due_kinds
    assert len(result.scores) == len(plain.scores)
