"""Keeps client libraries from saying the same thing over and over while Kafka is away."""

from __future__ import annotations

import logging
import time

#: One warning of a kind in this time is enough.
SILENCE_SECONDS = 60.0
#: A commit of Faust's took longer than a second, and the next one comes after it: where Kafka is slow, /ready says so.
OVERLAPPING = "Timer %s is overlapping (interval=%r runtime=%r)"
NOISY = ("aiokafka", "faust", "mode")


class OncePerMinute(logging.Filter):
    """Lets a warning or error of a kind (logger and text before its values are filled in) pass once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is said."""
        if record.levelno < logging.WARNING:
            return True
        if record.msg == OVERLAPPING and isinstance(record.args, tuple) and record.args[0] == "commit":
            return False
        kind, now = (record.name, str(record.msg)[:80]), time.monotonic()
        if now - self._passed.get(kind, -SILENCE_SECONDS) < SILENCE_SECONDS:
            return False
        self._passed[kind] = now
        return True


def quieten() -> None:
    """Filter what is said through the libraries' loggers that exist by now."""
    once = OncePerMinute()
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in NOISY:
            logging.getLogger(name).addFilter(once)
