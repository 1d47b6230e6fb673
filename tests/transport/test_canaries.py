"""What we lean on in the private parts of our dependencies. When one of these fails, read before you upgrade."""

from __future__ import annotations

import inspect
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faust
import faust.streams as faust_streams
import mode
import pytest
import rocksdict
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import TopicPartitionState
from faust.stores import rocksdb
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.tables import _OFFSET_KEY, DAMAGED, EntityTable, PatientRecovery, Tables
from streams.transport.polling import ConsumerThread
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
        (driver.AIOKafkaConsumerThread, "_ensure_consumer"),
        (base.ThreadDelegateConsumer, "seek_wait"),
        (base.ThreadDelegateConsumer, "highwaters"),
        (base.ThreadDelegateConsumer, "earliest_offsets"),
        (Recovery, "_wait"),
        (TableManager, "_update_channels"),
        (faust.Worker, "_sentinel_task"),
        (Recovery, "_build_offsets"),
        (rocksdb.Store, "_open_for_partition"),
        (rocksdb.Store, "partition_path"),
        (faust.Table, "_new_store"),
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


def test_a_poll_empties_what_is_held_of_one_partition_before_it_comes_to_the_next() -> None:
    source = inspect.getsource(Fetcher.fetched_records)
    assert "for tp in list(self._records.keys()):" in source
    assert "res_or_error.getall(max_records)" in source
    assert "self._records = collections.OrderedDict()" in inspect.getsource(Fetcher.__init__)


def test_a_fetch_is_made_of_what_is_not_held_and_asked_to_wait_so_long() -> None:
    """Why a fetcher of our own says how long Kafka may hold it, and when it is made."""
    actions = inspect.getsource(Fetcher._get_actions_per_node)
    assert "if tp in self._records:" in actions
    assert "self._fetch_max_wait_ms," in actions
    assert actions.index("return (") < actions.index("fetch_requests,") < actions.index("awaiting_reset,")
    assert "self._wait_consume_future = create_future()" in inspect.getsource(Fetcher._fetch_requests_routine)
    assert "consumer.start()" in inspect.getsource(driver.AIOKafkaConsumerThread.on_start)


def test_whether_records_come_through_is_not_asked_while_a_position_is_found_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Faust's look at it reads a position, and aiokafka asserts that there is one."""
    assert "tp_state.position" in inspect.getsource(driver.AIOKafkaConsumerThread.verify_event_path)
    state = TopicPartitionState.__new__(TopicPartitionState)
    state._position = None

    def look(_thread: Any, _now: float, _tp: Any) -> None:
        state.position  # noqa: B018

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "verify_event_path", look)
    with pytest.raises(AssertionError):
        state.position  # noqa: B018
    ConsumerThread.__new__(ConsumerThread).verify_event_path(0.0, TP("t", 0))


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
    assert EntityTable.apply_changelog_batch is not faust.Table.apply_changelog_batch


def test_the_store_keeps_its_offset_under_the_key_we_write() -> None:
    from faust.stores.rocksdb import Store

    assert Store.offset_key == _OFFSET_KEY
    assert callable(Store._db_for_partition)


def test_rocksdict_writes_raw_batches() -> None:
    batch = rocksdict.WriteBatch(raw_mode=True)
    batch.put(b"k", b"v")
    assert len(batch) == 1


def test_a_recovery_that_waits_too_long_for_an_answer_is_over_for_good() -> None:
    """Why ours waits without a limit, and its consumer asks again."""
    text = inspect.getsource(Recovery)
    assert "timeout=self.app.conf.broker_request_timeout" in text
    assert "raise ServiceStopped()" in source(Recovery._wait)
    assert "except ServiceStopped as exc:" in text
    assert "WaitResults([], [], True)" in source(mode.Service.wait_first)


def test_the_recovery_is_made_once_by_the_table_manager() -> None:
    app = faust.App("canary-recovery", broker="slices://127.0.0.1:1", TableManager=Tables)
    assert type(app.tables) is Tables
    assert type(app.tables.recovery) is PatientRecovery
    assert app.tables.recovery is app.tables.recovery


def test_a_recovery_says_that_it_is_over_before_it_seeks() -> None:
    """Processors are made there, and tell the seek where the state stands."""
    text = source(Recovery.on_recovery_completed)
    assert text.index("on_rebalance_complete.send") < text.index("perform_seek")


def test_a_commit_of_some_partitions_counts_as_one_of_all() -> None:
    """Why ``owns`` compares with the assignment itself."""
    assert "if tp in self.assignment()" in source(driver.AIOKafkaConsumerThread._commit)


def test_a_commit_is_asked_for_until_the_coordinator_answers_or_the_group_moved_on() -> None:
    text = source(GroupCoordinator.commit_offsets)
    assert "while True:" in text
    assert "ensure_coordinator_known" in text
    assert "already " in text
    assert "rebalanced" in text


def test_the_coordinator_stands_still_after_an_error_until_someone_looks() -> None:
    text = inspect.getsource(GroupCoordinator)
    assert "self._pending_exception = exc" in text
    assert "self._coordination_task = create_task" in text
    assert "self._error_consumed_fut.set_result(None)" in source(GroupCoordinator.check_errors)


def test_a_position_can_be_looked_at_from_another_thread() -> None:
    assert "self._position = None" in source(TopicPartitionState.__init__)


def test_a_static_member_is_named_by_a_setting_and_does_not_leave() -> None:
    text = source(driver.AIOKafkaConsumerThread._create_worker_consumer)
    assert "group_instance_id=conf.consumer_group_instance_id" in text
    assert "self._group_instance_id is None" in source(GroupCoordinator._maybe_leave_group)


def test_an_iterator_of_rocksdb_ends_at_a_damaged_block_and_tells_only_when_asked(tmp_path: Path) -> None:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    db = rocksdict.Rdict(str(tmp_path / "x"), options=options)
    for i in range(100):
        db[b"%d" % i] = b"v" * 100
    db.flush()
    db.close()
    for file in (tmp_path / "x").glob("*.sst"):
        with file.open("r+b") as out:
            out.write(b"garbage" * 40)
    db = rocksdict.Rdict(str(tmp_path / "x"), options=options)
    assert len(list(db.items())) < 100
    rest = db.iter()
    rest.seek_to_first()
    with pytest.raises(Exception, match=DAMAGED[0]):
        rest.status()


def test_only_topics_with_the_slice_schema_are_sliced() -> None:
    app = faust.App("canary-topics", broker="slices://127.0.0.1:1")
    app.topics.add(app.topic("a", schema=SliceSchema()))
    app.topics.add(app.topic("b", value_type=bytes))
    consumer = Consumer.__new__(Consumer)
    consumer.app = app
    assert consumer.sliced_topics() == {"a"}
