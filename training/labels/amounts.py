"""How much came within some days after a row's time, and when that was known."""

from __future__ import annotations

import numpy as np

from streams.columns.arrays import TYPE_CODE
from streams.features.kinds.decay import DAY_MS
from streams.records.events import OrderCancelled, OrderPlaced, OrderReturned
from training.history import History
from training.labels.horizons import Labels, Timeline
from training.replay import Rows

_PLACED = TYPE_CODE[OrderPlaced]
_BACK = (TYPE_CODE[OrderCancelled], TYPE_CODE[OrderReturned])


def brought_within(history: History, rows: Rows, days: int) -> Labels:
    """[n, 2] orders in (row's time, row's time + days], and their net revenue: cents paid, less what was returned or
    cancelled in these days (of any order, so it may be below 0). Known when the days have passed.

    What comes back without lines counts as nothing here: how much of its order is left is known to the stream alone.
    """
    placed, back = history.type == _PLACED, np.isin(history.type, _BACK)
    timeline = Timeline(history, placed | back)
    money = np.where(placed, history.cents, -history.cents)[timeline.event]
    orders_before = np.r_[0, np.cumsum(placed[timeline.event])]
    cents_before = np.r_[0, np.cumsum(money)]
    until = rows.at_ms + days * DAY_MS
    first, last = timeline.after(rows.shopper, rows.at_ms), timeline.after(rows.shopper, until)
    value = np.stack([orders_before[last] - orders_before[first], cents_before[last] - cents_before[first]], axis=1)
    told = np.where((until <= history.end_ms)[:, None], value, np.nan).astype(np.float32)
    return Labels(told, np.stack([until, until], axis=1))


def brought_before(history: History, rows: Rows, days: int) -> np.ndarray:
    """[n, 2] the same of the days up to the row's time: what simply goes on if nothing changes."""
    earlier = Rows(rows.x, rows.at_ms - days * DAY_MS, rows.why, rows.shopper)
    return brought_within(history, earlier, days).value.astype(np.float64)
