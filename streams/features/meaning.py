"""What a feature means, as a digest that a model's card pins: a model must not be given another thing of that name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from streams.features.feature import Derived, Feature, Has
from streams.features.kinds.recent import BUCKETS, EVENTS_KEPT, Sequence
from streams.records.events import SHOPPER_EVENTS

#: Event type → its code in ``sequence.types``. A model may meet codes that came after it: see ``OTHER``.
CODES: dict[str, int] = {str(cls.__struct_config__.tag): code for code, cls in enumerate(SHOPPER_EVENTS, start=1)}
#: What a code that a model was not trained on is to it: no event.
OTHER = 0.0


def meanings(features: Mapping[str, Feature], addresses: Iterable[str]) -> dict[str, str]:
    """address → 12 hex digits of what it means: declaration, parameters, unit, width, of a ratio both parts'.

    Event types that are added later change nothing: "any event" stays any event, and codes only grow.
    """
    return {address: _digest(_described(features, address)) for address in addresses if address in features}


def _digest(described: Any) -> str:
    return hashlib.blake2b(json.dumps(described).encode(), digest_size=6).hexdigest()


def _described(features: Mapping[str, Feature], address: str) -> Any:
    feature = features[address]
    source = feature.source
    parts: Any = _value(source)
    if isinstance(source, Derived) and source.parts:
        parts = [parts, *(_described(features, part) for part in source.parts)]
    elif isinstance(source, Has):
        parts = [parts, _described(features, source.address)]
    elif isinstance(source, Sequence):
        parts = [parts, EVENTS_KEPT, BUCKETS.get(source.what, 0)]
    return [address, feature.unit, feature.width, parts]


def _value(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *([f.name, _value(getattr(value, f.name))] for f in fields(value))]
    if value == SHOPPER_EVENTS:
        return "any event"
    if isinstance(value, tuple):
        return [_value(each) for each in value]
    if isinstance(value, type):
        return str(value.__struct_config__.tag)  # type: ignore[attr-defined]
    return value
