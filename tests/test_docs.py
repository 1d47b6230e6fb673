"""The README's examples are what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from models.registry import TASKS
from streams.features.shopper import CATALOGUE
from streams.records.events import SHOPPER_EVENTS
from streams.records.offers import OfferMade
from streams.records.outcomes import ChurnAlerted, encode_outcome
from streams.records.produced import key_of
from streams.topics import CAMPAIGNS_LOG, ITEMS_LOG, TOPICS
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
        always = {each.name for each in msgspec.structs.fields(kind) if each.default is not msgspec.UNSET}
        assert msgspec.json.decode(text).keys() >= always
        assert json.loads(encode_outcome(msgspec.json.decode(text, type=kind))) == json.loads(text)


def test_every_event_stands_beside_the_names_of_others() -> None:
    rows = re.findall(r"^\| (`[^|]*) \| [^|]+ \| [^|]+ \|$", README, re.MULTILINE)
    ours = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(ours) == sorted(str(event.__struct_config__.tag) for event in SHOPPER_EVENTS)


def test_a_contributors_picture_has_every_topic() -> None:
    picture = (ROOT / "CONTRIBUTING.md").read_text().partition("```mermaid")[2].partition("```")[0]
    said = set(re.findall(r"[a-z-]+(?:\.[a-z]+)*(?:\.v1|-log)\b", picture))
    assert said == {topic.name for topic in (*TOPICS, ITEMS_LOG, CAMPAIGNS_LOG)}


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


def test_the_readme_is_short_and_says_where_not_to_use_it() -> None:
    assert len(README.splitlines()) <= 120
    assert "## When not to use it" in README
    assert "| AUC" not in README  # tables of models are in docs/models.md
    for language, most in (("python", 10), ("json", 12)):
        for code in blocks(language):
            assert len(code.strip().splitlines()) <= most, code


def test_the_readmes_reasons_are_worded_as_workers_word_them() -> None:
    alert = msgspec.json.decode(blocks("json")[0], type=ChurnAlerted)
    for reason in alert.reasons:
        assert reason.value is not None
        assert reason.typical is not None
        assert reason.text == CATALOGUE.features[reason.feature].reason(reason.value, reason.typical)


def test_the_share_of_alerts_that_came_true_has_the_interval_that_it_says() -> None:
    said = re.search(
        r"\*\*(\d+)% of (\d+) critical\s+alerts\s+came\s+true\*\*.*?95%: (\d+) to (\d+)%", README, re.DOTALL
    )
    assert said
    share, n, low, high = map(int, said.groups())
    p, z = round(share * n / 100) / n, 1.96  # Wilson's interval, to a point; the demo redraws households
    middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    wilson = [100 * (middle + side * half) / (1 + z * z / n) for side in (-1, 1)]
    assert [low, high] == pytest.approx(wilson, abs=1)


def test_a_rule_of_exit_codes_is_told() -> None:
    operating = " ".join((ROOT / "docs/operating.md").read_text().split())
    assert "Every command ends with 0" in operating
    assert "with 2 when it cannot be meant so" in operating
