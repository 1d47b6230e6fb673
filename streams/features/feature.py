"""What a feature is: an address, what it means, and where its value comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from streams.columns.arrays import Floats, Ints
from streams.columns.layout import Readable
from streams.features.wording import beside, spoken, title


class Read(Protocol):
    """Rows that are being read; ``streams.features.catalogue.Reading`` is one."""

    @property
    def rows(self) -> Readable: ...
    @property
    def now_ms(self) -> Ints: ...
    def value(self, address: str) -> Floats:
        """[k] or [k, width] another feature."""

    def kind(self, kind: Any) -> Any:
        """A kind of the catalogue."""


class Derived:
    """A source that keeps nothing of its own: it is made of other features (``parts``) or of what ``kinds`` keep."""

    kinds: ClassVar[Sequence[type]] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Addresses of the features that it is made of."""
        return ()

    def of(self, read: Read) -> Floats:
        """[k] or [k, width] its value for each row."""
        raise NotImplementedError


class Unreadable(ValueError):
    """A record says something that cannot be made into numbers; the text says why, for whoever sent it."""


class FromRecord:
    """A source that is made of the record that made due, and kept in no row."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor; its numbers stand side by side in a row, the last axis fastest."""
        raise NotImplementedError

    def of(self, record: Any) -> npt.NDArray[Any] | None:
        """[width] what it is of a record, in the smallest type that holds it; None where the record says nothing of it.
        Raises ``Unreadable``, and nothing else for whatever the record holds."""
        raise NotImplementedError

    def floats(self, made: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """[k, width] as models take it, of k that ``of`` made."""
        return made.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Has(FromRecord):
    """1 where the record says what another source of its catalogue, named by address, can be made of; else 0. A task
    that lists it beside the other is also asked where there is none, and is given zeros. A task that takes nothing but
    such things is asked where there is one of them at least."""

    address: str

    @property
    def shape(self) -> tuple[int, ...]:
        return (1,)


@dataclass(frozen=True, slots=True)
class Ratio(Derived):
    """One feature over another, at most ``cap``; 0 while the denominator is 0. Both are named by address."""

    numerator: str
    denominator: str
    cap: float = 1.0

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.numerator, self.denominator)

    def of(self, read: Read) -> Floats:
        over, under = read.value(self.numerator), read.value(self.denominator)
        ratio = np.divide(over, under, out=np.zeros(over.shape), where=under > 0)
        return np.minimum(ratio, self.cap)


@dataclass(frozen=True, slots=True)
class Less(Derived):
    """One feature less another. Both are named by address."""

    whole: str
    part: str

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.whole, self.part)

    def of(self, read: Read) -> Floats:
        return read.value(self.whole) - read.value(self.part)


@dataclass(frozen=True, slots=True)
class Scaled(Derived):
    """Another feature times a constant."""

    address: str
    factor: float

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.address,)

    def of(self, read: Read) -> Floats:
        return read.value(self.address) * self.factor


@dataclass(frozen=True, slots=True)
class Reached(Derived):
    """1 where another feature is at least so much, else 0."""

    address: str
    least: float

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.address,)

    def of(self, read: Read) -> Floats:
        return (read.value(self.address) >= self.least).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Spread(Derived):
    """The population standard deviation of numbers, from their count, their sum and that of their squares; all are
    whole numbers, so it is exact. 0 while there is none."""

    count: str
    total: str
    squares: str

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.count, self.total, self.squares)

    def of(self, read: Read) -> Floats:
        n = np.maximum(read.value(self.count), 1.0)
        mean = read.value(self.total) / n
        return np.sqrt(np.maximum(read.value(self.squares) / n - mean * mean, 0.0))


@dataclass(frozen=True, slots=True)
class Feature:
    """One number per row at a time. ``address`` is ``file.name`` under ``streams/features/ENTITY``.

    ``source`` is a declaration of one of the kinds in ``streams/features/kinds``, or ``Derived`` from other features.
    ``cold_start`` is the value for a key never seen; every value is finite and within [low, high]. A feature of
    ``width`` more than 1 is a tensor: so many numbers side by side.
    """

    address: str
    meaning: str
    unit: str
    source: Any
    low: float = 0.0
    high: float = inf
    cold_start: float = 0.0
    width: int = 1

    @property
    def grows(self) -> bool:
        """Whether it never falls, so that it tells how old a shop is rather than what its shoppers do."""
        return getattr(self.source, "grows", False)

    def in_words(self, value: float) -> str:
        """A value with its unit, for people; money in whole units of the shop's currency. A source may have ``words``
        for values of its own that stand for something else than a number.

        >>> Feature("orders.gap_mean", "Mean gap", "days", None).in_words(12.34)
        '12.3 days'
        >>> Feature("orders.spend", "Money spent", "cents", None).in_words(123456)
        '1,234.56'
        """
        return spoken(value, self.unit, self.meaning, self.high, getattr(self.source, "words", {}))

    def reason(self, value: float, typical: float) -> str:
        """Why a value stands out, for people.

        >>> Feature("orders.count_30d", "Orders in 30 days", "orders", None).reason(1, 0)
        'Orders in 30 days: 1 order (typical: none)'
        """
        return f"{title(self.meaning)}: {beside(self.in_words(value), self.in_words(typical))}"
