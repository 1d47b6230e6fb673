"""Receipts and what followed, as anybody may read them: from files of JSON lines, or from their topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from streams.access import Access
from streams.effects.decided import Joined, join
from streams.outside.lines import Lines
from streams.outside.reading import Reader
from streams.records.effects import OfferOutcome
from streams.records.receipts import Receipt
from streams.topics import OFFER_OUTCOMES, RECEIPTS

Tell = Callable[[int], None]


class FollowedError(RuntimeError):
    """There are no receipts, or they cannot be read."""


class _Which(msgspec.Struct):
    """What tells the two records apart."""

    decision: str | None = None
    opened_ms: int | None = None


def of_files(paths: Iterable[Path], tell: Tell = lambda _n: None) -> Joined:
    """Of files, or folders of files, in which receipts and outcomes of offers stand as JSON lines, mixed or apart.
    Raises ``FollowedError`` and ``LinesError``."""
    found = [each for path in paths for each in (sorted(path.rglob("*.json*")) if path.is_dir() else [path])]
    return _joined(_lines(found), tell)


def of_topics(kafka: Access, tell: Tell = lambda _n: None) -> Joined:
    """Of the topics, up to where they end. Raises ``FollowedError``, ``TopicError`` and ``Unreachable``."""
    with Reader(kafka) as reader:
        for topic in (RECEIPTS, OFFER_OUTCOMES):
            extents = [reader.extent((topic.name, p)) for p in range(reader.partitions(topic.name))]
            if all(low >= high for low, high in extents):
                raise FollowedError(
                    f"{topic.name} at {kafka.servers} holds no record. Let a campaign make offers first (offerstream "
                    "campaigns apply): what became of one is told when its window and the time for returns are over."
                )
        return _joined(_records(reader), tell)


def _lines(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        with Lines(str(path)) as lines:
            for number, line in lines:
                yield f"{path}:{number}", line


def _records(reader: Reader) -> Iterator[tuple[str, bytes]]:
    for topic in (RECEIPTS, OFFER_OUTCOMES):
        for record in reader.whole(topic.name):
            if record.value is not None:
                yield f"{record.topic}[{record.partition}]:{record.offset}", record.value


def _joined(values: Iterable[tuple[str, bytes]], tell: Tell) -> Joined:
    receipts, outcomes = list[Receipt](), list[OfferOutcome]()
    of = msgspec.json.Decoder(_Which)
    receipt, outcome = msgspec.json.Decoder(Receipt), msgspec.json.Decoder(OfferOutcome)
    for n, (where, value) in enumerate(values):
        try:
            which = of.decode(value)
            if which.decision is not None:
                receipts.append(receipt.decode(value))
            elif which.opened_ms is not None:
                outcomes.append(outcome.decode(value))
            else:
                raise msgspec.ValidationError("it is neither a receipt nor what became of an offer")
        except msgspec.DecodeError as error:
            raise FollowedError(
                f"{where} cannot be used: {error}. Receipts are those of {RECEIPTS.name}, what followed is that of "
                f"{OFFER_OUTCOMES.name}: offerstream schema Receipt, offerstream schema OfferOutcome."
            ) from error
        if n % 10_000 == 0:
            tell(n)
    if not receipts:
        raise FollowedError(f"There is no receipt among these records: those of {RECEIPTS.name} are meant.")
    return join(receipts, outcomes)
