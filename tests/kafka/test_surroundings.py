"""Commands that ask Kafka, and a worker's log, where nothing but ASCII can be shown and no terminal is there."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from models.store import Shelf
from streams.broker.embedded import free_ports
from tests.cli.harness import run_all
from tests.kafka.harness import ENVIRONMENT, Cluster
from tests.shoppers import DAY, NOON, log_of, ordered, viewed

pytestmark = pytest.mark.kafka
WHO = "Zoë-茶"


def worker(cluster: Cluster, log: Path) -> subprocess.Popen[bytes]:
    """A worker as an operator starts it: a terminal before it, its log in a file."""
    _, terminal = pty.openpty()
    (port,) = free_ports(1)
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "streams", "worker", "--log", "INFO", "--port", str(port)],
            stdin=terminal,
            stdout=terminal,
            stderr=file,
            env={
                **os.environ,
                **ENVIRONMENT,
                "OFFERSTREAM_BROKER": cluster.bootstrap,
                "OFFERSTREAM_APP_ID": cluster.app_id,
                "OFFERSTREAM_DATA_DIR": str(log.parent / "data"),
                "OFFERSTREAM_MODELS": cluster.models,
                "PYTHONIOENCODING": "ascii",
                "TERM": "xterm",
            },
        )


def test_nothing_ends_in_a_traceback_and_no_log_holds_escape_codes(cluster: Cluster, tmp_path: Path) -> None:
    orders = log_of(*(ordered(WHO, NOON + i * DAY, f"o{i}", category="茶", cents=1_234_567) for i in range(9)))
    log = [*orders, (WHO.encode(), "{\x1b[31mü".encode()), *log_of(viewed(WHO, NOON - 9 * DAY, "early"))]
    cluster.send(log)
    running = worker(cluster, tmp_path / "worker.log")
    try:
        cluster.wait_committed(len(log))
    finally:
        running.terminate()
        assert running.wait(60) == 0
    said = (tmp_path / "worker.log").read_bytes()
    assert b"dead letter" in said
    assert b"\x1b" not in said

    version = Shelf().shipped("churn")
    tables = [["features", "show", WHO], ["why", WHO], ["dead-letters"], ["late-events"], ["models", "list"]]
    tables += [["models", "diff", "churn", version, version]]
    others = [["topics", "check"], ["topics", "create"], ["models", "show", "churn"]]
    others += [["watch", "events", "dead", "late", "--from", "beginning", "--limit", str(len(log) + 2)]]
    told = {"OFFERSTREAM_BROKER": cluster.bootstrap, "OFFERSTREAM_APP_ID": cluster.app_id}
    told |= {"OFFERSTREAM_MODELS": cluster.models, "COLUMNS": "80"}
    done = run_all([*tables, *others], **told, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    text = done.stdout.decode()  # click takes ASCII for a mistake and writes UTF-8
    assert "12,345.67 USD each" in text
    assert "1234567" in text.split()  # of orders.average_value
    assert "e+0" not in text
    said_as_json = run_all([[*words, "--json"] for words in tables], **told).stdout.decode()
    documents = 0
    while said_as_json := said_as_json.lstrip():
        _, end = json.JSONDecoder().raw_decode(said_as_json)
        said_as_json, documents = said_as_json[end:], documents + 1
    assert documents == len(tables)
