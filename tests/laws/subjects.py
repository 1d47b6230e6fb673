"""The entities whose features are held to the laws: how the history of each is made, disordered, and applied."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints
from streams.columns.layout import Column, Rows
from streams.entities.campaign import CAMPAIGN
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.features.catalogue import Catalogue
from streams.processing.entity import Entity
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records import items as i
from streams.records.budget import budget_decoder
from streams.records.events import decode_event
from tests.budget.stream import Stream, budgets, slices
from tests.budget.stream import history as budget_history
from tests.items import ITEMS, PARTITIONS, catalogue, item_logs, item_slices, shopper_logs, told
from tests.shoppers import DAY, HOUR, NOON, Log, log_of, random_history, viewed
from tests.worlds import cut

FloatRow = npt.NDArray[np.float32]


class Subject(Protocol):
    """An entity and its histories."""

    entity: Entity
    #: Features that depend on the order of events, and why they may.
    ordered: Mapping[str, str]
    #: Columns that do, for the same reasons.
    ordered_columns: frozenset[str]

    def history(self, seed: int, *, hostile: bool = False) -> Any:
        """Some twenty days of all kinds of records; when hostile with duplicates, disorder and late ones."""

    def disordered(self, history: Any, seed: int) -> Any:
        """The same records in another order, each within the allowed lateness."""

    def apply(self, history: Any, cuts: Iterable[int] = (), rules: Rules | None = None) -> list[PartitionProcessor]:
        """Its partitions after a history, which was cut before the given offsets."""


class Shoppers:
    """Shoppers in one partition."""

    entity = SHOPPER
    ordered: Mapping[str, str] = dict.fromkeys(
        ("orders.refunded", "orders.net_spend", "sequence.cents"),
        "a return that comes before its order refunds what it says itself",
    )
    ordered_columns = frozenset({"total/orders.refunded", "last32/events/cents"})

    def history(self, seed: int, *, hostile: bool = False) -> Log:
        """A clickstream."""
        return random_history(seed, 500, 15, hostile=hostile)

    def disordered(self, history: Log, seed: int) -> Log:
        """Each event up to an hour later."""
        return disordered(history, random.Random(seed))

    def apply(self, history: Log, cuts: Iterable[int] = (), rules: Rules | None = None) -> list[PartitionProcessor]:
        """One partition."""
        processor = PartitionProcessor(SHOPPER, 0, rules or Rules())
        for slice_ in cut(history, (c for c in cuts if c < len(history))):
            processor.apply(slice_)
        return [processor]


def disordered(log: Log, rng: random.Random) -> Log:
    """A log of shoppers in which each event comes up to an hour too late."""
    late = [time_of(value) + rng.randint(0, HOUR - 1) for _, value in log]
    return [log[k] for k in np.argsort(late, kind="stable").tolist()]


def time_of(value: bytes | None) -> int:
    """Event time of a record of shoppers."""
    at = decode_event(value or b"").event_time  # type: ignore[union-attr]
    assert isinstance(at, int)
    return at


@dataclass(frozen=True, slots=True)
class ItemHistory:
    """What shoppers of each partition do, what catalogues say, and how both are mixed in the items' logs."""

    logs: dict[int, Log]
    said: list[tuple[str, i.ItemRecord]]
    mixed: int


class Items:
    """Items in two partitions, with two partitions of shoppers and three catalogue topics as their sources."""

    entity = ITEM
    ordered: Mapping[str, str] = dict.fromkeys(
        ("listing.category_units_30d", "listing.category_week_units", "listing.category_share"),
        "what a category sold is told once a day, and as of a due point",
    )
    # How many tallies named a category: a minute may be told in several.
    ordered_columns = frozenset(
        {"held/category.units_30d", "held/category.week_units", "held/category.week", "last1/newest/category/count"}
    )

    def history(self, seed: int, *, hostile: bool = False) -> ItemHistory:
        """Shoppers touch 120 items; catalogues speak of six of them, often."""
        rng = random.Random(seed)
        logs = shopper_logs(seed, 450, hostile=hostile)
        for p, log in logs.items():
            # Shoppers do not agree on what category an item has, not even within a minute.
            for k in range(len(log) - 1, 0, -10):
                shopper, at, item = (log[k][0] or b"").decode(), time_of(log[k][1]), rng.choice(ITEMS[:3])
                for name in rng.sample("abc", 2):
                    log[k:k] = log_of(viewed(shopper, at, f"{p}-{k}-{name}", item_id=item, category=name))
        newest = max(time_of(value) for log in logs.values() for _, value in log)
        said = catalogue(seed, (newest - NOON) // DAY + 1, 350, hostile=hostile, items=ITEMS[:6])
        # A day later nothing is open any more: all that was done is told.
        ticks = log_of(e.ClockTicked(event_time=newest + DAY))
        return ItemHistory({p: log + ticks for p, log in logs.items()}, said, seed)

    def disordered(self, history: ItemHistory, seed: int) -> ItemHistory:
        """Each record up to an hour later than its source's others, and the sources mixed otherwise."""
        rng = random.Random(seed)
        logs = {p: [*disordered(log[:-1], rng), log[-1]] for p, log in history.logs.items()}
        late = [record.event_time + rng.randint(0, HOUR - 1) for _, record in history.said]  # type: ignore[operator]
        said = [history.said[k] for k in np.argsort(late, kind="stable").tolist()]
        return replace(history, logs=logs, said=said, mixed=history.mixed + 1)

    def apply(
        self, history: ItemHistory, cuts: Iterable[int] = (), rules: Rules | None = None
    ) -> list[PartitionProcessor]:
        """Two partitions, of shoppers' logs that were cut, too."""
        cuts, rules = list(cuts), rules or Rules()
        found = []
        for q, log in item_logs(told(history.logs, cuts, rules), history.said, history.mixed).items():
            processor = PartitionProcessor(ITEM, q, rules, partitions=PARTITIONS)
            for slice_ in item_slices(log, q, cuts):
                processor.apply(slice_)
            found.append(processor)
        return found


class Campaigns:
    """The budgets of two campaigns, of which two partitions of shoppers spend."""

    entity = CAMPAIGN
    ordered: Mapping[str, str] = dict.fromkeys(
        ("budget.remaining", "budget.leased", "budget.price", "budget.price_micros"),
        "who reports first is leased first, and the price follows what was reported",
    )
    ordered_columns = frozenset({"stated/remaining", "stated/leased", "stated/price"})

    def history(self, seed: int, *, hostile: bool = False) -> dict[int, Log]:
        """What ledgers came to read; when hostile, some of it twice."""
        stream, rng = Stream(seed), random.Random(seed)
        stream.set(budgets(total_cents=100_000))
        stream.run(budget_history(seed, 200), 30)
        logs = {owner.partition: owner.log for owner in stream.campaigns}
        for log in logs.values():
            for k in range(0, len(log), 10 if hostile else 10**9):
                log.insert(rng.randrange(k, len(log)) + 1, log[k])
        return logs

    def disordered(self, history: dict[int, Log], seed: int) -> dict[int, Log]:
        """What each source says in its order, the sources mixed otherwise; a budget is set before all."""
        return {q: sorted(log, key=lambda one: _source(one[1])) for q, log in history.items()}

    def apply(
        self, history: dict[int, Log], cuts: Iterable[int] = (), rules: Rules | None = None
    ) -> list[PartitionProcessor]:
        """Two partitions."""
        cuts, found = list(cuts), []
        for q, log in history.items():
            processor = PartitionProcessor(CAMPAIGN, q, rules or Rules(), partitions=PARTITIONS)
            for slice_ in slices(CAMPAIGN, q, log, 0, cuts):
                processor.apply(slice_)
            found.append(processor)
        return found


def _source(value: bytes | None) -> int:
    """The partition of shoppers that says it; -1 for a budget that is set."""
    return int(getattr(budget_decoder.decode(value or b""), "source_partition", -1))


SUBJECTS: tuple[Subject, ...] = (Shoppers(), Items(), Campaigns())


@dataclass(frozen=True, slots=True)
class State:
    """All rows of an entity after a history: by partition, in order of keys."""

    catalogue: Catalogue
    keys: list[str]
    rows: Rows

    @property
    def last_ms(self) -> Ints:
        """[n] when each was last heard of."""
        found: Ints = self.rows.column("last_event")
        return found

    def read(self, now_ms: Ints) -> FloatRow:
        """[n, width] every feature."""
        return self.catalogue.read(self.rows, now_ms, tuple(self.catalogue.features))

    def column(self, column: Column) -> npt.NDArray[Any]:
        """[n, cells]."""
        return self.rows.column(column.name).reshape(len(self.keys), -1)


def state_of(processors: list[PartitionProcessor]) -> State:
    """The rows of all partitions together."""
    keys = [sorted(p.arena.keys()) for p in processors]
    rows = [p.arena.rows.copy(p.arena.find(some)) for p, some in zip(processors, keys, strict=True)]
    return State(processors[0].catalogue, [key for some in keys for key in some], Rows.join(rows))


def columns_of(catalogue_: Catalogue) -> tuple[str, ...]:
    """The address of each number that is read: a tensor's is there once per number."""
    return tuple(address for address, f in catalogue_.features.items() for _ in range(f.width))
