"""What a partition of shoppers keeps of offers and campaigns (``offer_windows.py``), as the feature table has it."""

from __future__ import annotations

import msgspec

from streams.effects.attribution import Journeys
from streams.records.effects import EffectPlan, EffectTallied, OfferOutcome


class Followed(msgspec.Struct):
    """Windows of one shopper in one campaign."""

    journeys: Journeys
    not_before_ms: int = 0
    """What came from another id closes once the watermark has come so far."""

    @property
    def ends(self) -> list[int]:
        """When its windows close."""
        known = self.journeys
        return [max(known.window.closed_ms(opened.at_ms), self.not_before_ms) for opened in known.opened.values()]


class Open(Followed):
    """What one shopper did since they entered one campaign."""

    since: int = 0
    """Offset of the record at which they entered: what counts comes after it."""
    margin: float = 0.0
    """Share of the price without discounts that is left after the cost of goods."""
    until: int = 0
    """Stands for all records before this offset."""
    others: list[Followed] = []
    """Of ids that turned out to be this shopper, who had entered by themselves: nothing more is known of them."""
    left: int = 0
    """Behind the record by which the shopper turned out to be another one; 0: they did not …"""
    moved: bytes = b""
    """… and what of it went to them: kept until nobody can ask again."""

    @property
    def all(self) -> list[Followed]:
        """The shopper's own, and those of others."""
        return [self, *self.others]

    def close(self, until_ms: int) -> list[OfferOutcome]:
        """Outcomes of what has closed by now."""
        said = [
            outcome
            for each in self.all
            if each.ends and min(each.ends) <= until_ms
            for outcome in each.journeys.close(until_ms)
        ]
        self.others = [each for each in self.others if each.journeys.opened]
        return said


class MovedWindows(msgspec.Struct):
    """What of a campaign goes to whom an id belongs to."""

    plan: EffectPlan
    journeys: Journeys
    margin: float


class Known(msgspec.Struct):
    """What is known of one campaign's effect."""

    plan: EffectPlan
    entered: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    """Shoppers, and shoppers of the holdout."""
    tallies: list[EffectTallied] = []
    reported: bool = True
    """Whether the ledger was told all of it."""
    sequence: int = 0
    """Of the next report."""
