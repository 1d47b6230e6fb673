"""Topics are read from outside: what lies between two offsets, of one partition or of several together."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from streams.access import Access
from streams.outside.reading import Reader
from streams.topics import EVENTS
from tests.kafka.harness import Cluster

pytestmark = pytest.mark.kafka
TOPIC = EVENTS.name
#: Records in each partition: more than Kafka gives at once, none, and a few.
MANY = (2500, 0, 3)


@pytest.fixture
def filled(cluster: Cluster) -> Cluster:
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for partition, many in enumerate(MANY):
        for i in range(many):
            producer.produce(TOPIC, f"{partition}:{i}", partition=partition)
    assert producer.flush(30) == 0
    return cluster


def test_of_several_partitions_each_is_read_in_order_between_its_own_offsets(filled: Cluster) -> None:
    with Reader(Access(filled.bootstrap)) as reader:
        spans = {(TOPIC, 0): (7, 2000), (TOPIC, 1): (0, 0), (TOPIC, 2): (1, 3)}
        for _ in range(2):  # What one reading left behind must not come in the next.
            found = list(reader.together(spans))
            for place, (start, end) in spans.items():
                mine = [record for record in found if record.partition == place[1]]
                assert [record.offset for record in mine] == list(range(start, end))
                assert [record.value for record in mine] == [f"{place[1]}:{i}".encode() for i in range(start, end)]
        whole = [(record.partition, record.offset) for record in reader.whole(TOPIC)]
        assert whole == [(partition, i) for partition, many in enumerate(MANY) for i in range(many)]


def test_what_is_near_the_end_of_each_partition_is_found_from_there(filled: Cluster) -> None:
    with Reader(Access(filled.bootstrap)) as reader:
        places = [(TOPIC, partition) for partition in range(len(MANY))]
        wanted = {b"0:2499", b"0:100", b"2:0"}
        assert {r.value for r in reader.newest(places, lambda record: record.value in wanted, least=1)} == {
            b"0:2499",
            b"2:0",
        }
        older = reader.newest(places, lambda record: record.value == b"0:100", least=1)
        assert [record.offset for record in older] == [100]
        assert reader.newest(places, lambda record: False) == []
