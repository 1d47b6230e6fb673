"""Keeps what libraries say for their own makers out of what a person reads; warnings and errors pass."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

#: Lines that TensorFlow's compiled parts write before anybody can tell them not to: absl's note that it logs, and what
#: is marked I, for information, by absl (``I0000 00:00:…``) or TensorFlow (``2026-01-01 00:00:00.0: I …``).
_NOTES = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|I\d{4} [\d:.]+ |\d{4}-\d\d-\d\d [\d:.]+: I "
)


@contextmanager
def without_notes() -> Iterator[None]:
    """Within, whatever the process writes to standard error, compiled code too, comes at the end, without notes."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        ours = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(ours, 2)
            os.close(ours)
            kept.seek(0)
            said = b"".join(line for line in kept if not _NOTES.match(line))
            if said:
                os.write(2, said)


@contextmanager
def trial() -> Iterator[None]:
    """Within, a library says by an exception whether it came to an end: what NumPy, SciPy and pandas warn of before,
    such as numbers that were tried and names that will go, is not shown."""
    with warnings.catch_warnings():
        for kind in (RuntimeWarning, DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        yield
