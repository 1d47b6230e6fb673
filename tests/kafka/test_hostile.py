"""Bad input, late input, duplicates, idle partitions: each record has a fate, and the good ones count."""

from __future__ import annotations

import base64
import json
import random
import time
from collections import Counter, defaultdict

import msgspec
import pytest
from confluent_kafka import Producer

from streams.admin import TopicError, create
from streams.entities.contents import ENTITIES
from streams.entities.item import ITEM
from streams.outside.inspect import features_at
from streams.processing.decode import original_bytes
from streams.records.events import ClockTicked, encode_event
from streams.topics import ALERTS, DEAD_LETTERS, EVENTS, SCORES, TOPICS
from tests.items import catalogue
from tests.kafka.harness import Cluster, fates, wait_until
from tests.shoppers import DAY, NOON, Log, log_of, ordered, random_history, viewed

pytestmark = pytest.mark.kafka


def poison() -> dict[str, tuple[bytes | None, bytes | None]]:
    """Records that must end as dead letters, by what is wrong with them."""

    def event(**more: object) -> bytes:
        good = {"type": "item_viewed", "event_id": "p", "shopper_id": "s1", "event_time": NOON, "item_id": "i"}
        return json.dumps(good | more).encode()

    rng = random.Random(1)
    line = {"item_id": "i", "quantity": 1, "unit_price_cents": -5}
    order = {"type": "order_placed", "order_id": "o"}
    return {
        "random bytes": (b"s1", rng.randbytes(200)),
        "not utf-8": (b"s1", b'{"type":"item_viewed","item_id":"\xff\xfe"}'),
        "empty value": (b"s1", b""),
        "tombstone": (b"s1", None),
        "a number": (b"s1", b"17"),
        "wrong type": (b"s1", event(shopper_id=17)),
        "unknown event": (b"s1", event(type="teleported")),
        "missing field": (b"s1", b'{"type":"item_viewed","event_id":"p","shopper_id":"s1","event_time":1}'),
        "NaN": (b"s1", event(dwell_seconds=1).replace(b": 1}", b": NaN}")),
        "negative price": (b"s1", event(**order, lines=[line])),
        "no lines": (b"s1", event(**order, lines=[])),
        "year 9999": (b"s1", event(event_time="9999-12-31T23:59:59Z")),
        "year 1": (b"s1", event(event_time="0001-01-01T00:00:00+00:00")),
        "no offset": (b"s1", event(event_time="2023-11-14T22:13:20")),
        "300 characters": (b"x" * 300, event(shopper_id="x" * 300)),
        "empty id": (b"", event(shopper_id="")),
        "empty key": (b"", event()),
        "no key": (None, event()),
        "key of another": (b"s2", event()),
        "foreign currency": (b"s1", event(currency="EUR")),
        "10 MB": (b"s1", event(item_id="y" * 10_000_000)),
        "deep": (b"s1", b"[" * 100_000),
        "lone surrogate": (b"s1", event(item_id="x").replace(b'"x"', b'"\\ud800"')),
    }


def test_poison_becomes_dead_letters_and_the_rest_counts(cluster: Cluster) -> None:
    bad = poison()
    log = random_history(21, 1500, 60)
    rng = random.Random(2)
    for record in bad.values():
        log.insert(rng.randrange(len(log)), record)
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    counted = fates([worker])
    worker.stop()
    assert counted["applied"] + counted["duplicate"] + counted["late"] + counted["dead"] == len(log)
    assert counted["dead"] == len(bad)
    plain = cluster.assert_as_plain()
    assert plain.fates == counted
    letters = [value for *_, value in cluster.read(DEAD_LETTERS.name) if value is not None]
    assert sorted(map(repr, (original_bytes(letter) for letter in letters))) == sorted(map(repr, bad.values()))
    reasons = {base64.b64decode(d["original"] or ""): d for d in map(msgspec.json.decode, letters)}
    negative = reasons[bad["negative price"][1] or b""]
    assert (negative["reason"], negative["field"]) == ("invalid", "lines[0].unit_price_cents")
    assert reasons[bad["key of another"][1] or b""]["source_topic"] == EVENTS.name
    assert {d["reason"] for d in reasons.values()} >= {
        "not_json", "invalid", "too_large", "key_mismatch", "event_time_in_future", "event_time_too_old",
        "foreign_currency", "empty",
    }  # fmt: skip


def test_a_log_delivered_twice_scores_nobody_twice(cluster: Cluster) -> None:
    log = random_history(22, 800, 200, hostile=False)
    twice: Log = [record for pair in zip(log, log, strict=True) for record in pair]
    told = catalogue(22, 60, 200, hostile=False)
    cluster.send(twice)
    cluster.send_catalogue([record for pair in zip(told, told, strict=True) for record in pair])
    worker = cluster.worker()
    cluster.wait_committed(len(twice))
    counted, of_items = fates([worker]), fates([worker], "item")
    worker.stop()
    assert counted["duplicate"] == len(log)
    assert of_items["duplicate"] == len(told)
    plain, items = cluster.assert_as_plain(), cluster.expected(entity=ITEM)
    by_entity: dict[str, list[dict[str, object]]] = {"shopper": [], "item": []}
    for *_, value in cluster.read(SCORES.name):
        score = msgspec.json.decode(value or b"")
        by_entity[score["entity"]].append(score["answers"])
    assert len(by_entity["item"]) == items.kinds["Scored"] > 0
    # One record per due point, with churn's answer only for those who had ordered.
    assert len(by_entity["shopper"]) == plain.kinds["Scored"] == plain.due.total()
    said = Counter(task for answers in by_entity["shopper"] for task in answers)
    assert said["behaviour"] == plain.due.total() > said["churn"] > 0


def test_silence_is_noticed_in_an_idle_partition(cluster: Cluster) -> None:
    """Nothing more comes; the worker puts the time into the log, and the timers fire, as often as they may."""
    now = int(time.time() * 1000)
    cluster.send(
        log_of(ordered("s1", now - 2000, "o1"), ordered("s1", now - 1900, "o2"), ordered("s2", now - 500, "o3"))
    )
    second = str(1 / 86_400)
    settings = {
        "silence_shortest_days": second,
        "silence_longest_days": second,
        "silence_unknown_days": second,
        "silence_growth": "3",
        "silence_firings": "2",
        "allowed_lateness_seconds": "0",
        "idle_tick_seconds": "1",
    }
    worker = cluster.worker(**settings)

    def silent() -> list[dict[str, object]]:
        scores = [msgspec.json.decode(value) for *_, value in cluster.read(SCORES.name) if value is not None]
        return [s for s in scores if s["due"]["kind"] == "silence" and "churn" in s["answers"]]

    wait_until(lambda: len(silent()) >= 4, worker, pause=0.5)
    assert fates([worker])["tick"] > 0
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for partition in range(cluster.partitions):  # a minute later nothing else fires
        tick = encode_event(ClockTicked(event_time=int(time.time() * 1000) + 60_000))
        producer.produce(EVENTS.name, tick, partition=partition)
    assert producer.flush(30) == 0
    cluster.wait_caught_up()
    assert sorted(str(s["key"]) for s in silent()) == ["s1", "s1", "s2", "s2"]
    worker.stop()
    assert cluster.read(ALERTS.name) is not None


def test_metrics_live_and_ready_are_served_on_loopback_and_no_data(cluster: Cluster) -> None:
    worker = cluster.worker()
    worker.wait_ready()
    assert worker.get("/live")[0] == 200
    assert worker.get("/metrics")[0] == 200
    for path in ("/", "/table", "/router", "/stats", "/table/shoppers"):
        assert worker.get(path)[0] == 404
    worker.stop()


def test_times_may_be_iso_or_milliseconds(cluster: Cluster) -> None:
    iso = encode_event(viewed("s1", NOON, "e1")).replace(str(NOON).encode(), b'"2023-11-14T23:13:20+01:00"')
    cluster.send([(b"s1", iso), *log_of(viewed("s2", NOON, "e2"))])
    worker = cluster.worker()
    cluster.wait_committed(2)
    worker.stop()
    scores = [msgspec.json.decode(v) for *_, v in cluster.read(SCORES.name) if v is not None]
    assert {s["key"]: s["event_time_ms"] for s in scores} == {"s1": NOON, "s2": NOON}
    cluster.assert_as_plain()


@pytest.mark.parametrize("partitioner", ["murmur2", "crc32"])
def test_a_producer_that_hashes_keys_otherwise_splits_nobody(cluster: Cluster, partitioner: str) -> None:
    """Java's hash and librdkafka's own, from one storefront each: what is not in the shopper's partition is dead."""
    shoppers = [f"s{i}" for i in range(40)]
    for hash_, name in (("murmur2_random", "murmur2"), ("consistent_random", "crc32")):
        producer = Producer({"bootstrap.servers": cluster.bootstrap, "partitioner": hash_})
        for shopper in shoppers:
            ((key, value),) = log_of(viewed(shopper, NOON, f"{shopper}-{name}"))
            producer.produce(EVENTS.name, value, key)
        assert producer.flush(30) == 0
    worker = cluster.worker(partitioner=partitioner)
    cluster.wait_committed(2 * len(shoppers))
    counted = fates([worker])
    worker.stop()
    homes_: dict[bytes | None, set[int]] = defaultdict(set)
    letters = [msgspec.json.decode(value) for *_, value in cluster.read(DEAD_LETTERS.name) if value is not None]
    dead = {(d["source_partition"], d["source_offset"]) for d in letters}
    for partition, offset, _, key, value in cluster.read(EVENTS.name):
        if (partition, offset) not in dead:
            homes_[key].add(partition)
        else:
            assert partitioner not in str(value)
    assert {len(found) for found in homes_.values()} == {1}
    assert len(homes_) == len(shoppers)
    assert {d["reason"] for d in letters} == {"wrong_partition"}
    assert +counted == {"applied": 2 * len(shoppers) - len(dead), "dead": len(dead)}
    assert len(dead) > len(shoppers) / 3
    assert all(f"of {cluster.partitions} by {partitioner}" in d["detail"] for d in letters)


def test_what_a_transaction_took_back_does_not_count_and_its_markers_are_no_lag(cluster: Cluster) -> None:
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "partitioner": "murmur2", "transactional.id": "shop"})
    producer.init_transactions(30)
    for kept in (True, False):
        producer.begin_transaction()
        for i in range(20):
            (pair,) = log_of(viewed(f"s{i}", NOON, f"e{i}-{kept}"))
            producer.produce(EVENTS.name, pair[1], pair[0])
        producer.flush(30)
        if kept:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    worker = cluster.worker(stalled_seconds="1")
    worker.wait_ready()
    wait_until(lambda: fates([worker])["applied"] >= 20, worker, 30)
    end = time.monotonic() + 3  # longer than it may be stalled
    while time.monotonic() < end:
        assert worker.get("/ready") == (200, "ready\n")
        time.sleep(0.2)
    assert +fates([worker]) == {"applied": 20}
    lags = [line for line in worker.get("/metrics")[1].splitlines() if line.startswith("offerstream_lag_records{")]
    assert [float(line.rsplit(" ", 1)[1]) for line in lags] == [0.0] * len(ENTITIES) * cluster.partitions
    worker.stop()


def test_a_topic_made_anew_is_not_taken_for_the_old_one(cluster: Cluster) -> None:
    """Its first offsets were all seen before: taken for duplicates, every new record would be lost."""
    log = random_history(41, 300, 20)
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    worker.stop()
    admin = cluster.client.admin
    admin.delete_topics([EVENTS.name])[EVENTS.name].result(30)
    wait_until(lambda: EVENTS.name not in admin.list_topics(timeout=10).topics, seconds=30)
    create(cluster.settings().access, TOPICS, cluster.partitions)
    cluster.send(log[:50])
    again = cluster.worker()
    assert again.process.wait(60) == 1
    assert "it was deleted and made anew" in again.log.read_text()
    assert cluster.committed() == 0


def test_features_show_reads_a_shopper_as_of_the_newest_event(cluster: Cluster) -> None:
    cluster.send(log_of(ordered("s1", NOON, "o1"), ordered("s1", NOON + 2 * DAY, "o2"), viewed("s1", NOON + 5 * DAY)))
    worker = cluster.worker()
    cluster.wait_committed(3)
    worker.stop()
    now, values = features_at(cluster.settings(), "s1", None)
    assert now == NOON + 5 * DAY
    assert values["orders.count"] == [2.0]
    assert values["orders.days_since_last"] == [3.0]
    assert [int(code) for code in values["sequence.types"][:4]] == [1, 6, 6, 0]
    with pytest.raises(TopicError, match="Nothing is known of shopper 'nobody'"):
        features_at(cluster.settings(), "nobody", None)
