"""What the items that a version names are like, and how much it counts that a new item is like what a shopper had."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: Numbers of an embedding, a byte each: as ``items.embedded.v1`` says them.
WIDTH = 64
#: To which power one and the likeness of an item may be taken: powers of two are products, the same bits everywhere.
POWERS = (1, 2, 4, 8)
#: A model that embeds is named by so many digits of its digest.
BY_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Likeness:
    """``power``: one of ``POWERS``; ``by``: the first 16 digits of the digest of the model that embedded; ``middle``
    [64] int8: what all items have in common, taken off each; ``embeddings`` [m, 64] int8: of the first m names, 0 of
    those of which nothing is known."""

    power: int
    by: str
    middle: npt.NDArray[np.int8]
    embeddings: npt.NDArray[np.int8]

    def said(self) -> dict[str, Any]:
        """As a card says it."""
        return {
            "power": self.power,
            "by": self.by,
            "middle": base64.b64encode(self.middle.tobytes()).decode(),
            "embeddings": base64.b64encode(self.embeddings.tobytes()).decode(),
        }

    @staticmethod
    def of(said: Any, names: int) -> Likeness:
        """Of what a card says that has so many ``names``. Raises ``ValueError`` for what cannot be weighed by."""
        try:
            middle, embeddings = (
                np.frombuffer(base64.b64decode(said[part], validate=True), np.int8).reshape(-1, WIDTH)
                for part in ("middle", "embeddings")
            )
            found = Likeness(said["power"], said["by"], middle[0], embeddings)
            right = found.power in POWERS and len(found.by) == BY_DIGITS and len(middle) == 1
            right = right and len(embeddings) <= names
        except (KeyError, TypeError, ValueError, IndexError, binascii.Error):
            right = False
        if not right:
            raise ValueError(
                f"likeness needs a power of {', '.join(map(str, POWERS))}, the digest of what embedded, and {WIDTH} "
                "bytes of each of its names at most and of what they have in common."
            )
        return found
