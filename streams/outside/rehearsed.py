"""What came of a rehearsal (``rehearsal.py``): who entered a campaign, what its offers would cost, what such shoppers
brought untreated; and what to expect from that."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass, field

import numpy as np

from streams.columns.arrays import Ints
from streams.effects.attribution import Opened
from streams.effects.forecast import Belief, Forecast, Offer, Past, forecast
from streams.effects.moments import Moments
from streams.effects.sums import COLUMNS, COVARIATES, Sums, of_outcomes
from streams.records.campaigns import Campaign
from streams.records.effects import OfferOutcome
from streams.records.outcomes import AnyOutcome
from streams.records.receipts import Receipt

DAY_MS = 86_400_000
#: Where a larger share of those who enter is silent, nothing is said of what they bring.
MOST_SILENT = 0.25
_NOT_ADDRESSED = ("not_running", "not_triggered", "not_in_audience", "audience_unknown")
_MARGIN, _OWN = COLUMNS.index("margin"), len(COLUMNS) - len(COVARIATES)


class RehearsalError(RuntimeError):
    """The past cannot tell what is asked."""


@dataclass(slots=True)
class Rehearsed:
    """What became of one campaign."""

    campaign: Campaign
    days: int
    currency: str
    events: int = 0
    """How many came again."""
    entered: int = 0
    held: int = 0
    """Of these, in the campaign's holdout."""
    silent: int = 0
    """Of those who entered, who did nothing in the past days, and so nothing again: what they would do is not known."""
    arms: Counter[str] = field(default_factory=Counter)
    """Offers made, by arm."""
    cost_cents: float = 0.0
    """Of these offers, expected, as is ``profit_cents``: as the file assumes."""
    profit_cents: float = 0.0
    redeemed: float = 0.0
    """How many would be used."""
    withheld: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Reason → shoppers who were addressed and got nothing for it."""
    addressed: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Day → shoppers who were addressed on it."""
    closed: Sums = field(default_factory=Sums)
    """What those did whose window ended within these days; nobody treated them."""

    def count(self, outcomes: Iterable[AnyOutcome], entries: Iterable[Opened], active: Set[str], began_ms: int) -> None:
        """What was said, and who entered, in a partition whose rehearsal began at a time. ``active``: whoever does
        something in it."""
        name, measured = self.campaign.id, list[OfferOutcome]()
        for opened in entries:
            if opened.campaign == name:
                self.entered += 1
                self.held += opened.held
                self.silent += opened.shopper_id not in active
        for said in outcomes:
            if isinstance(said, Receipt) and said.campaign == name:
                self._weigh(said, began_ms)
            elif isinstance(said, OfferOutcome) and said.campaign == name and said.opened_ms >= began_ms:
                measured.append(said)
        self.closed = sum(of_outcomes(measured).values(), self.closed)

    def _weigh(self, said: Receipt, began_ms: int) -> None:
        if said.decision in _NOT_ADDRESSED:
            return
        self.addressed[(said.event_time_ms - began_ms) // DAY_MS].add(said.shopper_id)
        if said.decision != "offered":
            self.withheld[said.decision].add(said.shopper_id)
            return
        assert said.arm is not None
        self.arms[said.arm] += 1
        weighed = next(each for each in said.arms if each.arm == said.arm)
        self.cost_cents += weighed.cost_cents or 0.0
        self.profit_cents += weighed.profit_cents or 0.0
        self.redeemed += next(arm.assumed_redemption for arm in self.campaign.offers if arm.id == said.arm)

    @property
    def past(self) -> Past:
        """What such shoppers did. Raises ``RehearsalError``."""
        window = self.campaign.effect.window_days
        if self.silent > MOST_SILENT * self.entered:
            raise RehearsalError(
                f"{self.campaign.id}: {self.silent:,} of {self.entered:,} shoppers who would enter did nothing in the "
                f"past {self.days} days, and so do nothing when these come again: how many of them return is not known."
                " More days (--days) tell more."
            )
        if self.closed.shoppers < 2 or not self.closed.buyers:
            raise RehearsalError(
                f"{self.campaign.id}: of {self.entered:,} shoppers who would enter in {self.days} days "
                f"{self.closed.buyers:,} ordered in a window of {window:g} days that ended within them."
                f"{self._why()} More days (--days), or a wider audience?"
            )
        moments = Moments.of(self.closed)
        variance = float(moments.cov[_MARGIN, _MARGIN])
        return Past(
            self._flow(),
            self.closed.shoppers,
            float(moments.mean[_MARGIN]),
            float(np.sqrt(variance)),
            _explained(moments),
        )

    def _why(self) -> str:
        """Whom guards held back, the most frequent reasons first."""
        most = sorted(self.withheld.items(), key=lambda each: -len(each[1]))[:3]
        told = ", ".join(f"{reason} {len(shoppers):,}" for reason, shoppers in most)
        return f" Held back: {told} shoppers." if told else " No shopper in the audience was looked at."

    def _flow(self) -> Ints:
        """[days] who enter, as shoppers who are addressed come: on the first days it is everybody who comes often, so
        that how much days vary would be taken for chance."""
        daily = np.array([len(self.addressed.get(day, ())) for day in range(self.days)])
        share = self.entered / max(1, int(daily.sum()))
        upto: Ints = np.rint(np.r_[0, np.cumsum(daily)] * share).astype(np.int64)
        return upto[1:] - upto[:-1]

    @property
    def offer(self) -> Offer:
        """What a shopper who gets offers costs, as the file assumes."""
        treated, made = max(1, self.entered - self.held), self.arms.total()
        contact = self.campaign.economics.contact_cents * made / treated
        used = min(1.0, self.redeemed / treated)
        return Offer(contact, used, max(0.0, self.cost_cents / treated - contact) / used if used else 0.0)

    @property
    def belief(self) -> Belief:
        """Profit per shopper who gets offers: as the file assumes, between no uplift at all and twice as much."""
        treated = max(1, self.entered - self.held)
        mean, cost = self.profit_cents / treated, self.cost_cents / treated
        low, high = sorted((-cost, 2 * mean + cost))
        return Belief(low, mean, high)

    def ahead(self) -> Forecast:
        """What to expect. Raises ``RehearsalError``."""
        if not self.entered:
            raise RehearsalError(f"{self.campaign.id}: nobody would enter in {self.days} days.{self._why()}")
        try:
            return forecast(self.past, self.offer, self.belief, days=self.days, holdout=self.campaign.holdout_share)
        except ValueError as error:
            raise RehearsalError(f"{self.campaign.id}: {error}") from error


def _explained(moments: Moments) -> float:
    """Share of the margin's variance that the time before explains."""
    scale = np.sqrt(np.diag(moments.cov))
    unit = moments.cov / np.outer(np.where(scale > 0, scale, 1.0), np.where(scale > 0, scale, 1.0))
    inner, along = unit[_OWN:, _OWN:], unit[_OWN:, _MARGIN]
    return float(np.clip(along @ np.linalg.pinv(inner, rcond=1e-9, hermitian=True) @ along, 0.0, 0.99))
