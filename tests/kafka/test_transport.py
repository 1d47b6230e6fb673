"""The transport beside ordinary topics: those behave as in Faust."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from confluent_kafka.cimpl import NewTopic
from faust.types import TP

from streams.topics import EVENTS
from streams.transport.polling import ConsumerThread
from tests.kafka.harness import Cluster, wait_until
from tests.shoppers import log_of, viewed

pytestmark = pytest.mark.kafka

APP = """
import json, sys
import faust
from streams.transport.sliced import SliceSchema

app = faust.App("mixed", broker=f"slices://{sys.argv[1]}", topic_disable_leader=True, web_enabled=False,
                datadir=sys.argv[2], broker_commit_interval=0.3)
seen = {"plain": [], "sliced": 0}

def done():
    if len(seen["plain"]) == 50 and seen["sliced"] == 200:
        print(json.dumps(seen), flush=True)

@app.agent(app.topic("plain-topic", value_type=bytes, value_serializer="raw"))
async def plain(stream):
    async for value in stream:
        seen["plain"].append(value.decode())
        done()

@app.agent(app.topic("storefront.events.v1", schema=SliceSchema()))
async def sliced(stream):
    async for event in stream.events():
        seen["sliced"] += len(event.value)
        app.consumer.slice_processed(event.message)
        done()

faust.Worker(app, loglevel="WARN", redirect_stdouts=False, quiet=True).execute_from_commandline()
"""


def test_a_topic_that_did_not_opt_in_is_delivered_message_by_message(cluster: Cluster) -> None:
    admin = cluster.client.admin
    admin.create_topics([NewTopic("plain-topic", 3)])["plain-topic"].result(20)
    cluster.send(log_of(*(viewed(f"s{i}", event_id=f"e{i}") for i in range(200))))
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for i in range(50):
        producer.produce("plain-topic", f"m{i}".encode(), b"k")
    producer.flush()
    app = subprocess.Popen(
        [sys.executable, "-c", APP, cluster.bootstrap, str(cluster.folder)], stdout=subprocess.PIPE, text=True
    )
    watchdog = threading.Timer(60, app.kill)
    watchdog.start()
    try:
        assert app.stdout is not None
        line = next((line for line in app.stdout if '"plain"' in line), "")
        seen = json.loads(line[line.index("{") :])
        assert seen["plain"] == [f"m{i}" for i in range(50)]
        assert seen["sliced"] == 200
        cluster.app_id = "mixed"
        wait_until(lambda: cluster.committed() >= 200)
    finally:
        watchdog.cancel()
        app.terminate()
        assert app.wait(30) == 0
    assert cluster.committed() == 200


class Gate:
    """The consumer as a poll sees it: open when the poll begins and, in turn, shut and open when it ends."""

    flow_active = True

    def __init__(self) -> None:
        self.open = iter((True, False, True, True))

    def may_deliver(self, tps: set[TP]) -> set[TP]:
        return tps if next(self.open) else set()


def test_what_a_poll_that_outlasts_a_rebalance_must_not_deliver_is_read_again(cluster: Cluster) -> None:
    """Faust dropped it; a recovery that had sought by then waited for ever for the changelog's records."""
    cluster.send(log_of(*(viewed(f"s{i}", event_id=f"e{i}") for i in range(200))))

    async def poll_twice() -> tuple[dict[TP, list[Any]], dict[TP, list[Any]]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=cluster.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            tps = {TP(EVENTS.name, 1)}
            consumer.assign([TopicPartition(*tp) for tp in tps])
            thread = ConsumerThread.__new__(ConsumerThread)
            thread.consumer = cast(Any, Gate())
            return (
                await thread._fetch_records(consumer, tps, timeout=10, max_records=50),
                await thread._fetch_records(consumer, tps, timeout=10, max_records=50),
            )
        finally:
            await consumer.stop()

    first, second = asyncio.run(poll_twice())
    assert first == {}
    assert [r.offset for r in second[TP(EVENTS.name, 1)]] == list(range(50))


def test_partitions_take_turns_however_much_is_held_of_one(cluster: Cluster) -> None:
    """aiokafka empties one before it comes to the next, so that new events waited for the backlog of another."""
    cluster.send(log_of(*(viewed(f"s{i}", event_id=f"e{i}") for i in range(2000))))

    async def poll() -> list[set[TP]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=cluster.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            tps = {TP(EVENTS.name, partition) for partition in range(cluster.partitions)}
            consumer.assign([TopicPartition(*tp) for tp in tps])
            thread = ConsumerThread.__new__(ConsumerThread)
            thread.consumer = cast(Any, SimpleNamespace(may_deliver=set, flow_active=True))
            while len(consumer._fetcher._records) < len(tps):
                await asyncio.sleep(0.05)
            polls = [await thread._fetch_records(consumer, tps, 10, 50) for _ in range(2 * len(tps))]
            return [set(found) for found in polls]
        finally:
            await consumer.stop()

    taken = asyncio.run(asyncio.wait_for(poll(), 60))
    assert all(len(one) == 1 for one in taken)
    assert (
        len(set.union(*taken[: cluster.partitions]))
        == len(set.union(*taken[cluster.partitions :]))
        == cluster.partitions
    )
