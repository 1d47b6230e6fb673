"""Which partition a key belongs to, for a whole slice at once.

Producers choose the partition. Two that hash keys differently split a shopper in two, each half with a row of its own,
so a record is held against the partition that its key belongs to (docs/decisions/0009).

>>> homes([b"shopper-1", b"shopper-2"], "murmur2", 4).tolist()
[2, 3]
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Ints
from streams.records.events import MAX_ID_LENGTH

#: How producers place a key. ``any``: each as it likes, and nothing is judged.
Partitioner = Literal["murmur2", "crc32", "any"]
#: How workers place keys of their own records, whatever producers do.
WORKERS: Partitioner = "murmur2"
#: What makes a client place keys as Java's does.
MURMUR2_SETTINGS = {
    "Java, kafka-python, aiokafka, franz-go, KafkaJS 2": "the default",
    "librdkafka: confluent-kafka (Python, Go, .NET), node-rdkafka, rust-rdkafka": "partitioner=murmur2_random",
    "KafkaJS 1": "createPartitioner: Partitioners.JavaCompatiblePartitioner",
    "sarama": "NewCustomPartitioner(WithAbsFirst(), WithCustomHashFunction(a murmur2 hash.Hash32))",
    "segmentio/kafka-go": "Balancer: kafka.Murmur2Balancer{}",
}
#: No shopper_id is longer, in UTF-8: such a key is dead for other reasons.
_LONGEST = 4 * MAX_ID_LENGTH
_M, _SEED = np.uint32(0x5BD1_E995), np.uint32(0x9747_B28C)


def homes(keys: Sequence[bytes | None], partitioner: str, partitions: int) -> Ints:
    """[n] the partition of each key. That of no key, or of one too long for a shopper's, means nothing."""
    known = [(key or b"")[:_LONGEST] for key in keys]
    if partitioner == "crc32":
        hashed = np.fromiter(map(zlib.crc32, known), np.uint32, len(known))
    else:
        hashed = murmur2(known) & np.uint32(0x7FFF_FFFF)
    return (hashed % np.uint32(partitions)).astype(np.int64)


def murmur2(keys: Sequence[bytes]) -> npt.NDArray[np.uint32]:
    """[n] the 32-bit hash that Kafka's Java client gives each key."""
    n = len(keys)
    length = np.fromiter(map(len, keys), np.int64, n)
    whole = length // 4
    # numpy pads with zeros, so the word after the whole ones is what is left of a key, or nothing.
    width = int(np.max(whole, initial=0)) + 1
    longest_first = np.argsort(-whole, kind="stable")
    words = np.array(keys, f"S{4 * width}").view("<u4").reshape(n, width)[longest_first]
    h = _SEED ^ length[longest_first].astype(np.uint32)
    having = n - np.searchsorted(np.sort(whole), np.arange(width), side="right")  # [width] keys with a whole word there
    for j in range(width - 1):
        k = words[: having[j], j] * _M
        k = (k ^ (k >> np.uint32(24))) * _M
        some = h[: having[j]]
        some *= _M
        some ^= k
    left = np.flatnonzero((length % 4)[longest_first])
    h[left] = (h[left] ^ words[left, whole[longest_first[left]]]) * _M
    h = (h ^ (h >> np.uint32(13))) * _M
    h ^= h >> np.uint32(15)
    found = np.empty(n, np.uint32)
    found[longest_first] = h
    return found


def misplaced(home: int, partitioner: str, partitions: int) -> str:
    """What to tell who produced a record into another partition than its key's."""
    told = f"Its key belongs to partition {home} of {partitions} by {partitioner}. "
    if partitioner != "murmur2":
        return told + f"OFFERSTREAM_PARTITIONER says that all producers use {partitioner}."
    return told + "The producer needs: " + "; ".join(f"{c}: {s}" for c, s in MURMUR2_SETTINGS.items()) + "."
