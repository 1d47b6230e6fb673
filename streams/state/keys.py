"""The keys of the feature table: what kinds of records it holds, and which of two of a key is the right one."""

from __future__ import annotations

import msgspec

#: First byte of every key, by what the record is.
LAYOUT, NAME, IDS, TALLY, OPEN, CAMPAIGNS, ROW = b"l", b"n", b"i", b"d", b"o", b"c", b"s"
#: What became of offers: open windows of shoppers, and the sums over those that closed.
WINDOW, EFFECT = b"w", b"e"
#: Who an id turned out to be; what the hash of an item stands for; what is said of an item.
ALIAS, ITEM_NAME, ITEM_SAID = b"a", b"t", b"f"
#: The key of the progress record: it says that every record before its ``next_offset`` is in all others.
PROGRESS = b"p"
#: A packed row begins with the digest of its layout; then comes the offset before which it stands.
DIGEST_BYTES, HEADER_BYTES = 8, 16


def row_key(key: str) -> bytes:
    """The table's key of the row of a shopper, or of whatever else an entity's rows are about."""
    return ROW + key.encode()


def row_stands_at(value: bytes) -> int:
    """The offset before which a packed row stands."""
    return int.from_bytes(value[DIGEST_BYTES:HEADER_BYTES], "big")


def sums_stand_at(value: bytes) -> int:
    """The offset before which sums that wait stand: they begin with it."""
    return int.from_bytes(value[:8], "big")


_NEVER = (2**63 - 1).to_bytes(8, "little")


def is_blank(value: bytes) -> bool:
    """Whether a packed row says nothing of anybody: its only word that is not zero is that of its timer, which never
    fires."""
    return value.endswith(_NEVER) and int.from_bytes(value[HEADER_BYTES:-8], "big").bit_count() == 1


def older(key: bytes, value: bytes | None, held: bytes | None) -> bool:
    """Whether a record of the feature table stands for less of the log than the one held.

    A worker that was stopped and continued may have written rows after its partition went to another one. What a row
    holds is decided by the log alone, so of two the one from the later offset is right, whichever came last. Of rows
    only blank ones are deleted: any other is of somebody who came back.
    """
    if held is None:
        return False
    if value is None:
        return key[:1] == ROW and not is_blank(held)
    if key[:1] == ROW:
        return row_stands_at(value) < row_stands_at(held)
    if key[:1] in (TALLY, OPEN, WINDOW, EFFECT):
        return sums_stand_at(value) < sums_stand_at(held)
    if key == PROGRESS:
        return bool(msgspec.json.decode(value)["next_offset"] < msgspec.json.decode(held)["next_offset"])
    return False
