"""Recovery of the feature table: which of two rows is the right one."""

from __future__ import annotations

import msgspec

from streams.state.keys import older


def row(next_offset: int) -> bytes:
    return b"layout__" + next_offset.to_bytes(8, "big") + b"columns"


def test_a_row_from_before_a_take_over_does_not_replace_a_newer_one() -> None:
    """What a worker wrote after it was stopped, lost its partition and was continued."""
    assert older(b"sshopper", row(10), row(11))
    assert not older(b"sshopper", row(11), row(10))
    assert not older(b"sshopper", row(10), None)


def test_the_progress_of_a_partition_never_goes_back() -> None:
    early, late = (msgspec.json.encode({"next_offset": n, "newest_ms": 0}) for n in (5, 6))
    assert older(b"p", early, late)
    assert not older(b"p", late, early)


def test_a_deletion_is_taken_as_it_comes() -> None:
    assert not older(b"wshopper", None, row(10))
    assert not older(b"sshopper", None, None)
    assert older(b"sshopper", None, row(10))  # Only blank rows are deleted: it is of somebody who came back.
