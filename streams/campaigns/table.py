"""All campaigns side by side as arrays, so that one call of numpy asks all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streams.campaigns.draws import digest
from streams.campaigns.terms import Arms, Quiet, Window, cooldown_ms, event_codes, triggered_by
from streams.columns.arrays import Bools, Floats, Hashes, Ints
from streams.records.campaigns import Campaign

#: Names the draw of a campaign's holdout.
HOLDOUT = "campaign holdout"
#: What a cap that is not there allows: more than a row remembers.
_NO_CAP = Window(1 << 30, 0)


def code_of(campaign: str) -> int:
    """64 bits that stand for a campaign in rows; 0 is an empty slot's."""
    return digest("campaign", campaign) or 1


@dataclass(frozen=True, slots=True)
class Table:
    """C campaigns; arms are padded to the A of the one that has most, and ``arm_is`` says which are there."""

    code: Hashes
    """[C]"""
    approved: Bools
    """[C]"""
    start_ms: Ints
    end_ms: Ints
    """[C]"""
    kinds: Bools
    """[C, kinds of due points] which trigger it."""
    types: Bools
    """[C, 256] which types of events trigger it."""
    least: Floats
    """[C] how much there must be at least of what the due point measures; -inf: nothing is measured."""
    minimum_age: Floats
    """[C] NaN: no limit."""
    cooldown_ms: Ints
    """[C, 3] after a purchase, a return, a complaint."""
    cap_offers: Ints
    cap_ms: Ints
    """[C, caps] each."""
    excluded: Hashes
    """[C, E] codes of campaigns whose live offer excludes one; 0: none."""
    quiet_start: Ints
    quiet_end: Ints
    """[C] minutes of the day; -1 where there are no quiet hours."""
    shoppers_clock: Bools
    """[C]"""
    holdout_share: Floats
    exploration_share: Floats
    """[C]"""
    salts: Hashes
    """[3, C] of the draws whether to explore, which arm, and of the campaign's holdout."""
    gross_margin: Floats
    margin_floor: Floats
    basket_cents: Floats
    contact_cents: Floats
    min_stock: Floats
    min_rating: Floats
    """[C] as economics say."""
    rate: Floats
    fixed: Floats
    most: Floats
    least_order: Floats
    uplift: Floats
    redemption: Floats
    """[A, C] as ``terms.Arms`` says."""
    reserve: Ints
    """[A, C]"""
    of_items: Bools
    arm_is: Bools
    """[A, C]"""

    @property
    def caps(self) -> int:
        """How many caps the campaign has that has most."""
        return self.cap_ms.shape[1]

    @staticmethod
    def of(campaigns: Sequence[Campaign], arms: Sequence[Arms]) -> Table:
        """The table of some campaigns, in their order."""
        triggers = [triggered_by(each.trigger) for each in campaigns]
        quiet = [Quiet.of(each.quiet_hours) or Quiet(-1, -1, False) for each in campaigns]
        windows = [Window.of(each.caps) for each in campaigns]
        most_caps = max((len(some) for some in windows), default=0)
        caps = [[*some, *[_NO_CAP] * (most_caps - len(some))] for some in windows]
        most = max((len(each.exclusions) for each in campaigns), default=0)
        width = max((len(each) for each in arms), default=0)
        excluded = np.zeros((len(campaigns), most), np.uint64)
        for c, each in enumerate(campaigns):
            excluded[c, : len(each.exclusions)] = [code_of(other) for other in each.exclusions]

        def each_of(value: Callable[[Campaign], Any], dtype: type = np.float64) -> Any:
            return np.array([value(each) for each in campaigns], dtype)

        def padded(value: Callable[[Arms], Any], dtype: type = np.float64) -> Any:
            found: Any = np.zeros((width, len(arms)), dtype)
            for c, some in enumerate(arms):
                found[: len(some), c] = value(some)
            return found

        return Table(
            code=each_of(lambda c: code_of(c.id), np.uint64),
            approved=each_of(lambda c: c.approval == "approved", np.bool_),
            start_ms=each_of(lambda c: round(c.start.timestamp() * 1000), np.int64),
            end_ms=each_of(lambda c: round(c.end.timestamp() * 1000), np.int64),
            kinds=np.array([kinds for kinds, _ in triggers]),
            types=np.array([event_codes(each.trigger) for each in campaigns]),
            least=np.array([least for _, least in triggers]),
            minimum_age=each_of(lambda c: np.nan if c.minimum_age is None else c.minimum_age),
            cooldown_ms=each_of(lambda c: cooldown_ms(c.cooldown), np.int64),
            cap_offers=np.array([[w.offers for w in some] for some in caps]),
            cap_ms=np.array([[w.length_ms for w in some] for some in caps]),
            excluded=excluded,
            quiet_start=np.array([q.start for q in quiet]),
            quiet_end=np.array([q.end for q in quiet]),
            shoppers_clock=np.array([q.shoppers_clock for q in quiet]),
            holdout_share=each_of(lambda c: c.holdout_share),
            exploration_share=each_of(lambda c: c.exploration_share),
            salts=np.array(
                [[digest(draw, c.id, c.salt) for c in campaigns] for draw in ("explore", "arm", HOLDOUT)],
                np.uint64,
            ),
            gross_margin=each_of(lambda c: c.economics.gross_margin),
            margin_floor=each_of(lambda c: c.economics.margin_floor),
            basket_cents=each_of(lambda c: c.economics.basket_cents),
            contact_cents=each_of(lambda c: c.economics.contact_cents),
            min_stock=each_of(lambda c: c.economics.min_stock),
            min_rating=each_of(lambda c: c.economics.min_rating),
            rate=padded(lambda a: a.rate),
            fixed=padded(lambda a: a.fixed),
            most=padded(lambda a: a.most),
            least_order=padded(lambda a: a.least_order),
            uplift=padded(lambda a: a.uplift),
            redemption=padded(lambda a: a.redemption),
            reserve=padded(lambda a: a.reserve, np.int64),
            of_items=padded(lambda a: a.of_items, np.bool_),
            arm_is=padded(lambda a: np.ones(len(a)), np.bool_),
        )
