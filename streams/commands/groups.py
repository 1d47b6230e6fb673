"""Groups of commands that know what was probably meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module

import click

from models.nearest import nearest


class Modules(MutableMapping[str, click.Command]):
    """Commands by name, each imported when it is asked for: no command waits for what only others need.

    ``places``: name → the module, of this package, that has it under its name with ``_`` for ``-``.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._found: dict[str, click.Command | None] = dict.fromkeys(places)
        self._places = places

    def __getitem__(self, name: str) -> click.Command:
        found = self._found[name]
        if found is None:
            module = import_module(f"streams.commands.{self._places[name]}")
            found = self._found[name] = getattr(module, name.replace("-", "_"))
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class Group(click.Group):
    """A group that answers a name which none of its commands has with the nearest one, also of the groups within."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command; exit code 2 where there is none."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            meant = self.meant(args[0])
            hint = f" Did you mean {ctx.command_path} {meant}?" if meant else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def meant(self, name: str) -> str | None:
        """The words of the command that was probably meant."""
        within = {
            inner: f"{outer} {inner}"
            for outer, group in self.commands.items()
            if isinstance(group, click.Group)
            for inner in group.commands
        }
        if name in within:
            return within[name]
        found = nearest(name, [*self.commands, *within])
        return found if found is None or found in self.commands else within[found]
