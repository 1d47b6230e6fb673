"""Watching: live, in words, filtered, and it ends cleanly however it ends."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
from collections.abc import Iterator

import msgspec
import pytest
from confluent_kafka import Producer

from streams.admin import create
from streams.entities.contents import changelogs
from streams.records.outcomes import encode_outcome
from streams.topics import ALERTS, DEAD_LETTERS, EVENTS, OFFERS, TOPIC_OF
from tests import processes
from tests.kafka.harness import Cluster, in_the_background, wait_until
from tests.outcomes import alert, late, letter, offer, withheld
from tests.shoppers import log_of, random_history, viewed

pytestmark = pytest.mark.kafka


class Watching:
    """The command as a process of its own; standard error goes with standard output."""

    def __init__(self, cluster: Cluster, *arguments: str) -> None:
        self.process = processes.Process[str](
            "streams",
            "watch",
            *arguments,
            "--broker",
            cluster.bootstrap,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "COLUMNS": "80"},
            preexec_fn=in_the_background,
        )
        assert self.process.stdout is not None
        self.lines = self.process.stdout

    def all(self) -> list[str]:
        said, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, said
        return said.splitlines()


def say(cluster: Cluster, *records: msgspec.Struct) -> None:
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "partitioner": "murmur2_random"})
    for record in records:
        producer.produce(TOPIC_OF[type(record)], encode_outcome(record), getattr(record, "shopper_id", "").encode())
    assert producer.flush(30) == 0


def without_offers(cluster: Cluster) -> None:
    """Delete the topic, and wait until it is not told of any more."""
    admin = cluster.client.admin
    for future in admin.delete_topics([OFFERS.name]).values():
        future.result(30)
    wait_until(lambda: OFFERS.name not in admin.list_topics(timeout=10).topics, seconds=30, pause=0.02)


@pytest.fixture
def watching() -> Iterator[list[Watching]]:
    started: list[Watching] = []
    yield started
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_what_there_was_is_told_once_in_words_or_json(cluster: Cluster) -> None:
    say(cluster, alert("ann"), alert("ann"), alert("bob", "a2"), offer("ann"), withheld("ann"), letter(), late("bob"))
    cluster.send([*log_of(viewed("ann")), (b"ann", b"{")])
    told = Watching(cluster, "--from", "beginning", "--limit", "4").all()
    assert sorted(line[22:25] for line in told) == ["ann", "ann", "bob", "s1 "]  # alerts, offers and dead letters
    assert any("ann               offer: 10% off tea, at most 1,234.56 USD" in line for line in told)  # not cut at 80
    told = Watching(
        cluster, *("alerts", "offers", "withheld", "late", "events"), "--from", "2020-01-01", "--shopper", "ann",
        "--json", "--limit", "5",
    ).all()  # fmt: skip
    found = [json.loads(line) for line in told]
    assert sorted(one["kind"] for one in found) == ["alerts", "events", "events", "offers", "withheld"]
    (said,) = (one for one in found if one["kind"] == "alerts")
    assert (said["shopper_id"], said["record"]["score"], said["topic"]) == ("ann", 0.61, ALERTS.name)
    (unreadable,) = (one for one in found if one.get("fault"))
    assert (unreadable["record"], unreadable["topic"]) == ("{", EVENTS.name)


def test_from_now_only_what_comes_is_told_and_ctrl_c_ends_it(cluster: Cluster, watching: list[Watching]) -> None:
    say(cluster, alert("before"))
    watch = Watching(cluster, "alerts")
    watching.append(watch)
    for i in range(1000):  # until it has begun to read
        say(cluster, alert(f"after-{i}", f"a{i}"))
        if select_ready(watch):
            break
    assert "after-" in watch.lines.readline()
    watch.process.send_signal(signal.SIGINT)
    rest = watch.lines.read()
    assert watch.process.wait(30) == 0
    assert "Traceback" not in rest
    assert "before" not in rest


def test_it_ends_when_the_pipe_closes_also_when_nothing_comes(cluster: Cluster, watching: list[Watching]) -> None:
    say(cluster, alert("ann"))
    watch = Watching(cluster, "alerts", "--from", "beginning")
    watching.append(watch)
    assert "ann" in watch.lines.readline()
    watch.lines.close()
    assert watch.process.wait(30) == 0


def select_ready(watch: Watching) -> bool:
    return bool(select.select([watch.lines], [], [], 0.05)[0])


def refused(*arguments: str) -> str:
    done = processes.run("streams", "watch", *arguments, text=True, env={**os.environ, "COLUMNS": "200"})
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_without_kafka_it_is_one_line() -> None:
    said = refused("--broker", "127.0.0.1:1")
    assert said.startswith("error: No Kafka broker answers at 127.0.0.1:1")
    assert said.endswith("Start one in another terminal: offerstream broker; or name yours: --broker HOST:PORT.\n")
    assert said.count("\n") == 1


def test_topics_that_are_not_there_are_named_once_and_waited_for(cluster: Cluster, watching: list[Watching]) -> None:
    without_offers(cluster)
    watch = Watching(cluster, "offers", "dead")  # from now on
    watching.append(watch)
    said = watch.lines.readline()
    assert said.startswith(f"Waiting for {OFFERS.name}: not there yet.")
    assert DEAD_LETTERS.name not in said
    assert "offerstream topics create" in said
    create(cluster.settings().access, [OFFERS], cluster.partitions)
    say(cluster, offer("ann"))  # perhaps before it is seen that the topic is there
    assert "ann               offer: 10% off tea" in watch.lines.readline()
    watch.process.send_signal(signal.SIGINT)
    assert watch.lines.read() == ""
    assert watch.process.wait(30) == 0


def test_topics_may_be_waited_for_in_vain(cluster: Cluster, watching: list[Watching]) -> None:
    without_offers(cluster)
    watch = Watching(cluster, "offers")
    watching.append(watch)
    assert "Waiting for" in watch.lines.readline()
    watch.process.send_signal(signal.SIGINT)
    assert watch.lines.read() == ""
    assert watch.process.wait(30) == 0


def test_a_worker_says_in_words_what_came_and_not_when_told_not_to(cluster: Cluster) -> None:
    log = [*random_history(75, 600, 40), (b"ann", b"{")]
    cluster.send(log)
    worker = cluster.worker(loglevel="WARNING")
    cluster.wait_committed(len(log))
    worker.stop()
    said = worker.log.read_text()
    assert re.search(r"\] 1 dead letter: ann: not_json: .*\[storefront.events.v1/\d/\d+\]\n", said)
    alerts = len({json.loads(value or b"")["outcome_id"] for *_, value in cluster.read(ALERTS.name)})
    told = re.findall(r"\] ([\d,]+) alerts?(?: in \d+ s, e\.g\.|:) shopper-\d+: (?:watch|high|critical), 0\.", said)
    assert alerts == sum(map(int, told)) > 0
    cluster.app_id += "-again"
    create(cluster.settings().access, changelogs(cluster.app_id), cluster.partitions)
    quiet = cluster.worker(loglevel="WARNING", announce_seconds="0", data="other")
    cluster.wait_committed(len(log))
    quiet.stop()
    assert "alert" not in quiet.log.read_text()
