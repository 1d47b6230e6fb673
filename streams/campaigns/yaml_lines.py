"""YAML with the line of everything, and without what makes files say other things than people read.

Only maps with text keys, lists and plain values. Anchors, aliases and tags are refused, a key may stand once, and plain
words are read as YAML 1.2 reads them: ``on`` and ``no`` are words, ``21:00`` and ``2026-01-01`` are texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES, MAX_DEPTH = 1_000_000, 16
#: The way to a value: names of fields and places in lists.
Path = tuple[str | int, ...]
_PLAIN: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("null", re.compile(r"(?:null|~|)\Z")),
    ("bool", re.compile(r"(?:true|false)\Z")),
    ("int", re.compile(r"[-+]?\d{1,18}\Z")),
    ("float", re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d{1,3})?\Z")),
)
_READ: dict[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": lambda text: text == "true",
    "int": int,
    "float": float,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file: where, what stands there and what must."""

    line: int
    field: str
    value: str
    rule: str

    def __str__(self) -> str:
        shown = f" is {self.value}" if self.value else ""
        return f"line {self.line}: {self.field}{shown}: {self.rule}" if self.field else f"line {self.line}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Tree:
    """What a file says, and in which line each value stands."""

    value: Any
    lines: dict[Path, int]
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a value, or of what it is missing in."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def shown(path: Path) -> str:
    """A path as messages name it.

    >>> shown(("campaigns", 0, "arms", 1, "percent"))
    'campaigns[0].arms[1].percent'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def read(text: str) -> Tree:
    """The tree of a YAML text; with ``problems`` where it has some, its value is what could be read.

    >>> read("a: 1\\nb: [on, 21:00]").value
    {'a': 1, 'b': ['on', '21:00']}
    >>> str(read("a: 1\\na: 2").problems[0])
    'line 2: a is 2: it stands in line 1 already; a name may stand once.'
    """
    tree = Tree(None, {})
    if len(text.encode(errors="replace")) > MAX_BYTES:
        rule = f"A file has at most {MAX_BYTES:,} bytes; split it."
        return Tree(None, {}, [Problem(1, "", "", rule)])
    try:
        refused = _refused(text)
        if refused is not None:
            return Tree(None, {}, [refused])
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        return Tree(None, {}, [_unreadable(error)])
    value = None if node is None else _value(node, (), tree)
    return Tree(value, tree.lines, tree.problems)


def _refused(text: str) -> Problem | None:
    """What makes a file unreadable or dangerous to read, found before any of it is built."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            return Problem(line, "", "", "Anchors (&) and aliases (*) are not read; write the value out.")
        tag = getattr(event, "tag", None)
        if tag is not None:
            return Problem(line, "", "", f"The tag {tag} is not read; leave it out.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > MAX_DEPTH:
            return Problem(line, "", "", f"Values stand at most {MAX_DEPTH} deep in each other.")
        if documents > 1:
            return Problem(line, "", "", "A file is one document; list its campaigns under campaigns: instead of ---.")
    return None


def _unreadable(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    tab = " Indent with spaces, not tabs." if "\\t" in str(what) else ""
    where = f", column {mark.column + 1}" if mark else ""
    return Problem(mark.line + 1 if mark else 1, "", "", f"This is no YAML: {what}{where}.{tab}")


def _value(node: yaml.Node, path: Path, tree: Tree) -> Any:
    tree.lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_value(each, (*path, i), tree) for i, each in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, each in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                tree.problems.append(Problem(line, shown(path), "", "A name must be a text."))
                continue
            name, here = str(key.value), (*path, str(key.value))
            if name in found:
                rule = f"it stands in line {tree.lines[here]} already; a name may stand once."
                value = each.value if isinstance(each, yaml.ScalarNode) else ""
                tree.problems.append(Problem(line, shown(here), value, rule))
                continue
            found[name] = _value(each, here, tree)
            tree.lines[here] = line
        return found
    return _plain(node)


def _plain(node: yaml.Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None) is not None:  # quoted, or a block of text
        return text
    for kind, form in _PLAIN:
        if form.match(text):
            return _READ[kind](text)
    return text
