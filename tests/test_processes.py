"""A process that begins as a fork is like one of ``python -m``: this module, run, says what it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests import processes


def told(*arguments: str, env: dict[str, str], cwd: Path) -> tuple[int, dict[str, Any]]:
    with processes.Process[str](
        "tests.test_processes", *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=cwd
    ) as process:
        said, _ = process.communicate("given\n", 60)
    assert json.loads(said).pop("id") == process.pid
    return process.returncode, json.loads(said)


@pytest.mark.parametrize("more", [{}, {"TZ": "Asia/Shanghai"}], ids=["forked", "plain"])
def test_it_is_a_child_with_its_own_id_streams_folder_environment_and_exit_code(
    more: dict[str, str],
) -> None:
    root = Path(__file__).parents[1]
    code, said = told("7", "b", env={**os.environ, "ONLY": "here", **more}, cwd=root)
    assert code == 7
    assert said == {
        "id": said["id"],
        "parent": os.getpid(),
        "arguments": ["7", "b"],
        "folder": str(root),
        "only": "here",
        "input": "given\n",
        "main": "__main__",
        "forked": not more and sys.platform == "linux",
    }


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_is_how_it_ended(number: signal.Signals) -> None:
    process = processes.Process[bytes]("tests.test_processes", "sleep", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == -number
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_what_it_raises_is_told_as_python_tells_it() -> None:
    done: subprocess.CompletedProcess[bytes] = processes.run("tests.test_processes", "no number")
    assert done.returncode == 1
    assert done.stderr.endswith(b"ValueError: invalid literal for int() with base 10: 'no number'\n")


if __name__ == "__main__":
    if sys.argv[1] == "sleep":
        print("sleeping", flush=True)
        time.sleep(60)
    code = int(sys.argv[1])
    print(
        json.dumps(
            {
                "id": os.getpid(),
                "parent": os.getppid(),
                "arguments": sys.argv[1:],
                "folder": os.getcwd(),
                "only": os.environ["ONLY"],
                "input": sys.stdin.readline(),
                "main": __name__,
                "forked": "tests.zygote" in " ".join(sys.orig_argv),
            }
        )
    )
    sys.exit(code)
