"""What is said of a name that nothing has: which one was probably meant, and which there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, whatever its case; None where none is near.

    >>> nearest("chrun", ["behaviour", "churn"]), nearest("orderplaced", ["OrderPlaced"]), nearest("x", ["churn"])
    ('churn', 'OrderPlaced', None)
    """
    known = {each.lower(): each for each in names}
    found = get_close_matches(name.lower(), known, 1)
    return known[found[0]] if found else None


def hint(name: str, names: Iterable[str]) -> str:
    """The end of a sentence that names what was probably meant, where anything is near.

    >>> hint("order.count", ["orders.count", "visits.events"]), hint("x", ["churn"])
    (': did you mean orders.count?', '.')
    """
    close = nearest(name, names)
    return f": did you mean {close}?" if close else "."


def unknown(kind: str, name: str, names: Iterable[str]) -> str:
    """One sentence, or two.

    >>> unknown("task", "chrun", ["behaviour", "churn"])
    "There is no task 'chrun': did you mean churn? There are: behaviour, churn."
    >>> unknown("task", "x", ["behaviour", "churn"])
    "There is no task 'x'; there are: behaviour, churn."
    """
    names = list(names)
    close = nearest(name, names)
    meant = f": did you mean {close}? There" if close else "; there"
    return f"There is no {kind} {name!r}{meant} are: {', '.join(names)}."
