"""Kafka's jars, fetched once for whatever starts an embedded broker, and where they are kept."""

from __future__ import annotations

import os
from pathlib import Path

from streams.broker.jars import JarError, fetch, missing
from streams.terminal import progress_bar
from streams.writable import why_not_folder

#: Where jars are kept when the user's cache cannot be written: a home may be read-only, or none at all.
INSTEAD = Path("build/kafka-jars")


def folders() -> list[Path]:
    """Where the jars may be, first choice first: the user's cache, else below the working directory."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:  # no HOME, and a user that the system does not know
        return [INSTEAD]
    return [cache / "offerstream" / "kafka", INSTEAD]


def fetch_jars() -> list[Path]:
    """Kafka's jars: from the first folder that holds all of them, else fetched with a progress bar into the first that
    can be written. Raises ``JarError``."""
    reasons = {}
    for folder in folders():
        if not missing(folder):
            return fetch(folder)
        reasons[folder] = why_not_folder(folder)
    for folder, why in reasons.items():
        if not why:
            with progress_bar("Fetching Apache Kafka", sum(jar.size for jar in missing(folder)), bytes_=True) as done:
                return fetch(folder, progress=lambda so_far, _total: done(so_far))
    told = "; ".join(reasons.values())
    raise JarError(f"There is no place for Kafka's jars: {told}. Set XDG_CACHE_HOME to a folder that can be written.")
