"""The transport beside ordinary topics: those behave as in Faust."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.kafka.harness import Cluster
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
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
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
        time.sleep(1.5)
    finally:
        watchdog.cancel()
        app.terminate()
        assert app.wait(30) == 0
    cluster.app_id = "mixed"
    assert cluster.committed() == 200
