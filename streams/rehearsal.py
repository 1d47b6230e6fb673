"""Campaigns rehearsed before they begin: the past days come again, event by event, to shoppers as they stand now.

A partition as its owner flushed it last, with its models, rules and rows, is given the events of the past days once
more, as many days later, under the campaigns of a file and with plenty of money. So what is foretold is what the worker
itself decides: triggers, audiences, guards, arms and holdout are its own. Whoever came for the first time in these days
comes again as somebody new as well.

What is taken for granted: that the days to come are like those past, and that an offer changes nothing that anybody
does. What it does change is what the file assumes; ``Rehearsed.ahead`` puts the two together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec
import numpy as np

from streams.campaigns.deciding import Asked
from streams.columns.arrays import Bools, Hashes, Ints
from streams.effects.attribution import Opened
from streams.effects.forecast import Belief, Forecast, Offer, Past, forecast
from streams.effects.moments import Moments
from streams.effects.sums import COLUMNS, COVARIATES, Sums, of_outcomes
from streams.entities.shopper import SHOPPER, ShopperSide
from streams.inspect import Held, changelog_values
from streams.processing.entity import Start
from streams.processing.in_force import OtherRules
from streams.processing.model import Shelf
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.reading import Reader
from streams.records.campaigns import Campaign, CampaignSet
from streams.records.effects import OfferOutcome
from streams.records.events import (
    MAX_ID_LENGTH,
    OfferClicked,
    OfferDismissed,
    OfferRedeemed,
    OfferShown,
    ShopperEvent,
    decode_event,
    encode_event,
)
from streams.records.outcomes import AnyOutcome
from streams.records.receipts import Receipt
from streams.records.serving import CampaignsChosen
from streams.records.slices import Slice
from streams.records.words import when_ms
from streams.settings import Settings
from streams.state.keys import PROGRESS
from streams.topics import EVENTS, TopicError

DAY_MS, SLICE = 86_400_000, 2_000
#: Where a larger share of those who enter is silent, nothing is said of what they bring.
MOST_SILENT = 0.25
#: What is of offers made before is not repeated.
OF_OFFERS = (OfferShown, OfferClicked, OfferRedeemed, OfferDismissed)
_FIRST_SEEN = "visits.days_since_first"
_NOT_ADDRESSED = ("not_running", "not_triggered", "not_in_audience", "audience_unknown")
_MARGIN, _OWN = COLUMNS.index("margin"), len(COLUMNS) - len(COVARIATES)


class RehearsalError(RuntimeError):
    """The past cannot tell what is asked."""


class _Plenty(ShopperSide):
    """There is money for every offer, so that what they come to shows."""

    def __init__(self, start: Start) -> None:
        self.entries: list[Opened] = []
        super().__init__(start)

    def afford(self, asked: Asked, offset: Ints, now_ms: Ints, due: Hashes) -> Bools:
        """[n] all of them."""
        return np.ones(len(asked.at), np.bool_)

    def open(self, campaign: Campaign, opened: Opened, offset: int) -> None:
        """Somebody enters, or gets another offer."""
        if not self.windows.entered(opened.shopper_id, opened.campaign):
            self.entries.append(opened)
        super().open(campaign, opened, offset)


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

    def take(self, outcomes: Iterable[AnyOutcome], stage: Stage) -> None:
        """What was said in a partition's rehearsal, and who entered, since this was last asked."""
        name, began_ms, measured = self.campaign.id, stage.began_ms, list[OfferOutcome]()
        for opened in stage.side.entries:
            if opened.campaign == name:
                self.entered += 1
                self.held += opened.held
                self.silent += opened.shopper_id not in stage.active
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
        self.redeemed += next(arm.assumed_redemption for arm in self.campaign.arms if arm.id == said.arm)

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


def rehearse(
    settings: Settings,
    shelf: Shelf,
    chosen: CampaignSet,
    days: int,
    tell: Callable[[float], None] = lambda _done: None,
) -> list[Rehearsed]:
    """Rehearse campaigns over so many days, as if all of them were approved now; ``tell`` is told how many events came
    again. Raises ``TopicError``, ``RehearsalError``, ``ArtifactError``, ``Unreachable``."""
    running = CampaignSet(shop=chosen.shop, campaigns=tuple(running_always(each) for each in chosen.campaigns))
    found = [Rehearsed(each, days, settings.currency) for each in running.campaigns]
    done, covered = 0, 0.0
    with Reader(settings.access) as reader:
        for partition in range(reader.partitions(EVENTS.name)):
            (values,) = changelog_values(settings, of=lambda _count, only=partition: [only]).values()  # type: ignore[misc]
            place = (EVENTS.name, partition)
            log = [record.value or b"" for record in reader.between(place, *reader.extent(place))]
            if PROGRESS in values and log:
                stage = Stage.of(settings, shelf, partition, values)
                for said in stage.play(stage.past(log, days), running):
                    for each in found:
                        each.take(said, stage)
                    stage.side.entries = []
                    tell(done + stage.events)
                done, covered = done + stage.events, max(covered, stage.covered_days)
    if not done:
        raise RehearsalError("No shopper did anything that a worker has applied: nothing can come again.")
    if covered < days - 1:
        raise RehearsalError(
            f"{EVENTS.name} goes back {covered:.1f} days, and {days} are to come again: --days {max(1, int(covered))}."
        )
    for each in found:
        each.events = done
    return found


def running_always(campaign: Campaign) -> Campaign:
    """A campaign that runs whenever that is. Windows close without the time for returns: days are few."""
    return msgspec.structs.replace(
        campaign,
        approval="approved",
        start=datetime.fromtimestamp(0, UTC),
        end=datetime(9999, 1, 1, tzinfo=UTC),
        effect=msgspec.structs.replace(campaign.effect, return_days=0.0),
    )


@dataclass(slots=True)
class Stage:
    """A partition on which a rehearsal takes place."""

    processor: PartitionProcessor
    side: _Plenty
    began_ms: int
    """The newest event time in it."""
    group: str
    events: int = 0
    active: set[str] = field(default_factory=set)
    """Shoppers of these events."""
    covered_days: float = 0.0

    @staticmethod
    def of(settings: Settings, shelf: Shelf, partition: int, values: Mapping[bytes, bytes]) -> Stage:
        """A partition as its changelog has it. Raises ``TopicError``, ``ArtifactError``."""
        meta = msgspec.json.decode(values[PROGRESS])
        rules = Rules.of(meta["rules"]) if "rules" in meta else settings.rules()
        entity, group = replace(SHOPPER, side=_Plenty), settings.app_id
        try:
            processor = PartitionProcessor(entity, partition, rules, shelf, tier=Held(values), group=group)
        except OtherRules as error:
            raise TopicError(str(error)) from error
        assert isinstance(processor.side, _Plenty)
        return Stage(processor, processor.side, processor.newest_ms, group)

    def play(self, events: Iterable[ShopperEvent], chosen: CampaignSet) -> Iterator[list[AnyOutcome]]:
        """Let events come; gives what is said, slice by slice."""
        choice = CampaignsChosen(group=self.group, digest=chosen.digest, campaigns=chosen.described())
        records: list[tuple[int, bytes | None, bytes]] = [(self.began_ms, None, msgspec.json.encode(choice))]
        for event in events:
            self.active.add(event.shopper_id)
            records.append((when_ms(event) or 0, event.shopper_id.encode(), encode_event(event)))
        self.events = len(records) - 1
        for start in range(0, len(records), SLICE):
            times, keys, values = zip(*records[start : start + SLICE], strict=True)
            offsets = range(first := self.processor.next_offset, first + len(times))
            slice_ = Slice(EVENTS.name, self.processor.partition, offsets, list(times), list(keys), list(values))
            yield self.processor.apply(slice_).outcomes

    def past(self, log: Iterable[bytes], days: int) -> Iterator[ShopperEvent]:
        """Events of the days before as they come again, as many days later."""
        events = list(self._past(log, days))
        new = self._newcomers({event.shopper_id for event, _ in events}, days)
        for event, at in events:
            yield _later(event, event.shopper_id, at)
            if event.shopper_id in new:
                yield _later(event, _again(event.shopper_id), at)

    def _past(self, log: Iterable[bytes], days: int) -> Iterator[tuple[ShopperEvent, int]]:
        """Events of the days before, and when each comes again."""
        length, first = days * DAY_MS, self.began_ms
        for value in log:
            try:
                event = decode_event(value)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                continue  # a dead letter then as well
            at = when_ms(event)
            if at is None or not isinstance(event, ShopperEvent):
                continue
            first = min(first, at)
            if self.began_ms - length < at <= self.began_ms and not isinstance(event, OF_OFFERS):
                yield event, at + length
        self.covered_days = (self.began_ms - first) / DAY_MS

    def _newcomers(self, shoppers: set[str], days: int) -> set[str]:
        """Who came for the first time in these days."""
        found, arena, names = set[str](), self.processor.arena, sorted(shoppers)
        for start in range(0, len(names), SLICE):
            some = names[start : start + SLICE]
            rows = arena.rows.pick(arena.find(some))
            since = self.processor.catalogue.read(rows, np.full(len(some), self.began_ms), (_FIRST_SEEN,))[:, 0]
            found.update(name for name, value in zip(some, since.tolist(), strict=True) if value < days)
        return found


def _again(name: str) -> str:
    return f"again:{name}"[:MAX_ID_LENGTH]


def _later(event: ShopperEvent, shopper: str, at_ms: int) -> ShopperEvent:
    """The same deed another time: what it is called by is new, or it would be a duplicate."""
    named = {"order_id": _again(event.order_id)} if getattr(event, "order_id", None) else {}  # type: ignore[attr-defined]
    return msgspec.structs.replace(
        event, event_id=_again(event.event_id), event_time=at_ms, shopper_id=shopper, **named
    )
