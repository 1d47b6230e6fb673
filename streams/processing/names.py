"""Names of categories: features and models know categories by hash, outcomes name them.

What is said at a due point must not depend on records after it, nor on how the log was cut into slices: a name counts
only from the record on that said it first, and that record's offset is kept with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streams.features.kinds.recent import BUCKETS
from streams.state import keys

#: A producer that makes up names must not fill the memory; categories named later stay without a name.
MAX_NAMES = 50_000
_OFFSET_BYTES = 8


class CategoryNames:
    """The first name that was said for each category's hash, and for each hash bucket of the models' vocabulary."""

    def __init__(self) -> None:
        self._by_code: dict[int, tuple[int, str]] = {}
        self._by_bucket: dict[int, tuple[int, str]] = {}
        self._changes: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._by_code)

    def learn(self, said: Mapping[int, tuple[int, str]]) -> None:
        """Take names by code with the offsets of the records that said them first, in order of the offsets."""
        for code, (offset, name) in said.items():
            if code not in self._by_code and len(self._by_code) < MAX_NAMES:
                self._keep(code, offset, name)
                self._changes[keys.NAME + code.to_bytes(4, "big")] = (
                    offset.to_bytes(_OFFSET_BYTES, "big") + name.encode()
                )

    def restore(self, key: bytes, value: bytes) -> None:
        """Take a name back from the feature table."""
        offset = int.from_bytes(value[:_OFFSET_BYTES], "big")
        self._keep(int.from_bytes(key[1:], "big"), offset, value[_OFFSET_BYTES:].decode())

    def drain_changes(self) -> dict[bytes, bytes]:
        """Names learned since this was last called, as records of the feature table."""
        changes, self._changes = self._changes, {}
        return changes

    def of_code(self, code: int, before: int) -> str | None:
        """The name of a category's hash as the log had said it before an offset."""
        found = self._by_code.get(code)
        return found[1] if found is not None and found[0] < before else None

    def of_buckets(self, buckets: Iterable[int], before: int) -> list[str | None]:
        """Of each bucket the first category named of those that share it, if it was named before an offset."""
        known = self._by_bucket.get
        return [found[1] if (found := known(b)) is not None and found[0] < before else None for b in buckets]

    def _keep(self, code: int, offset: int, name: str) -> None:
        self._by_code[code] = (offset, name)
        bucket = code % BUCKETS["category"] + 1
        # By offset, then by name: a restart reads them in another order, and one order may name several categories.
        self._by_bucket[bucket] = min((offset, name), self._by_bucket.get(bucket, (offset, name)))
