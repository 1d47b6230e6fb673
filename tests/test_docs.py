"""The README's examples are what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from models.registry import TASKS
from streams.records.events import SHOPPER_EVENTS
from streams.records.outcomes import ChurnAlerted, OfferMade
from streams.records.produced import key_of
from training.tasks import trainer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_alert_and_the_offer_are_whole_and_of_one_due_point() -> None:
    first, second = blocks("json")
    alert = msgspec.json.decode(first, type=ChurnAlerted)
    offer = msgspec.json.decode(second, type=OfferMade)
    assert (alert.shopper_id, alert.event_time_ms, alert.due) == (offer.shopper_id, offer.event_time_ms, offer.due)
    assert alert.score == offer.score
    assert key_of(first.encode()) == alert.shopper_id.encode()
    for text, kind in ((first, ChurnAlerted), (second, OfferMade)):
        assert msgspec.json.decode(text).keys() == set(kind.__struct_fields__)


def test_every_event_stands_beside_the_names_of_others() -> None:
    rows = re.findall(r"^\| (`[^|]*) \| [^|]+ \| [^|]+ \|$", README, re.MULTILINE)
    ours = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(ours) == sorted(str(event.__struct_config__.tag) for event in SHOPPER_EVENTS)


def test_links_lead_somewhere() -> None:
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_what_a_history_must_have_is_what_training_asks_for() -> None:
    table = (ROOT / "docs/training.md").read_text().partition("| at least | enough |")[2].partition("\n\n")[0]
    for each in TASKS:
        for need in trainer(each.name).NEEDS:
            assert f"{need.least:,}" in table, need.what
            assert f"{need.enough:,}" in table, need.what
