"""What a record type is called."""

from __future__ import annotations

from typing import Any


def tag_of(record: Any) -> str:
    """The ``type`` of its records on the wire; of one that is part of other records, its name."""
    return str(record.__struct_config__.tag or record.__name__)
