"""What marketing systems subscribe to, and where everything else that was said goes.

Every outcome has an id that is a digest of what it stands on (kind, shopper, what made it due, campaign). When a
crash makes the worker say it again, it says the same thing under the same id, so a subscriber that remembers ids
sees each outcome once.

>>> outcome_id("churn_alerted", "s1", "event:e1", "") == outcome_id("churn_alerted", "s1", "event:e1", "")
True
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec


class Due(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What made the shopper due: an event of their own, or the silence after their last one."""

    kind: Literal["event", "silence"]
    ref: str
    """The event's id, or the silence's due time in milliseconds since 1970."""


class ModelUsed(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """Which model spoke: task, version from its card, first 16 hex digits of the artifact's SHA-256."""

    task: str
    version: str
    digest: str


class Reason(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """One feature that drove a score: how far it moved it (in score units) against a typical shopper.

    ``value`` and ``typical`` are None for a tensor; ``text`` says the same in words.
    """

    feature: str
    value: float | None
    typical: float | None
    contribution: float
    text: str


class Outcome(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What every outcome carries. ``event_time_ms``: the event time it stands on, UTC milliseconds since 1970."""

    outcome_id: str
    shopper_id: str
    event_time_ms: int
    due: Due
    model: ModelUsed


class Scored(Outcome, frozen=True, kw_only=True):
    """A model's answer for one shopper at one due point. Scores are rounded to 4 decimals."""

    scores: dict[str, float]


class LikelyCategory(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A category and how likely it is next; None when the worker has not seen a name for it."""

    category: str | None
    probability: float


class ProfileUpdated(Outcome, frozen=True, kw_only=True):
    """Who a shopper is to the behaviour encoder, and what they will likely do next. The newest one holds.

    ``embedding`` is for nearest neighbours and other models of the same digest; distances between embeddings of
    different digests mean nothing. ``next_type`` and ``next_category`` leave out what is less likely than 1%.
    """

    embedding: list[float]
    next_type: dict[str, float]
    next_category: list[LikelyCategory]
    purchase_session: float
    """How likely an order comes in the next session (or the rest of this one) …"""
    purchase_7d: float
    """… and within 7 days."""


Consent = Literal["allowed", "forbidden", "never_said"]


class UsualBasket(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What a shopper's order usually comes to; ``days_between`` is None until two orders lie apart."""

    value_cents: int
    units: float
    days_between: float | None


class ChurnAlerted(Outcome, frozen=True, kw_only=True):
    """A shopper is about to leave: tell marketing. Raised when the level rises, never twice within a cooldown.

    ``promised`` is the share of alerts of this level that the model's validation saw come true (no order within 30
    days), None where its card promises nothing. ``value_at_stake_cents`` is what 90 days at the shopper's own pace so
    far bring in gross margin. ``rules`` names the rules that decided.
    """

    score: float
    level: Literal["watch", "high", "critical"]
    promised: float | None
    reasons: list[Reason]
    consent: Consent
    favourite_category: str | None
    usual_basket: UsualBasket
    value_at_stake_cents: int
    currency: str
    rules: str


class OfferMade(Outcome, frozen=True, kw_only=True):
    """A promotion for one shopper, within consent, caps and margin. ``applies_to`` says whether the discount is for
    ``category`` or for anything in the shop."""

    campaign: str
    applies_to: Literal["category", "anything"]
    category: str | None
    discount_percent: int
    max_discount_cents: int
    currency: str
    expires_at_ms: int
    score: float
    reasons: list[str]
    rules: str


class OfferWithheld(Outcome, frozen=True, kw_only=True):
    """An offer that a guard held back, and which one: for audit, and as the control group of the holdout. Said once
    per shopper and reason, and again when another reason or an offer came between."""

    campaign: str
    reason: str
    discount_percent: int
    score: float
    rules: str


class LateEvent(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """An event older than the watermark: not in the features, kept for whoever recomputes."""

    late_id: str
    shopper_id: str
    event_id: str
    event_time_ms: int
    watermark_ms: int
    source_topic: str
    source_partition: int
    source_offset: int
    original: bytes


class DeadLetter(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A record that could not be used: why, where it stands, and its bytes (base64) for repair and replay."""

    dead_letter_id: str
    reason: str
    detail: str
    field: str | None
    source_topic: str
    source_partition: int
    source_offset: int
    record_time_ms: int
    original_key: bytes | None
    original: bytes | None


OUTCOMES: tuple[type[msgspec.Struct], ...] = (
    ChurnAlerted,
    OfferMade,
    OfferWithheld,
    Scored,
    ProfileUpdated,
    LateEvent,
    DeadLetter,
)

_encoder = msgspec.json.Encoder()


def encode_outcome(record: msgspec.Struct) -> bytes:
    """One outcome as it goes over the wire."""
    return _encoder.encode(record)


def outcome_id(kind: str, shopper_id: str, due: str, campaign: str) -> str:
    """The id under which an outcome is always said, 32 hex digits.

    The parts are length-prefixed, so no two different tuples of strings share a digest input.
    """
    parts = (kind, shopper_id, due, campaign)
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
