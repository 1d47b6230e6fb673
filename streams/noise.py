"""Keeps client libraries from saying the same thing over and over: while Kafka is away, and as a worker ends."""

from __future__ import annotations

import logging
import time

#: One warning of a kind in this time is enough.
SILENCE_SECONDS = 60.0
#: A commit of Faust's took longer than a second, and the next one comes after it: where Kafka is slow, /ready says so.
OVERLAPPING = "Timer %s is overlapping (interval=%r runtime=%r)"
NOISY = ("aiokafka", "faust", "mode")
#: Behind it comes the error that ended the worker, which says more.
CRASHED = "We experienced a crash!"
#: An error that has this attribute was told of by the worker itself: what libraries say of it is nothing new.
TOLD = "told_by_worker"


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


class NotTold(logging.Filter):
    """Lets an error pass that the worker does not tell of by itself: Faust and mode tell of each that ends it, with all
    that was under way."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is said."""
        error = record.exc_info[1] if record.exc_info else None
        return not getattr(error, TOLD, False) and CRASHED not in str(record.msg)


def quieten() -> None:
    """Filter what is said through the libraries' loggers that exist by now."""
    once = OncePerMinute()
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in NOISY:
            logging.getLogger(name).addFilter(once)
