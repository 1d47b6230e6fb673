"""Reads a shopper's features from the outside: from the feature table's changelog, without asking a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import numpy as np

from streams.features.catalogue import CATALOGUE
from streams.processing.partition import LAST_EVENT, row_layout
from streams.reading import Reader
from streams.settings import Settings
from streams.state.arena import Codec
from streams.state.keys import LAYOUT, PROGRESS, older, row_key
from streams.topics import EVENTS, TopicError, changelog_name


def changelog_values(
    settings: Settings,
    wanted_keys: Callable[[bytes], bool] = lambda _key: True,
    of: Callable[[int], Iterable[int]] = range,
) -> dict[int, dict[bytes, bytes]]:
    """The value of every key that is wanted, by partition, as a worker would recover it. ``of``: which of so many
    partitions to read.

    Reads the whole changelog of a partition; fine for tools and tests.

    Raises ``TopicError``.
    """
    topic = changelog_name(settings.app_id)
    found: dict[int, dict[bytes, bytes]] = {}
    with Reader(settings.access) as reader:
        for partition in of(_partitions(reader, settings)):
            values = found[partition] = {}
            for record in reader.between((topic, partition), *reader.extent((topic, partition))):
                key, value = record.key, record.value
                assert key is not None
                if not wanted_keys(key):
                    continue
                if value is None:
                    values.pop(key, None)
                elif not older(key, value, values.get(key)):
                    values[key] = value
    return found


def _partitions(reader: Reader, settings: Settings) -> int:
    try:
        return reader.partitions(changelog_name(settings.app_id))
    except TopicError as error:
        if "does not exist" not in str(error):
            raise
        raise TopicError(
            f"{changelog_name(settings.app_id)} does not exist: no worker of group {settings.app_id!r} has run here "
            "(OFFERSTREAM_APP_ID)."
        ) from error


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
