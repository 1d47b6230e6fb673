"""Processes of ``python -m MODULE`` that begin as forks of one that has imported the package (``zygote.py``).

A worker spends a second of processor time on imports and half a second on the package's models, a command half a second
on imports, and the tests start hundreds of them.
All else is as it was: a child of the test with an id, signals, an exit code, an environment and standard streams of its
own, which runs its module as ``__main__`` to the end of its interpreter. What an interpreter reads before its first
import cannot be given to a fork: where that differs, and where the system is not Linux, it is a plain start.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, AnyStr

#: Variables that are read before the first import begin so.
AT_START = ("PYTHON", "LANG", "LC_", "TZ", "LD_", "MALLOC_", "OMP_", "OPENBLAS_", "ORT_", "PROMETHEUS_", "F_", "FAUST_")
PR_SET_CHILD_SUBREAPER = 36


class Process(subprocess.Popen[AnyStr]):
    """``subprocess.Popen([sys.executable, "-m", *arguments], …)``, which takes less processor time."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        super().__init__([sys.executable, "-m", *arguments], **options)

    def _execute_child(
        self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any, *more: Any
    ) -> None:
        zygote = _zygote() if sys.platform == "linux" and not pass_fds else None
        told = dict(os.environ if env is None else env)
        if zygote is None or not zygote.suits(told):
            parent: Any = super()
            parent._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *more)
            return
        ends = more[3:9]  # Behind startupinfo, creationflags and shell; -1: as this process has it.
        files = [n if end == -1 else end for n, end in enumerate((ends[0], ends[3], ends[5]))]
        self.pid = zygote.fork((args[2:], str(cwd or Path.cwd()), told, preexec_fn), files)
        own: Any = self
        own._child_created = True
        own._close_pipe_fds(*ends)


def run(
    *arguments: str, input: AnyStr | None = None, timeout: float = 60, **options: Any
) -> subprocess.CompletedProcess[AnyStr]:
    """``subprocess.run([sys.executable, "-m", *arguments], capture_output=True, …)``, through ``Process``."""
    stdin = {} if input is None else {"stdin": subprocess.PIPE}
    with Process[AnyStr](*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **stdin, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


class _Zygote:
    """The process that has imported the package; it ends with this one."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = dict(os.environ)
        self._lock = threading.Lock()
        command = [sys.executable, "-m", "tests.zygote", str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=Path(__file__).parents[1])
        theirs.close()

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Whether its interpreter began as one in this environment would."""
        return _read_at_start(environment) == _read_at_start(self._environment)

    def fork(self, job: tuple[Any, ...], files: list[int]) -> int:
        """Have a child of this process run a job with these standard streams; returns its id."""
        with self._lock:
            # The fork's parent ends at once, and who has lost theirs becomes a child of the next one above that asks.
            _adopt(True)
            try:
                socket.send_fds(self._ours, [pickle.dumps(job)], files)
                pid, done = self._ours.recv(64), self._ours.recv(64)
            finally:
                _adopt(False)
        assert done, f"The zygote has ended: {self._process.wait(10)}"
        return int(pid)


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(AT_START)}


def _adopt(whether: bool) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(whether), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "This process cannot adopt others")


@cache
def _zygote() -> _Zygote:
    return _Zygote()
