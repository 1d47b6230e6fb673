"""docs/campaigns.md says every field, every guard and every reason, and its file is good."""

from __future__ import annotations

import re
from pathlib import Path

from streams.campaigns.guards import SHOPPER_GUARDS
from streams.campaigns.reading import campaigns_of
from streams.campaigns.reasons import Why
from streams.records.campaigns import json_schema
from tests.campaigns.builders import WORDS

TEXT = (Path(__file__).parents[2] / "docs/campaigns.md").read_text()


def test_every_field_of_a_file_is_in_the_docs() -> None:
    for name, schema in json_schema()["$defs"].items():
        for field, said in schema["properties"].items():
            words = [field, *said.get("enum", ())]
            assert all(re.search(rf"\b{word}\b", TEXT) for word in words), (name, words)


def test_every_reason_is_in_the_docs_in_the_order_of_the_guards() -> None:
    told = re.findall(
        r"`(\w+)`", "\n".join(re.findall(r"^\| (`[a-z_`, ]+) \|", TEXT.split("## Why a shopper")[1], re.M))
    )
    assert told == [why.word for why in Why if why != Why.OFFERED]
    guards = [why.word for why, _ in SHOPPER_GUARDS]
    assert [word for word in told if word in guards] == guards


def test_the_file_in_the_docs_is_good() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.M | re.S)
    assert campaigns_of(block, WORDS, "USD").campaigns[0].id == "win-back"
