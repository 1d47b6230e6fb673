"""The topic of what items are searched by: the newest of each item, read by every worker."""

from __future__ import annotations

import threading
from itertools import islice

import msgspec
from msgspec.structs import replace

from streams.compacted import Board
from streams.records.searches import ItemSought
from streams.search.index import Document
from streams.topics import SEARCH_ITEMS

_decoder = msgspec.json.Decoder(ItemSought)
_WORDS = Document.__struct_fields__


class SearchBook:
    """What is said of every item, and which items something changed of since this was last asked. A thread applies
    records while another asks."""

    def __init__(self) -> None:
        self._said: dict[str, Document] = {}
        self._delisted: set[str] = set()
        self._changed: dict[str, None] = {}
        self._lock = threading.Lock()

    def apply(self, record: ItemSought) -> None:
        """Take a record; a later one of the same item and field replaces it."""
        with self._lock:
            item = record.item_id
            if record.listed is not None:
                (self._delisted.discard if record.listed else self._delisted.add)(item)
            told = {name: value for name in _WORDS if (value := getattr(record, name)) is not None}
            self._said[item] = replace(self._said.get(item) or Document(), **told)
            self._changed[item] = None

    def drain(self, most: int) -> list[tuple[str, Document | None]]:
        """Up to so many items of which something changed, with what is said of them; None for one that is delisted."""
        with self._lock:
            items = list(islice(self._changed, most))
            for item in items:
                del self._changed[item]
            return [(item, None if item in self._delisted else self._said[item]) for item in items]

    def drain_all(self) -> list[tuple[str, Document | None]]:
        """The same of all of them."""
        return self.drain(len(self._changed))


def decode(value: bytes) -> ItemSought:
    """A record of the topic. Raises ``msgspec.DecodeError``."""
    return _decoder.decode(value)


BOARD = Board(SEARCH_ITEMS, decode, SearchBook)
