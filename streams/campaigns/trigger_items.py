"""The item that a campaign's trigger is about: what a shopper's row remembers of the last news that made them due, of
each kind, and of what they had left when they were due for that. An offer that waits for quiet hours to end is for it,
too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streams.campaigns.plan import Plan
from streams.campaigns.terms import BROWSE, CART, DEFERRED, ITEM_TRIGGERS, PRICE, STOCK, news_kind
from streams.columns.arrays import Floats, Hashes, Ints
from streams.columns.layout import Column, Rows
from streams.columns.shopper_events import item_code
from streams.records.events import OrderPlaced
from streams.records.news import ITEM_NEWS

#: Kinds of due points that are about an item, and the place of each in the columns.
_PLACE = {STOCK: 0, PRICE: 1, CART: 2, BROWSE: 3}
ITEM = Column("campaigns/trigger_item", "u8", len(_PLACE))
"""Its hash; 0: none, or they ordered it since."""
ON_HAND = Column("campaigns/trigger_on_hand+1", "i8", len(_PLACE))
RATING = Column("campaigns/trigger_rating", "f8", len(_PLACE))
COLUMNS = (ITEM, ON_HAND, RATING)


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What stands for the record where a cart or goods that were left behind made a shopper due."""

    kind: int
    item: int
    """Hash of the item that they left; 0: not known."""


def note(state: Rows, rows: Ints, records: Sequence[Any]) -> None:
    """Remember the items of what made rows due, and forget what they order; ``records``: [k] what made each due."""
    for row, record in zip(rows.tolist(), records, strict=True):
        if isinstance(record, OrderPlaced):
            held = state.data[ITEM.name][row]
            if held.any():
                held[np.isin(held, [item_code(line.item_id) for line in record.lines])] = 0
        elif isinstance(record, LeftBehind):
            # Nothing is said of its stock and its reviews.
            place = _PLACE[record.kind]
            state.data[ITEM.name][row, place] = record.item
            state.data[ON_HAND.name][row, place] = state.data[RATING.name][row, place] = 0
        elif isinstance(record, ITEM_NEWS) and (kind := news_kind(record)) is not None:
            place = _PLACE[kind]
            state.data[ITEM.name][row, place] = item_code(record.item_id)
            state.data[ON_HAND.name][row, place] = 0 if record.on_hand is None else record.on_hand + 1
            state.data[RATING.name][row, place] = record.rating or 0.0


def names_it(plan: Plan) -> bool:
    """Whether an arm of a campaign is for the item that its trigger is about, and that is known."""
    named = any(arm.applies_to == "trigger_item" for arm in plan.campaign.offers)
    return type(plan.campaign.trigger) in ITEM_TRIGGERS and named


def items(state: Rows, rows: Ints, plan: Plan, kind: Ints) -> Hashes:
    """[k] the hash of the item that a campaign's trigger is about at due points of these kinds; 0: there is none."""
    of = ITEM_TRIGGERS[type(plan.campaign.trigger)]
    held: Hashes = state.data[ITEM.name][rows, _PLACE[of]]
    return np.where((kind == of) | (kind == DEFERRED), held, np.uint64(0))


def facts(state: Rows, rows: Ints, plan: Plan, kind: Ints) -> tuple[Floats, Floats]:
    """[k] units in stock of it and mean stars, as was said when it made them due: NaN units where nothing was said, -1
    where there is no such item; 0 stars without reviews."""
    place, none = _PLACE[ITEM_TRIGGERS[type(plan.campaign.trigger)]], items(state, rows, plan, kind) == 0
    on_hand = state.data[ON_HAND.name][rows, place] - 1.0
    on_hand = np.where(none, -1.0, np.where(on_hand < 0, np.nan, on_hand))
    return on_hand, state.data[RATING.name][rows, place]
