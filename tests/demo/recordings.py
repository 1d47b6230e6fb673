"""Recordings of a few shoppers, and the numbers that a demo would make of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from streams.demo import items
from streams.demo.following import Followed
from streams.demo.hindsight import Hindsight, period
from streams.demo.items import row
from streams.demo.recording import Judged, Recording
from streams.demo.scrape import Samples
from streams.demo.story import choose, tell
from streams.demo.summary import summary
from streams.records.items import ItemListed, StockCounted
from streams.records.outcomes import ChurnAlerted, ItemProfiled
from tests.outcomes import alert, item, offer, withheld
from tests.shoppers import DAY, NOON, consented, ordered
from training.datasets.complete_journey_items import Product


def day(days: float) -> int:
    """A time, so many days after the first."""
    return NOON + int(days * DAY)


def orders(shopper: str, *days: float) -> list[Any]:
    """An order of 10.00 on each of the days."""
    return [ordered(shopper, day(d), f"{shopper}-{d}") for d in days]


def silent(shopper: str, at: float, level: str, score: float = 0.61) -> ChurnAlerted:
    """An alert that silence raised."""
    made = alert(shopper, f"a-{shopper}-{at}", level, day(at))
    return msgspec.structs.replace(made, score=score)


def recording() -> Recording:
    """100 days. bea orders every two days, falls silent on day 20, is alerted and offered something on day 40, and
    comes back on day 80. cyd got as grave an alert after fewer orders; dan a lesser one after more; eve was alerted by
    an order, fay at an end that leaves it unjudged, and gus was never heard of again."""
    made = Recording()
    events = [
        *orders("bea", *range(0, 21, 2), 80),
        *orders("cyd", 0, 5, 90),
        *orders("dan", *range(30), 41),
        *orders("eve", *range(35), 90),
        *orders("fay", *range(61), 99),
        *orders("gus", *range(15)),
        consented("bea", day(1)),
        *orders("end", 100),
    ]
    for _ in made.passing(sorted(events, key=lambda event: event.event_time)):
        pass
    by_order = msgspec.structs.replace(
        silent("eve", 34, "critical"), due=msgspec.structs.replace(alert().due, kind="event")
    )
    for said in (
        silent("bea", 30, "watch", 0.4),
        silent("bea", 40, "critical", 0.72),
        silent("cyd", 30, "critical"),
        silent("dan", 35, "high"),
        by_order,
        silent("fay", 90, "critical"),
        silent("gus", 40, "critical"),
        withheld("bea", "w1", "cooldown", day(31)),
        offer("bea", "o1", day(40)),
        offer("cyd", "o2", day(31)),
        offer("dan", "o3", day(35)),
        offer("fay", "o4", day(90)),
    ):
        made.add(said)
    made.judged = [
        Judged("bea", day(20), 0.02, False),
        Judged("bea", day(24), 0.1, True),
        Judged("bea", day(30), 0.4, True),
        Judged("bea", day(40), 0.72, True),
        Judged("dan", day(35), 0.55, True),
        Judged("eve", day(99), 0.99, True),
    ]
    made.answers = {"churn": 6, "behaviour": 6}
    return made


def profile(name: str, at: float = 100, **said: Any) -> ItemProfiled:
    """An item as of a day, with steady sales and no stock but for what is said."""
    return item(name, day(at), **said)


def listed() -> dict[str, Any]:
    """Three lists of items, one of them empty."""
    tea = row(profile("tea-1"), Product("tea-1", "Tea, 20 CT", "Private", ["TEA"], "20 CT"), [3, 0, 9])
    coffee = row(profile("coffee", units_7d=2, momentum=0.2), None, [5, 1])
    return {"best_sellers": [tea], "falling": [coffee], "running_out": []}


def samples(**fates: int) -> Samples:
    """What a worker that was sent so much would tell."""
    outcomes = {("ChurnAlerted", "critical"): 7, ("OfferMade", ""): 4, ("OfferWithheld", "cooldown"): 1}
    return {
        **counts("records_total", "shopper", "fate", **fates),
        **counts("records_total", "item", "fate", applied=20, tick=5),
        **counts("due_points_total", "shopper", "kind", event=9),
        **counts("due_points_total", "item", "kind", day=8, event=2),
        **{
            ("offerstream_outcomes_total", (("kind", kind), ("reason", reason))): float(n)
            for (kind, reason), n in outcomes.items()
        },
        ("offerstream_outcomes_total", (("kind", "Scored"), ("reason", ""))): 12.0,
        ("offerstream_outcomes_total", (("kind", "ItemProfiled"), ("reason", ""))): 10.0,
        ("offerstream_decision_seconds_bucket", (("le", "0.1"),)): 3.0,
        ("offerstream_decision_seconds_bucket", (("le", "+Inf"),)): 3.0,
    }


def counts(name: str, entity: str, label: str, **values: int) -> Samples:
    """Samples of a counter about an entity, by a label."""
    return {(f"offerstream_{name}", (("entity", entity), (label, value))): float(n) for value, n in values.items()}


ENRICHED: dict[str, Any] = {
    "items": [
        {
            "item_id": "lamp-1",
            "title": "Lamp",
            "brand": None,
            "category_path": ["Home"],
            "attributes": {"colour": "red", "sample": "whose it is"},
            "reviews": ["Bright, but too large."],
            "answers": {"picture": "shows a lamp (90%)"},
            "similar": [{"item_id": "lamp-2", "title": None, "cosine": 0.75}],
        },
    ],
    "searches": [
        {
            "query": "lmap",
            "corrected": "lamp",
            "category": "Home",
            "why": "all_words",
            "found": [{"item_id": "lamp-1", "title": "Lamp"}],
        }
    ],
}
CAMPAIGN: dict[str, Any] = {
    "id": "win-back",
    "title": "We miss you",
    "currency": "USD",
    "budget_cents": 24_000,
    "committed_cents": 9_000,
    "committed_by_day_cents": {"2017-12-01": 4_000, "2017-12-02": 5_000},
    "spent_cents": 120,
    "offers": 9,
    "withheld": {"no_consent": 3},
    "shoppers": 8,
    "holdout": 2,
    "incremental_profit_cents": [-500.0, -16.0, 480.0],
    "words": "Not yet enough: profit per shopper beyond the holdout lies between -0.60 USD and 0.60 USD.",
    "adds_up": True,
}
READ = {"alerts": 7, "offers": 4, "withheld": 1, "scored": 12, "item_profiles": 10}


def priced() -> dict[str, Any]:
    """A price to test, of an item with a title that is hostile."""
    row = {
        "item_id": "1", "title": "Tea [bold]\x1b[31m", "from_cents": 209, "to_cents": 229, "more_a_week_cents": 300.0,
        "in_words": "2.29 USD instead of 2.09 USD",
    }  # fmt: skip
    return {"assumed_margin": 0.3, "why": {"more_profit": 1}, "best": [row]}


def foretold() -> dict[str, Any]:
    """Demand of an item with stock, and of one without whose title is hostile."""
    ranged = {"mean": 10.0, "p05": 5.0, "p25": 8.0, "p50": 10.0, "p75": 12.0, "p95": 20.0}
    plan = {
        "as_of": "2024-02-22", "simulated_on_hand": 12, "simulated_on_order": 0, "lead_days": 7,
        "order_quantity": 18, "at_stake_cents": 5_000,
        "runs_out": {"soonest": "2024-02-25", "likely": "2024-02-27", "latest": None}, "currency": "USD",
    }  # fmt: skip
    weeks = [
        {"from": "2024-02-08", "units": 9, "foretold": None},
        {"from": "2024-02-15", "units": 21, "foretold": ranged},
        {"from": "2024-02-22", "units": None, "foretold": ranged},
    ]
    tea = {
        "item_id": "tea-1", "title": "Tea, 20 CT", "as_of": "2024-02-22", "next_7_days": ranged, "next_14_days": ranged,
        "price": {"p05": 180, "p25": 195, "p50": 200, "p75": 200, "p95": 210}, "currency": "USD", "plan": plan,
    }  # fmt: skip
    milk = tea | {"item_id": "milk", "title": "Milk [bold]\x1b[31m", "price": None, "currency": None, "plan": None}
    return {
        "items": 2, "to_order": 1, "alerts": 1, "orders": [tea],
        "held": {"forecasts": 40, "seen_in_training": False, "within_90": 0.91, "within_50": 0.5, "wape": 0.45},
        "drawn": [tea | {"weeks": weeks}, milk | {"weeks": weeks[2:]}],
    }  # fmt: skip


def numbers(
    made: Recording,
    sent: int = 10,
    read: dict[str, int] | None = None,
    items_in: int = 25,
    ranked: dict[str, Any] | None = None,
    **fates: int,
) -> dict[str, Any]:
    """What ``demo.json`` would hold."""
    found = choose(made)
    systems = {
        "churn": {
            "answers": 6,
            "meaning": "who leaves",
            "topic": "churn.alerts.v1",
            "example": {"shopper_id": "bea"},
            "in_words": "churn alert: high",
        },
        "news": {"answers": 0, "meaning": "nothing yet", "topic": "news.v1", "example": None, "in_words": None},
    }
    progress = [(0.0, 0, 0), (1.0, sent, sent // 2), (2.0, sent, sent)]
    of_shoppers = fates or {"applied": sent, "tick": 3}
    by_entity = {"shopper": Counter(of_shoppers), "item": Counter(applied=20, tick=5)}
    followed = Followed(progress, 3.0, items_in, samples(**of_shoppers), fates=by_entity)
    return {
        **summary(followed, sent, read or READ, made),
        "said_again": {"alerts": 0, "offers": 0, "withheld": 0},
        **Hindsight(made).summary(),
        "period": period(made),
        "systems": systems,
        "campaigns": [CAMPAIGN],
        "recommended": {"shopper_id": "bea", "day": "2023-11-20", "lines": [("Tea, 20 CT (tea-1)", "bought before")]},
        "enriched": ENRICHED,
        "items": items.summary(followed, {ItemListed: 2, StockCounted: 3}, ranked or listed()),
        "demand": foretold(),
        "prices": priced(),
        "story": None if found is None else msgspec.to_builtins(tell(made, found)),
    }
