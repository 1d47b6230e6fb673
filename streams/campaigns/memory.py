"""What a shopper's row remembers of campaigns, in columns that do not grow with their number.

The last 12 offers of all campaigns stand in slots, each with the digest of its campaign: caps, live offers and
exclusions of any campaign are read from them. A slot is written over only when no window reaches back to its offer;
where all 12 are younger, nothing more is offered (``memory_full``), so a cap is never exceeded because an offer was
forgotten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.columns.arrays import Bools, Hashes, Ints, of_types
from streams.columns.layout import Column, Rows
from streams.records.events import OfferDismissed, OrderPlaced, OrderReturned

OFFERS, WAITS, SAYINGS, IDS = 12, 4, 16, 8
AT = Column("campaigns/at", "i8", OFFERS)
OF = Column("campaigns/of", "u8", OFFERS)
UNTIL = Column("campaigns/until", "i8", OFFERS)
OFFER = Column("campaigns/offer", "u8", OFFERS)
WORTH = Column("campaigns/worth", "u4", OFFERS)
RESERVED = Column("campaigns/reserved", "u4", OFFERS)
"""Cents that are set aside for it; 0 once it was used."""
DID = Column("campaigns/did", "i8", 3)
"""When the shopper last ordered, returned and complained (turned an offer away)."""
WAIT_OF = Column("campaigns/wait_of", "u8", WAITS)
WAIT_UNTIL = Column("campaigns/wait_until", "i8", WAITS)
SAID = Column("campaigns/said", "u4", SAYINGS)
"""Per slot the campaign's tag (24 bits) and the code of the reason said last (8 bits)."""
MERGED = Column("campaigns/merged", "u8", IDS)
"""Ids that turned out to be this shopper, the last ones: their 64-bit hashes."""
COLUMNS = (AT, OF, UNTIL, OFFER, WORTH, RESERVED, DID, WAIT_OF, WAIT_UNTIL, SAID, MERGED)
_SLOT = (AT, OF, UNTIL, OFFER, WORTH, RESERVED)
_DEEDS = tuple(of_types(cls) for cls in (OrderPlaced, OrderReturned, OfferDismissed))


@dataclass(frozen=True, slots=True)
class Held:
    """What k rows remember."""

    at_ms: Ints
    """[k, 12] when each offer was made; 0: an empty slot."""
    of: Hashes
    """[k, 12] whose it is."""
    until_ms: Ints
    """[k, 12] until when it holds; when it was used or turned away, if it was."""
    worth: Ints
    """[k, 12] cents off for the shopper."""
    did_ms: Ints
    """[k, 3] last purchase, return, complaint; 0: never."""
    wait_of: Hashes
    """[k, 4] campaigns that wait for quiet hours to end."""
    wait_until_ms: Ints
    """[k, 4] until when."""
    merged: Hashes
    """[k, 8] ids that turned out to be each shopper; 0: none."""


def _cells(state: Rows, column: Column, rows: Ints) -> Ints:
    return state.cells(column, rows)[:, None] + np.arange(column.cells)


def read(state: Rows, rows: Ints) -> Held:
    """What some rows remember; a copy."""
    flat = state.flat
    at, of, until = (flat[c.code][_cells(state, c, rows)] for c in (AT, OF, UNTIL))
    worth, did = (flat[c.code][_cells(state, c, rows)].astype(np.int64) for c in (WORTH, DID))
    wait_of, wait_until, merged = (flat[c.code][_cells(state, c, rows)] for c in (WAIT_OF, WAIT_UNTIL, MERGED))
    return Held(at, of, until, worth, did, wait_of, wait_until, merged)


def note_events(state: Rows, rows: Ints, now_ms: Ints, event_type: Ints) -> None:
    """Remember purchases, returns and complaints; to be called before anything is decided. No row stands twice."""
    for place, types in enumerate(_DEEDS):
        mine = types[event_type]
        if not mine.any():
            continue
        cells = state.cells(DID, rows[mine]) + place
        state.flat["i8"][cells] = np.maximum(state.flat["i8"][cells], now_ms[mine])


def close_offers(state: Rows, rows: Ints, offers: Hashes, now_ms: Ints) -> None:
    """Offers that were used or turned away are live no more. ``offers``: [k] 64-bit hash of the id of each."""
    cells = _cells(state, OFFER, rows)
    mine = state.flat["u8"][cells] == offers[:, None]
    at, slot = np.nonzero(mine)
    until = _cells(state, UNTIL, rows)[at, slot]
    state.flat["i8"][until] = np.minimum(state.flat["i8"][until], now_ms[at])


def take_reserved(state: Rows, rows: Ints, offers: Hashes) -> tuple[Ints, Hashes, Ints, Ints]:
    """Offers that were used, once each: [m] which of the k rows, whose it was, what was set aside, until when it held.
    To be called before they are closed."""
    found = (state.flat["u8"][_cells(state, OFFER, rows)] == offers[:, None]) & (offers[:, None] != 0)
    cells = _cells(state, RESERVED, rows)
    at, slot = np.nonzero(found & (state.flat["u4"][cells] != 0))
    reserved = state.flat["u4"][cells[at, slot]].astype(np.int64)
    of, until = (state.flat[c.code][_cells(state, c, rows)[at, slot]] for c in (OF, UNTIL))
    state.flat["u4"][cells[at, slot]] = 0
    return at, of, reserved, until


def remember_offers(
    state: Rows, rows: Ints, code: int, now_ms: Ints, until_ms: Ints, worth: Ints, offers: Hashes, reserved: Ints
) -> None:
    """Offers of one campaign that were made, in the slot of each row's oldest. No row stands twice."""
    worth, reserved = np.minimum(worth, 2**32 - 1), np.minimum(reserved, 2**32 - 1)
    slot = np.argmin(state.flat["i8"][_cells(state, AT, rows)], axis=1)
    for column, values in ((AT, now_ms), (UNTIL, until_ms), (OFFER, offers), (WORTH, worth), (RESERVED, reserved)):
        state.flat[column.code][state.cells(column, rows) + slot] = values
    state.flat["u8"][state.cells(OF, rows) + slot] = code


def remember_waits(state: Rows, rows: Ints, code: int, until_ms: Ints) -> Bools:
    """[k] whether it is remembered that a campaign waits until a time; not where four others wait already."""
    of, until = _cells(state, WAIT_OF, rows), _cells(state, WAIT_UNTIL, rows)
    mine, free = state.flat["u8"][of] == code, state.flat["u8"][of] == 0
    slot = np.argmax(2 * mine + free, axis=1)  # its own slot before a free one
    k = np.arange(len(rows))
    kept = (mine | free)[k, slot]
    state.flat["u8"][of[k, slot][kept]] = code
    state.flat["i8"][until[k, slot][kept]] = until_ms[kept]
    return kept


def clear_waits(state: Rows, rows: Ints, now_ms: Ints) -> None:
    """Forget what has waited until now; to be called after everything is decided."""
    of, until = _cells(state, WAIT_OF, rows), _cells(state, WAIT_UNTIL, rows)
    over = (state.flat["u8"][of] != 0) & (state.flat["i8"][until] <= now_ms[:, None])
    state.flat["u8"][of[over]] = 0
    state.flat["i8"][until[over]] = 0


def read_waits(state: Rows, rows: Ints) -> Ints:
    """[k, 4] until when campaigns wait in each row; 0: none does."""
    of, until = _cells(state, WAIT_OF, rows), _cells(state, WAIT_UNTIL, rows)
    return np.where(state.flat["u8"][of] != 0, state.flat["i8"][until], 0)


def newly_said(state: Rows, rows: Ints, code: int, reason: Ints) -> Bools:
    """[k] whether a campaign's reason is another one than was said last; it counts as said from here on.

    Two campaigns may share a slot (1 in 16): then a reason is said again, never lost but for tags that agree by chance
    as well (1 in 2^24).
    """
    cells = state.cells(SAID, rows) + code % SAYINGS
    now = ((code >> 8 & 0xFFFFFF) << 8) | reason
    new = state.flat["u4"][cells] != now
    state.flat["u4"][cells] = now
    return new


def merge(state: Rows, row: int, other: Rows) -> None:
    """Take what the one row of ``other`` remembers into a row: an offer to either counts, as does what either did. Of
    more than 12 offers the newest stay: while a window reaches back to the oldest of them nothing is offered, so none
    that is forgotten would still count."""
    held, more = state.data, other.data
    both = {column: np.r_[held[column.name][row], more[column.name][0]] for column in _SLOT}
    newest = np.argsort(-both[AT], kind="stable")[:OFFERS]
    for column, values in both.items():
        held[column.name][row] = values[newest]
    held[DID.name][row] = np.maximum(held[DID.name][row], more[DID.name][0])
    for code, until in zip(more[WAIT_OF.name][0].tolist(), more[WAIT_UNTIL.name][0].tolist(), strict=True):
        waits = held[WAIT_UNTIL.name][row][held[WAIT_OF.name][row] == code]
        if code:
            remember_waits(state, np.array([row]), code, np.array([max([until, *waits.tolist()])]))
    _remember_ids(state, row, more[MERGED.name][0])


def remember_id(state: Rows, row: int, shopper: int) -> None:
    """Remember the hash of an id that turned out to be this shopper."""
    _remember_ids(state, row, np.array([shopper], np.uint64))


def _remember_ids(state: Rows, row: int, ids: Hashes) -> None:
    known = state.data[MERGED.name][row]
    found = list(dict.fromkeys([*ids[ids != 0].tolist(), *known[known != 0].tolist()]))[:IDS]
    state.data[MERGED.name][row] = found + [0] * (IDS - len(found))


def take_all_reserved(state: Rows, row: int) -> list[tuple[int, int, int]]:
    """Of every offer that something is set aside for: whose it is, how much, until when it holds. Nothing is set aside
    from here on."""
    held = {column: state.data[column.name][row] for column in (OF, RESERVED, UNTIL)}
    slots = np.flatnonzero(held[RESERVED])
    found = [(int(held[OF][k]), int(held[RESERVED][k]), int(held[UNTIL][k])) for k in slots.tolist()]
    held[RESERVED][:] = 0
    return found
