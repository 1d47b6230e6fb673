"""The item that a campaign's trigger is about: what a shopper's row remembers of the last news that made them due, of
each kind. An offer that waits for quiet hours to end is for it, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from streams.campaigns.arms import ItemFacts
from streams.campaigns.plan import Plan
from streams.campaigns.terms import DEFERRED, NEWS_KINDS, NEWS_TRIGGERS, PRICE, STOCK
from streams.columns.arrays import Bools, Hashes, Ints
from streams.columns.layout import Column, Rows
from streams.columns.shopper_events import item_code
from streams.records.events import OrderPlaced

#: Kinds of due points that are about an item, and the place of each in the columns.
_PLACE = {STOCK: 0, PRICE: 1}
ITEM = Column("campaigns/news_item", "u8", len(_PLACE))
"""Its hash; 0: none, or they ordered it since."""
ON_HAND = Column("campaigns/news_on_hand+1", "i8", len(_PLACE))
RATING = Column("campaigns/news_rating", "f8", len(_PLACE))
COLUMNS = (ITEM, ON_HAND, RATING)


def note(state: Rows, rows: Ints, records: Sequence[Any]) -> None:
    """Remember what news made rows due, and forget what they order; ``records``: [k] what made each due."""
    for row, record in zip(rows.tolist(), records, strict=True):
        if isinstance(record, OrderPlaced):
            held = state.data[ITEM.name][row]
            if held.any():
                held[np.isin(held, [item_code(line.item_id) for line in record.lines])] = 0
        elif type(record) in NEWS_KINDS:
            place = _PLACE[NEWS_KINDS[type(record)]]
            state.data[ITEM.name][row, place] = item_code(record.item_id)
            state.data[ON_HAND.name][row, place] = 0 if record.on_hand is None else record.on_hand + 1
            state.data[RATING.name][row, place] = record.rating or 0.0


def names_it(plan: Plan) -> bool:
    """Whether an arm of a campaign is for the item that its trigger is about, and that is known."""
    return type(plan.campaign.trigger) in NEWS_TRIGGERS and bool(_arms(plan).any())


def items(state: Rows, rows: Ints, plan: Plan, kind: Ints) -> Hashes:
    """[k] the hash of the item that a campaign's trigger is about at due points of these kinds; 0: there is none."""
    of = NEWS_TRIGGERS[type(plan.campaign.trigger)]
    held: Hashes = state.data[ITEM.name][rows, _PLACE[of]]
    return np.where((kind == of) | (kind == DEFERRED), held, np.uint64(0))


def facts(state: Rows, rows: Ints, plan: Plan, kind: Ints) -> ItemFacts:
    """What the news said of it, for the arms that are for it; of all others nothing is known."""
    place, none = _PLACE[NEWS_TRIGGERS[type(plan.campaign.trigger)]], items(state, rows, plan, kind) == 0
    on_hand = state.data[ON_HAND.name][rows, place] - 1.0
    on_hand = np.where(none, -1.0, np.where(on_hand < 0, np.nan, on_hand))
    mine = _arms(plan)[:, None]
    return ItemFacts(np.where(mine, on_hand, np.nan), np.where(mine, state.data[RATING.name][rows, place], np.nan))


def _arms(plan: Plan) -> Bools:
    return np.array([arm.applies_to == "trigger_item" for arm in plan.campaign.arms])
