"""Whether a file or a folder can be written: found out before the work whose result it is to hold."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def why_not_file(path: Path) -> str:
    """Why a file cannot be written, whether it and its folders exist or not; empty when it can. Nothing is changed."""
    try:
        if path.is_dir():
            return f"{path} is a folder"
        if path.is_file():
            path.open("ab").close()
            return ""
        if path.exists():  # a device or a pipe, such as /dev/stdout: opening it may wait for the other end
            return "" if os.access(path, os.W_OK) else f"{path}: permission denied"
    except OSError as error:
        return f"{path}: {error.strerror}"
    return why_not_folder(path.parent)


def why_not_folder(path: Path) -> str:
    """Why nothing can be put into a folder, whether it exists or not; empty when something can. Nothing is changed."""
    there = path.absolute()
    try:
        while not (there.exists() or there.is_symlink()):
            there = there.parent
        if not there.is_dir():
            return f"{there} is no folder"
        # Permissions alone do not tell: the file system may be read-only, or none that holds files.
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return f"nothing can be put into {there}: {error.strerror}"
