"""``offerstream watch``: what comes through Kafka, live, in words."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from streams.access import Access, Unreachable
from streams.commands.common import BROKER, COUNT, TEXT, OneOf, Time
from streams.outside.reading import Place, Reader, Record
from streams.records import words
from streams.records.demand import StockAlerted
from streams.records.events import decode_event
from streams.records.items import item_decoder
from streams.records.reviewed import RatingDropped
from streams.settings import Settings
from streams.terminal import console, interruptible
from streams.topics import (
    ADS,
    ALERTS,
    CARRIED,
    DEAD_LETTERS,
    DESCRIBED,
    EFFECTS,
    EMBEDDED,
    ENRICHED,
    EVENTS,
    INVENTORY,
    ITEM_ALERTS,
    ITEM_PROFILES,
    LATE,
    OFFER_OUTCOMES,
    OFFERS,
    PICTURED,
    PRICE_FORECASTS,
    PRICE_TESTS,
    PRICES_DECIDED,
    PRICES_SUGGESTED,
    RECOMMENDATIONS,
    REVIEWED,
    SALES_FORECASTS,
    SEARCH_RANKINGS,
    SHOPPER_PROFILES,
    WITHHELD,
    Topic,
)

KINDS: dict[str, tuple[Topic, ...]] = {
    "events": (EVENTS,),
    "alerts": (ALERTS,),
    "offers": (OFFERS,),
    "withheld": (WITHHELD,),
    "outcomes": (OFFER_OUTCOMES,),
    "effects": (EFFECTS,),
    "profiles": (SHOPPER_PROFILES,),
    "ads": (ADS,),
    "items": (ITEM_PROFILES,),
    "enriched": (ENRICHED,),
    "forecasts": (SALES_FORECASTS,),
    "prices": (PRICE_FORECASTS,),
    "suggested-prices": (PRICES_SUGGESTED,),
    "decided-prices": (PRICES_DECIDED,),
    "price-tests": (PRICE_TESTS,),
    "inventory": (INVENTORY,),
    "item-alerts": (ITEM_ALERTS,),
    "pictured": (PICTURED,),
    "embedded": (EMBEDDED,),
    "described": (DESCRIBED,),
    "reviewed": (REVIEWED,),
    "recommendations": (RECOMMENDATIONS,),
    "searches": (SEARCH_RANKINGS,),
    "catalogue": CARRIED,
    "dead": (DEAD_LETTERS,),
    "late": (LATE,),
}
DEFAULT = ("alerts", "offers", "dead")
#: After a crash a worker says an outcome again under the same id: so many ids are remembered.
REMEMBERED = 100_000
IDS = ("outcome_id", "dead_letter_id", "late_id")
#: How often topics that are not there yet are looked for.
LOOK_SECONDS = 0.5
#: While nothing comes, so often whether Kafka is there at all.
PRESENCE_SECONDS = 3.0
_KIND_OF = {topic.name: kind for kind, topics in KINDS.items() for topic in topics}
#: Topics whose records are about items, as are dead and late ones that came in them.
_OF_ITEMS = {
    topic.name
    for topic in (
        *CARRIED,
        ITEM_PROFILES,
        ENRICHED,
        PICTURED,
        EMBEDDED,
        DESCRIBED,
        REVIEWED,
        SALES_FORECASTS,
        PRICE_FORECASTS,
        PRICES_SUGGESTED,
        PRICES_DECIDED,
        PRICE_TESTS,
        INVENTORY,
        ITEM_ALERTS,
    )
}
_DECODERS: dict[str, Callable[[bytes], object]] = {
    **{kind: msgspec.json.Decoder(topics[0].records[0]).decode for kind, topics in KINDS.items()},
    "item-alerts": msgspec.json.Decoder(StockAlerted | RatingDropped).decode,
    "events": decode_event,
    "catalogue": item_decoder.decode,
}


@click.command()
@click.argument("kinds", nargs=-1, type=OneOf(list(KINDS)))
@BROKER
@click.option("--shopper", type=TEXT, metavar="ID", help="Only records that concern this shopper.")
@click.option("--item", type=TEXT, metavar="ID", help="Only records that concern this item.")
@click.option(
    "--from", "start", type=Time("beginning", "now"), metavar="WHEN", default="now", show_default=True,
    help="beginning, now, or a time: records that Kafka took from then on.",
)  # fmt: skip
@click.option("--limit", type=COUNT, metavar="N", help="End after so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def watch(
    kinds: tuple[str, ...],
    broker: str | None,
    shopper: str | None,
    item: str | None,
    start: int | str,
    limit: int | None,
    as_json: bool,
) -> None:
    """Print what comes through Kafka, live, a line each: when, whom, what and why.

    KINDS: of shoppers events, alerts, offers, withheld, outcomes (what became of campaigns' offers), profiles (who they
    are, in words), ads (which ad of a slate to show), searches (what they found); of campaigns effects (what they
    brought beyond their holdout); of items items (their profiles), enriched (what models make of their words), pictured
    (what their pictures show), embedded (what they are by words, picture and sound), described (texts made of their
    attributes), reviewed (what reviews say of them), forecasts (what they will sell), prices (what a unit will be paid
    with), suggested-prices (which would bring most profit), decided-prices (what somebody decided about those),
    inventory (what to order), item-alerts (what will be sold out, what is rated worse) and catalogue (what others tell
    of them: catalogue, stock, reviews); of shoppers and items dead, late. Several at once; default: alerts offers dead.
    The time of a line is the event time that it stands on. Waits for topics that are not there yet. Ctrl-C ends it.
    """
    wanted = {("shopper_id", shopper), ("item_id", item)} - {("shopper_id", None), ("item_id", None)}
    settings = Settings.from_environment(broker=broker)
    interruptible()
    with suppress(KeyboardInterrupt, BrokenPipeError), Reader(settings.access) as reader:
        chosen = [topic for kind in dict.fromkeys(kinds or DEFAULT) for topic in KINDS[kind]]
        new, shown = _wait_for(reader, chosen), 0
        begins = ((topic, "beginning" if topic in new else start) for topic in chosen)
        for seen in _seen(
            settings.access, reader, {p: o for topic, since in begins for p, o in _starts(reader, topic, since)}
        ):
            if wanted and (seen.field, seen.whom) not in wanted:
                continue
            click.echo(seen.as_json() if as_json else seen.as_text())
            shown += 1
            if shown == limit:
                return
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        return
    # Nobody reads any more: nor must Python's own last flush complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@dataclass(frozen=True, slots=True)
class Seen:
    """A record and what it says; ``fault``: why it says nothing."""

    record: Record
    said: Any
    fault: str = ""

    @property
    def field(self) -> str:
        """What names whom or what it is about: ``shopper_id``, ``item_id`` or ``campaign``."""
        topic = getattr(self.said, "source_topic", self.record.topic)
        if topic == EFFECTS.name:
            return "campaign"
        return "item_id" if topic in _OF_ITEMS else "shopper_id"

    @property
    def whom(self) -> str:
        """The shopper, the item or the campaign."""
        return words.whom(self.said) if self.said is not None else (self.record.key or b"").decode(errors="replace")

    def as_text(self) -> str:
        """One line for people."""
        if self.said is not None:
            return words.line(self.said, otherwise_ms=self.record.time_ms)
        at = words.shown_time(self.record.time_ms)
        return words.printable(f"{at:<20}  {self.whom or '-':<16}  not readable: {self.fault}")

    def as_json(self) -> str:
        """One line for programs; ``record`` as it stands in Kafka, or its text where that is no record."""
        value = self.record.value or b""
        found = {
            "kind": _KIND_OF[self.record.topic],
            "topic": self.record.topic,
            "partition": self.record.partition,
            "offset": self.record.offset,
            "kafka_time_ms": self.record.time_ms,
            self.field: self.whom,
            "record": json.loads(value) if self.said is not None else value.decode(errors="replace"),
        }
        return json.dumps(found | ({"fault": self.fault} if self.fault else {}))


def _wait_for(reader: Reader, topics: Sequence[Topic]) -> list[Topic]:
    """Wait until topics are there, and say once which are not. Returns those that came: all in them is from now on."""
    missing = [topic for topic in topics if not reader.exists(topic.name)]
    if missing:
        names = ", ".join(topic.name for topic in missing)
        console.print(
            f"Waiting for {names}: not there yet. The first worker creates them (offerstream worker), or: offerstream "
            "topics create. Ctrl-C ends it.",
            markup=False, highlight=False,
        )  # fmt: skip
    while not all(reader.exists(topic.name) for topic in missing):
        if _closed():
            raise BrokenPipeError
        time.sleep(LOOK_SECONDS)
    return missing


def _starts(reader: Reader, topic: Topic, since: str | int) -> Iterator[tuple[Place, int]]:
    for partition in range(reader.partitions(topic.name)):
        place = (topic.name, partition)
        if isinstance(since, int):
            yield place, reader.since(place, since)
        else:
            low, high = reader.extent(place)
            yield place, low if since == "beginning" else high


class Presence:
    """Says once that Kafka went away, and that it is back."""

    def __init__(self, access: Access) -> None:
        self._access, self._away, self._looked_at = access, False, time.monotonic()

    def look(self) -> None:
        """Look once in a while, when nothing comes."""
        if time.monotonic() - self._looked_at < PRESENCE_SECONDS:
            return
        try:
            self._access.require()
            said = "Kafka answers again." if self._away else ""
            self._away = False
        except Unreachable as error:
            said = "" if self._away else f"{error} What comes is shown when it is back."
            self._away = True
        if said:
            console.print(said, markup=False, highlight=False)
        self._looked_at = time.monotonic()


def _seen(access: Access, reader: Reader, starts: dict[Place, int]) -> Iterator[Seen]:
    """Every record once, as it comes; ends when nobody reads standard output any more."""
    ids: dict[str, None] = {}
    presence = Presence(access)
    for records in reader.follow(starts):
        if not records and _closed():
            return
        if not records:
            presence.look()
        for record in records:
            kind = _KIND_OF[record.topic]
            try:
                said = _DECODERS[kind](record.value or b"")
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                yield Seen(record, None, str(error))
                continue
            told = next((getattr(said, name) for name in IDS if hasattr(said, name)), None)
            if told is not None:
                if told in ids:
                    continue
                ids[told] = None
                if len(ids) > REMEMBERED:
                    del ids[next(iter(ids))]
            yield Seen(record, said)


def _closed() -> bool:
    """Whether standard output is a pipe whose reader is gone."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):
        return False  # not on this system, or no file
