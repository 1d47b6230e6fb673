"""The command line as a tree, and in processes of its own."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from streams.campaigns import examples
from streams.cli import cli

#: Values of what must be given.
GIVEN = {
    "shopper": "s1",
    "item": "tea-1",
    "items": "tea-1",
    "source": "complete_journey",
    "sources": "complete_journey",
    "file": "-",
    "files": "-",
    "campaign": "win-back",
    "pool": "spring",
    "key": "s1",
    "task": "churn",
    "teacher": "minilm",
    "name": "small",
    "version": "v",
    "one": "v",
    "other": "v",
    "to": "live",
    "url": "archive",
    "query": "tea",
    "by": "the buyer",
    "events_per_second": "1000",
    "shoppers": "100000",
}
A_CAMPAIGN = str(Path(examples.__file__).parent / "welcome.yaml")
_CALLS = """
import json, os, sys
from streams.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["offerstream", *(os.fsdecode(word.encode()) for word in words)]
    try:
        main()
    except SystemExit as stop:
        if stop.code:
            sys.exit(f"{words} ended with {stop.code}")
    sys.stdout.flush()
"""


def commands(group: click.Group = cli, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        else:
            yield (*before, name), command


def called(words: Sequence[str], command: click.Command, but: str = "") -> list[str]:
    """The words of a command with everything that must be given, but one thing."""
    found = list(words)
    for param in command.params:
        if param.required and param.name != but:
            assert param.name is not None
            # What is sent to a broker must be good before that is asked.
            reads = (*words, param.name) in (
                ("campaigns", "apply", "file"),
                ("campaigns", "forecast", "file"),
                ("evaluate-policy", "file"),
            )
            given = A_CAMPAIGN if reads else GIVEN[param.name]
            found += [given] if isinstance(param, click.Argument) else [param.opts[0], given]
    return found


def reaches(command: click.Command, name: str) -> bool:
    """Whether a command calls a function, itself or through others of its module."""
    waiting, seen = [command.callback], set()
    while waiting:
        function = waiting.pop()
        if not inspect.isfunction(function) or function in seen:
            continue
        seen.add(function)
        if name in function.__code__.co_names:
            return True
        waiting += [function.__globals__.get(each) for each in function.__code__.co_names]
    return False


def run_all(calls: Sequence[Sequence[str]], **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Call commands one after the other in one process; the first that fails ends it."""
    return subprocess.run(
        [sys.executable, "-c", _CALLS, json.dumps(calls)],
        capture_output=True,
        check=False,
        env={name: value for name, value in (os.environ | environment).items() if value != "-"},
    )
