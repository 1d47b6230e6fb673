"""The schemas: every field of every published record says what it means."""

from __future__ import annotations

import pytest

from streams.records.schema import descriptions, schema_of
from streams.records.serving import Stages
from streams.topics import TOPICS

RECORDS = {record.__name__: record for topic in TOPICS for record in topic.records}


@pytest.mark.parametrize("name", RECORDS)
def test_every_field_of_every_record_is_described(name: str) -> None:
    """Also those of the structs that it holds, and the tag that tells records apart."""
    for held, schema in schema_of([RECORDS[name]]).items():
        # One that is a JSON array says what stands where.
        for field, told in schema.get("properties", dict(enumerate(schema.get("prefixItems", ())))).items():
            text = told.get("description", "")
            assert text.endswith("."), f"{held}.{field}: {text!r}; Annotated[…, Meta(description=…)] at its declaration"


def test_a_description_stands_where_the_field_is_declared() -> None:
    assert descriptions(Stages)["canary_share"] == "The canary's share of the shoppers."
