"""The table of contents of all entities. A new one is a file beside this one, and a line here."""

from __future__ import annotations

from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.processing.entity import Entity

ENTITIES: tuple[Entity, ...] = (SHOPPER, ITEM)


def find(name: str) -> Entity:
    """The entity of that name. Raises ``KeyError`` that lists the names there are."""
    for entity in ENTITIES:
        if entity.name == name:
            return entity
    raise KeyError(f"There is no entity {name!r}; there are: {', '.join(entity.name for entity in ENTITIES)}.")
