"""What a faulty record probably was meant to be: one sentence of help, the same in dead letters, check and replay.

Only asked about records that are refused, so it may take its time and parse again.
"""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from streams.records.events import OrderLine, OrderPlaced
from streams.records.produced import EVENTS, FAMILY_OF, TYPES
from streams.records.schema import descriptions

#: A longer name is no field that somebody meant.
MOST_OF_A_NAME = 64
#: What other systems (GA4, Segment) call the same thing, where the words differ.
_ALSO_CALLED = {
    "add_to_cart": "cart_item_added",
    "product_added": "cart_item_added",
    "remove_from_cart": "cart_item_removed",
    "product_removed": "cart_item_removed",
    "add_to_wishlist": "item_wishlisted",
    "product_viewed": "item_viewed",
    "page_view": "item_viewed",
    "purchase": "order_placed",
    "order_completed": "order_placed",
    "refund": "order_returned",
    "order_refunded": "order_returned",
    "search": "searched",
    "products_searched": "searched",
}
#: The first bytes of what is often sent in place of JSON.
_OTHER_FORMATS = (
    (b"\xef\xbb\xbf", "It begins with a UTF-8 byte order mark: leave that out."),
    (b"\xff\xfe", "It is UTF-16: send UTF-8."),
    (b"\xfe\xff", "It is UTF-16: send UTF-8."),
    (b"\x1f\x8b", "It is gzip: send JSON, and let the Kafka client compress it."),
    (b"\x28\xb5\x2f\xfd", "It is Zstandard: send JSON, and let the Kafka client compress it."),
    (b"{'", "Names stand in double quotes: is it a dict that was printed? Send json.dumps(…)."),
)
_EARLIEST_S, _LATEST_S = 631_152_000, 4_102_444_800  # 1990 to 2100


def of_bytes(value: bytes) -> str:
    """What a value that is no JSON looks like; empty when like nothing known.

    >>> of_bytes("{}".encode("utf-16"))
    'It is UTF-16: send UTF-8.'
    """
    for start, hint in _OTHER_FORMATS:
        if value.startswith(start):
            return hint
    if value[:2] in (b"\0{", b"\0[") or value[1:2] == b"\0" != value[:1]:
        return "It is UTF-16: send UTF-8."
    if value[:1] == b"\0":
        return "It begins as a schema registry's records do (Avro, Protobuf): send plain JSON."
    if re.search(rb"[:\[,]\s*(NaN|-?Infinity)\b", value[:65_536]):
        return "JSON has no NaN and no Infinity: leave the field out."
    return ""


def of_old_time(ms: int) -> str:
    """What an event time before 1990 probably is."""
    return "seconds instead of milliseconds?" if _EARLIEST_S <= ms < _LATEST_S else "is the producer's clock set?"


def of_future_time(ahead_ms: int) -> str:
    """What an event time in the future probably is."""
    hours = round(ahead_ms / 3_600_000 * 2) / 2
    off = abs(ahead_ms - hours * 3_600_000)
    if 0.5 <= hours <= 14 and off < 120_000:
        return f"About {hours:g} h ahead: local time sent as UTC?"
    return "Does the producer's clock run ahead?"


def did_you_mean(name: str, known: tuple[str, ...]) -> str | None:
    """The known name that is closest to a mistaken one, if any is close.

    >>> did_you_mean("categry", ("category", "currency"))
    'category'
    >>> [did_you_mean(told, tuple(TYPES)) for told in ("ItemViewed", "view_item", "teleported")]
    ['item_viewed', 'item_viewed', None]
    """
    return _closest(name[:64], known)


@lru_cache(1024)
def _closest(name: str, known: tuple[str, ...]) -> str | None:
    also = _ALSO_CALLED.get("_".join(_words(name)))
    if also in known:
        return also

    def likeness(other: str) -> float:
        ours, theirs = _words(name), _words(other)
        return max(
            difflib.SequenceMatcher(None, "".join(ours), "".join(theirs)).ratio(),
            difflib.SequenceMatcher(None, " ".join(sorted(ours)), " ".join(sorted(theirs))).ratio(),
        )

    best = max(known, key=likeness, default=None)
    return best if best is not None and likeness(best) >= 0.8 else None


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def of_invalid(value: bytes, missing: bool, where: str | None, currency: str) -> str:
    """How to repair what the schema refuses at ``where``, such as ``lines[0].quantity``; empty when nothing is known.

    ``missing``: the field is not there. ``currency``: whose cents are meant when the record does not say.
    """
    try:
        record = msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    if not isinstance(record, dict):
        return "One record holds one event" + (
            ": send each of the list by itself." if isinstance(record, list) else "."
        )
    if where is None:
        return ""
    holder, name = find(record, where)
    if not isinstance(holder, dict):
        return ""
    if name == "type" and holder is record:
        return _of_type(record, missing)
    if where.startswith("attributes."):
        return _of_attribute(holder.get(name))
    fields = descriptions(OrderLine if where.startswith("lines[") else TYPES.get(str(record.get("type")), OrderPlaced))
    if missing:
        meant = did_you_mean(name, _strangers(holder, fields))
        return f"There is `{meant}`: did you mean `{name}`?" if meant else fields.get(name, "")
    told = record.get("currency")
    return _of_value(name, holder.get(name), told if isinstance(told, str) else currency) or fields.get(name, "")


def attribute_at_fault(value: bytes, where: str) -> str:
    """The path of an attribute that is no text, where the schema says only that one of them is none. A record that
    cannot be read as a whole keeps its path.

    >>> attribute_at_fault(b'{"attributes": {"colour": "red", "weight": 100}}', "attributes[...]")
    'attributes.weight'
    """
    if where != "attributes[...]":
        return where
    try:
        record = msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return where
    held = record.get("attributes") if isinstance(record, dict) else None
    for name, said in held.items() if isinstance(held, dict) else ():
        if not isinstance(said, str) and 0 < len(name) <= MOST_OF_A_NAME and not set(name) & set(".[]"):
            return f"attributes.{name}"
    return where


def _of_attribute(found: Any) -> str:
    if isinstance(found, list):
        return 'An attribute is one text: put its parts into one, such as "red, blue".'
    if isinstance(found, (bool, int, float)) and abs(found) < 10**15:
        return f'Put it in quotes: "{str(found).lower()}".'
    return "Properties are texts, by name."


def find(record: Any, where: str) -> tuple[Any, str]:
    """What holds the field at a path, and the field's name; (None, …) when the path leads nowhere.

    >>> find({"lines": [{"quantity": 0}]}, "lines[0].quantity")
    ({'quantity': 0}, 'quantity')
    """
    *path, last = re.findall(r"[^.\[\]]+", where) or [""]
    for step in path:
        if isinstance(record, dict):
            record = record.get(step)
        elif isinstance(record, list) and step.isdigit() and int(step) < len(record):
            record = record[int(step)]
        else:
            return None, last
    return record, last


def meant_type(record: dict[str, Any]) -> str | None:
    """The event type that a record of no known type probably has."""
    told = record.get("type", record.get(_misnamed_type(record) or "type"))
    return did_you_mean(told, tuple(TYPES)) if isinstance(told, str) else None


def _misnamed_type(record: dict[str, Any]) -> str | None:
    names = ("event_type", "eventType", "event_name", "eventName", "event", "Type", "name")
    return next((name for name in names if isinstance(record.get(name), str)), None)


def _of_type(record: dict[str, Any], missing: bool) -> str:
    if missing and (name := _misnamed_type(record)):
        return f"There is `{name}`: did you mean `type`?"
    meant = meant_type(record)
    if meant is not None and meant == record.get("type"):
        what = "shoppers do" if FAMILY_OF[meant] == EVENTS else "is told of items"
        return f"Records of the type {meant} tell what {what}, and belong into another topic: offerstream topics list."
    return f"Did you mean {meant}?" if meant else f"There are: {', '.join(TYPES)}."


def _of_value(name: str, found: Any, currency: str) -> str:
    currency = currency[:3].upper()
    # A number of thousands of digits cannot even be written.
    number = isinstance(found, (int, float)) and not isinstance(found, bool) and abs(found) < 10**15
    if name.endswith("_cents") and isinstance(found, float) and abs(found) < 1e12:
        if found == int(found):
            return f"{name} is integer cents: {int(found)}, or {int(found) * 100} if these are {currency}."
        money = "dollars" if currency == "USD" else currency
        return f"{name} is integer cents: {found} {money} are {round(found * 100)}."
    if name == "event_time":
        return _of_time(found)
    if name == "currency":
        return "ISO 4217 has three capital letters, such as USD."
    if name.endswith("_cents") and isinstance(found, str) and re.fullmatch(r"\d{1,9}\.\d\d", found):
        return f"{name} is integer cents, without quotes: {found} are {found.replace('.', '').lstrip('0') or 0}."
    if isinstance(found, str) and re.fullmatch(r"-?\d{1,15}", found) and not name.endswith("_id"):
        return f"Send a number: {found}, without quotes."
    if name == "category_path" and isinstance(found, str) and found:
        path = [part.strip() for part in found[:200].split(">")]
        return f"Use a list, from the widest to the narrowest: {msgspec.json.encode(path).decode()}."
    if number and name == "on_hand" and found < 0:
        return "Whoever has promised more than there is has 0 to sell; what is on its way is on_order."
    if number and name.endswith("_id"):
        return f'Send a string: "{found}", in quotes.'
    return ""


def _of_time(found: Any) -> str:
    if isinstance(found, str):
        if re.fullmatch(r"\d{1,15}", found):
            return f"Send a number: {found}, without quotes."
        if re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?", found):
            return f"It needs an offset, such as {found}Z or {found}+02:00."
        return "ISO 8601 looks like 2023-11-14T22:13:20Z."
    if isinstance(found, float) and _EARLIEST_S <= found < _LATEST_S:
        return f"It is an integer in milliseconds: {round(found * 1000)}."
    for unit, per_second in (("microseconds", 10**6), ("nanoseconds", 10**9)):
        if isinstance(found, (int, float)) and _EARLIEST_S * per_second <= found < _LATEST_S * per_second:
            return f"{unit.capitalize()} instead of milliseconds?"
    return ""


def of_unknown_fields(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(path, path of the field meant, hint) of every field that nobody reads and that is close to one not there."""
    kind = TYPES.get(str(record.get("type")))
    if kind is None:
        return []
    found = _unknown(record, kind, "")
    lines = record.get("lines")
    if isinstance(lines, list) and "lines" in descriptions(kind):
        for i, line in enumerate(lines):
            if isinstance(line, dict):
                found += _unknown(line, OrderLine, f"lines[{i}].")
    return found


def unread_fields(record: dict[str, Any]) -> list[str]:
    """Paths of the fields that nobody reads and that are close to none."""
    kind = TYPES.get(str(record.get("type")))
    if kind is None:
        return []
    meant = {path for path, *_ in of_unknown_fields(record)}
    lines = record.get("lines")
    held = [("", record, descriptions(kind))]
    if isinstance(lines, list) and "lines" in descriptions(kind):
        held += [(f"lines[{i}].", line, descriptions(OrderLine)) for i, line in enumerate(lines)]
    return [
        prefix + name
        for prefix, holder, fields in held
        if isinstance(holder, dict)
        for name in _strangers(holder, fields)
        if prefix + name not in meant
    ]


def _strangers(record: dict[str, Any], fields: dict[str, str]) -> tuple[str, ...]:
    """Names in a record that no field has; the first hundred, for a record may hold any number of any length."""
    return tuple(islice((name for name in record if name not in fields and len(name) <= MOST_OF_A_NAME), 100))


def _unknown(record: dict[str, Any], kind: type[msgspec.Struct], prefix: str) -> list[tuple[str, str, str]]:
    fields = descriptions(kind)
    found = []
    for name in _strangers(record, fields):
        meant = did_you_mean(name, tuple(field for field in fields if field not in record))
        if meant:
            found.append((prefix + name, prefix + meant, f"Unknown field {name}: did you mean {meant}?"))
    return sorted(found)
