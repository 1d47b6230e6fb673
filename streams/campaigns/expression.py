"""An audience as a typed expression, judged for many shoppers at once.

Three values: a condition holds, does not hold, or is unknown. NaN is unknown (a model that cannot judge a shopper
answers NaN), what is made of it is unknown, and a comparison with it neither holds nor fails. ``and``, ``or`` and
``not`` follow Kleene: ``unknown or true`` holds, ``unknown and false`` fails. Only who is known to be meant is
addressed.

>>> from streams.campaigns.vocabulary import Known, Vocabulary
>>> lapse = Known("churn.lapse_30d", "How likely no order comes", low=0, high=1)
>>> words = Vocabulary({lapse.address: lapse}, {"lapse_30d": lapse.address})
>>> likely = Expression.of("lapse_30d > 0.5", words)
>>> holds, fails = likely.judge({"churn.lapse_30d": np.array([0.7, 0.2, np.nan])}.__getitem__, 3)
>>> holds.tolist(), fails.tolist()
([True, False, False], [False, True, False])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from models.nearest import hint, unknown
from streams.campaigns.lexer import ExpressionError
from streams.campaigns.syntax import COMPARISONS, Address, Among, Node, Number, Operation, Truth, parse
from streams.campaigns.vocabulary import Known, Vocabulary
from streams.columns.arrays import Bools, Floats

#: Address → [k] or [k, width] values, NaN where unknown.
Columns: TypeAlias = Callable[[str], npt.NDArray[np.floating[Any]]]
#: [k] where it holds, [k] where it fails; unknown where neither.
Three: TypeAlias = tuple[Bools, Bools]
_Number: TypeAlias = Callable[[Columns, int], Floats]
_Truth: TypeAlias = Callable[[Columns, int], Three]
_COMPARE = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
#: a < b is b > a
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def _finite(operate: Callable[[Floats, Floats], Floats]) -> Callable[[Floats, Floats], Floats]:
    """The same, unknown where it gives no number: what is divided by 0 must not become 0 when it divides in turn."""

    def value(a: Floats, b: Floats) -> Floats:
        result = operate(a, b)
        return np.where(np.isfinite(result), result, np.nan)

    return value


_ARITHMETIC: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": _finite(np.multiply),
    "/": _finite(np.divide),
    "min": np.minimum,
    "max": np.maximum,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition that was read and typed."""

    text: str
    reads: tuple[tuple[str, int | None], ...]
    """What it reads, in the order in which it is named: full address, and which of its numbers (None: it is one)."""
    _judge: _Truth

    @property
    def addresses(self) -> tuple[str, ...]:
        """Full addresses of what it reads."""
        return tuple(dict.fromkeys(address for address, _ in self.reads))

    @staticmethod
    def of(text: str, words: Vocabulary, segments: Mapping[str, Expression] | None = None) -> Expression:
        """Read and type a condition. ``segments``: what ``segment.NAME`` stands for. Raises ``ExpressionError``, which
        names the column, what is wrong there and, of an unknown address, the nearest one."""
        typing = _Typing(words, segments or {})
        judge = typing.truth(parse(text))
        return Expression(text, tuple(dict.fromkeys(typing.reads)), judge)

    def judge(self, columns: Columns, k: int) -> Three:
        """[k] for whom it holds and [k] for whom it fails; unknown for the others. Raises what ``columns`` raises."""
        with np.errstate(all="ignore"):
            return self._judge(columns, k)


class _Typing:
    """Turns a tree into functions over columns, and refuses what has no meaning."""

    def __init__(self, words: Vocabulary, segments: Mapping[str, Expression]) -> None:
        self._words, self._segments = words, segments
        self.reads: list[tuple[str, int | None]] = []

    # -- conditions

    def truth(self, node: Node) -> _Truth:
        if isinstance(node, Truth):
            value = node.value
            return lambda _columns, k: (np.full(k, value), np.full(k, not value))
        if isinstance(node, Among):
            return self._among(node)
        if isinstance(node, Operation):
            if node.kind in COMPARISONS:
                return self._comparison(node)
            if node.kind in ("and", "or"):
                return _joined([self.truth(part) for part in node.parts], node.kind == "and")
            if node.kind == "not":
                inner = self.truth(node.parts[0])
                return lambda columns, k: inner(columns, k)[::-1]
            if node.kind == "known":
                return self._known(node)
        if isinstance(node, Address) and node.name.startswith("segment."):
            return self._segment(node)
        named = self._named(node)
        if named is not None:
            example = f"{named.address} == {named.names[0]}"
            raise ExpressionError(node.column, f"{named.address} is a name, not a condition; compare it: {example}.")
        what = node.name if isinstance(node, Address) else "This"
        raise ExpressionError(node.column, f"{what} is a number, not a condition; compare it, such as {what} > 0.")

    def _segment(self, node: Address) -> _Truth:
        found = self._segments.get(node.name[len("segment.") :])
        if found is None:
            there = sorted(f"segment.{name}" for name in self._segments)
            near = hint(node.name, there) if there else ": no segments are known here; write the condition out."
            raise ExpressionError(node.column, f"There is no {node.name}{near}")
        self.reads += found.reads
        return found._judge

    def _known(self, node: Operation) -> _Truth:
        (part,) = node.parts
        inner = self.number(part) if self._named(part) is None else self._address(part)

        def judge(columns: Columns, k: int) -> Three:
            known = np.isfinite(inner(columns, k))
            return known, ~known

        return judge

    def _comparison(self, node: Operation) -> _Truth:
        left, right = node.parts
        if self._named(right) is not None:
            left, right = right, left
        named = self._named(left)
        if named is not None:
            if node.kind not in ("==", "!="):
                raise ExpressionError(node.column, f"{named.address} is a name: compare it by == or !=, or by in.")
            same = self._among(Among(left, (right,), node.column))
            return same if node.kind == "==" else lambda columns, k: same(columns, k)[::-1]
        self._possible(left, node.kind, right, node.column)
        self._possible(right, _TURNED[node.kind], left, node.column)
        one, other = self.number(left), self.number(right)
        holds, fails = _COMPARE[node.kind], _COMPARE[_OPPOSITE[node.kind]]

        def judge(columns: Columns, k: int) -> Three:
            a, b = _single(one(columns, k)), _single(other(columns, k))
            known = np.isfinite(a) & np.isfinite(b)
            return holds(a, b) & known, fails(a, b) & known

        return judge

    def _among(self, node: Among) -> _Truth:
        named = self._named(node.part)
        inner = self.number(node.part) if named is None else self._address(node.part)
        values = np.array([self._value(named, each) for each in node.values], np.float32)

        def judge(columns: Columns, k: int) -> Three:
            a = _single(inner(columns, k))
            found, known = np.isin(a, values), np.isfinite(a)
            return found & known, ~found & known

        return judge

    def _named(self, node: Node) -> Known | None:
        """What has names, where a node stands for it."""
        known = self._words.known.get(node.name) if isinstance(node, Address) else None
        return known if known is not None and known.names else None

    def _value(self, named: Known | None, node: Node) -> float:
        """A number, or the code of a name that stands beside what has names."""
        if named is None:
            if isinstance(node, Number):
                return node.value
            raise ExpressionError(node.column, "A number must stand here, not a name.")
        if not isinstance(node, Address) or node.index is not None:
            raise ExpressionError(node.column, f"{named.address} is one of {', '.join(named.names)}.")
        if node.name not in named.names:
            raise ExpressionError(node.column, unknown(named.address, node.name, named.names))
        return 1.0 + named.names.index(node.name)

    def _possible(self, side: Node, sign: str, other: Node, column: int) -> None:
        """Refuse a comparison that a known range decides beforehand: whoever writes it means something else."""
        value = _constant(other)
        if value is None or not isinstance(side, Address) or side.name.startswith("segment."):
            return
        known = self._find(side)
        always = {
            "<": known.high < value,
            "<=": known.high <= value,
            ">": known.low > value,
            ">=": known.low >= value,
            "==": False,
            "!=": not known.low <= value <= known.high,
        }
        never = {
            "<": known.low >= value,
            "<=": known.low > value,
            ">": known.high <= value,
            ">=": known.high < value,
            "==": not known.low <= value <= known.high,
            "!=": False,
        }
        if always[sign] or never[sign]:
            hint = f"; write {value / 100:g} for {value:g}%" if known.whole and 1 < value <= 100 else ""
            verdict = "true" if always[sign] else "false"
            raise ExpressionError(
                column,
                f"{side.name} lies in {_shown(known.low)} … {_shown(known.high)}, so this is always {verdict}{hint}.",
            )

    # -- numbers

    def number(self, node: Node) -> _Number:
        if isinstance(node, Number):
            value = node.value
            return lambda _columns, k: np.full(k, value)
        if (named := self._named(node)) is not None:
            raise ExpressionError(node.column, f"{named.address} is a name, with which nothing can be calculated.")
        if isinstance(node, Address) and not node.name.startswith("segment."):
            return self._address(node)
        if isinstance(node, Operation):
            if node.kind in _ARITHMETIC:
                return _folded(_ARITHMETIC[node.kind], [self.number(part) for part in node.parts])
            if node.kind in ("negate", "abs"):
                inner, sign = self.number(node.parts[0]), np.negative if node.kind == "negate" else np.abs
                return lambda columns, k: sign(inner(columns, k))
        raise ExpressionError(node.column, "A number must stand here, not a condition.")

    def _find(self, node: Address) -> Known:
        try:
            known = self._words.find(node.name)
        except KeyError as error:
            raise ExpressionError(node.column, str(error.args[0])) from None
        if known.width == 1 and node.index is not None:
            raise ExpressionError(node.column, f"{node.name} is one number; leave out [{node.index}].")
        if known.width > 1 and (node.index is None or node.index >= known.width):
            raise ExpressionError(
                node.column,
                f"{node.name} is {known.width} numbers; write which: {node.name}[0] to [{known.width - 1}].",
            )
        return known

    def _address(self, node: Node) -> _Number:
        assert isinstance(node, Address)
        known, index = self._find(node), node.index
        self.reads.append((known.address, index))
        address = known.address
        if index is None:
            return lambda columns, _k: np.asarray(columns(address), np.float64)
        return lambda columns, _k: np.asarray(columns(address)[:, index], np.float64)


def _joined(parts: list[_Truth], every: bool) -> _Truth:
    def judge(columns: Columns, k: int) -> Three:
        holds, fails = parts[0](columns, k)
        for part in parts[1:]:
            yes, no = part(columns, k)
            holds, fails = (holds & yes, fails | no) if every else (holds | yes, fails & no)
        return holds, fails

    return judge


def _folded(operate: Callable[[Floats, Floats], Floats], parts: list[_Number]) -> _Number:
    def value(columns: Columns, k: int) -> Floats:
        result = parts[0](columns, k)
        for part in parts[1:]:
            result = operate(result, part(columns, k))
        return result

    return value


def _single(values: Floats) -> Floats:
    """As precise as features are, so that ``x == 0.1`` holds where a feature says 0.1."""
    return values.astype(np.float32)


def _constant(node: Node) -> float | None:
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Operation) and node.kind == "negate" and isinstance(node.parts[0], Number):
        return -node.parts[0].value
    return None


def _shown(value: float) -> str:
    return {float("inf"): "∞", float("-inf"): "-∞"}.get(value, f"{value:g}")
