"""Reasons as people read them, for every feature and for the values that are apt to read oddly."""

from __future__ import annotations

import math
import re

import pytest

from models.artifact import load_artifact
from models.registry import task
from streams.entities.contents import ENTITIES
from streams.features.feature import Feature
from streams.features.shopper import CATALOGUE

EVERY = [f for entity in ENTITIES for f in entity.catalogue.features.values() if f.width == 1]
#: `1 days`, `0 orders`, what stands for never, numbers that are none, notes about values.
ODD = re.compile(r"\b1 \w+s\b|(?<![\d.,])-?0(\.0*)? [a-z]|-0\b|nan|inf|3,650 days(?! or)|e[+-]\d|; 0|\b0\.0+\b|  ")


@pytest.mark.parametrize("feature", EVERY, ids=lambda feature: feature.address)
def test_no_value_of_a_feature_reads_oddly(feature: Feature) -> None:
    span = [
        x for x in (0, 0.01, 1 / 30, 0.333, 0.99999, 1, 1.5, 2, 24.0, 31.04, 1234.5, 3600.4, 1e7) if x <= feature.high
    ]
    values = {*span, feature.low, feature.cold_start, *([] if math.isinf(feature.high) else [feature.high])}
    for value in values:
        for typical in values - {value}:
            text = feature.reason(value, typical)
            assert not ODD.search(text.partition(": ")[2]), text
            assert text.count(";") == 0, text
    assert feature.in_words(float("nan")) == feature.in_words(float("inf")) == "not known"


@pytest.mark.parametrize(
    ("address", "value", "typical", "said"),
    [
        ("orders.days_since_last", 64.0869140625, 44.5, "Days since the last order: 64.1 days (typical: 44.5 days)"),
        ("orders.days_since_last", 3650, 1, "Days since the last order: never (typical: 1 day)"),
        ("orders.gap_mean", 12.0, 0, "Mean gap between the last 12 orders: 12 days (typical: none yet)"),
        ("orders.gaps", 1, 0, "Gaps between the last 12 orders: 1 gap (typical: none yet)"),
        ("orders.overdue", 20, 0, "Days since the last order, in mean gaps: 20 or more (typical: not overdue)"),
        ("orders.count_30d", 0, 2, "Orders in 30 days: none (typical: 2 orders)"),
        ("orders.coupon_share", 0.5, 0, "Share of orders with a coupon: 50% (typical: 0%)"),
        ("orders.spend_30d", 0, 114677.2, "Money spent in 30 days: nothing (typical: 1,146.77)"),
        ("orders.average_units", 2.126, 2.129, "Units per order: 2.13 units (typical: nearly the same)"),
        ("visits.days_since_last", 0.3, 0, "Days since the last event: 7 hours (typical: just now)"),
        (
            "browsing.dwell_decayed_1h", 90_000, 400,
            "Time on items, faded with a half-life of 1h: 1.5 minutes (typical: 0.4 seconds)",
        ),
        ("offers.consent", -1, 0, "Consent to marketing: forbidden (typical: never said)"),
        ("visits.session_open", 1, 0, "Whether the newest session is less than 30 minutes old: yes (typical: no)"),
    ],
)  # fmt: skip
def test_a_reason_is_said_as_a_person_would(address: str, value: float, typical: float, said: str) -> None:
    assert CATALOGUE.features[address].reason(value, typical) == said


def test_what_the_shipped_model_calls_typical_reads_well() -> None:
    artifact = load_artifact(task("churn"))
    for address, typical in zip(artifact.card["features"], artifact.card["reference"], strict=True):
        text = CATALOGUE.features[address].reason(1.0 if typical != 1 else 2.0, typical)
        assert not ODD.search(text.partition(": ")[2]), text
