"""An expression's text as tokens, each with its column."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Words with a meaning of their own; they cannot be addresses.
WORDS = ("and", "or", "not", "in", "true", "false")
_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?(?![\w.]))"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
    r"|(?P<sign><=|>=|==|!=|[<>+\-*/()\[\],])",
    re.ASCII,
)
#: What people write who know another language.
_MEANT = {"=": "==", "&": "and", "&&": "and", "|": "or", "||": "or", "!": "not", "%": "a share such as 0.5"}


class ExpressionError(ValueError):
    """What is wrong with an expression, where, and what to write instead. ``column`` counts from 1."""

    def __init__(self, column: int, text: str) -> None:
        super().__init__(f"column {column}: {text}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression: ``number``, ``name``, ``word``, ``sign`` or ``end``."""

    kind: str
    text: str
    column: int

    @property
    def shown(self) -> str:
        """How messages name it."""
        return "the end" if self.kind == "end" else repr(self.text)


def tokens(text: str) -> list[Token]:
    """The tokens of a text, the last one its end. Raises ``ExpressionError`` at what is none.

    >>> [token.text for token in tokens("orders.count >= 2")]
    ['orders.count', '>=', '2', '']
    """
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(at + 1, _unreadable(text[at:]))
        kind = str(match.lastgroup)
        if kind == "name" and match.group() in WORDS:
            kind = "word"
        if kind != "space":
            found.append(Token(kind, match.group(), at + 1))
        at = match.end()
    return [*found, Token("end", "", len(text) + 1)]


def _unreadable(rest: str) -> str:
    for sign in sorted(_MEANT, key=len, reverse=True):
        if rest.startswith(sign):
            return f"{sign!r} means nothing here; write {_MEANT[sign]}."
    if rest[0] in "\"'":
        return (
            "There are no texts in expressions: names stand without quotes, such as profile.segment == champions; "
            "categories belong into an arm's names."
        )
    if rest[0].isdigit() or rest[0] == ".":
        piece = re.split(r"[\s()\[\],]", rest, maxsplit=1)[0][:40]
        return f"{piece!r} is no number; write digits with at most one point, such as 0.5 or 1_000."
    return f"{rest[0]!r} means nothing in an expression."
