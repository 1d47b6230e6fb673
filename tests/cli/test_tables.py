"""Tables lose nothing: in a pipe, at 80 columns, as JSON, in other encodings."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from streams.entities.contents import ENTITIES
from streams.metrics import Metrics
from streams.settings import Settings
from streams.terminal import shown_number
from streams.topics import TOPICS
from tests import processes
from tests.cli.harness import commands, reaches

FEATURES = [feature for entity in ENTITIES for feature in entity.catalogue.features.values()]
CATALOGUES = {
    ("metrics",): [name for name, *_ in Metrics().catalogue()],
    ("settings",): [f"OFFERSTREAM_{name.upper()}" for name in Settings().shown()],
    ("features", "list"): [feature.address for feature in FEATURES],
    ("topics", "list"): [topic.name for topic in TOPICS],
}
MEANINGS = {
    ("metrics",): [meaning for *_, meaning in Metrics().catalogue()],
    ("settings",): [meaning for *_, meaning in Settings().catalogue()],
    ("features", "list"): [feature.meaning for feature in FEATURES],
    ("topics", "list"): [topic.meaning for topic in TOPICS],
}


def piped(*arguments: str, **environment: str) -> str:
    done: subprocess.CompletedProcess[bytes] = processes.run(
        "streams", *arguments, env={**os.environ, "COLUMNS": "80", **environment}
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("command", CATALOGUES, ids=" ".join)
def test_a_pipe_gets_a_whole_line_per_row(command: tuple[str, ...]) -> None:
    lines = piped(*command).splitlines()
    for name, meaning in zip(CATALOGUES[command], MEANINGS[command], strict=True):
        (line,) = (line for line in lines if line.split()[0] == name)
        assert line.endswith(meaning)
        assert "\x1b" not in line


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("columns", [80, 250])
@pytest.mark.parametrize("command", CATALOGUES, ids=" ".join)
def test_a_terminal_loses_nothing_however_narrow(command: tuple[str, ...], columns: int) -> None:
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "streams", *command],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"},
    ):
        os.close(theirs)
        said = b""
        while True:
            try:
                some = os.read(ours, 1 << 16)
            except OSError:  # how Linux says that the other end is closed
                break
            if not some:
                break
            said += some
    os.close(ours)
    text = said.decode()
    for name in CATALOGUES[command]:
        assert name in text, text
    assert "…" not in text.replace(" … ", " ").replace("HOST:PORT…", "").replace("… of these", "").replace("… and", "")


@pytest.mark.parametrize("command", CATALOGUES, ids=" ".join)
def test_programs_get_json(command: tuple[str, ...]) -> None:
    found = json.loads(piped(*command, "--json"))
    first = next(iter(found[0]))
    assert {row[first] for row in found} >= set(CATALOGUES[command])
    assert {row["meaning"] for row in found} >= set(MEANINGS[command])


def test_whatever_prints_a_table_prints_json_too() -> None:
    printing = {words for words, command in commands() if reaches(command, "print_rows")}
    assert {("topics", "list"), ("check",), ("models", "diff"), ("features", "show")} <= printing
    for words, command in commands():
        if words in printing:
            only_faults = words in (("replay",), ("preview",))
            assert any("--json" in param.opts for param in command.params) or only_faults, words


def test_every_setting_says_what_it_means_and_every_number_its_range_and_unit() -> None:
    settings = Settings()
    for variable, value, default, unit, allowed, meaning in settings.catalogue():
        assert len(meaning) > 15, variable
        assert value == default, variable
        of = getattr(settings, variable.removeprefix("OFFERSTREAM_").lower())
        if isinstance(of, (int, float)) and not isinstance(of, bool):
            assert allowed, variable
            assert unit, variable


def test_numbers_are_shown_exactly() -> None:
    assert [shown_number(x) for x in (1_234_567.0, 0.1, 12.5, 0.0, -1.0)] == ["1234567", "0.1", "12.5", "0", "-1"]
