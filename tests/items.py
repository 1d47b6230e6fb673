"""Logs about items: what shoppers of several partitions did, and what catalogues say."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Any

from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.processing.partitioning import homes
from streams.processing.rules import Rules
from streams.records import items as i
from streams.records.slices import Origin, Slice
from tests.shoppers import APPENDED, DAY, HOUR, NOON, Log, random_history

#: (key, value, where it was first said)
ItemLog = list[tuple[bytes | None, bytes, Origin | None]]
PARTITIONS = 2
#: Whom the random history's events name.
ITEMS = [f"item-{n}" for n in range(120)]


def shopper_logs(seed: int, n: int, shoppers: int = 40, *, hostile: bool = True) -> dict[int, Log]:
    """A clickstream as its partitions hold it."""
    log = random_history(seed, n, shoppers, hostile=hostile)
    found: dict[int, Log] = {p: [] for p in range(PARTITIONS)}
    home = homes([key for key, _ in log], "murmur2", PARTITIONS).tolist()
    for record, partition in zip(log, home, strict=True):
        found[partition].append(record)
    return found


def shopper_slices(log: Log, partition: int, cuts: Iterable[int] = ()) -> list[Slice]:
    """A partition's log as slices."""
    bounds = [0, *sorted({c for c in cuts if 0 < c < len(log)}), len(log)]
    return [
        Slice(
            SHOPPER.log,
            partition,
            range(a, b),
            [APPENDED] * (b - a),
            [k for k, _ in log[a:b]],
            [v for _, v in log[a:b]],
        )
        for a, b in itertools.pairwise(bounds)
    ]


def told(
    logs: dict[int, Log], cuts: Iterable[int] = (), rules: Rules | None = None
) -> dict[int, dict[int, list[bytes]]]:
    """What each partition of shoppers tells each partition of items: by source, by partition of items."""
    cuts = list(cuts)
    found: dict[int, dict[int, list[bytes]]] = {p: {q: [] for q in range(PARTITIONS)} for p in logs}
    for p, log in logs.items():
        processor = PartitionProcessor(SHOPPER, p, rules or Rules(), partitions=PARTITIONS)
        for slice_ in shopper_slices(log, p, cuts):
            for emitted in processor.apply(slice_).emitted:
                assert emitted.entity == ITEM.name
                found[p][emitted.partition].append(emitted.value)
    return found


def catalogue(
    seed: int, days: int, n: int = 400, *, hostile: bool = True, items: Sequence[str] = ITEMS
) -> list[tuple[str, i.ItemRecord]]:
    """(topic, record) in order of event time, some at the same time, and when hostile with duplicates, disorder and
    records that are too late."""
    rng = random.Random(seed)
    found: list[tuple[str, i.ItemRecord]] = []
    before = NOON
    for k in range(n):
        at = NOON + k * days * DAY // n - (rng.randint(0, HOUR - 1) if hostile and rng.random() < 0.3 else 0)
        if hostile and rng.random() < 0.02:
            at -= 3 * HOUR
        if rng.random() < 0.1:
            at = before  # at the same moment
        before = at
        base: dict[str, Any] = {"event_id": f"c{k}", "item_id": rng.choice(items), "event_time": at}
        kind = rng.random()
        price = rng.choice((0, 199, 250, 250, 999, None, rng.randint(100, 999)))
        if kind < 0.2:
            listed = i.ItemListed(
                title="t",
                unit_price_cents=price,
                category_path=rng.choice((None, ["all", "tea"], ["category-1"])),
                lead_time_days=rng.choice((None, 0, 7, 30)),
                minimum_price_cents=rng.choice((None, None, 0, 150)),
                **base,
            )
            found.append(("catalog.items.v1", listed))
        elif kind < 0.4:
            changed = i.ItemChanged(unit_price_cents=price, unit_cost_cents=rng.choice((None, 0, 70)), **base)
            found.append(("catalog.items.v1", changed))
        elif kind < 0.45:
            found.append(("catalog.items.v1", i.ItemDelisted(**base)))
        elif kind < 0.75:
            counted = i.StockCounted(
                on_hand=rng.choice((0, 0, 5, 300)),
                on_order=rng.choice((0, 20)),
                location=rng.choice((*"abc", "", str(rng.randrange(40)))),
                **base,
            )
            found.append(("catalog.stock.v1", counted))
        else:
            found.append(("catalog.reviews.v1", i.ItemReviewed(rating=rng.randint(1, 5), text="x", **base)))
        if hostile and rng.random() < 0.03:
            found.append(rng.choice(found[-20:]))
    return found


def item_logs(
    tallied: dict[int, dict[int, list[bytes]]], said: Sequence[tuple[str, i.ItemRecord]], seed: int = 0
) -> dict[int, ItemLog]:
    """The logs of items: the sources' records of each in their order, mixed at random."""
    rng = random.Random(seed)
    logs: dict[int, ItemLog] = {}
    offsets: dict[tuple[str, int], int] = {}
    carried: dict[int, dict[str, ItemLog]] = {q: {} for q in range(PARTITIONS)}
    for topic, record in said:
        key = record.item_id.encode()
        (q,) = homes([key], "murmur2", PARTITIONS).tolist()
        offset = offsets[topic, q] = offsets.get((topic, q), -1) + 1
        value = i.encode_item_record(record)  # type: ignore[arg-type]
        carried[q].setdefault(topic, []).append((key, value, Origin(topic, q, offset, APPENDED)))
    for q in range(PARTITIONS):
        sources: list[ItemLog] = [[(None, v, None) for v in by_item[q]] for by_item in tallied.values()]
        sources += carried[q].values()
        weights = [len(s) for s in sources]
        order = [k for k, n in enumerate(weights) for _ in range(n)]
        # Mostly side by side, now and then one far ahead of the others.
        order = sorted(order, key=lambda k: rng.random() + rng.choice((0.0, 0.2)) * k)
        places = [iter(s) for s in sources]
        logs[q] = [next(places[k]) for k in order]
    return logs


def item_slices(log: ItemLog, partition: int = 0, cuts: Iterable[int] = (), start: int = 0) -> list[Slice]:
    """A partition's log as slices; ``start``: the offset of the first record."""
    bounds = [0, *sorted({c for c in cuts if 0 < c < len(log)}), len(log)]
    return [
        Slice(
            ITEM.log,
            partition,
            range(start + a, start + b),
            [APPENDED] * (b - a),
            [k for k, _, _ in log[a:b]],
            [v for _, v, _ in log[a:b]],
            [o for _, _, o in log[a:b]],
        )
        for a, b in itertools.pairwise(bounds)
        if b > a
    ]
