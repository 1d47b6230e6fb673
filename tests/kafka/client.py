"""What tests ask Kafka, through clients that stay open: each new one would cost a test a tenth of a second."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.kafka_watch import LATEST
from streams.records.slices import Origin
from streams.transport.sliced import ORIGIN

#: Partition, offset, append time, key, value, and where it was first said, when it was carried over.
Record = tuple[int, int, int, bytes | None, bytes | None, Origin | None]
#: Topic and partition.
Place = tuple[str, int]


class Client:
    """Of one broker, which may go away and come back."""

    def __init__(self, bootstrap: str) -> None:
        self.settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "reconnect.backoff.max.ms": 200,
            "log_level": 2,
        }
        self._of_groups: dict[str, Consumer] = {}

    @cached_property
    def admin(self) -> AdminClient:
        """For what is not about records."""
        return AdminClient(self.settings)

    @cached_property
    def _consumer(self) -> Consumer:
        return Consumer(
            self.settings
            | {
                "group.id": "reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.message.max.bytes": 32 << 20,
                "fetch.max.bytes": 64 << 20,
                # The end of a partition is told by an answer that waited for more.
                "fetch.wait.max.ms": 10,
            }
        )

    def close(self) -> None:
        """Leave the broker alone."""
        if "_consumer" in self.__dict__:
            self._consumer.close()
        for consumer in self._of_groups.values():
            consumer.close()
        if "admin" in self.__dict__:
            self.admin.__exit__(None, None, None)

    def partitions(self, topic: str) -> list[int]:
        """Of a topic; none when it does not exist."""
        return sorted(self._consumer.list_topics(topic, timeout=10).topics[topic].partitions)

    def read(self, topic: str) -> list[Record]:
        """Everything in a topic, in log order within a partition. Kafka says sooner where a partition ends than that
        nothing comes from it: those in which nothing was ever written are not read."""
        places = [(topic, p) for p in self.partitions(topic)]
        open_ = {p for (_, p), end in self._ends(places).items() if end} if places else set()
        if not open_:
            return []
        self._consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in sorted(open_)])
        found: list[Record] = []
        while open_:
            message = self._consumer.poll(20)
            assert message is not None, f"{topic} does not answer"
            partition, offset, error = message.partition(), message.offset(), message.error()
            assert partition is not None, error
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                open_.discard(partition)
                continue
            assert offset is not None
            key, value = message.key(), message.value()
            assert not isinstance(key, str)
            assert not isinstance(value, str)
            header = dict(message.headers() or ()).get(ORIGIN)
            origin = Origin.of(header) if isinstance(header, bytes) else None
            found.append((partition, offset, message.timestamp()[1], key, value, origin))
        self._consumer.unassign()
        return found

    def ends(self, topics: Iterable[str], partitions: int) -> dict[Place, int]:
        """Up to which offset each partition goes."""
        return self._ends([(topic, p) for topic in topics for p in range(partitions)])

    def _ends(self, places: Iterable[Place]) -> dict[Place, int]:
        asked = {TopicPartition(*place): LATEST for place in places}
        end = time.monotonic() + 30
        while True:
            try:
                told = self.admin.list_offsets(asked, request_timeout=10)
                return {(tp.topic, tp.partition): future.result(30).offset for tp, future in told.items()}
            except KafkaException as error:
                self._pass_over(error)
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """What a group has committed of these; nothing where its coordinator is not there yet."""
        if group not in self._of_groups:
            self._of_groups[group] = Consumer(self.settings | {"group.id": group, "enable.auto.commit": False})
        try:
            told = self._of_groups[group].committed([TopicPartition(*place) for place in places], timeout=30)
        except KafkaException as error:
            self._pass_over(error)
            return {}
        return {(tp.topic, tp.partition): tp.offset for tp in told if tp.error is None and tp.offset >= 0}

    def _pass_over(self, error: KafkaException) -> None:
        """Ask a new client next time: one that knew a broker before it came back may hold to what it knew."""
        self.error = error.args[0].str()
        if admin := self.__dict__.pop("admin", None):
            admin.__exit__(None, None, None)
