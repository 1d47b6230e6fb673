"""Stands between a process and its owner, and ends it when the owner is gone.

Run as a script: OWNER_PID GRACE_SECONDS FDS COMMAND…; prints the pid of the command, whose output goes to standard
error. FDS: file descriptors that it inherits, with commas between. If this keeper is killed itself, Linux kills the
command (parent-death signal). That signal is set here and not in the owner because it follows the *thread* that forked,
and this process has one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

PR_SET_PDEATHSIG = 1


def keep(
    command: Sequence[str],
    grace_seconds: float,
    log: BinaryIO,
    *,
    inherit: Sequence[int] = (),
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command in a session of its own, so that Ctrl-C does not reach it, with its output in ``log``: its
    keeper, and the command's own pid. Who terminates the keeper ends the command, by force after ``grace_seconds``."""
    fds = ",".join(map(str, inherit))
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(grace_seconds), fds, *command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        pass_fds=inherit,
        start_new_session=True,
    )
    assert keeper.stdout is not None
    try:
        with keeper.stdout as told:
            return keeper, int(told.readline() or 0)
    except BaseException:  # Ctrl-C too
        keeper.terminate()
        raise


def main(owner: int, grace_seconds: float, inherit: Sequence[int], command: Sequence[str]) -> int:
    """Run the command until it ends, a signal asks, or the owner is gone; returns its exit code."""
    me = os.getpid()
    asked: list[int] = []
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _frame: asked.append(n))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    die_with_parent: Callable[[], None] | None = None
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None, use_errno=True).prctl

        def die_with_parent() -> None:
            prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != me:
                os._exit(1)

    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, preexec_fn=die_with_parent, pass_fds=inherit)
    with contextlib.suppress(OSError):
        os.write(1, f"{child.pid}\n".encode())
    while child.poll() is None and not asked and os.getppid() == owner:
        if select.select([read_end], [], [], 0.25)[0]:
            os.read(read_end, 64)
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), [int(fd) for fd in sys.argv[3].split(",") if fd], sys.argv[4:]))
