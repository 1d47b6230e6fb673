"""Which partition a key belongs to, as Kafka's own clients see it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as of_kafka_python

from streams.processing.decode import decode
from streams.processing.partitioning import MURMUR2_SETTINGS, homes, murmur2
from streams.processing.rules import DecodeRules
from streams.records.events import MAX_ID_LENGTH
from tests.shoppers import log_of, slice_of, viewed

RULES = DecodeRules()


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=40) | st.binary(min_size=1000, max_size=1024), max_size=30))
def test_a_slice_of_keys_is_hashed_as_the_clients_hash_each(keys: list[bytes]) -> None:
    assert murmur2(keys).tolist() == [of_kafka_python(key) & 0xFFFF_FFFF for key in keys]


def test_no_key_and_an_endless_key_harm_nobody() -> None:
    """They cannot be a shopper's; the record is dead for other reasons, and its neighbours are judged."""
    keys = [b"shopper-1", None, b"x" * 10_000_000, b"x" * 4 * MAX_ID_LENGTH, b"shopper-2"]
    for partitioner in ("murmur2", "crc32"):
        found = homes(keys, partitioner, 4)
        assert [found[0], found[4]] == homes([b"shopper-1", b"shopper-2"], partitioner, 4).tolist()


def test_a_record_in_the_partition_of_no_key_of_its_own_is_a_dead_letter() -> None:
    log = log_of(viewed("shopper-1"), viewed("shopper-2"))  # partitions 2 and 3 of 4
    decoded = decode(slice_of(log, partition=3), RULES, 4)
    assert decoded.batch.keys == ["shopper-2"]
    (dead,) = decoded.dead
    assert (dead.reason, dead.source_offset, dead.original_key) == ("wrong_partition", 0, b"shopper-1")
    assert "partition 2 of 4 by murmur2" in dead.detail
    assert "partitioner=murmur2_random" in dead.detail


def test_a_key_of_another_is_told_first() -> None:
    ((_, value),) = log_of(viewed("shopper-1"))
    assert decode(slice_of([(b"shopper-2", value)]), RULES, 4).dead[0].reason == "key_mismatch"


@pytest.mark.parametrize(("rules", "partitions"), [(RULES, None), (DecodeRules(partitioner="any"), 4)])
def test_it_is_not_judged_without_a_topic_or_where_producers_agree_on_something_else(
    rules: DecodeRules, partitions: int | None
) -> None:
    assert not decode(slice_of(log_of(viewed("shopper-1"))), rules, partitions).dead


def test_producers_may_all_use_the_default_of_librdkafka() -> None:
    rules = DecodeRules(partitioner="crc32")
    home = int(homes([b"shopper-1"], "crc32", 7)[0])
    assert not decode(slice_of(log_of(viewed("shopper-1")), partition=home), rules, 7).dead
    (dead,) = decode(slice_of(log_of(viewed("shopper-1")), partition=(home + 1) % 7), rules, 7).dead
    assert f"partition {home} of 7 by crc32" in dead.detail


def test_the_docs_have_the_setting_of_every_client() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "producers.md").read_text().replace("`", "")
    for client, setting in MURMUR2_SETTINGS.items():
        assert f"| {client} | {setting} |" in docs
