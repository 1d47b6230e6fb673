"""Kafka's jars, fetched once for all commands that start an embedded broker."""

from __future__ import annotations

from pathlib import Path

from streams.commands.common import progress_bar

JARS = Path.home() / ".cache" / "offerstream" / "kafka"


def fetch_jars(folder: Path = JARS) -> list[Path]:
    """Kafka's jars, from the cache or fetched with a progress bar."""
    from streams.broker.jars import fetch, read_lock

    total = sum(jar.size for jar in read_lock())
    if all((folder / jar.file_name).exists() for jar in read_lock()):
        return fetch(folder)
    with progress_bar("Fetching Apache Kafka", total, bytes_=True) as done:
        return fetch(folder, progress=lambda so_far, _total: done(so_far))
