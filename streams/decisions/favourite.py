"""The name of what a shopper likes most."""

from __future__ import annotations

from streams.decisions.decider import Group, Names
from streams.features.kinds.taste import code

ADDRESS = "browsing.favourite_category"


def favourite(names: Names, group: Group, i: int) -> str | None:
    """The name of the i-th one's favourite category; None where nothing is known, or the log has not named it."""
    (hashed,) = code(group.feature(ADDRESS)[i : i + 1]).tolist()
    return names.of_code(hashed, group.before[i])
