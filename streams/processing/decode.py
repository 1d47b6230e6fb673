"""Bytes to columns. A record that cannot be used becomes a dead letter that says why and where."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from streams.columns.arrays import EventBatch, Ints
from streams.columns.building import Columns, Refused, Wire
from streams.columns.shopper_events import WIRE
from streams.processing import hints
from streams.processing.partition_records import HANDLING, Turn
from streams.processing.partitioning import homes, misplaced
from streams.processing.rules import DecodeRules
from streams.records.budget import LeaseGranted
from streams.records.coupons import CouponsLoaded
from streams.records.events import ShopperMerged
from streams.records.news import AnyItemNews
from streams.records.outcomes import DeadLetter, outcome_id
from streams.records.slices import Slice

#: Of a record larger than this, a dead letter keeps only length and digest: with base64 it must fit into its topic.
MAX_ORIGINAL_BYTES = 12_000_000
#: Event times before 1990 are mistakes (a zero clock, seconds sent as milliseconds).
MIN_EVENT_TIME_MS = 631_152_000_000
#: A time that moves no watermark: what a dead record counts as.
NO_TIME = np.iinfo(np.int64).min // 2

#: What belongs to another shopper than the one it was sent for. It holds what had passed before, so it may be larger
#: than events are, by as much as the ids that it came by.
_MOVED_STARTS = (b'{"type":"event_forwarded"', b'{"type":"shopper_merged"')
_FIELD = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `([^`]*)`$")
#: What is told of a wrong value is short, however long the value.
_LONGEST_DETAIL = 300


@dataclass(slots=True)
class Decoded:
    """A slice, decoded: its events as columns, the clock it carries, and what could not be used."""

    batch: EventBatch
    clock_ms: Ints
    """[len(slice)] event time of every usable record (also clock ticks), ``NO_TIME`` for the others."""
    ticks: int
    turns: list[tuple[int, Turn]] = field(default_factory=list)
    """Position in the slice, and what holds after it."""
    leases: list[tuple[int, LeaseGranted]] = field(default_factory=list)
    """Position in the slice, and what may be spent from there on."""
    coupons: list[tuple[int, CouponsLoaded]] = field(default_factory=list)
    """Position in the slice, and which codes may be given from there on."""
    merges: list[tuple[int, ShopperMerged]] = field(default_factory=list)
    """Position in the slice, and what belongs to somebody from there on."""
    news: list[tuple[int, AnyItemNews]] = field(default_factory=list)
    """Position in the slice, and what items its own group has news of."""
    dead: list[DeadLetter] = field(default_factory=list)
    columns: Columns | None = None
    """What collected them: it may know more than goes into columns. None for a history."""

    @property
    def names(self) -> dict[int, tuple[int, str]]:
        """By code: the offset of the first record that named the category, and its name."""
        return {} if self.columns is None else self.columns.names


def dead_letter(slice_: Slice, i: int, reason: str, detail: str, where: str | None = None) -> DeadLetter:
    """The dead letter of the i-th record of a slice; its id is a digest of where the record stands."""
    origin = slice_.origin(i)
    key, value = slice_.keys[i], slice_.values[i]
    if len(key or b"") + len(value or b"") > MAX_ORIGINAL_BYTES:
        size, digest = len(value or b""), hashlib.sha256(value or b"").hexdigest()
        detail += f" The original stays in its topic only: {size} bytes, sha256 {digest}."
        key = value = None
    return DeadLetter(
        dead_letter_id=outcome_id("dead_letter", origin.topic, str(origin.partition), str(origin.offset)),
        reason=reason,
        detail=detail,
        field=where,
        source_topic=origin.topic,
        source_partition=origin.partition,
        source_offset=origin.offset,
        record_time_ms=origin.time_ms,
        original_key=key,
        original=value,
    )


def original_bytes(letter_json: bytes) -> tuple[bytes | None, bytes | None]:
    """Key and value of the record that a dead letter (in wire form) stands for.

    >>> original_bytes(b'{"original_key": "czE=", "original": "bm90IGpzb24="}')
    (b's1', b'not json')
    """
    letter = msgspec.json.decode(letter_json)
    key, value = letter["original_key"], letter["original"]
    return (
        None if key is None else base64.b64decode(key),
        None if value is None else base64.b64decode(value),
    )


def decode(
    slice_: Slice, rules: DecodeRules, partitions: int | None = None, wire: Wire = WIRE, group: str | None = None
) -> Decoded:
    """Decode every record of a slice; never raises for what a record holds.

    ``partitions``: how many the topic has; None where it is not judged whether a record is in the partition that its
    key belongs to. ``group``: the workers whose moved records are taken; all others are passed over.
    """
    n, most = len(slice_), max(rules.max_event_bytes, wire.bytes)
    clock = np.full(n, NO_TIME, np.int64)
    columns, astray = wire.columns(slice_, rules.currency), _astray(slice_, rules, partitions)
    dead: list[DeadLetter] = []
    ticks = 0
    said: dict[str, Any] = {}
    decode_one, add, about_what = wire.decoder.decode, columns.add, wire.key
    values, keys, stamps, offsets = slice_.values, slice_.keys, slice_.timestamps_ms, slice_.offsets
    origins = slice_.origins
    times: list[int] = []
    usable: list[int] = []
    for i in range(n):
        value = values[i]
        try:
            if value is None:
                raise Refused("empty", "The record has no value; such records are never tombstones.")
            if len(value) > most and not value.startswith(_MOVED_STARTS):
                raise Refused("too_large", f"{len(value)} bytes; at most {most} are read.")
            record = decode_one(value)
            if (handling := HANDLING.get(type(record))) is not None:
                if handling.own and record.group != group:
                    ticks += 1
                    continue
                if handling.check is not None:
                    handling.check(record)
                ticks += handling.tick
                if handling.goes_to == "events":
                    add(i, int(offsets[i]), _ms(record.event.event_time), record)
                else:
                    said.setdefault(handling.goes_to, []).append((i, record))
                continue
            appended = slice_.origin(i).time_ms if origins else stamps[i]
            # What says no time of its own is from when it was appended.
            time: Any = getattr(record, "event_time", appended)
            if type(time) is not int:
                time = _ms(time)
            if time < MIN_EVENT_TIME_MS:
                raise Refused(
                    "event_time_too_old", f"{time} ms is before 1990: {hints.of_old_time(time)}", "event_time"
                )
            if time > appended + rules.future_tolerance_ms:
                raise Refused(
                    "event_time_in_future",
                    f"{time} ms is more than {rules.future_tolerance_ms} ms after the record was appended. "
                    + hints.of_future_time(time - appended),
                    "event_time",
                )
            about = getattr(record, about_what, None)
            if about is not None:
                key = keys[i]
                if key != about.encode():
                    shown = "no key" if key is None else f"the key {key[:64].decode(errors='replace')!r}"
                    raise Refused(
                        "key_mismatch", f"The record has {shown}, but its {wire.key} is {about[:64]!r}.", wire.key
                    )
                if i in astray:
                    raise Refused("wrong_partition", misplaced(astray[i], rules.partitioner, partitions or 1))
            if not add(i, int(offsets[i]), time, record):
                ticks += 1
            usable.append(i)
            times.append(time)
        except Refused as refused:
            dead.append(dead_letter(slice_, i, refused.reason, refused.detail, refused.where))
        except msgspec.ValidationError as error:
            detail, where = _explained(str(error), value or b"", rules.currency)
            dead.append(dead_letter(slice_, i, "invalid", detail, where))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            dead.append(dead_letter(slice_, i, "not_json", _sentences(str(error), hints.of_bytes(value or b""))))
        except RecursionError:
            dead.append(dead_letter(slice_, i, "not_json", "JSON nested too deeply."))
    if usable:
        clock[usable] = times
    return Decoded(columns.batch(), clock, ticks, dead=dead, columns=columns, **said)


def _ms(time: Any) -> int:
    """An event time, UTC milliseconds since 1970."""
    return time if type(time) is int else int(time.timestamp() * 1000)


def _astray(slice_: Slice, rules: DecodeRules, partitions: int | None) -> dict[int, int]:
    """Position of a record that is in another partition than its key's → that partition."""
    if partitions is None or rules.partitioner == "any":
        return {}
    home = homes(slice_.keys, rules.partitioner, partitions)
    away = np.flatnonzero(home != slice_.partition)
    return dict(zip(away.tolist(), home[away].tolist(), strict=True))


def _explained(text: str, value: bytes, currency: str) -> tuple[str, str | None]:
    """What msgspec says of an invalid record, with a hint, and the path of the field at fault."""
    at = _FIELD.search(text)
    text, where = (text[: at.start()], at.group(1)) if at else (text, "")
    missing = _MISSING.match(text)
    if missing:
        where += ("." if where else "") + missing.group(1)
    where = hints.attribute_at_fault(value, where)
    return _sentences(text, hints.of_invalid(value, missing is not None, where or None, currency)), where or None


def _sentences(text: str, hint: str) -> str:
    text = text if len(text) <= _LONGEST_DETAIL else text[:_LONGEST_DETAIL] + "…"
    return f"{text}. {hint}".rstrip()
