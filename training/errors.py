"""What keeps training from beginning, or from ending in a model: shown to people as one line, without a traceback."""

from __future__ import annotations


class TrainingError(RuntimeError):
    """Says what is missing or wrong, where it was looked for, and what to do about it."""


class Misuse(TrainingError):
    """What was asked for cannot be meant so: no data set, file or date of that name, or an option that is missing."""

    exit_code = 2
