"""The demo's campaigns: set when the replay comes to their start, replayed slowly enough to spend a budget along each
day, and afterwards what they spent and brought."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition
from typing import Any

import msgspec

from streams.campaigns.reading import campaigns_of
from streams.demo import of_run
from streams.demo.recording import Recording
from streams.demo.scrape import Samples, by
from streams.outside.brought import by_campaign
from streams.outside.campaigning import Campaigning, shop_vocabulary
from streams.outside.inspect import progress
from streams.outside.reading import Place, Reader
from streams.outside.rollout import wait_campaigns
from streams.producer.replay import event_time_ms
from streams.records.campaigns import CampaignSet
from streams.records.effects import EffectMeasured
from streams.records.events import ShopperEvent
from streams.records.words import money, shown_day
from streams.settings import Settings
from streams.topics import DAY_MS, EFFECTS

FILE = Path(__file__).with_name("campaigns.yaml")
#: A day of the campaigns takes so long: budgets are leased and given back by records that go to and fro.
DAY_SECONDS = 2.0
LEAD = (
    "Three campaigns were set for eight days of December, each with a budget by day, a fifth of its shoppers as "
    "holdout, and a week for what follows to count. Nobody saw their offers, for these data were recorded before: so "
    "they brought nothing but their cost, and intervals should hold that."
)
#: So many events are sent before the worker has processed them, at most; nights see to it that days of items end with
#: all that was sold in them (``nights.py``).
AHEAD = 60_000
#: Workers have to follow within this time.
PATIENCE_SECONDS = 120.0


@dataclass
class Campaigns:
    """Holds the replay back while campaigns are set and while they run. ``processed`` is told how far the worker is."""

    settings: Settings
    kill: Callable[[], None]
    """Kills the worker and starts it again, in the middle of the campaigns."""
    chosen: CampaignSet = field(init=False)
    begun: bool = False
    killed: bool = False
    _done: int = 0
    _waiting: float = 0
    _moved: Condition = field(default_factory=Condition)

    def __post_init__(self) -> None:
        self.chosen = campaigns_of(FILE.read_text(), shop_vocabulary(), self.settings.currency)

    @property
    def start_ms(self) -> int:
        """When the first one begins."""
        return min(round(each.start.timestamp() * 1000) for each in self.chosen.campaigns)

    @property
    def end_ms(self) -> int:
        """When the last one is over."""
        return max(round(each.end.timestamp() * 1000) for each in self.chosen.campaigns)

    def processed(self, records: int, waiting: float) -> None:
        """The worker has processed so many records of shoppers; so many wait in all logs."""
        with self._moved:
            self._done, self._waiting = records, waiting
            self._moved.notify()

    def paced(self, events: Iterable[ShopperEvent]) -> Iterator[ShopperEvent]:
        """The events, each not before its turn."""
        began = 0.0
        for n, event in enumerate(events):
            if n % 100 == 0:
                self._wait(n - AHEAD)
            at_ms = event_time_ms(event)
            if not self.begun and self.start_ms <= at_ms < self.end_ms:
                self.caught_up(n)
                self._set()
                began = time.monotonic()
            if self.begun and at_ms < self.end_ms:
                wait = (at_ms - self.start_ms) / DAY_MS * DAY_SECONDS - (time.monotonic() - began)
                if wait > 0:
                    time.sleep(wait)
                if not self.killed and at_ms >= (self.start_ms + self.end_ms) // 2:
                    self.killed, stopped = True, time.monotonic()
                    self.kill()
                    self.caught_up(n)
                    # A day passes in seconds here, so the shop's clock stands still until the worker is back.
                    began += time.monotonic() - stopped
            yield event

    def caught_up(self, records: int) -> None:
        """Wait until so many records are processed and nothing else keeps the worker busy: days are to pass as fast as
        it decides, leases and all."""
        with self._moved:
            self._moved.wait_for(lambda: self._done >= records and not self._waiting)

    def _wait(self, records: int) -> None:
        """Wait until so many records are processed."""
        with self._moved:
            self._moved.wait_for(lambda: self._done >= records)

    def _set(self) -> None:
        campaigning = Campaigning(self.settings, shop_vocabulary())
        campaigning.apply(self.chosen, "demo", shop=True)
        assert campaigning.book.wanted is not None
        wait_campaigns(self.settings, campaigning.book.wanted.digest, PATIENCE_SECONDS)
        self.begun = True


def summary(
    campaigns: Campaigns, reader: Reader, starts: Mapping[Place, int], recording: Recording, samples: Samples
) -> list[dict[str, Any]]:
    """Of each campaign: ``id``, ``budget_cents``, what was set aside for offers (``committed_cents``) and what of it is
    spent (``spent_cents``), ``offers``, ``withheld`` by reason, shoppers of the ``holdout``,
    ``incremental_profit_cents`` (low, mean, high; null where too few ordered) and the same in ``words``; whether the
    offers that were read add up to what shoppers' partitions set aside (``adds_up``). To be called once all that was
    applied is written down (``following.fates``)."""
    effects = _effects(reader, starts)
    aside = _set_aside(campaigns, reader)
    spent = by(samples, "offerstream_campaign_budget_cents", "campaign", part="spent")
    by_day, withheld = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
    offers = Counter(offer.campaign for offer in recording.offers)
    for offer in recording.offers:
        cents = offer.reserved_cents if isinstance(offer.reserved_cents, int) else 0
        by_day[offer.campaign][shown_day(offer.event_time_ms)] += cents
    for said in recording.withheld:
        withheld[said.campaign][said.reason] += 1
    found = []
    for campaign in campaigns.chosen.campaigns if campaigns.begun else ():
        days, effect = by_day[campaign.id], effects.get(campaign.id)
        profit = None if effect is None else effect.incremental.get("profit")
        found.append(
            {
                "id": campaign.id,
                "title": campaign.title,
                "currency": campaigns.settings.currency,
                "budget_cents": campaign.budget[campaigns.settings.currency].total_cents,
                "committed_cents": days.total(),
                "committed_by_day_cents": dict(sorted(days.items())),
                "spent_cents": round(spent[campaign.id]),
                "offers": offers[campaign.id],
                "withheld": dict(withheld[campaign.id].most_common()),
                "holdout": 0 if effect is None else effect.held,
                "shoppers": 0 if effect is None else effect.shoppers,
                "incremental_profit_cents": None if profit is None else [profit.low, profit.mean, profit.high],
                "words": "" if effect is None else effect.words,
                "adds_up": aside.get(campaign.id, (0, 0)) == (offers[campaign.id], days.total()),
            }
        )
    return found


def cells(campaign: dict[str, Any]) -> list[str]:
    """A campaign in a table: its name, budget, set aside, spent, offers, shoppers, holdout and profit."""

    def cash(cents: float) -> str:
        return money(round(cents), campaign["currency"])

    low, mean, high = campaign["incremental_profit_cents"] or (None, None, None)
    profit = "too few orders to say"
    if mean is not None and low is not None and high is not None:
        profit = f"{cash(mean)} ({cash(low)} to {cash(high)})"
    amounts = (cash(campaign[name]) for name in ("budget_cents", "committed_cents", "spent_cents"))
    counts = (f"{campaign[name]:,}" for name in ("offers", "shoppers", "holdout"))
    return [campaign["id"], *amounts, *counts, profit]


def _set_aside(campaigns: Campaigns, reader: Reader) -> dict[str, tuple[int, int]]:
    """By campaign, offers and cents that shoppers' partitions set aside, as far as they have written it down."""
    total: dict[str, tuple[int, int]] = {}
    for held in progress(reader, campaigns.settings).values() if campaigns.begun else ():
        for name, (n, cents) in held.reserved.items():
            before = total.get(name, (0, 0))
            total[name] = before[0] + n, before[1] + cents
    return total


def _effects(reader: Reader, starts: Mapping[Place, int]) -> dict[str, EffectMeasured]:
    """By campaign, what it brought in all, as it was measured last in this run."""
    said = (
        msgspec.json.decode(record.value or b"", type=EffectMeasured)
        for record in of_run.records(reader, starts, EFFECTS)
    )
    return {campaign: estimates[0] for campaign, (estimates, _) in by_campaign(said).items()}
