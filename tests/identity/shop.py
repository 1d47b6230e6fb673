"""Partitions of shoppers side by side, whose workers die anywhere, and shoppers who are anonymous until they log in."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from streams.entities.shopper import SHOPPER
from streams.processing.entity import Emitted
from streams.processing.partition import PartitionProcessor
from streams.processing.partitioning import homes
from streams.processing.rules import Rules
from streams.records import events as e
from streams.records.events import decode_event, encode_event
from streams.records.outcomes import encode_outcome
from streams.records.slices import Slice
from streams.state.codec import row_bytes
from streams.state.keys import ALIAS, EFFECT, IDS, NAME, OPEN, PROGRESS, TALLY, WINDOW
from tests.budget.stream import NoModels
from tests.shoppers import APPENDED, HOUR, Log, identified, random_history
from tests.worlds import DictTier

PARTITIONS = 3
GROUP = "shop"
#: What is known beside rows: it is written before them.
BESIDE = (ALIAS, EFFECT, IDS, NAME, OPEN, TALLY, WINDOW)
#: Whatever stands in a log has one of these fates.
FATES = {"applied", "duplicate", "late", "dead", "forwarded", "merged", "tick", "choice"}


LASTING = [f"shopper-{k}" for k in range(4)]


def sent(log: Log) -> list[e.ShopperEvent]:
    """The events of a log, each once."""
    found = [decode_event(value or b"") for _, value in log]
    events = [event for event in found if isinstance(event, e.ShopperEvent)]
    return list({event.event_id: event for event in events}.values())


def history(seed: int, n: int) -> tuple[list[e.ShopperEvent], dict[str, str]]:
    """Some days of lasting shoppers and of others who log in as one of them, some by another id in between, each when
    it pleases them; with events that come up to an hour late, and duplicates, which may be later. And who each turns
    out to be."""
    rng = random.Random(seed)
    events = sent(random_history(seed, n, 16, hostile=False))
    names = sorted({event.shopper_id for event in events} - set(LASTING))
    who = {name: rng.choice([*LASTING, *names[k + 1 :]]) for k, name in enumerate(names) if rng.random() < 0.8}
    logins = [
        identified(name, to, int(events[rng.randrange(len(events))].event_time), f"login-{name}")  # type: ignore[arg-type]
        for name, to in who.items()
    ]
    # Said again under another event id, much later.
    again = [msgspec.structs.replace(one, event_id=f"{one.event_id}-again") for one in logins if rng.random() < 0.3]
    found = [*events, *logins]
    found.sort(key=lambda event: event.event_time + rng.randint(0, HOUR - 1))  # type: ignore[operator]
    for one in rng.sample(found, len(found) // 20):
        found.insert(rng.randrange(found.index(one), len(found)) + 1, one)
    return [*found, *again], who


def end_of(who: dict[str, str], shopper: str) -> str:
    """Who somebody is in the end."""
    while shopper in who:
        shopper = who[shopper]
    return shopper


@dataclass
class Owner:
    """One partition, with whoever owns it now."""

    partition: int
    partitions: int
    rules: Rules
    shelf: object
    log: Log = field(default_factory=list)
    tier: DictTier = field(default_factory=DictTier)
    outcomes: dict[str, bytes] = field(default_factory=dict)
    """By id; the same id must always say the same."""

    def __post_init__(self) -> None:
        self.processor = self.begin()

    def begin(self, tier: DictTier | None = None, group: str = GROUP) -> PartitionProcessor:
        """A processor that goes on from what is durable, or from a copy of it."""
        return PartitionProcessor(
            SHOPPER, self.partition, self.rules, self.shelf,  # type: ignore[arg-type]
            tier=self.tier if tier is None else tier, limit=20, partitions=self.partitions, group=group,
        )  # fmt: skip

    def work(
        self, cuts: Iterable[int] = (), processor: PartitionProcessor | None = None
    ) -> tuple[list[Emitted], Counter[str]]:
        """Apply all that waits: what is said of shoppers, and the fates."""
        processor, fates = processor or self.processor, Counter[str]()
        found: list[Emitted] = []
        start, n = processor.next_offset, len(self.log)
        bounds = sorted({start, *(c for c in cuts if start < c < n), n})
        for a, b in itertools.pairwise(bounds):
            keys, values = [k for k, _ in self.log[a:b]], [v for _, v in self.log[a:b]]
            result = processor.apply(
                Slice(SHOPPER.log, self.partition, range(a, b), [APPENDED] * (b - a), keys, values)
            )
            found += [one for one in result.emitted if one.entity == SHOPPER.name]
            fates += result.fates
            for outcome in result.outcomes:
                value = encode_outcome(outcome)
                assert self.outcomes.setdefault(outcome.outcome_id, value) == value
        return found, fates

    def flush(self) -> None:
        """All that changed is durable."""
        self.tier.write(self.processor.drain_changes())
        self.processor.arena.evict()

    def die(self, rng: random.Random) -> None:
        """Within a flush: what is known beside rows came, and some rows; or before it."""
        if rng.random() < 0.7:
            lost, changes = rng.random(), self.processor.drain_changes()
            self.tier.write(
                {k: v for k, v in changes.items() if k[:1] in BESIDE or (k != PROGRESS and rng.random() > lost)}
            )
        self.processor = self.begin()


class Shop:
    """All partitions. What is said is delivered at the end of a step, some of it twice."""

    def __init__(
        self, seed: int, rules: Rules | None = None, partitions: int = PARTITIONS, shelf: object = None
    ) -> None:
        self.rng, self.partitions = random.Random(seed), partitions
        self.owners = [Owner(p, partitions, rules or Rules(), shelf or NoModels()) for p in range(partitions)]

    def send(self, events: Iterable[e.ShopperEvent]) -> None:
        """Storefronts produce."""
        for event in events:
            key = event.shopper_id.encode()
            self.owners[self.home(event.shopper_id)].log.append((key, encode_event(event)))

    def home(self, shopper: str) -> int:
        """The partition of a shopper."""
        (found,) = homes([shopper.encode()], "murmur2", self.partitions).tolist()
        return int(found)

    def deliver(self, said: Iterable[Emitted]) -> None:
        """To the shoppers' logs."""
        for one in said:
            self.owners[one.partition].log.append((None, one.value))

    def step(self, owner: Owner, trouble: float = 0.0) -> None:
        """An owner applies what waits; it flushes, or dies in one, or wakes up late and says all again."""
        rng, n = self.rng, len(owner.log)
        # With a store of its own, as another worker's is.
        zombie = owner.begin(DictTier(owner.tier.held)) if rng.random() < trouble / 2 else None
        said, _ = owner.work([rng.randrange(n) for _ in range(rng.randint(0, 3))] if n else [])
        if rng.random() < trouble:
            # Delivered before rows are written, or up to anywhere when it died before.
            if rng.random() < 0.3:
                self.deliver(said[: rng.randint(0, len(said))])
                owner.processor = owner.begin()
            else:
                self.deliver(said)
                owner.die(rng)
        else:
            self.deliver(said)
            if rng.random() < 0.5 or trouble == 0.0:
                owner.flush()
        if zombie is not None:
            self.deliver(owner.work((), zombie)[0])

    def run(self, events: Sequence[e.ShopperEvent], chunk: int, trouble: float = 0.0) -> None:
        """Shoppers come, up to ``chunk`` events at a time, until nobody has anything to say any more."""
        at = 0
        while at < len(events):
            n = self.rng.randint(1, chunk)
            self.send(events[at : at + n])
            at += n
            self.step(self.rng.choice(self.owners), trouble)
        self.settle()

    def settle(self) -> None:
        """Everybody works until all is applied."""
        while any(owner.processor.next_offset < len(owner.log) for owner in self.owners):
            for owner in self.owners:
                self.step(owner)
        for owner in self.owners:
            owner.flush()

    def rows(self) -> dict[bytes, bytes]:
        """The durable rows of all partitions, without headers."""
        return {k: row_bytes(v) for owner in self.owners for k, v in owner.tier.held.items() if k[:1] == b"s"}

    def plain(self, cuts: int = 0) -> tuple[dict[bytes, bytes], list[Counter[str]]]:
        """What a loop without trouble makes of the logs as they stand: rows, and fates by partition."""
        rows, fates = dict[bytes, bytes](), list[Counter[str]]()
        for owner in self.owners:
            tier = DictTier()
            processor = owner.begin(tier)
            n = len(owner.log)
            fates.append(owner.work([self.rng.randrange(n) for _ in range(cuts)] if n else [], processor)[1])
            tier.write(processor.drain_changes())
            rows |= {k: row_bytes(v) for k, v in tier.held.items() if k[:1] == b"s"}
        return rows, fates

    def moved(self) -> list[e.EventForwarded | e.ShopperMerged]:
        """What stands in the logs that belongs to another shopper, each once, in no order of theirs."""
        found = {value: decode_event(value or b"") for owner in self.owners for key, value in owner.log if key is None}
        return [record for record in found.values() if isinstance(record, (e.EventForwarded, e.ShopperMerged))]
