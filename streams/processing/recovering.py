"""Reads a partition's table back, in steps between which others have their turn.

Of a row only what must be known while it is not in memory is taken: its timer, before which offset it stands, and what
its shopper wishes for. The row itself comes when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from streams.processing.wishes import SINCE, Wishes
from streams.state import keys
from streams.state.arena import Arena, Tier
from streams.state.codec import NEVER, TIMER

#: Records of a step: some ten milliseconds' work.
AT_ONCE = 1024


@dataclass
class ReadBack:
    """What a table holds beside rows, and what it says of rows."""

    progress: dict[str, Any] = field(default_factory=dict)
    """The progress record; empty where there is none."""
    campaigns: dict[bytes, bytes] = field(default_factory=dict)
    beside: list[tuple[bytes, bytes]] = field(default_factory=list)
    """All other records."""
    blanks: list[bytes] = field(default_factory=list)
    """Keys of blank rows."""
    ahead: dict[str, int] = field(default_factory=dict)
    """Whose rows a crash left ahead of the progress record, and the offset before which each stands."""


def read_back(tier: Tier, arena: Arena, wishes: Wishes | None) -> Generator[None, None, ReadBack]:
    """Read all records, in order of keys: layouts come before the rows that need them, and so does the progress record.
    The timers of rows are set in ``arena``, ``wishes`` takes back who wishes for what."""
    found, at = ReadBack(), b""
    while some := tier.behind(at, AT_ONCE):
        at = some[-1][0]
        rows: list[tuple[bytes, bytes]] = []
        for key, value in some:
            kind = key[:1]
            if kind == keys.ROW:
                rows.append((key, value))
            elif kind == keys.LAYOUT:
                arena.codec.learn(value)
            elif key == keys.PROGRESS:
                found.progress.update(msgspec.json.decode(value))
            elif kind == keys.CAMPAIGNS:
                found.campaigns[key] = value
            else:
                found.beside.append((key, value))
        if rows:
            _rows(rows, arena, wishes, found)
        yield
    return found


def _rows(rows: list[tuple[bytes, bytes]], arena: Arena, wishes: Wishes | None, found: ReadBack) -> None:
    packed = [row for _, row in rows]
    peeked = arena.codec.peek(packed)
    due = peeked.word(TIMER)
    found.blanks += [rows[i][0] for i in np.flatnonzero(due == NEVER).tolist() if keys.is_blank(packed[i])]
    names = [key[1:].decode() for key, _ in rows]
    arena.cold.set(names, due)
    stands = np.frombuffer(b"".join([row[keys.DIGEST_BYTES : keys.HEADER_BYTES] for row in packed]), ">u8")
    for i in np.flatnonzero(stands > found.progress.get("next_offset", 0)).tolist():
        found.ahead[names[i]] = int(stands[i])
    if wishes is not None:
        some = np.flatnonzero(peeked.any(SINCE)).tolist()
        wishes.take_back([names[i] for i in some], arena.codec.unpack([packed[i] for i in some]))
