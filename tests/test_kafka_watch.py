"""A worker that starts while Kafka collects itself waits for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams import kafka_watch
from streams.access import Access
from streams.admin import Identity, TopicError
from streams.kafka_watch import KafkaAway, KafkaWatch

KAFKA = Access(servers="127.0.0.1:1")
TABLES = {"log": "changelog"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A Kafka that knows of no controller when it is asked for the first time; for how long each request waits."""
    found: list[float] = []

    def identities(_admin: object, names: Iterable[str], seconds: float) -> dict[str, Identity]:
        found.append(seconds)
        if len(found) == 1:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "Failed while waiting for controller"))
        return {name: Identity("id", 3) for name in names}

    monkeypatch.setattr(kafka_watch, "identities", identities)
    monkeypatch.setattr(kafka_watch, "timestamp_type", lambda *_: "")
    return found


def test_a_kafka_without_a_controller_is_asked_again(asked: list[float], caplog: pytest.LogCaptureFixture) -> None:
    assert KafkaWatch(KAFKA, TABLES).partitions == 3
    assert len(asked) == 2
    assert max(asked) < kafka_watch.FIRST_ANSWER_SECONDS / 3
    assert "Failed while waiting for controller" in caplog.text


def test_an_offset_that_was_not_told_is_no_end_of_a_log(asked: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """librdkafka gives -1001 for it, and no error; a worker took that for a log that Kafka had lost."""

    class Silent:
        def list_offsets(self, wanted: Mapping[TopicPartition, Any], **_: Any) -> dict[TopicPartition, Future[Any]]:
            told = {place: Future[Any]() for place in wanted}
            for future in told.values():
                future.set_result(SimpleNamespace(offset=-1001))
            return told

    monkeypatch.setattr(kafka_watch, "admin_client", lambda *_, **__: Silent())
    watch = KafkaWatch(KAFKA, TABLES)
    with pytest.raises(KafkaAway, match="log/0: no offset told"):
        watch.confirm(give_up=lambda: True)
    assert watch.failure is None


def test_a_kafka_that_never_says_is_given_up(asked: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_watch, "FIRST_ANSWER_SECONDS", 0.0)
    with pytest.raises(TopicError, match="does not tell of its topics: Failed while waiting for controller"):
        KafkaWatch(KAFKA, TABLES)
