"""Bad input, late input, duplicates, idle partitions: each record has a fate, and the good ones count."""

from __future__ import annotations

import base64
import json
import random
import time

import msgspec
import pytest

from streams.processing.decode import original_bytes
from streams.records.events import encode_event
from streams.topics import ALERTS, DEAD_LETTERS, EVENTS, SCORES
from tests.kafka.harness import Cluster, fates
from tests.shoppers import NOON, Log, log_of, ordered, random_history, viewed

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
    cluster.send(twice)
    worker = cluster.worker()
    cluster.wait_committed(len(twice))
    counted = fates([worker])
    worker.stop()
    assert counted["duplicate"] == len(log)
    plain = cluster.assert_as_plain()
    scores = cluster.read(SCORES.name)
    assert len(scores) == plain.kinds["Scored"] == plain.due.total()


def test_silence_is_noticed_in_an_idle_partition(cluster: Cluster) -> None:
    """Nothing more comes; the worker puts the time into the log, and the timer fires once."""
    now = int(time.time() * 1000)
    cluster.send(log_of(ordered("s1", now - 2000, "o1"), ordered("s1", now - 1900, "o2"), viewed("s2", now - 500)))
    second = str(1 / 86_400)
    settings = {
        "silence_shortest_days": second,
        "silence_longest_days": second,
        "silence_unknown_days": second,
        "allowed_lateness_seconds": "0",
        "idle_tick_seconds": "1",
    }
    worker = cluster.worker(**settings)
    end = time.monotonic() + 60
    silent: list[dict[str, object]] = []
    while len(silent) < 2:
        assert time.monotonic() < end, worker.tail()
        time.sleep(0.5)
        scores = [msgspec.json.decode(value) for *_, value in cluster.read(SCORES.name) if value is not None]
        silent = [s for s in scores if s["due"]["kind"] == "silence"]
    time.sleep(3)
    scores = [msgspec.json.decode(value) for *_, value in cluster.read(SCORES.name) if value is not None]
    silent = [s for s in scores if s["due"]["kind"] == "silence"]
    assert sorted(str(s["shopper_id"]) for s in silent) == ["s1", "s2"]
    assert fates([worker])["tick"] > 0
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
    cluster.send([(b"s1", iso), *log_of(viewed("s1", NOON, "e2"))])
    worker = cluster.worker()
    cluster.wait_committed(2)
    worker.stop()
    (first, second) = (msgspec.json.decode(v) for *_, v in cluster.read(SCORES.name)[:1] * 2 if v is not None)
    assert first["event_time_ms"] == second["event_time_ms"] == NOON
    cluster.assert_as_plain()
