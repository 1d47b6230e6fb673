"""What a tree must be to become records: every value of every field is held against its declaration, and all that is
wrong is told at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from models.nearest import hint
from streams.campaigns.yaml_lines import Path, Problem, Tree, shown
from streams.records.schema import descriptions

#: What msgspec says → what a person is told.
_SAID = (
    (re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (\S+)"), r"it must be \1 \2"),
    (re.compile(r"Expected `(?:str|array|object)` of length (>=|<=) (\d+)"), r"its length must be \1 \2"),
    (re.compile(r"Expected `datetime` with a timezone component"), "it needs an offset from UTC, such as Z or +01:00"),
    (re.compile(r"Invalid RFC3339 encoded datetime"), "it must be a time such as 2026-01-31T08:00:00Z"),
    (re.compile(r"Expected `(.+)`, got `(.+)`"), r"it must be \1, not \2"),
)
#: Forms of texts in words.
_FORMS = {
    "^[a-z][a-z0-9-]{0,62}$": "lower-case letters, digits and dashes, a letter first, at most 63, such as win-back",
    "^[a-z][a-z0-9_]{0,39}$": "lower-case letters, digits and underscores, a letter first, at most 40, such as vip",
    "^[A-Z]{3}$": "an ISO 4217 code, such as USD",
    "^([01][0-9]|2[0-3]):[0-5][0-9]$": "a time of day as HH:MM, such as 08:00",
    "^[A-Z0-9-]{0,16}$": "capitals, digits and dashes, at most 16, such as HI-",
}
_KINDS = {"int": "a whole number", "float": "a number", "str": "a text", "array": "a list", "object": "named fields"}


def problems(kind: type[msgspec.Struct], tree: Tree) -> list[Problem]:
    """All that keeps a tree from being a record of a kind, by line."""
    return sorted(_of(kind, tree.value, (), tree), key=lambda each: each.line)


def _of(kind: Any, value: Any, path: Path, tree: Tree) -> Iterator[Problem]:
    bare = kind
    while get_origin(bare) is Annotated:
        bare = get_args(bare)[0]
    choices = get_args(bare) if get_origin(bare) in (Union, UnionType) else (bare,)
    structs = [c for c in choices if isinstance(c, type) and issubclass(c, msgspec.Struct)]
    if structs and value is None and NoneType in choices:
        return
    if structs:
        yield from _struct(structs, value, path, tree)
        return
    origin = get_origin(bare)
    if origin in (tuple, dict) and isinstance(value, list if origin is tuple else dict):
        yield from _shallow(kind, value, path, tree)
        inner = get_args(bare)[0 if origin is tuple else 1]
        for at, each in enumerate(value) if isinstance(value, list) else value.items():
            yield from _of(inner, each, (*path, at), tree)
        return
    yield from _leaf(kind, value, path, tree)


def _shallow(kind: Any, value: Any, path: Path, tree: Tree) -> Iterator[Problem]:
    """Length and names of a list or of named fields; what is in them comes after."""
    metas = [meta for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    for meta in metas:
        if meta.min_length is not None and len(value) < meta.min_length:
            yield _problem(path, value, f"it must have at least {meta.min_length}, not {len(value)}", tree)
        if meta.max_length is not None and len(value) > meta.max_length:
            yield _problem(path, value, f"it may have at most {meta.max_length}, not {len(value)}", tree)
    if isinstance(value, dict):
        bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        for name in value:
            for found in _leaf(get_args(bare)[0], name, (*path, name), tree):
                yield Problem(found.line, found.field, "", f"the name {name!r} cannot be used: {found.rule}")


def _struct(structs: list[type[msgspec.Struct]], value: Any, path: Path, tree: Tree) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _problem(path, value, "named fields must stand here, a line each", tree)
        return
    fields, kind = dict(value), structs[0]
    tag = kind.__struct_config__.tag_field
    if tag is not None:
        by_tag = {str(s.__struct_config__.tag): s for s in structs}
        said = fields.pop(tag, None)
        if said not in by_tag:
            known = ", ".join(by_tag)
            rule = f"it must be one of: {known}" if said is not None else f"it is missing; one of: {known}"
            yield _problem((*path, tag), said, rule, tree)
            return
        kind = by_tag[str(said)]
    hints, told = get_type_hints(kind, include_extras=True), descriptions(kind)
    for info in msgspec.structs.fields(kind):
        here = (*path, info.name)
        if info.name in fields:
            yield from _of(hints[info.name], fields.pop(info.name), here, tree)
        elif info.required:
            yield _problem(here, None, f"it is missing. {told[info.name]}", tree)
    names = [*kind.__struct_fields__, *([tag] if tag else [])]
    for name in fields:
        if name not in names:
            near = hint(name, names)
            rule = f"there is no such field{near}" if near != "." else f"there is no such field; {', '.join(names)}"
            yield _problem((*path, name), None, rule, tree)


def _leaf(kind: Any, value: Any, path: Path, tree: Tree) -> Iterator[Problem]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield _problem(path, value, _rule(str(error).split(" - at ")[0], kind), tree)


def _rule(text: str, kind: Any) -> str:
    if text.startswith("Invalid enum value"):
        return f"it must be one of: {', '.join(map(str, _literals(kind)))}"
    pattern = re.match(r"Expected `str` matching regex '(.*)'", text)
    if pattern:
        return f"it must be {_FORMS.get(pattern[1], f'a text that matches {pattern[1]}')}"
    for form, told in _SAID:
        match = form.match(text)
        if match:
            said = match.expand(told)
            return re.sub(r"\b(int|float|str|array|object)\b", lambda m: _KINDS[m.group()], said).replace(" | ", " or ")
    return text


def _literals(kind: Any) -> Iterator[Any]:
    for each in get_args(kind):
        if isinstance(each, str):
            yield each
        else:
            yield from _literals(each)


def _problem(path: Path, value: Any, rule: str, tree: Tree) -> Problem:
    text = "" if value is None or isinstance(value, (list, dict)) else repr(value)
    return Problem(tree.line(path), shown(path), text[:80], f"{rule.rstrip('.?')}{'?' if rule.endswith('?') else '.'}")
