"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.broker.cache import fetch_jars
from streams.broker.embedded import Broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Apache Kafka for the whole test run; each test uses topics of its own cluster through ``cluster``."""
    folder: Path = tmp_path_factory.mktemp("kafka")
    with Broker(folder, fetch_jars()) as running:
        yield running
