"""Reads a shopper's features from the outside: from the feature table's changelog, without asking a worker."""

from __future__ import annotations

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from streams.features.catalogue import CATALOGUE
from streams.processing.partition import LAST_EVENT, row_layout
from streams.settings import Settings
from streams.state.arena import Codec, row_key
from streams.topics import EVENTS, TopicError, changelog_name


def changelog_values(settings: Settings, partitions: list[int] | None = None) -> dict[int, dict[bytes, bytes]]:
    """The newest value of every key, by partition. Reads the whole changelog; fine for tools and tests."""
    topic = changelog_name(settings.app_id)
    consumer = Consumer(
        {
            "bootstrap.servers": settings.broker,
            "group.id": f"{settings.app_id}-inspect",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 2,
        }
    )
    try:
        found = consumer.list_topics(topic, timeout=10).topics[topic]
        if found.error is not None:
            raise TopicError(f"{topic} does not exist: no worker of group {settings.app_id!r} has run here.")
        wanted = sorted(found.partitions) if partitions is None else partitions
        values: dict[int, dict[bytes, bytes]] = {p: {} for p in wanted}
        consumer.assign([TopicPartition(topic, p, 0) for p in wanted])
        open_ = set(wanted)
        while open_:
            message = consumer.poll(30.0)
            if message is None:
                raise TopicError(f"{topic} did not answer for 30 s.")
            partition = message.partition()
            assert partition is not None
            if message.error() is not None:
                open_.discard(partition)
                continue
            key, value = message.key(), message.value()
            assert isinstance(key, bytes)
            if isinstance(value, bytes):
                values[partition][key] = value
            else:
                values[partition].pop(key, None)
        return values
    finally:
        consumer.close()


def shopper_features(settings: Settings, shopper: str, at_ms: int | None) -> tuple[int, dict[str, float]]:
    """A shopper's features at a time (default: of their last event). Raises ``TopicError`` when there is no row."""
    codec = Codec(row_layout(CATALOGUE))
    row: bytes | None = None
    for values in changelog_values(settings).values():
        for key, value in values.items():
            if key[:1] == b"l":
                codec.learn(value)
        row = values.get(row_key(shopper), row)
    if row is None:
        raise TopicError(f"No row of {shopper!r} has been flushed; was anything of theirs sent to {EVENTS.name}?")
    rows = codec.unpack([row])
    now = int(rows.column(LAST_EVENT.name)[0]) if at_ms is None else at_ms
    addresses = tuple(a for a, feature in CATALOGUE.features.items() if feature.width == 1)
    read = CATALOGUE.read(rows, np.array([now]), addresses)[0]
    return now, dict(zip(addresses, read.tolist(), strict=True))
