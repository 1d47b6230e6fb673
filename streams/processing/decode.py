"""Bytes to columns. A record that cannot be used becomes a dead letter that says why and where."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest, xxh32_intdigest

from streams.columns.arrays import TYPE_CODE, EventBatch, Ints, Touches
from streams.processing import hints
from streams.processing.partitioning import homes, misplaced
from streams.processing.rules import DecodeRules, Rules
from streams.records.events import (
    AnyShopperEvent,
    CartItemAdded,
    CartItemRemoved,
    ClockTicked,
    ConsentChanged,
    ItemViewed,
    ItemWishlisted,
    OrderCancelled,
    OrderPlaced,
    OrderReturned,
    Searched,
    event_decoder,
)
from streams.records.outcomes import DeadLetter, outcome_id
from streams.records.serving import ModelsChosen, RulesChosen
from streams.records.slices import Slice

#: An order above this total (in cents) is a mistake. Ninety million of them fit into a shopper's sums.
MAX_ORDER_CENTS = 10**11
#: Of a record larger than this, a dead letter keeps only length and digest: with base64 it must fit into its topic.
MAX_ORIGINAL_BYTES = 12_000_000
#: Event times before 1990 are mistakes (a zero clock, seconds sent as milliseconds).
MIN_EVENT_TIME_MS = 631_152_000_000
#: A time that moves no watermark: what a dead record counts as.
NO_TIME = np.iinfo(np.int64).min // 2

#: Records of workers after which the partition's log is treated otherwise.
Choice = ModelsChosen | RulesChosen
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
    chosen: list[tuple[int, Choice]] = field(default_factory=list)
    """Position in the slice, and what holds after it."""
    dead: list[DeadLetter] = field(default_factory=list)
    category_names: dict[int, tuple[int, str]] = field(default_factory=dict)
    """By code: the offset of the first record that named the category, and its name."""


class _Refused(Exception):
    def __init__(self, reason: str, detail: str, where: str | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.where = reason, detail, where


def dead_letter(slice_: Slice, i: int, reason: str, detail: str, where: str | None = None) -> DeadLetter:
    """The dead letter of the i-th record of a slice; its id is a digest of where the record stands."""
    offset = int(slice_.offsets[i])
    key, value = slice_.keys[i], slice_.values[i]
    if len(key or b"") + len(value or b"") > MAX_ORIGINAL_BYTES:
        size, digest = len(value or b""), hashlib.sha256(value or b"").hexdigest()
        detail += f" The original stays in its topic only: {size} bytes, sha256 {digest}."
        key = value = None
    return DeadLetter(
        dead_letter_id=outcome_id("dead_letter", slice_.topic, str(slice_.partition), str(offset)),
        reason=reason,
        detail=detail,
        field=where,
        source_topic=slice_.topic,
        source_partition=slice_.partition,
        source_offset=offset,
        record_time_ms=int(slice_.timestamps_ms[i]),
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


def decode(slice_: Slice, rules: DecodeRules, partitions: int | None = None) -> Decoded:
    """Decode every record of a slice; never raises for what a record holds.

    ``partitions``: how many the topic has; None where it is not judged whether a record is in the partition that its
    key belongs to.
    """
    n = len(slice_)
    clock = np.full(n, NO_TIME, np.int64)
    builder = _Builder(rules, slice_, partitions)
    dead: list[DeadLetter] = []
    ticks = 0
    chosen: list[tuple[int, Choice]] = []
    decode_one = event_decoder.decode
    times: list[int] = []
    usable: list[int] = []
    for i in range(n):
        value, key = slice_.values[i], slice_.keys[i]
        try:
            if value is None:
                raise _Refused("empty", "The record has no value; shopper events are never tombstones.")
            if len(value) > rules.max_event_bytes:
                raise _Refused("too_large", f"{len(value)} bytes; at most {rules.max_event_bytes} are read.")
            event = decode_one(value)
            if isinstance(event, (ModelsChosen, RulesChosen)):
                if isinstance(event, RulesChosen):
                    Rules.of(event.rules)
                chosen.append((i, event))
                continue
            time = event.event_time
            if type(time) is not int:
                time = int(time.timestamp() * 1000)  # type: ignore[union-attr]
            if time < MIN_EVENT_TIME_MS:
                raise _Refused(
                    "event_time_too_old", f"{time} ms is before 1990: {hints.of_old_time(time)}", "event_time"
                )
            if time > slice_.timestamps_ms[i] + rules.future_tolerance_ms:
                raise _Refused(
                    "event_time_in_future",
                    f"{time} ms is more than {rules.future_tolerance_ms} ms after the record was appended. "
                    + hints.of_future_time(time - slice_.timestamps_ms[i]),
                    "event_time",
                )
            if type(event) is ClockTicked:
                ticks += 1
            else:
                builder.add(i, int(slice_.offsets[i]), key, time, event)  # type: ignore[arg-type]
            usable.append(i)
            times.append(time)
        except _Refused as refused:
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
    return Decoded(builder.batch(), clock, ticks, chosen, dead, builder.category_names)


def _explained(text: str, value: bytes, currency: str) -> tuple[str, str | None]:
    """What msgspec says of an invalid record, with a hint, and the path of the field at fault."""
    at = _FIELD.search(text)
    text, where = (text[: at.start()], at.group(1)) if at else (text, "")
    missing = _MISSING.match(text)
    if missing:
        where += ("." if where else "") + missing.group(1)
    return _sentences(text, hints.of_invalid(value, missing is not None, where or None, currency)), where or None


def _sentences(text: str, hint: str) -> str:
    text = text if len(text) <= _LONGEST_DETAIL else text[:_LONGEST_DETAIL] + "…"
    return f"{text}. {hint}".rstrip()


class _Builder:
    """Collects events into columns."""

    def __init__(self, rules: DecodeRules, slice_: Slice, partitions: int | None) -> None:
        self.rules = rules
        self._partitions = partitions
        self._astray: dict[int, int] = {}
        """Position of a record that is in another partition than its key's → that partition."""
        if partitions is not None and rules.partitioner != "any":
            home = homes(slice_.keys, rules.partitioner, partitions)
            away = np.flatnonzero(home != slice_.partition)
            self._astray = dict(zip(away.tolist(), home[away].tolist(), strict=True))
        self.category_names: dict[int, tuple[int, str]] = {}
        self._category_hash: dict[str | None, int] = {None: 0}
        self._rows: list[tuple[int, ...]] = []
        self._hashes: list[tuple[int, int, int, int]] = []
        self._event_ids: list[str] = []
        self._shopper_ids: list[str] = []
        self._touches: list[tuple[int, int, int, int]] = []

    def category(self, name: str | None, offset: int) -> int:
        try:
            return self._category_hash[name]
        except KeyError:
            assert name is not None
            code = xxh32_intdigest(name.encode()) or 1
            self._category_hash[name] = code
            self.category_names.setdefault(code, (offset, name))
            return code

    def add(self, position: int, offset: int, key: bytes | None, time: int, event: AnyShopperEvent) -> None:
        shopper = event.shopper_id
        if key != shopper.encode():
            shown = "no key" if key is None else repr(key[:64])
            raise _Refused("key_mismatch", f"The record's key ({shown}) is not its shopper_id.", "shopper_id")
        if position in self._astray:
            told = misplaced(self._astray[position], self.rules.partitioner, self._partitions or 1)
            raise _Refused("wrong_partition", told)
        if event.currency is not None and event.currency != self.rules.currency:
            raise _Refused(
                "foreign_currency",
                f"{event.currency}, but this worker adds up {self.rules.currency}: convert at the producer.",
                "currency",
            )
        cents = discount = dwell = flag = item = category = order = 0
        quantity = 1
        index = len(self._rows)
        if isinstance(event, ItemViewed):
            item, category = xxh3_64_intdigest(event.item_id.encode()), self.category(event.category, offset)
            cents = event.unit_price_cents or 0
            dwell = int((event.dwell_seconds or 0.0) * 1000)
            self._touches.append((index, item, category, cents))
        elif isinstance(event, (OrderPlaced, OrderCancelled, OrderReturned)):
            dearest = -1
            quantity = 0
            order = xxh3_64_intdigest(event.order_id.encode()) or 1
            for line in event.lines or ():
                line_item, line_category = (
                    xxh3_64_intdigest(line.item_id.encode()),
                    self.category(line.category, offset),
                )
                net = max(0, line.unit_price_cents * line.quantity - line.discount_cents)
                self._touches.append((index, line_item, line_category, net))
                cents += net
                discount += line.discount_cents
                quantity += line.quantity
                if net > dearest:
                    dearest, item, category = net, line_item, line_category
            if cents > MAX_ORDER_CENTS or discount > MAX_ORDER_CENTS:
                while self._touches and self._touches[-1][0] == index:
                    self._touches.pop()
                raise _Refused("order_too_large", f"The lines add up to {cents} cents.", "lines")
            if isinstance(event, OrderPlaced):
                flag = int(event.coupon_code is not None)
        elif isinstance(event, (CartItemAdded, CartItemRemoved)):
            item, category = xxh3_64_intdigest(event.item_id.encode()), self.category(event.category, offset)
            quantity = event.quantity
            cents = min((event.unit_price_cents or 0) * quantity, MAX_ORDER_CENTS)
            self._touches.append((index, item, category, cents))
        elif isinstance(event, ItemWishlisted):
            item, category = xxh3_64_intdigest(event.item_id.encode()), self.category(event.category, offset)
            self._touches.append((index, item, category, 0))
        elif isinstance(event, Searched):
            flag = int(event.result_count == 0)
        elif isinstance(event, ConsentChanged):
            flag = int(event.marketing)
        self._rows.append(
            (position, offset, time, TYPE_CODE[type(event)], cents, discount, quantity, dwell, flag, category)
        )
        event_id = event.event_id.encode()
        # The byte between the two is in no UTF-8.
        self._hashes.append((item, xxh3_64_intdigest(event_id), xxh3_64_intdigest(key + b"\xff" + event_id), order))
        self._event_ids.append(event.event_id)
        self._shopper_ids.append(shopper)

    def batch(self) -> EventBatch:
        ints = np.array(self._rows, np.int64).reshape(-1, 10).T.copy()
        hashes = np.array(self._hashes, np.uint64).reshape(-1, 4).T.copy()
        touch_items = np.array([touch[1] for touch in self._touches], np.uint64)
        touches = np.array([(t[0], t[2], t[3]) for t in self._touches], np.int64).reshape(-1, 3).T.copy()
        position, offset, time, kind, cents, discount, quantity, dwell, flag, category = ints
        return EventBatch(
            position=position,
            offset=offset,
            time_ms=time,
            type=kind,
            id_hash=hashes[1],
            identity=hashes[2],
            order=hashes[3],
            cents=cents,
            discount_cents=discount,
            quantity=quantity,
            dwell_ms=dwell,
            flag=flag,
            item=hashes[0],
            category=category,
            event_ids=self._event_ids,
            shopper_ids=self._shopper_ids,
            touches=Touches(touches[0], touch_items, touches[1], touches[2]),
        )
