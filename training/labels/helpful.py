"""Which reviews readers found more helpful than most reviews of the same item."""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.records.items import ItemReviewed
from training.labels.listings import Labelled, numbered
from training.told import Told

#: Of an item with fewer reviews whose votes are known, nothing is told.
LEAST = 5


def voted(told: Told) -> Labelled:
    """Reviews with a text and votes, of items that have five such or more: 1.0 where one has more votes than the median
    review of its item, else 0.0. Only reviews of the same item are compared, for how many read it nobody knows."""
    places = [
        i
        for i, record in enumerate(told.records)
        if isinstance(record, ItemReviewed) and record.text and record.helpful_votes is not None
    ]
    kept: list[Any] = [told.records[i] for i in places]
    votes = np.array([record.helpful_votes for record in kept], np.int64)
    item = numbered([record.item_id for record in kept])
    label, enough = np.zeros(len(kept)), np.zeros(len(kept), np.bool_)
    order = np.argsort(item, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(item[order])) + 1):
        if len(rows) >= LEAST:
            enough[rows], label[rows] = True, votes[rows] > np.median(votes[rows])
    found = Labelled(kept, told.time_ms[np.array(places, np.int64)], label, item)
    return found.take(enough)
