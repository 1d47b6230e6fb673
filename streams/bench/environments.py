"""Environments of the peers that pin other versions of libraries than this package: made once, when asked for."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

from streams.bench.errors import BenchError
from streams.broker.cache import folders
from streams.writable import why_not_folder

PEERS = ("quix", "bytewax", "pathway")
PROGRAMS = Path(__file__).parent / "peers"
#: Written once everything is installed.
MADE = ".made"


def folder_of(peer: str) -> str:
    """The name of its environment: other packages or another Python make another one."""
    pinned = (PROGRAMS / f"{peer}.txt").read_bytes()
    return f"{peer}-py{platform.python_version()}-{hashlib.sha256(pinned).hexdigest()[:12]}"


def python_of(peer: str) -> Path:
    """The Python of a peer's environment, which is made in the user's cache where it is not there. Raises
    ``BenchError``."""
    places = [cache.with_name("peers") / folder_of(peer) for cache in folders()]
    folder = next((place for place in places if (place / MADE).exists()), None)
    if folder is None:
        folder = next((place for place in places if not why_not_folder(place)), None)
        if folder is None:
            raise BenchError(f"There is no place for the environment of {peer}: {why_not_folder(places[0])}.")
        _run(peer, [sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(_python(folder)), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        _run(peer, [*pip, "--no-deps", "--only-binary", ":all:", "--requirement", str(PROGRAMS / f"{peer}.txt")])
        (folder / MADE).touch()
    return _python(folder)


def _python(folder: Path) -> Path:
    return (folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")).absolute()


def _run(peer: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr or done.stdout).strip()[-2000:]
        raise BenchError(f"The environment of {peer} cannot be made with Python {platform.python_version()}:\n{why}")
