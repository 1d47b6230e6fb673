"""Who a shopper is in a marketer's words: stage, segment, habits, and what they will likely bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Names, Said, Seen
from streams.decisions.favourite import ADDRESS, favourite
from streams.features.kinds.decay import DAY_MS
from streams.records.outcomes import outcome_id
from streams.records.profiled import SEGMENTS, Daypart, Expected, Segment, Sensitivity, ShopperProfiled, Stage, Weekday

#: The task whose answers are said.
TASK = "value"
OUTPUTS = ("revenue_90d", "revenue_90d_quantiles", "orders_90d", "active_90d")
#: In the order of their codes, which the row keeps: add at the end. 0 is "not said yet".
STAGES: tuple[Stage, ...] = get_args(Stage)
SEGMENT_NAMES: tuple[Segment, ...] = get_args(Segment)
STAGE_CODE = {name: code for code, name in enumerate(STAGES, 1)}
SEGMENT_CODE = {name: code for code, name in enumerate(SEGMENT_NAMES, 1)}
SENSITIVITIES: tuple[Sensitivity, ...] = get_args(Sensitivity)
DAYPARTS: tuple[Daypart, ...] = get_args(Daypart)
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

STAGE = Column("shopper_profile/stage", "u1")
SEGMENT = Column("shopper_profile/segment", "u1")
TRAITS = Column("shopper_profile/traits", "u1")
CHANGED = Column("shopper_profile/traits_changed", "i8")
LAST = Column("shopper_profile/said", "i8")
#: What is noted of due points for audiences of campaigns: a code, or nothing of whoever never ordered.
NOTED = {"profile.stage": STAGE, "profile.segment": SEGMENT}
#: Bits of ``TRAITS``.
VALUABLE, DEALS = 1, 2
PERIOD_DAYS = 90


@dataclass(frozen=True, slots=True)
class ProfilePolicy:
    """What stages and segments mean, and how often a profile is said.

    Prevents three accidents: a shopper whose worth trembles around a threshold being in another segment each day (what
    makes somebody valuable, or a deal seeker, is left only ``hysteresis`` below where it was entered, and neither
    changes twice within ``settled_days``); a weekly and a monthly shopper being called lost on the same day (stages go
    by the shopper's own rhythm, towards ``usual_days`` as long as little is known of it); and a record per visit that
    says the same (unless stage or segment changed, one each ``again_days``).
    """

    usual_days: float = 30.0
    """Days between orders of somebody of whom nothing is known; weighs as much as one gap of theirs."""
    shortest_days: float = 7.0
    longest_days: float = 120.0
    at_risk_after: float = 2.0
    """Rhythms since the last order."""
    lapsed_after: float = 4.0
    regular_gaps: int = 4
    """Gaps between purchases from which on somebody is a regular."""
    valuable_cents: int = 50_000
    """Net revenue in 90 days from which on somebody is valuable, where the model's card does not say."""
    deals_discount: float = 0.25
    deals_coupons: float = 0.5
    hysteresis: float = 0.2
    settled_days: float = 7.0
    again_days: float = 7.0

    def rhythm(self, gaps: Floats, mean: Floats) -> Floats:
        """[n] days between orders, from the number of gaps and their mean."""
        found: Floats = np.clip((gaps * mean + self.usual_days) / (gaps + 1.0), self.shortest_days, self.longest_days)
        return found

    def stages(self, gaps: Floats, mean: Floats, newest: Floats, since: Floats) -> Ints:
        """[n] code of the stage: of facts alone, so in silence it only moves on, and only an order moves it back."""
        late = since / self.rhythm(gaps, mean)
        before = np.maximum(gaps - 1.0, 0.0)
        mean_before = np.maximum(gaps * mean - newest, 0.0) / np.maximum(before, 1.0)
        returned = (gaps > 0) & (newest > self.lapsed_after * self.rhythm(before, mean_before))
        here = np.where(gaps == 0, STAGE_CODE["new"], STAGE_CODE["active"])
        here = np.where(returned, STAGE_CODE["returned"], here)
        here = np.where(late > self.at_risk_after, STAGE_CODE["at_risk"], here)
        found: Ints = np.where(late > self.lapsed_after, STAGE_CODE["lapsed"], here)
        return found

    def traits(self, held: Ints, changed_ms: Ints, now_ms: Ints, worth: Floats, deals: Floats) -> Ints:
        """[n] the traits now. ``worth`` and ``deals``: in thresholds, so 1 enters and 1 - ``hysteresis`` leaves."""
        leave = 1.0 - self.hysteresis
        found = np.zeros(len(held), np.int64)
        for bit, level in ((VALUABLE, worth), (DEALS, deals)):
            found |= np.where(level >= np.where(held & bit, leave, 1.0), bit, 0)
        settled = (changed_ms == 0) | (now_ms - changed_ms >= int(self.settled_days * DAY_MS))
        return np.where(settled, found, held)

    def segments(self, stage: Ints, traits: Ints, gaps: Floats) -> Ints:
        """[n] code of the segment."""
        valuable, code = (traits & VALUABLE) > 0, SEGMENT_CODE
        found = np.where(gaps >= self.regular_gaps, code["loyal_regulars"], code["promising"])
        found = np.where((traits & DEALS) > 0, code["deal_seekers"], found)
        found = np.where(stage == STAGE_CODE["returned"], code["won_back"], found)
        found = np.where(valuable, code["champions"], found)
        found = np.where(stage == STAGE_CODE["new"], code["new_customers"], found)
        for name, rich, poor in (
            ("at_risk", "cannot_lose", "slipping_away"),
            ("lapsed", "lost_champions", "lost"),
        ):
            found = np.where(stage == STAGE_CODE[name], np.where(valuable, code[rich], code[poor]), found)  # type: ignore[index]
        return found


@dataclass(slots=True)
class _Facts:
    """Of n due points of a slice, made once."""

    orders: Floats
    gaps: Floats
    stage: Ints
    worth: Floats
    """Net revenue in 90 days in thresholds: what is expected, or what their pace was, whichever is more."""
    discount: Floats
    coupons: Floats
    deals: Floats


class ShopperProfiles:
    """Says ``ShopperProfiled`` of shoppers who have ordered; ``currency`` and ``rules`` are said with it."""

    columns = (STAGE, SEGMENT, TRAITS, CHANGED, LAST)
    reads = (
        "orders.count",
        "orders.net_spend",
        "orders.spend",
        "orders.discount",
        "orders.average_value",
        "orders.count_30d",
        "orders.days_since_last",
        "orders.days_since_first",
        "orders.gaps",
        "orders.gap_mean",
        "orders.gap_spread",
        "orders.gap_newest",
        "orders.coupon_share",
        "orders.weekday_share",
        "orders.hour_share",
        "browsing.favourite_share",
        ADDRESS,
    )

    def __init__(self, policy: ProfilePolicy, currency: str, rules: str, names: Names) -> None:
        self._policy, self._currency, self._rules, self._names = policy, currency, rules, names

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        facts = group.seen.once("shopper profiles", lambda: self._facts(group.seen))
        known = np.flatnonzero(facts.orders[group.span] > 0)
        if not len(known):
            self._note(group, known, known, known)
            return []
        policy, at = self._policy, known + group.span.start
        row, now, bytes_, times = group.row[known], group.now_ms[known], state.flat["u1"], state.flat["i8"]
        trait_cells, changed_cells = state.cells(TRAITS, row), state.cells(CHANGED, row)
        stage_cells, segment_cells = state.cells(STAGE, row), state.cells(SEGMENT, row)
        last_cells = state.cells(LAST, row)
        held = bytes_[trait_cells].astype(np.int64)
        traits = policy.traits(held, times[changed_cells], now, facts.worth[at], facts.deals[at])
        moved = traits != held
        bytes_[trait_cells] = traits.astype(np.uint8)
        times[changed_cells[moved]] = now[moved]
        stage = facts.stage[at]
        segment = policy.segments(stage, traits, facts.gaps[at])
        self._note(group, known, stage, segment)
        again = now - times[last_cells] >= int(policy.again_days * DAY_MS)
        speaks = (stage != bytes_[stage_cells]) | (segment != bytes_[segment_cells]) | again
        bytes_[stage_cells] = stage.astype(np.uint8)
        bytes_[segment_cells] = segment.astype(np.uint8)
        times[last_cells[speaks]] = now[speaks]
        some = np.flatnonzero(speaks)
        return self._profiles(group, facts, known[some], stage[some], segment[some]) if len(some) else []

    def _note(self, group: Group, known: Ints, stage: Ints, segment: Ints) -> None:
        """Note them at these due points: a row only has what was said last, also of a later one in the slice."""
        for address, codes in zip(NOTED, (stage, segment), strict=True):
            noted = np.full(len(group), np.nan)
            noted[known] = codes
            group.seen.note(address, group.span, noted)

    def _facts(self, seen: Seen) -> _Facts:
        def read(address: str) -> Floats:
            return seen.feature(address).astype(np.float64)

        gaps, spend = read("orders.gaps"), read("orders.spend")
        pace = read("orders.net_spend") * PERIOD_DAYS / np.maximum(read("orders.days_since_first"), PERIOD_DAYS)
        discount = read("orders.discount")
        share = np.clip(discount / np.maximum(spend + discount, 1.0), 0.0, 1.0)
        coupons = read("orders.coupon_share")
        return _Facts(
            orders=read("orders.count"),
            gaps=gaps,
            stage=self._policy.stages(
                gaps, read("orders.gap_mean"), read("orders.gap_newest"), np.floor(read("orders.days_since_last"))
            ),
            worth=np.fmax(seen.answer(TASK, "revenue_90d"), pace) / self._valuable(seen),
            discount=share,
            coupons=coupons,
            deals=np.maximum(share / self._policy.deals_discount, coupons / self._policy.deals_coupons),
        )

    def _valuable(self, seen: Seen) -> Any:
        """[n] or one number: from which net revenue in 90 days on somebody is valuable."""
        scores = seen.scores.get(TASK)
        if scores is None:
            return float(self._policy.valuable_cents)
        tiers = [max(1, model.tiers.get("high_cents", self._policy.valuable_cents)) for model in scores.models]
        return np.array(tiers, np.float64)[scores.used]

    def _profiles(self, group: Group, facts: _Facts, some: Ints, stage: Ints, segment: Ints) -> Iterable[Said]:
        read = {address: group.feature(address)[some].astype(np.float64).tolist() for address in _NUMBERS}
        at = some + group.span.start
        gaps, discount, coupons = (part[at].tolist() for part in (facts.gaps, facts.discount, facts.coupons))
        sensitivity = np.searchsorted((0.2, 1.0), facts.deals[at], side="right").tolist()
        hours = group.feature("orders.hour_share")[some].reshape(len(some), 4, 6).sum(axis=2)
        daypart = _usual(hours, DAYPARTS, 0.5, facts.orders[at])
        weekday = _usual(group.feature("orders.weekday_share")[some], WEEKDAYS, 0.3, facts.orders[at])
        expected = self._expected(group, some)
        named = zip(stage.tolist(), segment.tolist(), strict=True)
        for k, (i, (a, b)) in enumerate(zip(some.tolist(), named, strict=True)):
            name, mean, rhythmic = SEGMENT_NAMES[b - 1], read["orders.gap_mean"][k], gaps[k] > 0
            since, told = read["orders.days_since_last"][k], expected[k]
            yield (
                i,
                ShopperProfiled(
                    outcome_id=outcome_id("shopper_profiled", group.key[i], group.ref(i), ""),
                    shopper_id=group.key[i],
                    event_time_ms=int(group.now_ms[i]),
                    due=group.due[i],
                    model=None if told is None else group.model(TASK, i),
                    stage=STAGES[a - 1],
                    segment=name,
                    segment_text=SEGMENTS[name][1],
                    orders=int(read["orders.count"][k]),
                    days_since_last_order=int(since),
                    days_since_first_order=int(read["orders.days_since_first"][k]),
                    net_spend_cents=round(read["orders.net_spend"][k]),
                    average_order_cents=round(read["orders.average_value"][k]),
                    orders_30d=int(read["orders.count_30d"][k]),
                    rhythm_days=round(mean, 1) if rhythmic else None,
                    next_order_in_days=round(mean - since) if rhythmic else None,
                    give_or_take_days=round(read["orders.gap_spread"][k]) if gaps[k] > 1 else None,
                    expected=told,
                    discount_share=round(discount[k], 3),
                    coupon_share=round(coupons[k], 3),
                    price_sensitivity=SENSITIVITIES[sensitivity[k]],
                    favourite_category=favourite(self._names, group, i),
                    favourite_share=round(read["browsing.favourite_share"][k], 3),
                    daypart=daypart[k],
                    weekday=weekday[k],
                    currency=self._currency,
                    rules=self._rules,
                ),
            )

    def _expected(self, group: Group, some: Ints) -> list[Expected | None]:
        revenue, quantiles, orders, active = (group.answer(TASK, output)[some] for output in OUTPUTS)
        if quantiles.ndim == 1:  # no task answered anything
            return [None] * len(some)
        whole = np.isfinite(np.c_[revenue, quantiles, orders, active]).all(axis=1).tolist()
        numbers = (part.tolist() for part in (revenue, quantiles, orders, active))
        return [
            Expected(
                orders=round(count, 1),
                revenue_cents=round(mean),
                revenue_low_cents=round(low),
                revenue_middle_cents=round(middle),
                revenue_high_cents=round(high),
                active=chance,
            )
            if known
            else None
            for known, mean, (low, middle, high), count, chance in zip(whole, *numbers, strict=True)
        ]


_NUMBERS = (
    "orders.count",
    "orders.net_spend",
    "orders.average_value",
    "orders.count_30d",
    "orders.days_since_last",
    "orders.days_since_first",
    "orders.gap_mean",
    "orders.gap_spread",
    "browsing.favourite_share",
)


def _usual(share: npt.NDArray[Any], names: tuple[Any, ...], least: float, orders: Floats) -> list[Any]:
    """[k] the name of the largest share; None where it is less than ``least``, or of fewer than three orders."""
    place = share.argmax(axis=1)
    said = (orders >= 3) & (share[np.arange(len(share)), place] >= least)
    return [names[code] if yes else None for code, yes in zip(place.tolist(), said.tolist(), strict=True)]
