"""What operators do with pools of coupons: load codes from a file, look how many are left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from streams.access import Access
from streams.campaigns.draws import digest
from streams.compacted import put_at
from streams.outside.inspect import progress
from streams.outside.reading import Reader
from streams.processing.coupon_pools import Stock
from streams.records.coupons import CODE_PATTERN, MOST_CODES, CouponsLoaded
from streams.records.events import encode_event
from streams.settings import Settings
from streams.topics import EVENTS

_CODE = re.compile(CODE_PATTERN)
#: Of one file.
MAX_BYTES = 16_000_000


class CodesError(ValueError):
    """A file that is no list of codes. Codes are not told, only their lines."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Codes:
    """Codes of a file."""

    codes: tuple[str, ...]
    twice: int
    """Lines whose code stands above already."""


def codes_of(text: str) -> Codes:
    """A code on each line; blank lines are passed over. Raises ``CodesError``.

    >>> codes_of("SPRING-1\\n\\nSPRING-2\\nSPRING-1\\n")
    Codes(codes=('SPRING-1', 'SPRING-2'), twice=1)
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    found = [(number, line) for number, line in lines if line]
    wrong = [number for number, line in found if not _CODE.fullmatch(line)]
    if wrong:
        more = f" and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
        raise CodesError(
            f"Line {wrong[0]}{more}: a code is 4 to 64 printable characters of ASCII without spaces, one on each line."
        )
    if not found:
        raise CodesError("There is no code in the file: it has one on each line.")
    codes = tuple(dict.fromkeys(line for _, line in found))
    return Codes(codes, len(found) - len(codes))


def split(codes: tuple[str, ...], partitions: int) -> list[list[str]]:
    """The share of each partition of shoppers, by digest: a code is of the same one whenever and by whomever it is
    loaded, so it is given once.

    >>> [len(share) for share in split(tuple(f"CODE-{i}" for i in range(1000)), 4)]
    [268, 241, 250, 241]
    """
    shares: list[list[str]] = [[] for _ in range(partitions)]
    for code in codes:
        shares[digest("coupon", code) % partitions].append(code)
    return shares


def records(pool: str, group: str, codes: tuple[str, ...], partitions: int) -> list[tuple[int, bytes]]:
    """What is written, with the partition of each."""
    return [
        (partition, encode_event(CouponsLoaded(group=group, pool=pool, codes=tuple(share[at : at + MOST_CODES]))))
        for partition, share in enumerate(split(codes, partitions))
        for at in range(0, len(share), MOST_CODES)
    ]


def load(settings: Settings, pool: str, codes: tuple[str, ...]) -> int:
    """Write codes into the log of shoppers; how many partitions they are split over. Raises ``TopicError``,
    ``Unreachable``."""
    kafka: Access = settings.access
    kafka.require()
    with Reader(kafka) as reader:
        partitions = reader.partitions(EVENTS.name)
    put_at(kafka, EVENTS, records(pool, settings.app_id, codes, partitions))
    return partitions


def stocks(held: Mapping[str, Stock], *more: Mapping[str, Stock]) -> dict[str, Stock]:
    """By pool, the sums over partitions.

    >>> stocks({"spring": Stock(3, 1)}, {"spring": Stock(0, 5), "vip": Stock(2, 0)})
    {'spring': Stock(left=3, given=6), 'vip': Stock(left=2, given=0)}
    """
    found: dict[str, Stock] = {}
    for each in (held, *more):
        for pool, of in each.items():
            left, given = found.get(pool, Stock(0, 0))
            found[pool] = Stock(left + of.left, given + of.given)
    return dict(sorted(found.items()))


def shares(settings: Settings) -> list[Mapping[str, Stock]]:
    """Of each partition of shoppers, what it has by pool, as of the last flush. Raises ``TopicError``,
    ``Unreachable``."""
    with Reader(settings.access) as reader:
        return [held.coupons for _, held in sorted(progress(reader, settings).items())]
