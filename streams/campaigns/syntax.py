"""The grammar of expressions: tokens into a tree.

    either     = both ("or" both)*
    both       = opposite ("and" opposite)*
    opposite   = "not" opposite | comparison
    comparison = sum (("<" | "<=" | ">" | ">=" | "==" | "!=") sum)*  |  sum ["not"] "in" "[" one ("," one)* "]"
    one        = ["-"] number | name
    sum        = product (("+" | "-") product)*
    product    = signed (("*" | "/") signed)*
    signed     = "-" signed | atom
    atom       = number | "true" | "false" | address ["[" number "]"] | function "(" either ("," either)* ")"
               | "(" either ")"

A recursive descent over this grammar accepts nothing that it does not name, unlike a language's own parser of which
most would have to be forbidden.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from streams.campaigns.lexer import ExpressionError, Token, tokens
from streams.records.campaigns import MAX_EXPRESSION

#: How deep parentheses, functions and signs may stand in each other, and how many pieces there may be.
MAX_DEPTH, MAX_TOKENS = 24, 400
#: The largest number that may be written.
LARGEST = 1e15
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
#: function → how many arguments it takes, least and most
FUNCTIONS = {"known": (1, 1), "abs": (1, 1), "min": (2, 8), "max": (2, 8)}


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    value: float
    column: int


@dataclass(frozen=True, slots=True)
class Truth:
    """``true`` or ``false``."""

    value: bool
    column: int


@dataclass(frozen=True, slots=True)
class Address:
    """A feature, a task's output or a segment; ``index``: which of its numbers, None: it is one. Also a name, such as
    ``champions``, where it is compared with what has names."""

    name: str
    index: int | None
    column: int


@dataclass(frozen=True, slots=True)
class Operation:
    """Something made of other nodes: ``and``, ``or``, ``not``, a comparison, arithmetic (``negate`` is the sign), a
    function."""

    kind: str
    parts: tuple[Node, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Among:
    """Whether a number, or a name, is one of a list."""

    part: Node
    values: tuple[Node, ...]
    column: int


Node: TypeAlias = Number | Truth | Address | Operation | Among


def parse(text: str) -> Node:
    """The tree of a text. Raises ``ExpressionError``, which names the column and what was expected there."""
    if len(text) > MAX_EXPRESSION:
        raise ExpressionError(MAX_EXPRESSION + 1, f"An expression has at most {MAX_EXPRESSION:,} characters.")
    found = tokens(text)
    if len(found) > MAX_TOKENS:
        raise ExpressionError(
            found[MAX_TOKENS].column, f"An expression has at most {MAX_TOKENS} pieces; name parts of it as segments."
        )
    return _Parser(found).whole()


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens, self._at, self._depth = found, 0, 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _accept(self, *texts: str) -> Token | None:
        """The next token where it is one of these words or signs."""
        token = self._next
        if token.kind not in ("word", "sign") or token.text not in texts:
            return None
        self._at += 1
        return token

    def _need(self, text: str, why: str) -> None:
        if self._accept(text) is None:
            raise ExpressionError(self._next.column, f"{text!r} is missing before {self._next.shown}; {why}.")

    def _deeper(self, rule: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(
                self._next.column, f"Parentheses stand at most {MAX_DEPTH} deep; name parts of it as segments."
            )
        node = rule()
        self._depth -= 1
        return node

    def whole(self) -> Node:
        node = self._either()
        if self._next.kind != "end":
            raise ExpressionError(
                self._next.column, f"{self._next.shown} cannot follow here; join conditions with and, or."
            )
        return node

    def _chain(self, rule: Callable[[], Node], word: str) -> Node:
        parts, column = [rule()], self._next.column
        while self._accept(word):
            parts.append(rule())
        return parts[0] if len(parts) == 1 else Operation(word, tuple(parts), column)

    def _either(self) -> Node:
        return self._chain(self._both, "or")

    def _both(self) -> Node:
        return self._chain(self._opposite, "and")

    def _opposite(self) -> Node:
        token = self._accept("not")
        if token is not None:
            return Operation("not", (self._deeper(self._opposite),), token.column)
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        column = self._next.column
        if self._accept("in"):
            return self._among(left, column)
        if self._accept("not"):
            self._need("in", "write not before the whole condition, or x not in [1, 2]")
            return Operation("not", (self._among(left, column),), column)
        found: list[Node] = []
        while (token := self._accept(*COMPARISONS)) is not None:
            right = self._sum()
            found.append(Operation(token.text, (left, right), token.column))
            left = right  # 0.2 < x < 0.5
        return left if not found else found[0] if len(found) == 1 else Operation("and", tuple(found), column)

    def _among(self, part: Node, column: int) -> Node:
        self._need("[", "a list is [1, 2, 3]")
        values = [self._one()]
        while self._accept(","):
            values.append(self._one())
        self._need("]", "a list is [1, 2, 3]")
        return Among(part, tuple(values), column)

    def _one(self) -> Number | Address:
        token = self._next
        if token.kind != "name":
            return Number(self._number(), token.column)
        self._at += 1
        return Address(token.text, None, token.column)

    def _number(self) -> float:
        sign = -1.0 if self._accept("-") else 1.0
        token = self._next
        if token.kind != "number":
            raise ExpressionError(token.column, f"A number must stand here, not {token.shown}.")
        self._at += 1
        if float(token.text) > LARGEST:
            raise ExpressionError(token.column, f"{token.text} is larger than any feature; at most {LARGEST:g}.")
        return sign * float(token.text)

    def _arithmetic(self, rule: Callable[[], Node], *signs: str) -> Node:
        node = rule()
        while (token := self._accept(*signs)) is not None:
            node = Operation(token.text, (node, rule()), token.column)
        return node

    def _sum(self) -> Node:
        return self._arithmetic(self._product, "+", "-")

    def _product(self) -> Node:
        return self._arithmetic(self._signed, "*", "/")

    def _signed(self) -> Node:
        token = self._accept("-")
        return Operation("negate", (self._deeper(self._signed),), token.column) if token else self._atom()

    def _atom(self) -> Node:
        token = self._next
        if token.kind == "number":
            return Number(self._number(), token.column)
        if self._accept("true", "false"):
            return Truth(token.text == "true", token.column)
        if self._accept("("):
            node = self._deeper(self._either)
            self._need(")", f"the parenthesis of column {token.column} is open")
            return node
        if token.kind != "name":
            raise ExpressionError(token.column, f"A number, an address or ( must stand here, not {token.shown}.")
        self._at += 1
        if self._accept("("):
            return self._function(token)
        if self._accept("["):
            at, index = self._next.column, self._number()
            if index != int(index) or index < 0:
                raise ExpressionError(at, "Between [ and ] stands a whole number from 0 on.")
            self._need("]", "write address[0]")
            return Address(token.text, int(index), token.column)
        return Address(token.text, None, token.column)

    def _function(self, name: Token) -> Node:
        if name.text not in FUNCTIONS:
            raise ExpressionError(
                name.column, f"There is no function {name.text}; there are: {', '.join(sorted(FUNCTIONS))}."
            )
        parts = [self._deeper(self._either)]
        while self._accept(","):
            parts.append(self._deeper(self._either))
        self._need(")", f"the arguments of {name.text} end with it")
        least, most = FUNCTIONS[name.text]
        if not least <= len(parts) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise ExpressionError(name.column, f"{name.text} takes {wanted} arguments, not {len(parts)}.")
        return Operation(name.text, tuple(parts), name.column)
