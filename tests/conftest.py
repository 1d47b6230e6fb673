"""Fixtures for all tests."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from streams.broker.cache import fetch_jars
from streams.broker.embedded import Broker, free_ports

# Where Python is told to write no bytecode, each of the many processes that tests start would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# No test fails for a busy machine, and none by chance for something else than what was changed. To look for what nobody
# has seen yet: pytest --hypothesis-profile=explore
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None)
settings.load_profile("same")


#: Short tests that each xdist worker begins with, while Kafka is fetched where it is not there yet.
FIRST = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every xdist worker do its long tests early, whole files of them: what is left at the end is short, so no
    worker waits long for another. A part is as large as ``--dist worksteal`` makes it."""
    if any(item.get_closest_marker("kafka") for item in items):
        threading.Thread(target=fetch_early, daemon=True).start()
    files: dict[Path, list[pytest.Item]] = defaultdict(list)
    short: list[pytest.Item] = []
    for item in items:
        is_long = item.get_closest_marker("kafka") or item.get_closest_marker("long")
        (files[item.path] if is_long else short).append(item)
    n = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    parts: list[list[pytest.Item]] = [[] for _ in range(n)]
    for file in sorted(files.values(), key=len, reverse=True):
        min(parts, key=len).extend(file)
    left = len(items)
    for i, part in enumerate(parts):
        size = left // (n - i)
        more = max(0, size - len(part))
        part[:0], part[len(part) :] = short[: min(FIRST, more)], short[min(FIRST, more) : more]
        del short[:more]
        left -= size
    items[:] = [item for part in parts for item in part] + short


def fetch_early() -> None:
    """Fetch Kafka beside the first tests; ``broker`` says what went wrong."""
    with suppress(Exception):
        fetch_jars()


@pytest.fixture(scope="session")
def secure() -> str:
    """Where ``broker`` also listens, and everybody has to say who they are: ``shop``, with the password ``s3cret``."""
    return f"127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory, secure: str) -> Iterator[Broker]:
    """Apache Kafka for the whole test run; each test uses topics of its own cluster through ``cluster``."""
    ours, asking = "PLAINTEXT://127.0.0.1:{port}", f"SECURE://{secure}"
    more = {
        "listeners": f"{ours},{asking},CONTROLLER://127.0.0.1:{{controller_port}}",
        "advertised.listeners": f"{ours},{asking}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECURE:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secure.plain.sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule "
        'required username="shop" password="s3cret" user_shop="s3cret";',
        # Workers that are killed are given up sooner than Kafka would do by itself.
        "group.min.session.timeout.ms": "1000",
    }
    with Broker(tmp_path_factory.mktemp("kafka"), fetch_jars(), more=more) as running:
        yield running
