"""Imports what workers and commands import, loads the package's own models, then forks into each that it is told to be:
``processes.py`` says why.

Run as a module with the number of a socket. The fork that is to be a process returns from ``wait`` and runs its module
as this process's last act, so that it ends as any interpreter does.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import pkgutil
import runpy
import signal
import socket
import sys
import time
from typing import Any

import streams.commands
import streams.worker
from models.store import Shelf

Job = tuple[tuple[str, ...], str, dict[str, str], Any]


def import_commands() -> None:
    """Import every group of commands."""
    for module in pkgutil.iter_modules(streams.commands.__path__, "streams.commands."):
        importlib.import_module(module.name)


def load_models() -> None:
    """Load and prove the package's own models, as each process does once that scores."""
    shelf = Shelf()
    for task in filter(shelf.shipped, shelf.tasks):
        shelf.model(task)


def wait(told: socket.socket) -> tuple[Job, list[int]]:
    """Wait for jobs, and return in the fork that is to do one, once it is a child of whoever asked for it."""
    while True:
        said, files, _, _ = socket.recv_fds(told, 1 << 20, 3)
        if not said:
            sys.exit()  # Whoever asks has ended.
        between = os.fork()
        if between == 0:
            between = os.getpid()
            if pid := os.fork():
                told.send(str(pid).encode())
                os._exit(0)
            while os.getppid() == between:
                time.sleep(0.001)
            return pickle.loads(said), files
        os.waitpid(between, 0)
        for file in files:
            os.close(file)
        told.send(b"it is yours")


def become(job: Job, files: list[int]) -> None:
    """Take the standard streams, folder and environment of a job, and run its module. Ctrl-C ends it, also where the
    tests were started by who ignores it."""
    arguments, folder, environment, first = job
    for n, file in enumerate(files):
        os.dup2(file, n)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if first is not None:
        first()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # Whether it is a terminal decides how standard output is buffered.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.path[0] = folder
    sys.argv = [*arguments]
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who started it.
    import_commands()
    load_models()
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as asks:
        found = wait(asks)
    become(*found)
