"""Kafka's topics: which there are, how they are made, and whether they are kept as catalogued."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition

# Public, but the stubs do not say so.
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType  # type: ignore[attr-defined]

from streams.access import Access
from streams.topics import CHANGELOG, EVENTS, Topic

#: Topics that were made just now are waited for so long.
SEEN_SECONDS = 30.0


class TopicError(RuntimeError):
    """A topic is missing or not as catalogued."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which topic a name stands for: one deleted and made anew has another id."""

    topic_id: str
    partitions: int


def admin_client(kafka: Access, log_level: int = 2) -> AdminClient:
    """A client for what is not about records. Use it as a context: one that is left to the collector may be closed by
    its own thread, which ends the process."""
    return AdminClient(kafka.librdkafka() | {"log_level": log_level})


def identities(admin: AdminClient, names: Iterable[str], seconds: float = 30.0) -> dict[str, Identity | None]:
    """The topics behind names, None for those that do not exist. Raises ``KafkaException``."""
    found: dict[str, Identity | None] = {}
    for name, future in admin.describe_topics(TopicCollection(list(names)), request_timeout=seconds).items():
        try:
            described = future.result(seconds + 1)
            found[name] = Identity(str(described.topic_id), len(described.partitions))
        except KafkaException as error:
            if error.args[0].name() != "UNKNOWN_TOPIC_OR_PART":
                raise
            found[name] = None
    return found


def timestamp_type(admin: AdminClient, topic: str, seconds: float = 30.0) -> str:
    """Who sets the time of a topic's records: ``LogAppendTime`` or ``CreateTime``; empty for a user who may not ask.

    Raises ``KafkaException``.
    """
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        config = admin.describe_configs([resource], request_timeout=seconds)[resource].result(seconds + 1)
    except KafkaException as error:
        if error.args[0].name() != "TOPIC_AUTHORIZATION_FAILED":
            raise
        return ""
    return str(config["message.timestamp.type"].value)


def create(kafka: Access, topics: Iterable[Topic], partitions: int, replication: int = 1) -> list[str]:
    """Create what is missing; returns the names created. Raises ``TopicError``, ``Unreachable``."""
    kafka.require()
    with admin_client(kafka) as admin:
        return _create(kafka, admin, list(topics), partitions, replication)


def _create(kafka: Access, admin: AdminClient, topics: Sequence[Topic], partitions: int, replication: int) -> list[str]:
    with kafka.answering(KafkaException, TopicError):
        existing = admin.list_topics(timeout=10).topics
    if EVENTS.name in existing:
        partitions = len(existing[EVENTS.name].partitions)
    missing = [topic for topic in topics if topic.name not in existing]
    if EVENTS in missing and (orphans := [topic.name for topic in topics if topic.name.endswith(CHANGELOG)]):
        for name in orphans:
            if name in existing:
                raise TopicError(
                    f"{EVENTS.name} does not exist, but the feature table made from it does ({name}): it was deleted. "
                    "Make it anew (offerstream topics create, under another OFFERSTREAM_APP_ID) and start workers "
                    "under that one."
                )
    wanted = [
        NewTopic(t.name, t.partitions or partitions, replication_factor=replication, config=t.settings())
        for t in missing
    ]
    created = []
    for name, future in (admin.create_topics(wanted) if wanted else {}).items():
        try:
            future.result(timeout=30)
            created.append(name)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":  # another worker was faster
                raise TopicError(f"Could not create {name}: {error.args[0].str()}") from error
    with kafka.answering(KafkaException, TopicError):
        if unseen := wait_for(admin, (topic.name for topic in missing), SEEN_SECONDS):
            raise TopicError(f"{', '.join(sorted(unseen))} created, but not to be seen after {SEEN_SECONDS:g} s.")
    return created


def wait_for(client: AdminClient | Consumer, names: Iterable[str], seconds: float) -> set[str]:
    """Wait until brokers tell a client of topics, which they do a moment after they answered that these are made.
    Returns those that they do not tell of within the time. Raises ``KafkaException``."""
    wanted, end = set(names), time.monotonic() + seconds
    while unseen := wanted - {n for n, t in client.list_topics(timeout=10).topics.items() if t.error is None}:
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    return unseen


def records_in(kafka: Access, topic: Topic) -> int:
    """How many records (offsets) a topic holds; 0 when it does not exist. Raises ``TopicError``, ``Unreachable``."""
    kafka.require()
    consumer = Consumer(kafka.librdkafka() | {"group.id": "offerstream-look", "log_level": 2})
    with closing(consumer), kafka.answering(KafkaException, TopicError):
        found = consumer.list_topics(topic.name, timeout=10).topics[topic.name]
        if found.error is not None:
            return 0
        ends = [consumer.get_watermark_offsets(TopicPartition(topic.name, p), timeout=10) for p in found.partitions]
        return sum(high - low for low, high in ends)


def check(kafka: Access, topics: Iterable[Topic]) -> list[str]:
    """What differs between the broker and the catalogue, one sentence each; empty when all is well. Raises
    ``TopicError``, ``Unreachable``."""
    kafka.require()
    with admin_client(kafka) as admin:
        return _check(kafka, admin, topics)


def _check(kafka: Access, admin: AdminClient, topics: Iterable[Topic]) -> list[str]:
    with kafka.answering(KafkaException, TopicError):
        existing = admin.list_topics(timeout=10).topics
    found: list[str] = []
    expected = len(existing[EVENTS.name].partitions) if EVENTS.name in existing else None
    for topic in topics:
        if topic.name not in existing:
            found.append(f"{topic.name} does not exist: offerstream topics create")
            continue
        held = len(existing[topic.name].partitions)
        if topic.partitions and held != topic.partitions:
            found.append(f"{topic.name} has {held} partitions, catalogued with {topic.partitions}")
        if topic.compacted and not topic.partitions and expected and held != expected:
            found.append(f"{topic.name} has {held} partitions, but {EVENTS.name} has {expected}: they must agree")
        resource = ConfigResource(ResourceType.TOPIC, topic.name)
        config: dict[str, Any] = admin.describe_configs([resource])[resource].result(timeout=10)
        for name, value in topic.settings().items():
            if config[name].value != value:
                found.append(f"{topic.name}: {name} is {config[name].value}, catalogued as {value}")
    return found
