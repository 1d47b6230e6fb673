"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import click


def parse_time(text: str) -> int:
    """ISO 8601 as UTC milliseconds since 1970; without an offset it is UTC. Raises ``click.UsageError``.

    >>> parse_time("1970-01-02")
    86400000
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(
            f"{text!r} is no ISO 8601 time, such as 2017-06-01 or 2017-06-01T12:00+02:00."
        ) from error
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
