"""Reads a shopper's features from the outside: from the feature table's changelog, without asking a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec
import numpy as np

from streams.processing.partition import LAST_EVENT, OtherRules, PartitionProcessor
from streams.processing.partitioning import homes
from streams.processing.rules import Rules
from streams.reading import Reader
from streams.settings import Settings
from streams.state import keys
from streams.state.keys import PROGRESS, older, row_key
from streams.topics import TopicError, changelog_name


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


class _Held:
    """Values of a changelog, as the durable tier of a partition."""

    def __init__(self, values: Mapping[bytes, bytes]) -> None:
        self._values = values

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def items(self) -> list[tuple[bytes, bytes]]:
        return sorted(self._values.items())


def shopper_state(settings: Settings, shopper: str) -> PartitionProcessor:
    """The partition of a shopper as its owner flushed it last, with no row but theirs. Raises ``TopicError`` when there
    is none."""
    ours, kept = row_key(shopper), (keys.LAYOUT, keys.NAME)

    def where(partitions: int) -> Iterable[int]:
        # Where producers place keys as they like, a shopper may be anywhere.
        known = settings.partitioner != "any"
        return homes([shopper.encode()], settings.partitioner, partitions).tolist() if known else range(partitions)

    found = changelog_values(settings, lambda key: key in (ours, PROGRESS) or key[:1] in kept, where)
    for partition, values in found.items():
        if ours in values:
            meta = msgspec.json.decode(values[PROGRESS])
            rules = Rules.of(meta["rules"]) if "rules" in meta else settings.rules()
            try:
                return PartitionProcessor(partition, rules, tier=_Held(values), room=1)
            except OtherRules as error:
                raise TopicError(str(error)) from error
    raise TopicError(
        f"Nothing is known of {shopper!r}: group {settings.app_id!r} has applied no event of theirs. Is the id right "
        "(case counts)? Does a worker run, and is it ready? What came of theirs: offerstream watch events dead late "
        f"--from beginning --shopper {shopper}"
    )


def shopper_features(settings: Settings, shopper: str, at_ms: int | None) -> tuple[int, dict[str, list[float]]]:
    """A shopper's features at a time (default: of the newest event in their partition), a list of one number each, of a
    tensor so many as it is wide. Raises ``TopicError`` when there is no row."""
    state = shopper_state(settings, shopper)
    now = newest_ms(state, shopper) if at_ms is None else at_ms
    return now, features_of(state, shopper, now)


def newest_ms(state: PartitionProcessor, shopper: str) -> int:
    """The newest event time in a shopper's partition."""
    rows, row = state.arena.rows, state.arena.find([shopper])
    return max(state.newest_ms, int(rows.flat["i8"][rows.cells(LAST_EVENT, row)][0]))


def features_of(state: PartitionProcessor, shopper: str, now_ms: int) -> dict[str, list[float]]:
    """Every feature of a shopper at a time, by address."""
    addresses = tuple(state.catalogue.features)
    rows = state.arena.rows.pick(state.arena.find([shopper]))
    read = state.catalogue.read(rows, np.array([now_ms]), addresses)[0]
    return {a: read[place].tolist() for a, place in state.catalogue.places(addresses).items()}
