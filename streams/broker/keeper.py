"""Stands between the embedded broker and its owner, and ends the broker when the owner is gone.

Run as a script: OWNER_PID GRACE_SECONDS LOCK_FD JAVA ARGS…; prints the broker's pid. If this keeper is killed
itself, Linux kills the broker (parent-death signal). That signal is set here and not in the owner because it
follows the *thread* that forked, and this process has one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def main(owner: int, grace_seconds: float, lock_fd: int, command: list[str]) -> int:
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

    java = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, preexec_fn=die_with_parent, pass_fds=[lock_fd])
    with contextlib.suppress(OSError):
        os.write(1, f"{java.pid}\n".encode())
    while java.poll() is None and not asked and os.getppid() == owner:
        if select.select([read_end], [], [], 0.25)[0]:
            os.read(read_end, 64)
    if java.poll() is None:
        java.terminate()
        try:
            java.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            java.kill()
    code = java.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
