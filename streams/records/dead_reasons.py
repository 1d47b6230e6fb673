"""Why a record becomes a dead letter: every ``DeadLetter.reason``, what it means and what to do about it.

Decoding, ``offerstream check``, ``offerstream dead-letters`` and docs/operating.md share this table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeadReason:
    """One reason: what it means, and the fix."""

    meaning: str
    fix: str


DEAD_REASONS: dict[str, DeadReason] = {
    "empty": DeadReason("The record has no value.", "Send no tombstones: what happened is not deleted by key."),
    "too_large": DeadReason(
        "The record is larger than OFFERSTREAM_MAX_EVENT_BYTES (of items: 8 MiB).",
        "Send less per event, or raise the setting in all workers of the group.",
    ),
    "not_json": DeadReason(
        "The value is not JSON in UTF-8.", "Send one JSON object per record; let the Kafka client compress it."
    ),
    "invalid": DeadReason(
        "The JSON is no record of its topic: unknown type, or a field that is missing or wrong.",
        "Correct the field as the detail says; offerstream schema describes it.",
    ),
    "event_time_too_old": DeadReason(
        "The event time is before 1990.", "Send milliseconds, not seconds; look at the producer's clock."
    ),
    "event_time_in_future": DeadReason(
        "The event time is further ahead of the append time than OFFERSTREAM_FUTURE_TOLERANCE_SECONDS.",
        "Set the producer's clock; send UTC, or ISO 8601 with the right offset.",
    ),
    "key_mismatch": DeadReason(
        "The record's key is not its shopper_id (of items: item_id).",
        "Key every record by its shopper_id or item_id, in UTF-8, without quotes.",
    ),
    "wrong_partition": DeadReason(
        "The key belongs to another partition: another producer's events of this shopper are there.",
        "Set the producer's partitioner to murmur2 (docs/producers.md), or OFFERSTREAM_PARTITIONER to what all "
        "producers use.",
    ),
    "foreign_currency": DeadReason(
        "The currency is not OFFERSTREAM_CURRENCY.",
        "Set OFFERSTREAM_CURRENCY to the shop's currency, for workers and commands alike; convert others at the "
        "producer, or run a group for each.",
    ),
    "order_too_large": DeadReason(
        "The order's lines add up to more than a shop sells at once.", "Look for prices in the wrong unit."
    ),
    "identified_as_itself": DeadReason(
        "A shopper_identified names one id twice.",
        "Send it under the id that was anonymous, with the lasting one in identified_as.",
    ),
    "identified_before": DeadReason(
        "The id was identified as somebody else before, and the first word holds.",
        "Use an anonymous id for one person: a new one after each logout.",
    ),
}
