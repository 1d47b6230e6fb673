"""A review as clauses, so that what is praised is told from what is not, and each can be quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from streams.features.payload.words import UNSPACED

#: Of a review no more clauses are read …
MOST = 200
#: … and a clause with Chinese characters has no more characters than this.
LONGEST = 16
_LETTER, _SPACE = re.compile(r"[^\W\d_]"), re.compile(r"\s+")
#: Where one thing ends to be said and the next begins: marks, and words that turn.
_ENDS = re.compile(
    r"[.!?;:,…~。！？；：，、\n\r()（）【】\[\]]+|--+"
    r"|\b(?:but|however|although|though|except|yet|while)\b|但是|但|不过|可是|然而|虽然|尽管|只是",
    re.IGNORECASE,
)


def clauses(text: str) -> Iterator[str]:
    """What a ``readable`` text says one after the other, as it is written; at most 200.

    >>> list(clauses("Soft fabric, but runs LARGE. 质量很好但是太贵了"))
    ['Soft fabric', 'runs LARGE', '质量很好', '太贵了']
    """
    return islice(_all(text), MOST)


def _all(text: str) -> Iterator[str]:
    for part in _ENDS.split(text):
        if not _LETTER.search(part):
            continue
        said = _SPACE.sub(" ", part).strip()
        # Chinese without marks goes on.
        long = LONGEST if UNSPACED.search(said) else len(said)
        yield from (said[start : start + long] for start in range(0, len(said), long))
