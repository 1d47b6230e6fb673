"""What we lean on in the private parts of our dependencies. When one of these fails, read before you upgrade."""

from __future__ import annotations

import inspect
import platform
from importlib.metadata import version
from typing import Any

import faust
import faust.streams as faust_streams
import pytest
import rocksdict
from faust.tables.recovery import Recovery
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver

from streams.tables import _OFFSET_KEY, ShopperTable
from streams.transport.sliced import Consumer, SliceSchema, Transport


@pytest.mark.parametrize(
    ("package", "pinned"),
    [("faust-streaming", "0.15.3"), ("mode-streaming", "0.7.1"), ("aiokafka", "0.14.0"), ("rocksdict", "0.3.29")],
)
def test_what_we_lean_on_privately_is_pinned(package: str, pinned: str) -> None:
    assert version(package) == pinned


@pytest.mark.skipif(platform.python_implementation() != "CPython", reason="compiled for CPython")
def test_faust_runs_its_compiled_stream() -> None:
    assert faust_streams._CStreamIterator is not None  # type: ignore[attr-defined]


def test_the_scheme_chooses_the_transport() -> None:
    app = faust.App("canary", broker="slices://127.0.0.1:1")
    assert type(app.transport) is Transport
    assert app.transport.Consumer is Consumer


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (base.Consumer, "_wait_next_records"),
        (base.Consumer, "_filter_committable_offsets"),
        (base.Consumer, "_filter_tps_with_pending_acks"),
        (base.Consumer, "_new_offset"),
        (base.Consumer, "_add_gap"),
        (base.Consumer, "_commit_tps"),
        (base.Consumer, "_commit_offsets"),
        (base.Consumer, "_handle_attached"),
        (base.Consumer, "maybe_wait_for_commit_to_finish"),
        (base.Consumer, "commit_and_end_transactions"),
        (base.Consumer, "perform_seek"),
        (base.Consumer, "_is_changelog_tp"),
        (driver.Consumer, "_to_message"),
        (driver.Consumer, "_new_consumer_thread"),
        (driver.AIOKafkaConsumerThread, "_fetch_records"),
        (driver.AIOKafkaConsumerThread, "_create_worker_consumer"),
    ],
)
def test_a_method_that_the_transport_overrides_or_calls_exists(owner: type, name: str) -> None:
    assert callable(getattr(owner, name))


def source(of: Any) -> str:
    return inspect.getsource(of)


def test_the_drain_loop_takes_what_lies_between_two_offsets_for_acknowledged() -> None:
    """Why a slice carries its first offset and ``_add_gap`` does nothing for it."""
    text = source(base.Consumer._drain_messages)
    assert "await self._add_gap(tp, r_offset + 1, offset)" in text
    assert "set_read_offset(tp, offset)" in text


def test_offsets_are_filtered_without_an_await_before_they_are_committed() -> None:
    """Why the state that ``before_commit`` takes holds at least all that is committed."""
    assert not inspect.iscoroutinefunction(base.Consumer._filter_committable_offsets)
    assert "await" not in source(base.Consumer._filter_committable_offsets)


def test_faust_resumes_source_partitions_before_it_seeks_and_clears_its_queues() -> None:
    """Why nothing is fetched from them until the rebalance is over."""
    text = source(Recovery.on_recovery_completed)
    steps = ("resume_partitions", "perform_seek", "flow_control.resume", "resume_flow", "on_rebalance_end")
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    assert "clear_on_resume=True" in inspect.getsource(faust.Channel)


def test_revocation_waits_for_what_is_being_processed_and_commits() -> None:
    text = source(base.Consumer.wait_empty)
    assert "_unacked_messages" in text
    assert "commit_and_end_transactions" in text
    assert "_consumer_wait_empty" in source(faust.App._on_partitions_revoked)


def test_recovery_counts_by_the_offset_of_a_message_and_applies_batches_through_the_table() -> None:
    text = inspect.getsource(Recovery)
    assert "offsets[tp] = offset" in text
    assert "table.apply_changelog_batch(buf)" in text
    assert ShopperTable.apply_changelog_batch is not faust.Table.apply_changelog_batch


def test_the_store_keeps_its_offset_under_the_key_we_write() -> None:
    from faust.stores.rocksdb import Store

    assert Store.offset_key == _OFFSET_KEY
    assert callable(Store._db_for_partition)


def test_rocksdict_writes_raw_batches() -> None:
    batch = rocksdict.WriteBatch(raw_mode=True)
    batch.put(b"k", b"v")
    assert len(batch) == 1


def test_only_topics_with_the_slice_schema_are_sliced() -> None:
    app = faust.App("canary-topics", broker="slices://127.0.0.1:1")
    app.topics.add(app.topic("a", schema=SliceSchema()))
    app.topics.add(app.topic("b", value_type=bytes))
    consumer = Consumer.__new__(Consumer)
    consumer.app = app
    assert consumer.sliced_topics() == {"a"}
