"""Campaigns that are ready to use, a file each; ``offerstream campaigns examples`` prints them."""

from __future__ import annotations

from importlib.resources import files

#: In the order in which they are shown.
NAMES = (
    "win-back",
    "cart-abandoned",
    "browse-abandoned",
    "back-in-stock",
    "price-drop",
    "welcome",
    "replenishment",
    "for-you",
)


def text(name: str) -> str:
    """The file of an example. Raises ``FileNotFoundError`` for a name that is not in ``NAMES``.

    >>> text("welcome").splitlines()[0]
    '# The first order is placed: make a second one likely, once its rest of three days is over.'
    """
    return files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
