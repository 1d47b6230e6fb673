"""Which items are alike: of the newest pictures of all items that are for sale, or of what there is of their words,
pictures and sounds, by the cosine of what models say they are like.

Each partition of items knows its own items only. ``items.pictured.v1`` and ``items.embedded.v1`` have those of all
partitions, the newest record of each, so whoever wants similar items reads one of them and multiplies once
(``docs/decisions/0021``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from streams.access import Access
from streams.decisions.likeness import STEPS
from streams.outside.reading import Reader
from streams.records.embedded import ItemEmbedded
from streams.records.pictured import ItemPictured, Look
from streams.topics import EMBEDDED, PICTURED


class NoPicture(RuntimeError):
    """Of the item that is asked about no picture is known."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Similar:
    """An item beside the one that is asked about."""

    item_id: str
    cosine: float
    """-1 to 1: how alike they are."""
    shows: str | None
    """What it shows; None: the model is unsure."""


@dataclass(slots=True)
class Pictures:
    """The newest picture of every item that is for sale, or what there is of it."""

    _looks: dict[str, Look] = field(default_factory=dict)

    def apply(self, record: ItemPictured | ItemEmbedded) -> None:
        """Take a record; a later one of the same item replaces it. What is 0, like nothing that taught the model, is
        not compared."""
        look: Look | None = record.picture if isinstance(record, ItemPictured) else record.embedded
        if look is None or not any(look.embedding):
            self._looks.pop(record.item_id, None)
        else:
            self._looks[record.item_id] = look

    def __len__(self) -> int:
        return len(self._looks)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._looks

    def look(self, item_id: str) -> Look:
        """What the item's picture shows. Raises ``NoPicture``."""
        if item_id not in self._looks:
            raise NoPicture(
                f"No picture of {item_id} is known: it is not for sale, its listing had none that can be read, or the "
                "model image has not looked at it; nor does the model multimodal know anything like its words or sound."
            )
        return self._looks[item_id]

    def near(self, item_id: str, most: int = 10) -> list[Similar]:
        """The items that are most like an item, best first (of those equally alike by id): exactly, among all that the
        same model looked at. Raises ``NoPicture``."""
        asked = self.look(item_id)
        others = sorted(
            name for name, look in self._looks.items() if name != item_id and look.model.digest == asked.model.digest
        )
        if not others:
            return []
        cosine = _unit([self._looks[name].embedding for name in others]) @ _unit([asked.embedding])[0]
        best = np.argsort(-np.round(cosine, 4), kind="stable")[:most]
        return [Similar(others[i], round(float(cosine[i]), 4), self._looks[others[i]].shows) for i in best.tolist()]


def _unit(embeddings: Iterable[bytes]) -> npt.NDArray[np.float32]:
    """[n, k] of length 1 (0 stays 0)."""
    numbers = np.stack([np.frombuffer(each, np.int8) for each in embeddings]).astype(np.float32) / STEPS
    length = np.linalg.norm(numbers, axis=1, keepdims=True)
    return np.asarray(numbers / np.maximum(length, 1e-6), np.float32)


def pictures(kafka: Access) -> Pictures:
    """What ``items.pictured.v1`` says now. Raises ``TopicError`` and ``Unreachable``."""
    return _read(kafka, PICTURED.name, ItemPictured)


def embedded(kafka: Access) -> Pictures:
    """What ``items.embedded.v1`` says now. Raises ``TopicError`` and ``Unreachable``."""
    return _read(kafka, EMBEDDED.name, ItemEmbedded)


def _read(kafka: Access, topic: str, kind: type[ItemPictured] | type[ItemEmbedded]) -> Pictures:
    decode, found = msgspec.json.Decoder(kind).decode, Pictures()
    with Reader(kafka) as reader:
        for record in reader.whole(topic):
            if record.value is not None:
                found.apply(decode(record.value))
    return found
