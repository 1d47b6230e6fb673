"""Checks records before they are sent: what the worker would make of each, with every fault of a record, not the first.

There is no second set of rules. A record goes through ``decode``; of what it refuses, the field at fault is replaced by
a value that passes and the record decoded again, until nothing more is said. Duplicates and late records are judged as
workers do, each family of records by its own time, in the partition that each key belongs to.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec
import numpy as np

from streams.columns import item_records, shopper_events
from streams.columns.arrays import EventBatch, Ints
from streams.columns.building import Wire
from streams.columns.layout import Layout
from streams.features.feature import Unreadable
from streams.features.item import CATALOGUE
from streams.features.payload.picture import Picture
from streams.features.payload.sound import Sound
from streams.processing import doubts, hints, order_book
from streams.processing.decode import MAX_ORIGINAL_BYTES, MIN_EVENT_TIME_MS, NO_TIME, Decoded, decode
from streams.processing.fates import APPLIED, Fates, judge, watermarks
from streams.processing.partitioning import homes
from streams.processing.rules import DecodeRules, Rules
from streams.processing.sources import Carried
from streams.records.dead_reasons import DEAD_REASONS
from streams.records.items import CatalogRecord
from streams.records.outcomes import DeadLetter
from streams.records.produced import EVENTS, FAMILY_OF, WORKERS_TYPES, family_of, key_of, type_of
from streams.records.slices import Slice
from streams.state.applied_ids import AppliedIds
from streams.state.arena import Arena
from streams.state.codec import TIMER, Codec

#: Lines that are checked together.
BLOCK = 4096
#: A record that is wrong all over is given up after so many faults.
MOST_FAULTS = 100
#: What pictures and sounds are made of.
_LARGE = [p.source for p in CATALOGUE.payloads.values() if isinstance(p.source, (Picture, Sound))]
#: What says of which type a record is, where only its beginning was read.
_TYPE = re.compile(rb'"type"\s*:\s*"(\w+)"')
_LINE = {"item_id": "i", "quantity": 1, "unit_price_cents": 0}
#: What is said, beyond the reasons of dead letters: name → what to do.
WARNINGS = {
    "duplicate": "Nothing, where it was sent twice; else give every record of a shopper or item its own event_id.",
    "late": "Put the records into order of event_time, or raise OFFERSTREAM_ALLOWED_LATENESS_SECONDS.",
    "unreadable": "Send the item again with a picture or sound that can be read (docs/catalogue.md); the rest counts.",
    "unknown_field": "Spell the field as offerstream schema does; nobody reads it as it is.",
    "unread_field": "Nothing, where it is for others; offerstream schema has the fields that are read.",
    "doubtful_price": "Nothing, where it is meant; else correct it, or leave out what is not known.",
}
WORKERS_OWN = "worker_record"
FIXES = {
    **{name: reason.fix for name, reason in DEAD_REASONS.items()},
    WORKERS_OWN: "Leave the line out: workers write such records, nobody else.",
    **WARNINGS,
}


class Finding(msgspec.Struct, kw_only=True, frozen=True):
    """Something about one record. An error ends as a dead letter; a warning says that it would count for nothing."""

    severity: Literal["error", "warning"]
    line: int
    reason: str
    field: str | None
    detail: str

    @property
    def fix(self) -> str:
        """What to do about it."""
        return FIXES[self.reason]


@dataclass(slots=True)
class Tally:
    """What a file came to."""

    records: int = 0
    bad: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    money: bool = False
    """Whether a record has an amount of money …"""
    currency: bool = False
    """… and whether one names its currency."""
    first_ms: int | None = None
    """Earliest event time of a good record, UTC milliseconds since 1970 …"""
    last_ms: int | None = None
    """… and the latest."""

    @property
    def good(self) -> int:
        """Records that the worker can use."""
        return self.records - self.bad

    @classmethod
    def of(cls, tallies: Sequence[Tally]) -> Tally:
        """What several files came to."""
        first, last = (
            [ms for each in tallies if (ms := getattr(each, of)) is not None] for of in ("first_ms", "last_ms")
        )
        return cls(
            sum(each.records for each in tallies),
            sum(each.bad for each in tallies),
            sum((each.errors for each in tallies), Counter()),
            sum((each.warnings for each in tallies), Counter()),
            any(each.money for each in tallies),
            any(each.currency for each in tallies),
            min(first, default=None),
            max(last, default=None),
        )


class Checker:
    """Checks the lines of one file, in order, a block at a time. ``partitions``: how many the events topic has."""

    def __init__(self, rules: Rules, partitions: int) -> None:
        self.rules, self.partitions = rules, partitions
        self.tally = Tally()
        self._applied_ids = [AppliedIds() for _ in range(partitions)]
        self._seen = Arena(Codec(Layout((APPLIED, *order_book.COLUMNS, TIMER))))
        self._newest = [NO_TIME] * partitions
        self._carried = Carried()
        self._unread: set[tuple[str, str]] = set()

    def check(self, lines: Sequence[tuple[int, bytes]], now_ms: int) -> list[Finding]:
        """What is to be said of some lines, in order. ``now_ms``: when they would be sent."""
        keys = [key_of(value) for _, value in lines]
        home = homes(keys, self.rules.decode.partitioner, self.partitions).tolist()
        grouped: dict[tuple[str, int], list[int]] = defaultdict(list)
        for i, (partition, (_, value)) in enumerate(zip(home, lines, strict=True)):
            grouped[_family(value), partition].append(i)
        found: list[Finding] = []
        for (family, partition), members in grouped.items():
            numbers, values = [lines[i][0] for i in members], [lines[i][1] for i in members]
            slice_ = Slice(family, partition, numbers, [now_ms] * len(members), [keys[i] for i in members], values)
            found += self._check(slice_)
        self.tally.records += len(lines)
        self.tally.bad += len({f.line for f in found if f.severity == "error"})
        self.tally.errors.update(f.reason for f in found if f.severity == "error")
        self.tally.warnings.update(f.reason for f in found if f.severity == "warning")
        return sorted(found, key=lambda f: f.line)

    def _check(self, slice_: Slice) -> Iterator[Finding]:
        decoded = decode(slice_, self.rules.decode, wire=_wire(slice_.topic))
        at_fault: dict[int, set[str | None]] = {}
        for dead in decoded.dead:
            place = bisect_left(slice_.offsets, dead.source_offset)
            if type_of(slice_.values[place] or b"") in WORKERS_TYPES:
                continue
            letters = list(faults(slice_.cut(place, place + 1), self.rules.decode, dead))
            at_fault[place] = {letter.field for letter in letters}
            # Of a line that is longer than any record may be only the beginning was read.
            least = "At least " if len(slice_.values[place] or b"") > MAX_ORIGINAL_BYTES else ""
            for letter in letters:
                yield _finding("error", dead.source_offset, letter.reason, letter.field, least + letter.detail)
        for i, record in zip(decoded.batch.position.tolist(), decoded.batch.records, strict=False):
            for where, why in _unreadable(record):
                yield _finding("warning", slice_.offsets[i], "unreadable", where, why)
        usable = set(decoded.batch.position.tolist())
        for i, value in enumerate(slice_.values):
            if i not in usable and i not in at_fault:
                told = f"{type_of(value or b'')} is written by workers, by nobody else."
                yield _finding("error", slice_.offsets[i], WORKERS_OWN, "type", told)
            yield from self._warnings(slice_.offsets[i], value or b"", at_fault.get(i, set()))
        if len(decoded.batch):
            yield from self._fates(slice_, decoded)

    def _warnings(self, line: int, value: bytes, at_fault: set[str | None]) -> Iterator[Finding]:
        """What is seldom meant, beside the fields that are at fault. Of a field that nobody reads it is said once of a
        type of records."""
        record = _object(value)
        self.tally.money |= "lines" in record or any(name.endswith("_cents") for name in record)
        self.tally.currency |= record.get("currency") is not None
        for where, meant, hint in hints.of_unknown_fields(record):
            if meant not in at_fault:
                yield _finding("warning", line, "unknown_field", where, hint)
        for where in hints.unread_fields(record):
            kind = str(record["type"]), re.sub(r"\[\d+\]", "", where)
            if kind not in self._unread:
                self._unread.add(kind)
                told = f"Nobody reads {kind[1]} of {kind[0]} (said of the first record that has it)."
                yield _finding("warning", line, "unread_field", where, told)
        for where, why in doubts.of_prices(record):
            yield _finding("warning", line, "doubtful_price", where, why)

    def _fates(self, slice_: Slice, decoded: Decoded) -> Iterator[Finding]:
        batch, tally, partition = decoded.batch, self.tally, slice_.partition
        first, last = int(batch.time_ms.min()), int(batch.time_ms.max())
        tally.first_ms = first if tally.first_ms is None else min(first, tally.first_ms)
        tally.last_ms = last if tally.last_ms is None else max(last, tally.last_ms)
        if slice_.topic == EVENTS:
            batch, fates, late_before = self._shoppers(partition, decoded)
        else:
            duplicate, late_before = self._carried.judge(batch, slice_, self.rules.allowed_lateness_ms)
            fates = Fates(duplicate, (batch.time_ms < late_before) & ~duplicate)
        for i in np.flatnonzero(fates.duplicate).tolist():
            told = f"{batch.event_ids[i]!r}, or the order it places, was sent before: it changes nothing."
            yield _finding("warning", int(batch.offset[i]), "duplicate", "event_id", told)
        for i in np.flatnonzero(fates.late).tolist():
            behind = (int(late_before[i]) - int(batch.time_ms[i])) / 1000
            told = (
                f"{behind:,.0f} s older than allowed: in partition {partition} of {self.partitions} records after it "
                "in time stand before it. It would go to late-events.v1."
            )
            yield _finding("warning", int(batch.offset[i]), "late", "event_time", told)

    def _shoppers(self, partition: int, decoded: Decoded) -> tuple[EventBatch, Fates, Ints]:
        newest, before, _ = watermarks(
            decoded.clock_ms, self._newest[partition], self.rules.allowed_lateness_ms, NO_TIME
        )
        late_before = before[decoded.batch.position]
        rows, ids = self._seen.find(decoded.batch.keys), self._applied_ids[partition]
        batch, fates = judge(decoded.batch, rows, self._seen.rows, ids, late_before)
        self._newest[partition] = int(newest[-1])
        return batch, fates, late_before


def _finding(severity: Literal["error", "warning"], line: int, reason: str, where: str | None, detail: str) -> Finding:
    return Finding(severity=severity, line=line, reason=reason, field=where, detail=detail)


def _family(value: bytes) -> str:
    """The family of a line. One that is longer than any record may be was cut, and is no JSON: that of the first type
    of records that it names."""
    if len(value) <= MAX_ORIGINAL_BYTES or type_of(value):
        return family_of(value)
    return next((FAMILY_OF[name] for name in map(bytes.decode, _TYPE.findall(value)) if name in FAMILY_OF), EVENTS)


def _wire(family: str) -> Wire:
    return shopper_events.WIRE if family == EVENTS else item_records.WIRE


def _unreadable(record: Any) -> Iterator[tuple[str, str]]:
    """What of a record no model can be given: the field, and why."""
    for source in _LARGE if isinstance(record, CatalogRecord) else ():
        try:
            source.of(record)
        except Unreadable as why:
            yield source.field, str(why)


def _object(value: bytes) -> dict[str, Any]:
    """A record as it was sent; empty where it is none."""
    try:
        record = msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def faults(one: Slice, rules: DecodeRules, dead: DeadLetter) -> Iterator[DeadLetter]:
    """Every fault of the one record in a slice, of which decoding said the first; of a field one."""
    said: set[tuple[str, str | None]] = set()
    while (dead.reason, dead.field) not in said and len(said) < MOST_FAULTS:
        said.add((dead.reason, dead.field))
        yield dead
        if dead.reason == "too_large":
            if len(one.values[0] or b"") > MAX_ORIGINAL_BYTES:
                return  # Of such a line only the beginning was read.
            rules = replace(rules, max_event_bytes=len(one.values[0] or b""))
            rest = decode(one, rules, wire=_wire(one.topic)).dead
        else:
            repaired = _repaired(one, rules, dead)
            if repaired is None:
                return
            one, rest = repaired
        if not rest:
            return
        (dead,) = rest


def _repaired(one: Slice, rules: DecodeRules, dead: DeadLetter) -> tuple[Slice, list[DeadLetter]] | None:
    """The record with another value in the field at fault, and what is then said of it; None when none helps."""
    if dead.field is None:
        return None
    for stand_in in (rules.currency, MIN_EVENT_TIME_MS, 1, True, [rules.currency], [_LINE], _LINE, {}):
        try:
            value = _with(one.values[0] or b"", dead.field, stand_in)
        except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError):
            return None  # It holds what cannot be written again, such as a number of a thousand digits.
        if value is None:
            return None
        family = family_of(value)
        other = Slice(family, one.partition, one.offsets, one.timestamps_ms, [key_of(value)], [value])
        rest = decode(other, replace(rules, max_event_bytes=len(value)), wire=_wire(family)).dead
        if not rest or not _within(rest[0].field, dead.field):
            return other, rest
    return None


def _within(where: str | None, outer: str) -> bool:
    """Whether a path is another one, or lies in it; ``outer`` may stand for whatever is in it (``[...]``)."""
    outer = outer.removesuffix("[...]")
    return where is not None and (where == outer or where.startswith((f"{outer}[", f"{outer}.")))


def _with(value: bytes, where: str, stand_in: Any) -> bytes | None:
    record: dict[str, Any] = msgspec.json.decode(value)
    holder, name = hints.find(record, where)
    if where == "type":
        record["type"] = hints.meant_type(record)
        if record["type"] is None:
            # What every event carries can be checked all the same.
            record |= {"type": "consent_changed", "marketing": True}
    elif isinstance(holder, dict):
        holder[name] = stand_in
    elif isinstance(holder, list) and name.isdigit() and int(name) < len(holder):
        holder[int(name)] = stand_in
    else:
        return None
    return msgspec.json.encode(record)
