"""Who wishes for what in one partition of shoppers, and whom news of an item makes due.

What a shopper wishes for stands in their row until they order it; of more than 16 items the newest are kept. So whom
news makes due is decided by the rows as the log had made them. A crash leaves some rows ahead of others: those that
went beyond the news before, by a record of theirs or by news, are not told again. An index in memory says whose rows to
look at; it is made from the rows.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

import numpy as np

from streams.campaigns.plan import Plans
from streams.campaigns.terms import KINDS, NEWS_TRIGGERS, news_kind
from streams.columns.arrays import TYPE_CODE, Bools, EventBatch, Hashes, Ints
from streams.columns.layout import Column, Rows
from streams.columns.shopper_events import item_code
from streams.processing.decode import Decoded
from streams.processing.fates import APPLIED
from streams.processing.identity import CLOSED
from streams.records.events import ItemWishlisted, OrderPlaced
from streams.records.news import AnyItemNews
from streams.records.outcomes import DueKind
from streams.state.keys import ITEM_NAME

#: Items that a shopper wishes for are remembered up to so many.
WISHES = 16
ITEM = Column("wishes/item", "u8", WISHES)
SINCE = Column("wishes/offset+1", "i8", WISHES)
"""Behind the record that says so; 0: an empty slot."""
HEARD = Column("wishes/heard+1", "i8")
"""The offset behind the last news that made the row due."""
COLUMNS = (ITEM, SINCE, HEARD)
_WISHED, _ORDERED = TYPE_CODE[ItemWishlisted], TYPE_CODE[OrderPlaced]


class Wishes:
    """The wishes of one partition. ``kinds``: codes of the news that campaigns wait for."""

    def __init__(self) -> None:
        self.kinds: Container[int] = ()
        self._who: dict[int, set[str]] = {}
        """Hash of an item → who wishes for it; those who turn out not to, their rows tell."""
        self._names: dict[int, str] = {}
        """Hash → id, of items that made somebody due, or that somebody may leave. Never changes."""
        self._new: dict[bytes, bytes | None] = {}

    def plan(self, plans: Plans | None) -> None:
        """From here on these campaigns hold."""
        held = [] if plans is None else [p.campaign.trigger for p in plans.plans if p.campaign.approval == "approved"]
        self.kinds = {NEWS_TRIGGERS[type(trigger)] for trigger in held if type(trigger) in NEWS_TRIGGERS}

    def item(self, code: int) -> str | None:
        """The id behind the hash of an item."""
        return self._names.get(code)

    def learn(self, named: Mapping[int, str]) -> None:
        """Hash → id of items that an offer may name."""
        for code, item_id in named.items():
            if code not in self._names:
                self._names[code] = item_id
                self._new[ITEM_NAME + code.to_bytes(8, "big")] = item_id.encode()

    # -- who wishes for what

    def note(self, state: Rows, rows: Ints, batch: EventBatch, applied: Ints) -> None:
        """What shoppers wish for, and order. ``applied``: of the batch, in log order; ``rows``: of all of it."""
        kind = np.zeros(len(batch), np.int64)
        kind[applied] = batch.type[applied]
        of = kind[batch.touches.event]
        some = np.flatnonzero((of == _WISHED) | (of == _ORDERED))
        event, item, wished = batch.touches.event[some], batch.touches.item[some], of[some] == _WISHED
        row = rows[event]
        # Whoever orders what they neither wished for before nor in this slice is passed over at once.
        held = (state.data[ITEM.name][row] == item[:, None]).any(axis=1)
        for m in np.flatnonzero(wished | held | np.isin(row, row[wished])).tolist():
            key, offset = batch.keys[event[m]], int(batch.offset[event[m]])
            if wished[m]:
                self._wish(state, int(row[m]), key, item[m], offset)
            else:
                self._forget(state, int(row[m]), key, item[m])

    def _wish(self, state: Rows, row: int, key: str, item: np.uint64, offset: int) -> None:
        items, since = state.data[ITEM.name][row], state.data[SINCE.name][row]
        mine = (items == item) & (since > 0)
        slot = int(mine.argmax() if mine.any() else since.argmin())
        if since[slot] and not mine.any():
            self._discard(int(items[slot]), key)
        items[slot], since[slot] = item, offset + 1
        self._who.setdefault(int(item), set()).add(key)

    def _forget(self, state: Rows, row: int, key: str, item: np.uint64) -> None:
        items, since = state.data[ITEM.name][row], state.data[SINCE.name][row]
        mine = items == item
        items[mine] = since[mine] = 0
        self._discard(int(item), key)

    def _discard(self, item: int, key: str) -> None:
        held = self._who.get(item, set())
        held.discard(key)
        if not held:
            self._who.pop(item, None)

    def join(self, other: Rows, key: str, offset: int) -> None:
        """What another id wished for (the one row of ``other``) becomes somebody's wish by a record at an offset."""
        items, since = other.data[ITEM.name][0], other.data[SINCE.name][0]
        since[since > 0] = offset + 1
        for item in items[since > 0].tolist():
            self._who.setdefault(item, set()).add(key)

    def forget(self, keys: Sequence[str], rows: Rows) -> None:
        """Nobody knows any more what these wish for."""
        at, slot = np.nonzero(rows.data[SINCE.name])
        for i, item in zip(at.tolist(), rows.data[ITEM.name][at, slot].tolist(), strict=True):
            self._discard(item, keys[i])

    def take_back(self, keys: Sequence[str], rows: Rows) -> None:
        """Make the index from rows that a worker left."""
        at, slot = np.nonzero(rows.data[SINCE.name])
        for i, item in zip(at.tolist(), rows.data[ITEM.name][at, slot].tolist(), strict=True):
            self._who.setdefault(item, set()).add(keys[i])

    # -- whom news makes due

    def cuts(self, decoded: Decoded) -> list[int]:
        """Places in a slice between news that may make somebody due and other records, which may change whom."""
        if not self.kinds or not decoded.news:
            return []
        touches = decoded.batch.touches
        wished = set(touches.item[decoded.batch.type[touches.event] == _WISHED].tolist())
        wished |= {item for _, said in decoded.merges for item in said.columns.get(ITEM.name, ())}
        alone = np.zeros(len(decoded.clock_ms), np.bool_)
        for position, said in decoded.news:
            code = item_code(said.item_id)
            alone[position] = news_kind(said) in self.kinds and (code in self._who or code in wished)
        found: list[int] = (np.flatnonzero(alone[1:] != alone[:-1]) + 1).tolist()
        return found

    def hear(self, said: AnyItemNews) -> list[str]:
        """Who may be due by some news, in order; nobody where no campaign waits for it."""
        return sorted(self._who.get(item_code(said.item_id), ())) if news_kind(said) in self.kinds else []

    def tell(self, state: Rows, rows: Ints, said: AnyItemNews, offset: int) -> Bools:
        """[n] which rows news at an offset makes due; they have heard of it from then on."""
        code = item_code(said.item_id)
        wishes = (state.data[ITEM.name][rows] == np.uint64(code)) & (state.data[SINCE.name][rows] > 0)
        ahead = np.maximum(state.data[APPLIED.name][rows], state.data[HEARD.name][rows]) > offset
        due: Bools = wishes.any(axis=1) & ~ahead & (state.data[CLOSED.name][rows] <= 0)
        state.data[HEARD.name][rows[due]] = offset + 1
        if due.any():
            self.learn({code: said.item_id})
        return due

    # -- kept

    def drain_changes(self) -> dict[bytes, bytes | None]:
        """Ids of items since this was last called, as records of the feature table: before the rows."""
        changes, self._new = self._new, {}
        return changes

    def restore(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Take it back; the rows are taken back by themselves."""
        named = [(key, value) for key, value in records if key[:1] == ITEM_NAME]
        self._names = {int.from_bytes(key[1:], "big"): value.decode() for key, value in named}


def due_ref(said: AnyItemNews) -> str:
    """What outcomes call it: where the items' log says so, and the item."""
    return f"{said.source_partition}:{said.source_offset}:{said.item_id}"


def due_kind(said: AnyItemNews) -> DueKind:
    """What outcomes call what it makes due."""
    kind = news_kind(said)
    assert kind is not None, "Nobody is due by such news."
    return KINDS[kind]


def merge(state: Rows, row: int, other: Rows) -> None:
    """Take what the one row of ``other`` wishes for into a row; the newest are kept. Called after ``Wishes.join``."""
    held, more = state.data, other.data
    both: dict[int, int] = {}
    for data, at in ((held, row), (more, 0)):
        for item, since in zip(data[ITEM.name][at].tolist(), data[SINCE.name][at].tolist(), strict=True):
            if since:
                both[item] = max(since, both.get(item, 0))
    newest = sorted(both.items(), key=lambda wish: -wish[1])[:WISHES]
    items: Hashes = np.zeros(WISHES, np.uint64)
    since_: Ints = np.zeros(WISHES, np.int64)
    items[: len(newest)] = [item for item, _ in newest]
    since_[: len(newest)] = [since for _, since in newest]
    held[ITEM.name][row], held[SINCE.name][row] = items, since_
