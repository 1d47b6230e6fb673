"""Which price of an item would bring most profit, within guards; suggested, and never applied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streams.columns.arrays import Bools, Floats, Ints
from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said
from streams.decisions.price_tests import NOTED
from streams.features.kinds.decay import DAY_MS
from streams.records.outcomes import outcome_id
from streams.records.prices import GUARDS, WHYS, Between, PriceSuggested

TASK = "price_optimize"
#: Of a normal distribution, 95% lie within so many deviations.
WIDE = 1.96
#: Prices that are tried: so many steps down and up, to the largest change.
STEPS = 10
_CODE = {why: code for code, why in enumerate(WHYS)}
SAID, TOLD = Column("price_suggested/said", "i8"), Column("price_suggested/told", "i8")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of n items."""

    price: Floats
    """[n] cents; 0: unknown."""
    cost: Floats
    """[n] cents; 0: unknown."""
    minimum: Floats
    """[n] the lowest price that may be advertised; 0: none."""
    held_days: Floats
    units: Floats
    """[n] sold a week."""
    mean: Floats
    """[n] elasticity."""
    sd: Floats
    placebo: Floats
    """[n] 1 passed, 0 failed, -1 not tested."""
    for_sale: Bools


@dataclass(frozen=True, slots=True)
class Suggested:
    """What is suggested of n items."""

    to: Floats
    """[n] cents; 0: nothing."""
    why: Ints
    """[n] places in ``WHYS``."""
    change: Floats
    """[n, 3] cents a week: expected, low and high; NaN where it cannot be reckoned."""
    bounded: Bools
    """[n, guards]"""
    tested: Floats
    """[n] of items in an experiment as ``price_tests.NOTED``, else NaN."""


@dataclass(frozen=True, slots=True)
class PricePolicy:
    """Which prices may be suggested, and when.

    Prevents six accidents: a price that moves by more than ``largest_change`` at once; one that leaves less than
    ``margin_floor`` of itself; one below what may be advertised, or off the shop's price points; one changed again
    before ``change_days``; one that stands on a category in which later prices explain earlier sales; and one that may
    as well lose money (its interval of the change of profit holds 0). No price is one shopper's: it is the item's.
    """

    largest_change: float = 0.10
    margin_floor: float = 0.12
    """What a price must leave over the cost, as a share of the price."""
    assumed_margin: float = 0.0
    """Where no cost is known: the cost is the usual price less this share of it; 0: then nothing is suggested."""
    price_point: int = 9
    """The last digit of a price in cents; -1: any."""
    change_days: float = 14.0
    again_days: float = 7.0
    unchanged_days: float = 28.0
    experiment: Literal["off", "split", "switchback"] = "off"
    """What to do where it is not known enough. split: half of the items, by their ids, are to be tried at another
    price, the others stay. switchback: each item is tried for ``period_days`` and stays for as long, by turns."""
    test_change: float = 0.10
    """How far from the usual price an experiment goes, at most the largest change."""
    period_days: float = 14.0

    def points(self, cents: Floats) -> Floats:
        """Prices in whole cents at a price point, not above those that are given.

        >>> PricePolicy().points(np.array([234.7, 100.0])).tolist()
        [229.0, 99.0]
        """
        whole = np.floor(cents + 1e-6)
        return whole if self.price_point < 0 else whole - (whole - self.price_point) % 10

    def suggest(self, asked: Asked, item: list[str], now_ms: Ints, usual: Floats) -> Suggested:
        """What to say of n items. ``usual``: the price that an experiment goes around."""
        n, steps = len(asked.price), np.arange(-STEPS, STEPS + 1) / STEPS * self.largest_change
        base = np.maximum(asked.price, 1.0)
        tried = self.points(base[:, None] * (1 + steps))
        change = profit_change(tried, asked)
        floor = asked.cost / (1 - self.margin_floor)
        low, high = base * (1 - self.largest_change), base * (1 + self.largest_change)
        within = np.stack([
            (tried >= low[:, None] - 1e-6) & (tried <= high[:, None] + 1e-6),
            tried >= floor[:, None],
            tried >= asked.minimum[:, None],
        ])  # fmt: skip
        allowed = within.all(axis=0) & (tried > 0) & (tried != asked.price[:, None])
        expected = np.where(allowed, change[:, :, 0], -np.inf)
        best = expected.argmax(axis=1)
        every = np.arange(n)
        to, gain = tried[every, best], change[every, best]
        sure = allowed[every, best] & (gain[:, 1] > 0)
        why = np.select(
            [
                ~asked.for_sale, asked.price <= 0, asked.cost <= 0, asked.held_days < self.change_days,
                ~allowed.any(axis=1), asked.placebo < 0, asked.placebo == 0, sure, gain[:, 0] <= 0,
            ],
            [
                _CODE[name] for name in (
                    "not_for_sale", "price_unknown", "cost_unknown", "changed_lately", "guarded", "category_untested",
                    "category_failed_placebo", "more_profit", "at_best",
                )
            ],
            _CODE["unsure"],
        )  # fmt: skip
        tested = np.full(n, np.nan)
        if self.experiment != "off":
            to, gain, why, tested = self._tested(asked, item, now_ms, usual, to, gain, why, (low, high, floor))
        says = np.isin(why, (_CODE["more_profit"], _CODE["test"]))
        to = np.where(says, to, 0.0)
        bounds = self._bounds(asked, to, tried, change, within)
        return Suggested(to, why, np.where(says[:, None], gain, np.nan), bounds, tested)

    def _tested(
        self,
        asked: Asked,
        item: list[str],
        now_ms: Ints,
        usual: Floats,
        to: Floats,
        gain: Floats,
        why: Ints,
        ends: tuple[Floats, Floats, Floats],
    ) -> tuple[Floats, Floats, Ints, Floats]:
        """Where it is not known enough: what an experiment says, by digests of ids alone; and who is in it: those that
        could be tried, whether they are or not."""
        learns = np.isin(why, [_CODE[name] for name in ("unsure", "category_untested", "category_failed_placebo")])
        drawn = np.array([digest(each) for each in item], np.int64)
        # Where something is known it is tried on the side that is likelier to bring more.
        up = np.where(gain[:, 0] > 0, to > asked.price, drawn & 2 > 0)
        tries = drawn & 1 > 0
        if self.experiment == "switchback":
            tries = (drawn & 1) == (now_ms // int(self.period_days * DAY_MS)) % 2
        size = min(self.test_change, self.largest_change)
        other = usual * np.where(up, 1 + size, 1 - size)
        low, high, floor = ends
        # The lowest price point that the guards leave is reached from above.
        least = np.maximum(np.maximum(low, floor), asked.minimum)

        def allowed(wanted: Floats) -> tuple[Floats, Bools]:
            price = self.points(np.clip(wanted, least, high))
            price = np.where(price < least, self.points(price + 10), price)
            return price, learns & (price >= least) & (price <= high) & (price != asked.price) & (price > 0)

        price, good = allowed(np.where(tries, other, usual))
        tested = np.where(allowed(other)[1], tries + 2.0 * up, np.nan)
        change = profit_change(price[:, None], asked)[:, 0]
        why = np.where(good, _CODE["test"], np.where(learns, _CODE["control"], why))
        return np.where(good, price, to), np.where(good[:, None], change, gain), why, tested

    def _bounds(self, asked: Asked, to: Floats, tried: Floats, change: Floats, within: Bools) -> Bools:
        """[n, guards] which guards rule out a price that would bring more than what is suggested."""
        says = to > 0
        more = change[:, :, 0] > profit_change(to[:, None], asked)[:, :1, 0] + 1e-9
        floor, minimum = ((more & ~inside).any(axis=1) for inside in within[1:])
        raises = to > asked.price
        further = np.where(raises, np.maximum(to, asked.price) * 1.02, to * 0.98)[:, None]
        at_end = np.abs(to - asked.price) > asked.price * self.largest_change - np.maximum(10.0, asked.price * 0.01)
        largest = at_end & (profit_change(further, asked)[:, 0, 0] > profit_change(to[:, None], asked)[:, 0, 0])
        cent = np.where(raises, 1.0, -1.0)
        points = profit_change((to + cent)[:, None], asked)[:, 0, 0] > profit_change(to[:, None], asked)[:, 0, 0]
        return np.stack([largest, floor, minimum, points & (self.price_point >= 0)], axis=1) & says[:, None]


def profit_change(price: Floats, asked: Asked) -> Floats:
    """[n, prices, 3] cents a week that prices [n, prices] bring more than the one that holds: expected, and between
    what the elasticity's 95% interval makes of it. Units go as the price to the power of the elasticity, which is
    normal.

    >>> one = np.ones(1)
    >>> told = Asked(one * 100, one * 70, 0 * one, one, one * 10, one * -2, one * 0.0, one, one > 0)
    >>> profit_change(np.array([[110.0]]), told).round(1).tolist()
    [[[30.6, 30.6, 30.6]]]
    """
    base = np.maximum(asked.price, 1.0)[:, None]
    step = np.log(np.maximum(price, 1.0) / base)
    mean, sd = asked.mean[:, None], asked.sd[:, None]
    powers = np.stack(
        [mean * step + (sd * step) ** 2 / 2, (mean - WIDE * sd) * step, (mean + WIDE * sd) * step], axis=2
    )
    units = asked.units[:, None, None] * np.exp(np.clip(powers, -10, 10))
    cost = asked.cost[:, None]
    found = (price - cost)[:, :, None] * units - ((base - cost) * asked.units[:, None])[:, :, None]
    ends = np.sort(found[:, :, 1:], axis=2)
    return np.concatenate([found[:, :, :1], ends], axis=2)


def digest(item: str) -> int:
    """What an experiment draws for an item: the same on every machine and in every replay."""
    return int.from_bytes(hashlib.blake2b(item.encode(), digest_size=4, person=b"prices").digest(), "big")


class PriceSuggestions:
    """Says ``PriceSuggested`` of items that the task judged; ``currency`` and ``rules`` are said with it."""

    columns = (SAID, TOLD)
    reads = (
        "price.now", "price.usual", "price.cost", "price.minimum", "price.days_held", "listing.listed",
        "listing.days_since_changed", "sales.units_29d",
    )  # fmt: skip

    def __init__(self, policy: PricePolicy, currency: str, rules: str) -> None:
        self._policy, self._currency, self._rules = policy, currency, rules

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        some, policy = np.flatnonzero(group.whole(TASK)), self._policy
        noted = np.full(len(group), np.nan)
        if policy.experiment != "off":
            group.seen.note(NOTED, group.span, noted)
        if not len(some):
            return
        now, usual, cost, minimum, held, listed, quiet, units = (
            group.feature(address)[some].astype(np.float64) for address in self.reads
        )
        low, mean, high = group.answer(TASK, "elasticity_quantiles")[some].T
        sd, placebo = (high - low) / (2 * WIDE), group.answer(TASK, "category")[some, 1]
        assumed = (cost <= 0) & (policy.assumed_margin > 0) & (now > 0)
        cost = np.where(assumed, np.round(usual * (1 - policy.assumed_margin)), cost)
        # Nothing was ever said of it by a catalogue: it is for sale. What was delisted is not.
        for_sale = (listed > 0) | (quiet >= 365)
        asked = Asked(now, cost, minimum, held, units / 4, mean, sd, placebo, for_sale)
        at = group.now_ms[some]
        found = policy.suggest(asked, [group.key[i] for i in some.tolist()], at, usual)
        told = found.to.astype(np.int64) * len(WHYS) + found.why + 1
        said_cells, told_cells = (state.cells(column, group.row[some]) for column in self.columns)
        times = state.flat["i8"]
        ago = at - times[said_cells]
        again = np.where(told != times[told_cells], policy.again_days, policy.unchanged_days)
        speaks = (times[said_cells] == 0) | (ago >= again * DAY_MS)
        times[said_cells[speaks]], times[told_cells[speaks]] = at[speaks], told[speaks]
        noted[some[speaks]] = found.tested[speaks]
        if policy.experiment != "off":
            group.seen.note(NOTED, group.span, noted)
        for k in np.flatnonzero(speaks).tolist():
            i = int(some[k])
            suggested = found.to[k] > 0
            yield (
                i,
                PriceSuggested(
                    outcome_id=outcome_id("price_suggested", group.key[i], group.ref(i), ""),
                    item_id=group.key[i],
                    event_time_ms=int(at[k]),
                    due=group.due[i],
                    model=group.model(TASK, i),
                    from_cents=int(now[k]) or None,
                    to_cents=int(found.to[k]) if suggested else None,
                    why=WHYS[found.why[k]],  # type: ignore[arg-type]
                    elasticity=between((mean[k], low[k], high[k]), 2),
                    profit_change_cents=between(found.change[k], 0) if suggested and cost[k] > 0 else None,
                    units_28d=int(units[k]),
                    cost_cents=int(cost[k]) or None,
                    cost_assumed=bool(assumed[k]),
                    bounded_by=[name for name, hit in zip(GUARDS, found.bounded[k], strict=True) if hit],  # type: ignore[misc]
                    currency=self._currency,
                    rules=self._rules,
                ),
            )


def between(numbers: Iterable[float], digits: int) -> Between:
    """(middle, low, high), rounded."""
    middle, low, high = (round(float(number), digits) + 0.0 for number in numbers)
    return Between(middle=middle, low=low, high=high)
