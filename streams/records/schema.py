"""What records look like, for people and programs: JSON Schema with a description of every field."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec


def schema_of(records: Iterable[type[msgspec.Struct]]) -> dict[str, Any]:
    """Name → JSON Schema, of the records and of what they hold.

    >>> schema_of([msgspec.defstruct("Told", [("a", int)], tag_field="type")])["Told"]["properties"]["type"]
    {'description': 'Which record it is.', 'enum': ['Told']}
    """
    chosen = list(records)
    _, components = msgspec.json.schema_components(chosen, ref_template="#/$defs/{name}")
    for record in chosen:
        tag = record.__struct_config__.tag_field
        if tag is not None:
            # The tag is no field of the struct, so it cannot be described where fields are declared.
            properties = components[record.__name__]["properties"]
            properties[tag] = {"description": "Which record it is.", **properties[tag]}
    for component in components.values():
        for field, told in component.get("properties", {}).items():
            if "description" not in told and len(told.get("enum", ())) == 1:  # the tag of what a record holds
                component["properties"][field] = {"description": "Which kind it is.", **told}
    return components


@cache
def descriptions(record: type[msgspec.Struct]) -> dict[str, str]:
    """Field → what it means."""
    properties = schema_of([record])[record.__name__]["properties"]
    return {name: told.get("description", "") for name, told in properties.items()}
