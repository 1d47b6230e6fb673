"""The attributes of an item that a text can be made of, each a slot that is copied as it stands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from xxhash import xxh32_intdigest

from streams.copy.tokens import UNITS, folded, said, tokens

Kind = Literal["text", "number", "yes", "no"]
#: Of an item so many slots are looked at, in the order in which its record says them.
MOST = 40
#: Nothing is written of an item of which fewer attributes can be said, besides its brand and its category.
LEAST = 3
#: Names are told apart by so many hash buckets, all exact in float32.
BUCKETS = 1 << 20
#: A longer name or value is no attribute, but a text.
LONGEST_NAME, LONGEST_VALUE = 60, 100
#: Names of the attribute that names an item, as its maker does.
NAMES = frozenset({"name", "model", "model name", "product name", "名称", "品名", "型号", "商品名称"})
_YES, _NO = frozenset({"true", "yes", "y", "是", "有"}), frozenset({"false", "no", "n", "否", "无"})
_EMPTY = frozenset({"n/a", "na", "none", "null", "nan", "unknown", "not specified", "undefined", "未知", "不详"})
_MARKUP = re.compile(r"[<>]|&#?\w{1,32};|javascript:|\\[nrt]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Slot:
    """An attribute as it is said: ``value`` in the words of whoever listed the item, spaces made one."""

    name: str
    value: str
    kind: Kind
    """number: digits alone, which say nothing without the name; yes, no: whether the item has it."""

    @property
    def names(self) -> bool:
        """Whether it is what the item is called."""
        return (self.name == folded(self.name) and self.name in NAMES) or folded(self.name) in NAMES


def slots(record: Any) -> list[Slot]:
    """What a record (``CatalogRecord``) says of an item that can be copied: brand, narrowest category, attributes; at
    most 40, each name once. Left out is what has markup or control characters, is empty, or is too long.

    >>> from types import SimpleNamespace
    >>> told = {"colour": "black", "bluetooth": "true", "note": "<b>new</b>", "size": "n/a", "ports": "2"}
    >>> record = SimpleNamespace(brand="Acme", category_path=None, attributes=told)
    >>> [(slot.name, slot.value, slot.kind) for slot in slots(record)]
    [('brand', 'Acme', 'text'), ('colour', 'black', 'text'), ('bluetooth', 'true', 'yes'), ('ports', '2', 'number')]
    """
    found: dict[str, Slot] = {}
    for name, value in _said(record):
        name, value = " ".join(name.split()), " ".join(value.split())
        key = folded(name)
        if key in found or not (usable(name, LONGEST_NAME) and usable(value, LONGEST_VALUE)):
            continue
        if folded(value) not in _EMPTY and said(name).strip() and said(value).strip():
            found[key] = Slot(name, value, _kind(value))
            if len(found) == MOST:
                break
    return list(found.values())


def enough(known: Sequence[Slot]) -> bool:
    """Whether there is enough of an item to write of it."""
    return sum(folded(slot.name) not in ("brand", "category") for slot in known) >= LEAST


def usable(text: str, longest: int) -> bool:
    """Whether a text can be copied into another one: plain, on one line, without what changes what stands beside it."""
    if not 0 < len(text) <= longest or _MARKUP.search(text) or _MARKUP.search(unicodedata.normalize("NFKC", text)):
        return False
    return text.isprintable() and unicodedata.category(text[0])[0] != "M"


def marked_up(text: str) -> bool:
    """Whether a text has HTML, a script, or characters that do not print, beside line breaks."""
    plain = text.replace("\n", " ")
    return not plain.isprintable() or bool(_MARKUP.search(unicodedata.normalize("NFKC", plain)))


def _said(record: Any) -> Iterator[tuple[str, str]]:
    if record.brand:
        yield "brand", record.brand
    if record.category_path:
        yield "category", record.category_path[-1]
    yield from (record.attributes or {}).items()


def _kind(value: str) -> Kind:
    plain = folded(value)
    if plain in _YES or plain in _NO:
        return "yes" if plain in _YES else "no"
    words = tokens(plain)
    return "number" if all(t.kind == "number" or (t.kind == "sign" and t.text not in UNITS) for t in words) else "text"


def bucket(text: str) -> int:
    """The hash bucket, from 1 on, of a name in any case and width; whole numbers of it are exact in float32.

    >>> bucket("Colour") == bucket("ＣＯＬＯＵＲ") > 0
    True
    """
    return int(xxh32_intdigest(folded(text).encode()) % BUCKETS + 1)
