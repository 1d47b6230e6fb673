"""Codes of coupons that a shop made, on their way to the partitions of shoppers that give them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

#: So many codes stand in one record at most.
MOST_CODES = 500
CODE_PATTERN = "^[!-~]{4,64}$"
"""Of a code: 4 to 64 printable characters of ASCII without spaces."""

Code = Annotated[str, Meta(pattern=CODE_PATTERN)]


class CouponsLoaded(msgspec.Struct, tag_field="type", tag="coupons_loaded", kw_only=True, frozen=True, gc=False):
    """From here on this partition of shoppers may give these codes, each once, in this order; those that it had before
    are passed over. Written by ``offerstream campaigns coupons``, never by storefronts."""

    group: Annotated[
        Annotated[str, Meta(max_length=249)],
        Meta(description="The workers (OFFERSTREAM_APP_ID) that may give them; others pass over it."),
    ]
    pool: Annotated[Annotated[str, Meta(min_length=1, max_length=200)], Meta(description="The pool's name.")]
    codes: Annotated[
        Annotated[tuple[Code, ...], Meta(min_length=1, max_length=MOST_CODES)],
        Meta(description="The codes, 1 to 500 of 4 to 64 printable characters of ASCII without spaces."),
    ]
