"""Reads what is known of a shopper, an item or a campaign from the outside: from its table's changelog; no worker is
asked."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import numpy as np

from streams.admin import TopicError
from streams.budget.ledger import Balance
from streams.decisions.favourite import ADDRESS as FAVOURITE
from streams.entities.campaign import CampaignSide
from streams.entities.shopper import SHOPPER, ShopperSide
from streams.features.kinds.taste import code
from streams.outside.reading import Reader
from streams.processing.coupon_pools import Stock
from streams.processing.decode import NO_TIME
from streams.processing.entity import Entity, Start
from streams.processing.identity import CLOSED
from streams.processing.in_force import OtherRules
from streams.processing.partition import PartitionProcessor
from streams.processing.partitioning import WORKERS, homes
from streams.processing.rules import Rules
from streams.processing.side import watermark_of
from streams.processing.silence import LAST_EVENT
from streams.records import words
from streams.records.events import decode_event
from streams.records.serving import Stages
from streams.settings import Settings
from streams.state import keys
from streams.state.keys import PROGRESS, older, row_key
from streams.topics import EVENTS, changelog_name


def changelog_values(
    settings: Settings,
    wanted_keys: Callable[[bytes], bool] = lambda _key: True,
    of: Callable[[int], Iterable[int]] = range,
    entity: str = SHOPPER.name,
) -> dict[int, dict[bytes, bytes]]:
    """The value of every key that is wanted, by partition, as a worker would recover it. ``of``: which of so many
    partitions to read.

    Reads the whole changelog of a partition; fine for tools and tests.

    Raises ``TopicError``.
    """
    topic = changelog_name(settings.app_id, entity)
    found: dict[int, dict[bytes, bytes]] = {}
    with Reader(settings.access) as reader:
        if not reader.exists(topic):
            raise TopicError(
                f"{topic} does not exist: no worker of group {settings.app_id!r} has run here (OFFERSTREAM_APP_ID)."
            )
        for partition in of(reader.partitions(topic)):
            values = found[partition] = {}
            for record in reader.between((topic, partition), *reader.extent((topic, partition))):
                key, value = record.key, record.value
                assert key is not None
                if not wanted_keys(key):
                    continue
                if value is None:
                    values.pop(key, None)
                elif not older(key, value, values.get(key)):
                    values[key] = value
    return found


#: So many of the newest records that no worker has applied yet are looked at for their event times.
LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition was applied, as of the last flush."""

    next_offset: int = 0
    """Every record before it is in the feature table."""
    watermark_ms: int = NO_TIME
    fates: Counter[str] = field(default_factory=Counter)
    """What became of these records."""
    stages: dict[str, Stages] = field(default_factory=dict)
    """Which versions serve from there on, by task."""
    campaigns: str | None = None
    """Digest of the campaigns that hold from there on; None: the log chose none."""
    reserved: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By campaign, offers made and the cents that they set aside."""
    carried_ms: dict[str, int] = field(default_factory=dict)
    """Of what was carried over from other topics, the newest event time by ``topic/partition``."""
    coupons: dict[str, Stock] = field(default_factory=dict)
    """By pool, codes that are left and that were given."""
    balances: dict[str, Balance] = field(default_factory=dict)
    """By campaign, where the budget is that the partition keeps: of campaigns' partitions."""


def progress(reader: Reader, settings: Settings, entity: Entity = SHOPPER) -> dict[int, Progress]:
    """How far each partition of an entity's log was applied; as of nothing where no worker of the group ran yet.

    A progress record ends each flush, so it is read from the end of the changelog. Raises ``TopicError``.
    """
    topic = changelog_name(settings.app_id, entity.name)
    found = dict.fromkeys(range(reader.partitions(entity.topic(settings.app_id))), Progress())
    if not reader.exists(topic):
        return found
    for partition in range(reader.partitions(topic)):
        records = reader.newest(
            [(topic, partition)], lambda record: record.key == PROGRESS and record.value is not None
        )
        metas = [msgspec.json.decode(record.value or b"") for record in records]
        if metas:
            # The newest is the one furthest on, whoever wrote last: see ``older``.
            meta = max(metas, key=lambda meta: int(meta["next_offset"]))
            rules = Rules.of(meta["rules"]) if "rules" in meta else settings.rules()
            side = entity.side(Start(partition, len(found), rules))
            side.restore(iter(()), meta, rules)
            found[partition] = Progress(
                meta["next_offset"],
                side.watermark_ms(rules),
                Counter(meta.get("fates", {})),
                msgspec.convert(meta.get("stages", {}), dict[str, Stages]),
                meta.get("campaigns"),
                msgspec.convert(meta.get("offers", {}), dict[str, tuple[int, int]]),
                meta.get("carried", {}).get("newest", {}),
                msgspec.convert(meta.get("coupons", {}), dict[str, Stock]),
                {name: held for name, (held, _) in side.balances().items()} if isinstance(side, CampaignSide) else {},
            )
    return found


def watermarks(reader: Reader, settings: Settings) -> dict[int, int]:
    """Where the watermark of each partition of shoppers stands or will stand once the newest records that wait are
    applied, UTC milliseconds since 1970. Raises ``TopicError``."""
    rules, found = settings.rules(), {}
    for partition, held in progress(reader, settings).items():
        place = (EVENTS.name, partition)
        low, high = reader.extent(place)
        newest = NO_TIME
        for record in reader.between(place, max(low, held.next_offset, high - LOOKED_AT), high):
            with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
                at = words.when_ms(decode_event(record.value or b"")) or NO_TIME
                if at <= record.time_ms + rules.decode.future_tolerance_ms:
                    newest = max(newest, at)
        found[partition] = max(held.watermark_ms, watermark_of(newest, rules, NO_TIME))
    return found


class Held:
    """Values of a changelog, as the durable tier of a partition."""

    def __init__(self, values: Mapping[bytes, bytes]) -> None:
        self._values = values

    def get(self, key: bytes) -> bytes | None:
        """A value."""
        return self._values.get(key)

    def behind(self, key: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """The next of them behind a key, in order of keys."""
        return [(at, self._values[at]) for at in heapq.nsmallest(most, (at for at in self._values if at > key))]


def state_of(settings: Settings, key: str, entity: Entity = SHOPPER) -> PartitionProcessor:
    """The partition of a shopper or item as its owner flushed it last, with no row but theirs. Raises ``TopicError``
    when there is none."""
    ours, kept = (row_key(key), keys.ALIAS + key.encode()), (keys.LAYOUT, keys.NAME, keys.CAMPAIGNS)

    def where(partitions: int) -> Iterable[int]:
        # Where producers place keys as they like, a shopper may be anywhere; workers place items as they always do.
        known = settings.partitioner != "any" or entity is not SHOPPER
        partitioner = settings.partitioner if entity.wire.key else WORKERS
        return homes([key.encode()], partitioner, partitions).tolist() if known else range(partitions)

    found = changelog_values(settings, lambda k: k in (*ours, PROGRESS) or k[:1] in kept, where, entity.name)
    for partition, values in found.items():
        if ours[0] in values:
            meta = msgspec.json.decode(values[PROGRESS])
            rules = Rules.of(meta["rules"]) if "rules" in meta else settings.rules()
            try:
                return PartitionProcessor(entity, partition, rules, tier=Held(values), room=1)
            except OtherRules as error:
                raise TopicError(str(error)) from error
    hint = ""
    if entity.wire.key:
        kinds = "events" if entity is SHOPPER else "catalogue"
        hint = f" What came of it: offerstream watch {kinds} dead late --from beginning --{entity.name} {key}"
    raise TopicError(
        f"Nothing is known of {entity.name} {key!r}: group {settings.app_id!r} has applied no record of it. Is the id "
        f"right (case counts)? Does a worker run, and is it ready?{hint}"
    )


def identified_as(state: PartitionProcessor, shopper: str) -> str | None:
    """Who a shopper turned out to be; None: they are who they are."""
    rows, tier = state.arena.rows, state.arena.tier
    if tier is None or rows.data[CLOSED.name][state.arena.find([shopper])[0]] <= 0:
        return None
    who = tier.get(keys.ALIAS + shopper.encode())
    return None if who is None else who.decode()


def features_at(
    settings: Settings, key: str, at_ms: int | None, entity: Entity = SHOPPER
) -> tuple[int, dict[str, list[float]]]:
    """The features of a shopper or item at a time (default: of the newest event in their partition), a list of one
    number each, of a tensor so many as it is wide. Raises ``TopicError`` when there is no row."""
    state = state_of(settings, key, entity)
    now = newest_ms(state, key) if at_ms is None else at_ms
    return now, features_of(state, key, now)


def newest_ms(state: PartitionProcessor, key: str) -> int:
    """The newest event time in the partition of a shopper or item."""
    rows, row = state.arena.rows, state.arena.find([key])
    return max(state.newest_ms, int(rows.flat["i8"][rows.cells(LAST_EVENT, row)][0]))


def features_of(state: PartitionProcessor, key: str, now_ms: int) -> dict[str, list[float]]:
    """Every feature of a shopper or item at a time, by address."""
    addresses = tuple(state.catalogue.features)
    rows = state.arena.rows.pick(state.arena.find([key]))
    read = state.catalogue.read(rows, np.array([now_ms]), addresses)[0]
    return {a: read[place].tolist() for a, place in state.catalogue.places(addresses).items()}


def favourite_category(state: PartitionProcessor, shopper: str, now_ms: int) -> str | None:
    """The name of what a shopper likes most; None where nothing is known."""
    halves = np.array([features_of(state, shopper, now_ms)[FAVOURITE]])
    assert isinstance(state.side, ShopperSide)
    return state.side.names.of_code(int(code(halves)[0]), state.next_offset)
