"""What others than workers produce, in families: each has a topic of its own, keyed by whom or what it is about."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from streams.records.budget import BUDGET_RECORDS
from streams.records.events import SHOPPER_EVENTS, ClockTicked, EventForwarded, LogIdled, ShopperMerged
from streams.records.items import CATALOG_RECORDS, ItemReviewed, ItemsTallied, SourceIdle, StockCounted
from streams.records.news import ITEM_NEWS
from streams.records.serving import CampaignsChosen, ModelsChosen, RulesChosen
from streams.records.tags import tag_of


class Family(NamedTuple):
    """Records that share a topic."""

    key: str
    """The field that is their key."""
    records: tuple[type, ...]


EVENTS = "events"
FAMILIES = {
    EVENTS: Family("shopper_id", SHOPPER_EVENTS),
    "catalogue": Family("item_id", CATALOG_RECORDS),
    "stock": Family("item_id", (StockCounted,)),
    "reviews": Family("item_id", (ItemReviewed,)),
}
#: type → its record
TYPES: dict[str, type] = {tag_of(record): record for family in FAMILIES.values() for record in family.records}
#: type → its family
FAMILY_OF = {tag_of(record): name for name, family in FAMILIES.items() for record in family.records}
#: Types that only workers write.
WORKERS_TYPES = {
    tag_of(record)
    for record in (
        ClockTicked,
        LogIdled,
        EventForwarded,
        ShopperMerged,
        ModelsChosen,
        RulesChosen,
        CampaignsChosen,
        ItemsTallied,
        SourceIdle,
        *ITEM_NEWS,
        *BUDGET_RECORDS,
    )
}


class _Named(msgspec.Struct):
    type: Any = None
    shopper_id: Any = None
    item_id: Any = None


_decoder = msgspec.json.Decoder(_Named)
_UNREADABLE = _Named()


def type_of(value: bytes) -> str:
    """The type that a record says it is of; empty where it says none."""
    found = _named(value).type
    return found if isinstance(found, str) else ""


def family_of(value: bytes) -> str:
    """The family of a record; of one whose type is not known, that of shoppers' events.

    >>> family_of(b'{"type":"stock_counted"}'), family_of(b"{")
    ('stock', 'events')
    """
    return FAMILY_OF.get(type_of(value), EVENTS)


def key_of(value: bytes) -> bytes | None:
    """The key that a record is sent under; None where it names no shopper, or no item.

    >>> key_of(b'{"shopper_id": "s1"}'), key_of(b'{"type": "item_reviewed", "shopper_id": "s1", "item_id": "tea"}')
    (b's1', b'tea')
    """
    named = _named(value)
    family = FAMILIES[FAMILY_OF.get(named.type, EVENTS) if isinstance(named.type, str) else EVENTS]
    found = getattr(named, family.key)
    try:
        return found.encode() if isinstance(found, str) else None
    except UnicodeError:
        return None


def _named(value: bytes) -> _Named:
    try:
        return _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _UNREADABLE
