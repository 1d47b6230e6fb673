"""Orders of a history that hold an item that is new to all, what is known of such items when they are placed, and how
much it counts what they are like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.likeness import BY_DIGITS, POWERS, WIDTH, Likeness
from models.predictor import Predictor
from models.registry import task
from streams.columns.arrays import TYPE_CODE, Bools, Hashes, Ints
from streams.columns.shopper_events import item_code
from streams.decisions.likeness import Alike, Embedded
from streams.decisions.looks import in_steps
from streams.decisions.new_items import FASTEST, NEW_DAYS, TOLD_FROM, NewItems, weighed
from streams.features.days import DAY_MS
from streams.features.kinds.bought import ITEMS_TOLD, code_of
from streams.features.kinds.favourites import HALF_LIFE_MS, SLOTS, WEIGHTS
from streams.records.events import OrderPlaced
from streams.records.items import ItemRecord
from streams.records.tags import tag_of
from training.history import History
from training.job import CutHistory, Job
from training.networks.inputs import rows_of
from training.ranking import ROUNDS
from training.recommending import touches_of
from training.redraws import ends

Floats = npt.NDArray[np.float64]
#: Orders from so many days after a cut on are asked about, until so many after it, and no more than so many.
AFTER_DAYS, SPAN_DAYS, ORDERS = 14, 92, 9_000
#: Lines as all shoppers buy that a shopper's own are added to.
PRIOR = 100.0
#: The embeddings of so many items, the most touched, stand in a version: half a megabyte.
EMBEDDED = 8_192
#: Of fewer orders with a new item nothing is chosen.
ENOUGH = 100
#: Records that are embedded at once: pictures are large.
AT_ONCE = 200
_NONE: Hashes = np.zeros(0, np.uint64)


class OrderLines:
    """All order lines of a history, in order of time."""

    def __init__(self, history: History) -> None:
        self.orders: Ints = np.flatnonzero(history.type == TYPE_CODE[OrderPlaced])
        """Which events are orders."""
        in_order = self.orders[np.argsort(history.time_ms[self.orders], kind="stable")]
        self.touch, owner = touches_of(history, in_order)
        """Which touch each line is."""
        self.time = history.time_ms[owner]
        self.items: Hashes
        self.items, self.begun, self.item = np.unique(
            history.touch_item[self.touch], return_index=True, return_inverse=True
        )
        self.first = self.time[self.begun]
        """When each item was first sold, by the line ``begun``."""
        self.categories, self.category = np.unique(history.touch_category[self.touch], return_inverse=True)
        self.of_item = self.category[self.begun]
        self.units, self.paid = history.touch_quantity[self.touch], history.touch_cents[self.touch]
        full = self.paid + history.touch_discount_cents[self.touch]
        self.price = (full // np.maximum(self.units, 1))[self.begun]
        """Of each item, in cents, when it was first sold."""
        self._by_shopper = np.argsort(history.shopper[owner], kind="stable")
        self._start = np.searchsorted(history.shopper[owner][self._by_shopper], np.arange(len(history.shoppers) + 1))

    def of(self, shopper: int, now: int) -> Ints:
        """The lines of a shopper before a time."""
        mine = self._by_shopper[self._start[shopper] : self._start[shopper + 1]]
        return mine[self.time[mine] < now]

    def between(self, since: int, now: int) -> slice:
        """The lines from a time on, before another."""
        return slice(*np.searchsorted(self.time, (since, now)).tolist())

    def many(self, new: Ints, lately: slice) -> Floats:
        """[k] in how many of some lines items stand."""
        return np.bincount(self.item[lately], minlength=len(self.items))[new].astype(np.float64)

    def usual(self, lately: slice) -> Floats:
        """The share of each category in some lines."""
        count = np.bincount(self.category[lately], minlength=len(self.categories))
        return count / max(1, lately.stop - lately.start)

    def likelier(self, new: Ints, past: Ints, usual: Floats) -> Floats:
        """[k] how much likelier than anybody whoever bought the lines ``past`` buys of the category of items."""
        own = np.bincount(self.category[past], minlength=len(self.categories))
        found: Floats = (own + PRIOR * usual) / (own.sum() + PRIOR) / np.maximum(usual, 1e-9)
        return found[self.of_item[new]]

    def new_items(
        self, new: Ints, now: int, names: Mapping[int, str] | None = None, embedded: Mapping[int, bytes] | None = None,
        by: str = "",
    ) -> tuple[Ints, NewItems]:  # fmt: skip
        """Of new items those of which partitions of shoppers are told, for they sold enough, and what they know of
        them: units by powers of two. ``embedded``: by 64-bit hash, what items are like, as a model says it (``by``)."""
        lately, month = (self.between(now - days * DAY_MS, now) for days in (NEW_DAYS, 30))
        units = np.bincount(self.item[lately], weights=self.units[lately], minlength=len(self.items))[new]
        power = 2.0 ** np.floor(np.log2(np.maximum(units, 1)))
        of_category = np.bincount(self.category[month], weights=self.units[month], minlength=len(self.categories))
        some = np.flatnonzero(units >= TOLD_FROM)
        at = new[some]
        hashes = self.items[at].tolist()
        called = tuple(str(item) if names is None else names[item] for item in hashes)
        likes: list[Embedded] = [(by, embedded[item]) if embedded and item in embedded else None for item in hashes]
        of, sold = self.of_item[at], power[some].astype(np.int64)
        found = NewItems(
            called, self.categories[of], self.price[at], self.first[at], sold, of_category[of].astype(np.int64), likes
        )
        return some, found

    def worth(self, asked: OrderWithNew, known: Known | None = None, powers: Sequence[int] = ()) -> Floats:
        """[1 + powers, k] what new items are worth to whoever is asked about, as lists have it
        (``streams.decisions.new_items``), and with what they are like to some powers; 0: it is not looked at."""
        past, now = asked.past, asked.now
        embedded, by = ({}, "") if known is None else (known.of, known.by)
        told, items = self.new_items(asked.new, now, None, embedded, by)
        day, none = now // DAY_MS, np.zeros(0, np.uint64)
        weight = WEIGHTS[OrderPlaced] * 0.5 ** ((now - self.time[past]) / HALF_LIFE_MS)
        slot = self.categories[self.category[past]] % SLOTS
        taste = np.bincount(slot, weights=weight, minlength=SLOTS)[None].astype(np.float64)
        usual = np.array([self.paid[past].sum() / max(int(self.units[past].sum()), 1)])
        worth = np.zeros((1 + len(powers), len(asked.new)))
        for j, power in enumerate((0, *powers)):
            places, speed = items.fastest(day, "", none, frozenset(), FASTEST if power else 0)
            value = weighed(items, day, places, speed, taste, usual)[0]
            if power:
                assert known is not None
                value = value * self._factor(known, items, places, past) ** power
            worth[j, told[places]] = value
        return worth

    def _factor(self, known: Known, items: NewItems, places: Ints, past: Ints) -> Floats:
        """[c] one and how like new items are to what was bought last."""
        had = self.items[self.item[past[np.argsort(-self.time[past], kind="stable")]]]
        _, newest = np.unique(had, return_index=True)
        code = code_of(had[np.sort(newest)][:ITEMS_TOLD]).astype(np.int64)
        found: Floats = known.alike.factor(code[None], items.alike("", known.alike, places))[0]
        return found


class OrderWithNew(NamedTuple):
    """An order with an item that is new to all."""

    shopper: int
    new: Ints
    """[k] items first sold since the cut, within 28 days before the order's day, and never bought by the shopper."""
    past: Ints
    """The shopper's lines before that day."""
    since: int
    """28 days before that day, and …"""
    now: int
    """… its begin, UTC milliseconds."""
    wanted: Bools
    """[k] which of them the order holds."""


@dataclass(frozen=True)
class Known:
    """What items are like. ``by``: the model that says so; ``of``: by 64-bit hash, embeddings; ``named``: the 64-bit
    hashes of the items that a version names, as far as it has embeddings, the most touched first."""

    by: str
    of: Mapping[int, bytes]
    named: Hashes

    def likeness(self, power: int) -> Likeness:
        """As a version says it. ``power``: how much it counts."""
        none = bytes(WIDTH)
        rows = b"".join(self.of.get(item, none) for item in self.named.tolist())
        table = np.frombuffer(rows, np.int8).reshape(-1, WIDTH)
        there = table[(table != 0).any(axis=1)]
        middle = np.round(there.mean(axis=0)) if len(there) else np.zeros(WIDTH)
        return Likeness(power, self.by, middle.astype(np.int8), table)

    @cached_property
    def alike(self) -> Alike:
        """Tells how like they are, to the power of one."""
        return Alike(self.likeness(1), code_of(self.named).astype(np.int64))


def _says(record: ItemRecord) -> bool:
    """Whether it says anything that a model could embed."""
    return any(getattr(record, part, None) for part in ("title", "description", "image", "audio"))


def known_of(records: Iterable[ItemRecord], model: Predictor, named: Hashes, new: Hashes = _NONE) -> Known:
    """What items are like that a version names, and new ones, by the last record of each that says anything of it."""
    wanted, last = set(named[:EMBEDDED].tolist()) | set(new.tolist()), dict[int, ItemRecord]()
    asked = task(model.task)
    for record in records:
        if (code := item_code(record.item_id)) in wanted and tag_of(record) in asked.at and _says(record):
            last[code] = record
    found = dict[int, bytes]()
    codes, told = list(last), list(last.values())
    for start in range(0, len(told), AT_ONCE):
        steps = in_steps(model.score(rows_of(asked, told[start : start + AT_ONCE]))["embedding"])
        found |= {codes[start + k]: like.tobytes() for k, like in enumerate(steps) if like.any()}
    return Known(model.digest[:BY_DIGITS], found, named[:EMBEDDED])


def power_of(
    history: History, records: Sequence[ItemRecord], model: Predictor, seed: int
) -> tuple[int, dict[str, float]]:
    """How much it counts what new items are like: the power by which the first of them is most often in orders of the
    last quarter that hold one; 0 unless it is more often than without, by 95%, whole shoppers redrawn. And of each
    power how often it is. Items first sold within that quarter are new; the others are what shoppers had.

    ``history``: up to the cut of a training."""
    lines, rng = OrderLines(history), np.random.default_rng(seed)
    if not len(lines.time):
        return 0, {}
    # What came in its first days is the assortment as it was.
    since = max(history.end_ms - SPAN_DAYS * DAY_MS, int(lines.time[0]) + NEW_DAYS * DAY_MS)
    count = np.bincount(lines.item, minlength=len(lines.items))
    old = np.flatnonzero(lines.first < since)
    old = old[np.argsort(-count[old], kind="stable")]
    known = known_of(records, model, lines.items[old], lines.items[lines.first >= since])
    if not known.of:
        return 0, {}
    shoppers, hits = [], []
    for asked in orders_with_new(history, lines, since, rng):
        worth = lines.worth(asked, known, POWERS)
        shoppers.append(asked.shopper)
        hits.append(asked.wanted[worth.argmax(axis=1)] & (worth.max(axis=1) > 0))
    if len(hits) < ENOUGH:
        return 0, {}
    first = np.array(hits, np.float64)
    shares = dict(zip(map(str, (0, *POWERS)), first.mean(axis=0).round(4).tolist(), strict=True))
    best = 1 + int(first[:, 1:].sum(axis=0).argmax())
    _, more = intervals(shoppers, {"best": first[:, best] - first[:, 0]}, rng)
    return (POWERS[best - 1] if more["best"][0] > 0 else 0), shares


def likeness_of(job: Job, given: CutHistory, named: Hashes) -> tuple[Likeness | None, str]:
    """What the items are like that a version names, the most touched first, where that tells who buys what is new; and
    what a card says of it."""
    records = [] if job.embeds is None else given.source.listings()
    if job.embeds is None or not records:
        return None, "Nothing lists its items: what new ones are like does not count."
    job.tell("asking what items are like", 0, None)
    before = given.history.until(int(np.searchsorted(given.history.time_ms, given.cut_ms)))
    power, shares = power_of(before, records, job.embeds, job.seed)
    found = ", ".join(f"{name}: {share:.1%}" for name, share in shares.items())
    told = f"What new items are like counts to the power {power}, chosen on the last quarter before the cut" + (
        f" (by power, how often the first of them was in an order with a new item: {found})." if shares else "."
    )
    return known_of(records, job.embeds, named).likeness(power) if power else None, told


def orders_with_new(
    history: History, lines: OrderLines, cut_ms: int, rng: np.random.Generator, known: Bools | None = None
) -> Iterator[OrderWithNew]:
    """Some orders after a cut that hold a new item, of shoppers who bought before. ``known``: which items of ``lines``
    may be asked about; None, all."""
    start, end = cut_ms + AFTER_DAYS * DAY_MS, cut_ms + SPAN_DAYS * DAY_MS
    when = history.time_ms[lines.orders]
    span = lines.orders[(when >= start) & (when < end)]
    for event in np.sort(rng.permutation(span)[:ORDERS]).tolist():
        shopper, now = int(history.shopper[event]), int(history.time_ms[event]) // DAY_MS * DAY_MS
        past, since = lines.of(shopper, now), now - NEW_DAYS * DAY_MS
        lately = (lines.first >= max(cut_ms, since)) & (lines.first < now)
        new = np.flatnonzero(lately if known is None else lately & known)
        new = new[~np.isin(new, lines.item[past])]
        came = history.touch_item[history.touch_start[event] : history.touch_start[event + 1]]
        wanted = np.isin(lines.items[new], came)
        if len(past) and wanted.any():
            yield OrderWithNew(shopper, new, past, since, now, wanted)


def intervals(
    shoppers: Sequence[int], gains: Mapping[str, Floats], rng: np.random.Generator
) -> tuple[int, dict[str, tuple[float, float]]]:
    """How many shoppers there are, and 95% of the mean of each gain [orders], whole shoppers redrawn."""
    _, who = np.unique(np.array(shoppers), return_inverse=True)
    size = np.bincount(who)
    drawn = rng.integers(0, len(size), (ROUNDS, len(size)))
    found = {}
    for name, gain in gains.items():
        found[name] = ends(np.bincount(who, weights=gain)[drawn].sum(axis=1) / size[drawn].sum(axis=1))
    return len(size), found
