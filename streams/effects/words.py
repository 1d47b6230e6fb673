"""Numbers as people say them."""

from __future__ import annotations


def about(number: float) -> str:
    """Two digits that count: what is foretold is not known to the last shopper.

    >>> about(178_711), about(42), about(7.2)
    ('180,000', '42', '8')
    """
    whole = max(1, -int(-number // 1))
    step = 10 ** max(0, len(str(whole)) - 2)
    return f"{-(-whole // step) * step:,}"
