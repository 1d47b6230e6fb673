"""The table of contents of all entities, and the topics that they need. A new one is a file beside this one, and a
line here."""

from __future__ import annotations

from dataclasses import replace

from models.nearest import unknown
from streams.entities.campaign import CAMPAIGN
from streams.entities.item import ITEM
from streams.entities.shopper import SHOPPER
from streams.processing.entity import Entity
from streams.topics import INTERNAL, TOPICS, Topic, changelog_name, table_name

ENTITIES: tuple[Entity, ...] = (SHOPPER, ITEM, CAMPAIGN)


def find(name: str) -> Entity:
    """The entity of that name. Raises ``KeyError`` that lists the names there are."""
    for entity in ENTITIES:
        if entity.name == name:
            return entity
    raise KeyError(unknown("entity", name, (entity.name for entity in ENTITIES)))


def logs(app_id: str) -> dict[str, str]:
    """The topic that is each entity's log, by its name, for a group of workers."""
    return {entity.name: entity.topic(app_id) for entity in ENTITIES}


def topics(app_id: str) -> tuple[Topic, ...]:
    """Every topic of a group of workers: those that all groups share, its own logs, and its changelogs."""
    internal = {topic.name: topic for topic in INTERNAL}
    own = [replace(internal[e.log], name=e.topic(app_id)) for e in ENTITIES if e.internal]
    return (*TOPICS, *own, *changelogs(app_id))


def changelogs(app_id: str) -> tuple[Topic, ...]:
    """The changelogs of all feature tables.

    Compaction waits an hour: a worker that was stopped and continued may have written rows after it lost the
    partition, and recovery must still see the newer ones that it skips them for (docs/decisions/0004).
    """
    return tuple(
        Topic(
            changelog_name(app_id, entity.name),
            f"The feature table of {table_name(entity.name)}: one packed row each",
            "table key",
            (),
            retention_days=0,
            compacted=True,
            config={"min.compaction.lag.ms": "3600000", "segment.ms": "86400000"},
        )
        for entity in ENTITIES
    )
