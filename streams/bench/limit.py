"""The bare limit: this worker's vectorised work in a loop of confluent-kafka, and nothing durable.

No table, changelog, offsets, group, health or metrics: what is left is what any worker with this work has to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from models.store import Shelf
from streams.bench.clock import Clock
from streams.bench.runs import produce
from streams.entities.contents import ENTITIES, logs
from streams.entities.shopper import SHOPPER
from streams.processing.partition import PartitionProcessor
from streams.records.outcomes import encode_outcome
from streams.records.slices import Slice
from streams.settings import Settings
from streams.topics import TOPIC_OF


def limit(settings: Settings, clock: Clock) -> None:
    """Read the logs of all entities, apply them, write what they came to."""
    rules, shelf, topics, due = settings.rules(), Shelf(), logs(settings.app_id), 0
    places = [(entity, p) for entity in ENTITIES for p in range(settings.partitions)]
    processors = {
        (topics[entity.name], p): PartitionProcessor(entity, p, rules, shelf, partitions=settings.partitions)
        for entity, p in places
    }
    consumer = Consumer({"bootstrap.servers": settings.broker, "group.id": settings.app_id, "log_level": 2})
    producer = Producer({"bootstrap.servers": settings.broker, "linger.ms": 20, "log_level": 2})
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for topic, p in processors])
    while True:
        for slice_ in slices(consumer.consume(settings.max_slice, 0.05)):
            processor, last = processors[slice_.topic, slice_.partition], False
            if processor.entity is SHOPPER:
                last = clock.count(len(slice_))
            result = processor.apply(slice_)
            for emitted in result.emitted:
                produce(producer, topics[emitted.entity], emitted.value, partition=emitted.partition)
            for outcome in result.outcomes:
                produce(producer, TOPIC_OF[type(outcome)], encode_outcome(outcome), outcome.key.encode())
            producer.poll(0)
            due += result.due_points if processor.entity is SHOPPER else 0
            if last:
                producer.flush()
                clock.finish(due)


def slices(messages: Iterable[Any]) -> Iterable[Slice]:
    """The messages of each partition as one slice."""
    found: dict[tuple[str, int], list[Any]] = {}
    for message in messages:
        error = message.error()
        if error is None:
            found.setdefault((message.topic(), message.partition()), []).append(message)
        elif error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
    for (topic, partition), some in found.items():
        times = [m.timestamp()[1] for m in some]
        yield Slice(topic, partition, [m.offset() for m in some], times, [m.key() for m in some],
                    [m.value() for m in some])  # fmt: skip
