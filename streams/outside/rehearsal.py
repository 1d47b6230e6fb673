"""Campaigns rehearsed before they begin: the past days come again, event by event, to shoppers as they stand now.

A partition as its owner flushed it last, with its models, rules and rows, is given the events of the past days, and the
news of items between them, once more, as many days later, under the campaigns of a file and with plenty of money. So
what is foretold is what the worker itself decides: triggers, audiences, guards, arms and holdout are its own. Whoever
came for the first time in these days comes again as somebody new as well.

What is taken for granted: that the days to come are like those past, and that an offer changes nothing that anybody
does. What it does change is what the file assumes; ``rehearsed.py`` puts the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec
import numpy as np

from streams.admin import TopicError
from streams.campaigns.asking import Afforded, Asked
from streams.columns.arrays import Hashes, Ints
from streams.effects.attribution import Opened
from streams.entities.shopper import SHOPPER, ShopperSide
from streams.outside.inspect import Held, changelog_values
from streams.outside.reading import Reader
from streams.outside.rehearsed import DAY_MS, RehearsalError, Rehearsed
from streams.processing.entity import Start
from streams.processing.in_force import OtherRules
from streams.processing.model import Shelf
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.campaigns import Campaign, CampaignSet
from streams.records.events import (
    MAX_ID_LENGTH,
    EventForwarded,
    OfferClicked,
    OfferDismissed,
    OfferRedeemed,
    OfferShown,
    ShopperEvent,
    ShopperIdentified,
    decode_event,
    encode_event,
)
from streams.records.news import ITEM_NEWS, AnyItemNews, encode_news
from streams.records.outcomes import AnyOutcome
from streams.records.serving import CampaignsChosen
from streams.records.slices import Slice
from streams.records.words import when_ms
from streams.settings import Settings
from streams.state.keys import PROGRESS
from streams.topics import EVENTS

SLICE = 2_000
#: Of fewer days nothing is told.
LEAST_DAYS = 7
#: News that comes again stands so much later in the items' log: what does not stand later would be known.
NEWS_LATER = 1 << 40
#: What is of offers made before is not repeated.
OF_OFFERS = (OfferShown, OfferClicked, OfferRedeemed, OfferDismissed)
_FIRST_SEEN = "visits.days_since_first"


class _Plenty(ShopperSide):
    """There is money for every offer, so that what they come to shows."""

    def __init__(self, start: Start) -> None:
        self.entries: list[Opened] = []
        super().__init__(start)

    def afford(self, asked: Asked, offset: Ints, now_ms: Ints, due: Hashes) -> Afforded:
        """All of them, and money is worth no more than itself."""
        return Afforded(np.ones(len(asked.at), np.bool_), np.zeros(len(asked.at)))

    def open(self, campaign: Campaign, opened: Opened, offset: int) -> None:
        """Somebody enters, or gets another offer."""
        if not self.windows.entered(opened.shopper_id, opened.campaign):
            self.entries.append(opened)
        super().open(campaign, opened, offset)


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
                    stage.tell(said, found)
                    tell(done + stage.events)
                done, covered = done + stage.events, max(covered, stage.covered_days)
    if not done:
        raise RehearsalError("No shopper did anything that a worker has applied: nothing can come again.")
    if covered < days - 1:
        back = f"{EVENTS.name} goes back {covered:.1f} days, and {days} are to come again"
        if covered < LEAST_DAYS:
            raise RehearsalError(
                f"{back}; {LEAST_DAYS} are needed at least. Replay a history first (offerstream replay)."
            )
        raise RehearsalError(f"{back}: --days {int(covered)}.")
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

    def play(self, events: Iterable[ShopperEvent | AnyItemNews], chosen: CampaignSet) -> Iterator[list[AnyOutcome]]:
        """Let events come; gives what is said, slice by slice."""
        choice = CampaignsChosen(group=self.group, digest=chosen.digest, campaigns=chosen.described())
        records: list[tuple[int, bytes | None, bytes]] = [(self.began_ms, None, msgspec.json.encode(choice))]
        for event in events:
            if isinstance(event, ITEM_NEWS):
                records.append((event.event_time, None, encode_news(event)))
                continue
            self.events += 1
            self.active.add(event.shopper_id)
            records.append((when_ms(event) or 0, event.shopper_id.encode(), encode_event(event)))
        for start in range(0, len(records), SLICE):
            times, keys, values = zip(*records[start : start + SLICE], strict=True)
            offsets = range(first := self.processor.next_offset, first + len(times))
            slice_ = Slice(EVENTS.name, self.processor.partition, offsets, list(times), list(keys), list(values))
            yield self.processor.apply(slice_).outcomes

    def tell(self, said: list[AnyOutcome], campaigns: Iterable[Rehearsed]) -> None:
        """Tell campaigns what was said, and who entered since."""
        for each in campaigns:
            each.count(said, self.side.entries, self.active, self.began_ms)
        self.side.entries = []

    def past(self, log: Iterable[bytes], days: int) -> Iterator[ShopperEvent | AnyItemNews]:
        """Events and news of the days before as they come again, as many days later. An anonymous id that was
        identified comes again as somebody new, and stays it."""
        events, identified = self._read(log, days)
        shoppers = {event.shopper_id for event in events if isinstance(event, ShopperEvent)}
        new = identified | self._newcomers(shoppers, days)
        for event in events:
            if isinstance(event, ITEM_NEWS):
                at, offset = event.event_time + days * DAY_MS, event.source_offset + NEWS_LATER
                yield msgspec.structs.replace(event, event_time=at, source_offset=offset)
                continue
            at = (when_ms(event) or 0) + days * DAY_MS
            if event.shopper_id not in identified:
                yield _later(event, event.shopper_id, at)
            if event.shopper_id in new:
                yield _later(event, _again(event.shopper_id), at)

    def _read(self, log: Iterable[bytes], days: int) -> tuple[list[ShopperEvent | AnyItemNews], set[str]]:
        """Events and news of the days before, and who was identified: what came under such an id later stands where it
        was forwarded to. News is of the time that shoppers' events had come to."""
        found, identified = list[ShopperEvent | AnyItemNews](), set[str]()
        first, newest = self.began_ms, 0
        for value in log:
            try:
                event = decode_event(value)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                continue  # a dead letter then as well
            if isinstance(event, EventForwarded):
                if event.group != self.group:
                    continue
                event = msgspec.structs.replace(event.event, shopper_id=event.shopper_id)
            if isinstance(event, ITEM_NEWS) and event.group == self.group and newest > self.began_ms - days * DAY_MS:
                found.append(msgspec.structs.replace(event, event_time=newest))
            at = when_ms(event)
            if at is None or not isinstance(event, ShopperEvent) or event.shopper_id in identified:
                continue
            first, newest = min(first, at), max(newest, at)
            if isinstance(event, ShopperIdentified):
                identified.add(event.shopper_id)
            elif self.began_ms - days * DAY_MS < at <= self.began_ms and not isinstance(event, OF_OFFERS):
                found.append(event)
        self.covered_days = (self.began_ms - first) / DAY_MS
        return found, identified

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
