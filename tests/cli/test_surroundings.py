"""Any encoding, a pipe, no home: commands say what they can, and never end in a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.harness import commands, run_all

SURROUNDINGS = {
    "ascii, no home": {"PYTHONIOENCODING": "ascii", "HOME": "-"},  # not set
    "LC_ALL=C, read-only home": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "HOME": "/proc/nothing"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
}
EVENT = {"type": "searched", "event_id": "é1", "shopper_id": "Zoë", "event_time": 1700000000000, "query": "茶 ☕"}


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_every_command_that_needs_no_kafka_says_what_it_can(surroundings: str, tmp_path: Path) -> None:
    file = tmp_path / "é茶.jsonl"
    file.write_text(json.dumps(EVENT, ensure_ascii=False) + "\n", encoding="utf-8")
    helps = [[*words, "--help"] for words, _ in commands()]
    tables = [["topics", "list"], ["settings"], ["metrics"], ["features", "list"], ["check", str(file)]]
    calls = [*tables, *([*words, "--json"] for words in tables), ["schema"]]
    if "home" in surroundings:
        calls += helps
    if "LC_ALL" in surroundings:
        calls += [["report", "ad", "--out", str(tmp_path / "é.html")]]
    done = run_all(calls, **SURROUNDINGS[surroundings])
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"OFFERSTREAM_HOLDOUT_SHARE" in done.stdout
    assert b"1 records: 1 good" in done.stdout
    if "LC_ALL" in surroundings:
        assert "<html" in (tmp_path / "é.html").read_text(encoding="utf-8")


def test_a_file_that_is_not_there_is_told_in_any_encoding() -> None:
    done = run_all([["check", "é茶.jsonl"]], PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: ??.jsonl: there is no such file")


def test_a_broker_that_is_told_to_stop_twice_at_once_stops() -> None:
    """A service manager's SIGTERM may come with a terminal's SIGINT."""
    code = (
        "import os, threading\n"
        "from streams.commands.broker import wait_for_signal\n"
        "threading.Timer(0.2, lambda: [os.kill(os.getpid(), n) for n in (2, 15, 2, 15)]).start()\n"
        "wait_for_signal()"
    )
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0


def test_ctrl_c_is_no_error_of_a_library_that_it_interrupts() -> None:
    """confluent-kafka raises ``TypeError`` where a signal comes while it reads its settings."""
    code = (
        "import os, signal\n"
        "from streams import cli\n"
        "from streams.terminal import interruptible\n"
        "def command(**_):\n"
        "    interruptible()\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        raise TypeError('expected configuration property name') from None\n"
        "cli.cli = command\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130
    assert "Stopped." in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
