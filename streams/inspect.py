"""Reads a shopper's features from the outside: from the feature table's changelog, without asking a worker."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.features.catalogue import CATALOGUE
from streams.processing.partition import LAST_EVENT, row_layout
from streams.settings import Settings
from streams.state.arena import Codec
from streams.state.keys import LAYOUT, PROGRESS, older, row_key
from streams.topics import EVENTS, TopicError, changelog_name


def changelog_values(
    settings: Settings, wanted_keys: Callable[[bytes], bool] = lambda _key: True
) -> dict[int, dict[bytes, bytes]]:
    """The value of every key that is wanted, by partition, as a worker would recover it.

    Reads the whole changelog; fine for tools and tests.

    Raises ``TopicError``.
    """
    topic = changelog_name(settings.app_id)
    consumer = Consumer(
        settings.access.librdkafka()
        | {
            "group.id": f"{settings.app_id}-inspect",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 2,
        }
    )
    try:
        try:
            found = consumer.list_topics(topic, timeout=10).topics[topic]
        except KafkaException as error:
            raise TopicError(f"No Kafka broker answers at {settings.broker}: {error.args[0].str()}") from error
        if found.error is not None:
            raise TopicError(f"{topic} does not exist: no worker of group {settings.app_id!r} has run here.")
        wanted = sorted(found.partitions)
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
            if not wanted_keys(key):
                continue
            if not isinstance(value, bytes):
                values[partition].pop(key, None)
            elif not older(key, value, values[partition].get(key)):
                values[partition][key] = value
        return values
    finally:
        consumer.close()


def shopper_features(settings: Settings, shopper: str, at_ms: int | None) -> tuple[int, dict[str, list[float]]]:
    """A shopper's features at a time (default: of the newest event in their partition), a list of one number each, of a
    tensor so many as it is wide. Raises ``TopicError`` when there is no row."""
    catalogue = CATALOGUE.in_zone(settings.time_zone)
    codec = Codec(row_layout(catalogue))
    row, newest = None, 0
    ours = row_key(shopper)
    found = changelog_values(settings, lambda key: key in (ours, PROGRESS) or key[:1] == LAYOUT)
    for values in found.values():
        for key, value in values.items():
            if key[:1] == LAYOUT:
                codec.learn(value)
        if ours in values:
            row, newest = values[ours], int(msgspec.json.decode(values[PROGRESS])["newest_ms"])
    if row is None:
        raise TopicError(f"No row of {shopper!r} has been flushed; was anything of theirs sent to {EVENTS.name}?")
    rows = codec.unpack([row])
    now = max(newest, int(rows.column(LAST_EVENT.name)[0])) if at_ms is None else at_ms
    addresses = tuple(catalogue.features)
    read = catalogue.read(rows, np.array([now]), addresses)[0]
    return now, {a: read[place].tolist() for a, place in catalogue.places(addresses).items()}
