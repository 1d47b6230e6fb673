"""Records that workers write into a partition, so that what they say is a part of its log: what is done with each kind.

They are of nobody in the partition and no events; a slice hands them on by what they are for (``Decoded``), and each is
heard at its place in the log. What comes of them stands in the progress record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from streams.processing.rules import Rules
from streams.records.budget import LeaseGranted
from streams.records.campaigns import CampaignSet
from streams.records.coupons import CouponsLoaded
from streams.records.events import EventForwarded, LogIdled, ShopperMerged
from streams.records.news import ITEM_NEWS
from streams.records.serving import CampaignsChosen, ModelsChosen, RulesChosen

#: After which something else holds in the partition's log.
Choice = ModelsChosen | RulesChosen | CampaignsChosen
Turn = Choice | LogIdled


@dataclass(frozen=True, slots=True)
class Handling:
    """What is done with records of one kind."""

    goes_to: Literal["turns", "leases", "coupons", "merges", "news", "events"]
    """The list of a decoded slice, or its events."""
    own: bool = False
    """Whether those of other groups of workers, which share the log, are passed over."""
    tick: bool = False
    """Whether it counts as a tick; what becomes of others is counted by whoever hears them."""
    check: Callable[[Any], object] | None = None
    """Raises ``Refused`` for one of which nothing can come."""


HANDLING: Mapping[type, Handling] = {
    ModelsChosen: Handling("turns"),
    RulesChosen: Handling("turns", check=lambda said: Rules.of(said.rules)),
    CampaignsChosen: Handling("turns", check=lambda said: CampaignSet.of(said.campaigns)),
    LogIdled: Handling("turns"),
    LeaseGranted: Handling("leases", tick=True),
    CouponsLoaded: Handling("coupons", tick=True),
    ShopperMerged: Handling("merges", own=True),
    # Its time moves nothing: its own partition's may be far ahead of this one's.
    EventForwarded: Handling("events", own=True),
    **dict.fromkeys(ITEM_NEWS, Handling("news", own=True, tick=True)),
}
