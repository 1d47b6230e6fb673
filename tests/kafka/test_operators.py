"""Whatever is done to Kafka's topics and offsets: a worker goes on rightly, or says what to do; it never looks well."""

from __future__ import annotations

import re
import signal

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from streams.admin import create
from streams.entities.contents import changelogs
from streams.topics import EVENTS, TOPICS, changelog_name
from tests.kafka.harness import Cluster, Worker, fates, wait_until
from tests.shoppers import random_history

pytestmark = pytest.mark.kafka


def delete(cluster: Cluster, topic: str) -> None:
    cluster.client.admin.delete_topics([topic])[topic].result(30)
    wait_until(lambda: topic not in cluster.client.admin.list_topics(timeout=10).topics, seconds=30)


def delete_records(cluster: Cluster, topic: str, before: dict[int, int]) -> None:
    wanted = [TopicPartition(topic, p, offset) for p, offset in before.items()]
    for future in cluster.client.admin.delete_records(wanted).values():
        future.result(30)


def configure(cluster: Cluster, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in cluster.client.admin.incremental_alter_configs([resource]).values():
        future.result(30)


def commit(cluster: Cluster, offsets: dict[int, int]) -> None:
    """As ``kafka-consumer-groups --reset-offsets`` does while no worker runs."""
    wanted = [TopicPartition(EVENTS.name, p, offset) for p, offset in offsets.items()]
    request = [ConsumerGroupTopicPartitions(cluster.app_id, wanted)]
    for future in cluster.client.admin.alter_consumer_group_offsets(request).values():
        future.result(30)


def wait_not_ready(worker: Worker, reason: str, seconds: float = 12) -> None:
    def not_ready() -> bool:
        code, text = worker.get("/ready")
        return code != 200 and reason in (text or worker.log.read_text())

    wait_until(not_ready, seconds=seconds, told=worker.tail)


def refused(cluster: Cluster, **settings: str) -> str:
    """The log of a worker that must not start."""
    worker = cluster.worker(**settings)
    assert worker.process.wait(90) == 1, worker.tail()
    return worker.log.read_text()


def applied(cluster: Cluster, seed: int, n: int = 600) -> Worker:
    """A worker that has applied and committed a log."""
    log = random_history(seed, n, 40)
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    worker.wait_ready()
    return worker


def test_an_events_topic_made_anew_under_a_worker_ends_it(cluster: Cluster) -> None:
    worker = applied(cluster, 51)
    committed = cluster.committed()
    delete(cluster, EVENTS.name)
    wait_not_ready(worker, "deleted")
    assert worker.process.poll() is None
    create(cluster.settings().access, TOPICS, cluster.partitions)
    cluster.send(random_history(52, 900, 40))
    wait_not_ready(worker, "made anew")
    assert worker.process.wait(60) == 1
    assert cluster.committed() in (0, committed)  # of the new log nothing was taken for known
    assert "it was deleted and made anew" in refused(cluster)


def test_an_events_topic_that_was_deleted_while_nobody_ran_is_not_made_anew(cluster: Cluster) -> None:
    applied(cluster, 53).stop()
    delete(cluster, EVENTS.name)
    assert f"{EVENTS.name} does not exist, but the feature table made from it does" in refused(cluster)


def test_partitions_that_are_added_end_a_worker(cluster: Cluster) -> None:
    worker = applied(cluster, 54)
    cluster.client.admin.create_partitions([NewPartitions(EVENTS.name, cluster.partitions + 2)])[EVENTS.name].result(30)
    wait_not_ready(worker, "has 5 partitions, but the feature table was made for 3")
    assert worker.process.wait(60) == 1
    assert "has 5 partitions, but the feature table was made for 3" in refused(cluster)


def test_a_changelog_with_other_partitions_is_refused(cluster: Cluster) -> None:
    name = changelog_name(cluster.app_id)
    delete(cluster, name)
    cluster.client.admin.create_topics([NewTopic(name, cluster.partitions - 1, 1)])[name].result(30)
    assert "has 3 partitions, but the feature table was made for 2" in refused(cluster)


@pytest.mark.parametrize("running", [False, True])
def test_records_deleted_before_they_were_applied_are_counted_and_said(running: bool, cluster: Cluster) -> None:
    """And the state goes on, on whichever worker."""
    worker = applied(cluster, 55)
    if running:
        worker.process.send_signal(signal.SIGSTOP)
    else:
        worker.stop()
    log = random_history(56, 600, 40)
    cluster.send(log[:1])  # It answers the fetch that a worker that is stopped has made; there is no other.
    cluster.send(log[1:])
    ends = {p: len(slices[0]) for p, slices in cluster.slices().items()}
    committed = {p: cluster.committed_of(p) for p in ends}
    delete_records(cluster, EVENTS.name, {p: end - 20 for p, end in ends.items()})
    assert all(ends[p] - 21 > committed[p] for p in ends)
    news = cluster.news()
    if running:
        worker.process.send_signal(signal.SIGCONT)
    else:
        worker = cluster.worker()
    cluster.wait_committed(sum(ends.values()), news=news)
    worker.wait_ready()
    said, counted = worker.log.read_text(), fates([worker])
    gone = re.findall(r"partition (\d+): offsets (\d+) to (\d+) were deleted", said)
    lost = {int(p): (int(first), int(last)) for p, first, last in gone}
    assert lost.keys() == ends.keys(), said
    for p, (first, last) in lost.items():
        assert committed[p] <= first <= committed[p] + running
        assert last == ends[p] - 21
    assert counted["lost"] == sum(last + 1 - first for first, last in lost.values())
    if running:
        every = ("applied", "duplicate", "late", "dead", "lost", "tick", "choice")  # also news of items
        assert sum(counted[fate] for fate in every) == cluster.end(EVENTS.name)
    worker.stop()
    rows = cluster.rows()
    other = cluster.worker(data="empty")
    other.wait_ready()
    more = random_history(57, 100, 40)
    cluster.send(more)
    cluster.wait_committed(sum(ends.values()) + len(more), news=news)
    assert not fates([other])["lost"]
    other.stop()
    assert cluster.rows().keys() >= rows.keys()


def test_records_deleted_with_none_behind_them_are_counted_too(cluster: Cluster) -> None:
    worker = applied(cluster, 58)
    worker.stop()
    before = cluster.committed()
    cluster.send(random_history(59, 300, 40))
    ends = {p: len(slices[0]) for p, slices in cluster.slices().items()}
    delete_records(cluster, EVENTS.name, ends)
    worker = cluster.worker()
    cluster.wait_committed(sum(ends.values()))
    worker.wait_ready()
    assert fates([worker])["lost"] == sum(ends.values()) - before
    worker.stop()
    again = cluster.worker()
    again.wait_ready()
    assert not fates([again])["lost"]
    again.stop()


@pytest.mark.parametrize("by", [-100, 100])
def test_committed_offsets_set_by_hand_lose_and_repeat_nothing(by: int, cluster: Cluster) -> None:
    """What was applied is in the table; committed offsets only tell others."""
    applied(cluster, 60).stop()
    before, news = cluster.committed(), cluster.news()
    more = random_history(61, 900, 40)
    cluster.send(more)
    commit(cluster, {p: max(0, cluster.committed_of(p) + by) for p in range(cluster.partitions)})
    worker = cluster.worker()
    cluster.wait_committed(before + len(more), news=news)
    assert fates([worker])["lost"] == 0
    worker.stop()
    cluster.assert_as_plain()


@pytest.mark.parametrize("data", ["data", "empty"])
def test_a_changelog_deleted_while_nobody_ran_is_made_anew_from_the_log(data: str, cluster: Cluster) -> None:
    applied(cluster, 62).stop()
    before, news = cluster.committed(), cluster.news()
    delete(cluster, changelog_name(cluster.app_id))
    more = random_history(63, 300, 40)
    cluster.send(more)
    worker = cluster.worker(data=data)
    cluster.wait_committed(before + len(more), news=news)
    worker.wait_ready()
    if data == "data":
        assert "is of changelog topic" in worker.log.read_text()
    worker.stop()
    cluster.assert_as_plain()


def test_a_changelog_deleted_under_a_worker_ends_it_and_is_made_anew_from_the_log(cluster: Cluster) -> None:
    worker = applied(cluster, 64)
    before, news = cluster.committed(), cluster.news()
    delete(cluster, changelog_name(cluster.app_id))
    wait_not_ready(worker, "deleted")
    create(cluster.settings().access, changelogs(cluster.app_id), cluster.partitions)
    assert worker.process.wait(60) == 1
    more = random_history(65, 300, 40)
    cluster.send(more)
    worker = cluster.worker()
    cluster.wait_committed(before + len(more), news=news)
    worker.stop()
    cluster.assert_as_plain()


def test_a_table_that_cannot_be_made_anew_is_refused(cluster: Cluster) -> None:
    applied(cluster, 66).stop()
    delete_records(cluster, EVENTS.name, dict.fromkeys(range(cluster.partitions), 10))
    delete(cluster, changelog_name(cluster.app_id))
    assert "state was lost (was the changelog emptied or deleted?)" in refused(cluster)


def test_a_changelog_cut_off_at_its_start_is_refused_where_no_copy_is(cluster: Cluster) -> None:
    applied(cluster, 67).stop()
    name = changelog_name(cluster.app_id)
    configure(cluster, name, "cleanup.policy", "compact,delete")
    delete_records(cluster, name, dict.fromkeys(range(cluster.partitions), 5))
    assert "starts at offset 5, but the local copy ends at none" in refused(cluster, data="empty")
    worker = cluster.worker()
    worker.wait_ready()
    worker.stop()


def test_an_events_topic_that_lets_producers_set_the_time_is_refused(cluster: Cluster) -> None:
    worker = applied(cluster, 68)
    configure(cluster, EVENTS.name, "message.timestamp.type", "CreateTime")
    wait_not_ready(worker, "has message.timestamp.type=CreateTime, not LogAppendTime")
    assert worker.process.wait(60) == 1
    assert "--add-config message.timestamp.type=LogAppendTime" in refused(cluster)
    configure(cluster, EVENTS.name, "message.timestamp.type", "LogAppendTime")
    worker = cluster.worker()
    worker.wait_ready()
    worker.stop()
