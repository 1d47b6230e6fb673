"""The demo: it adds up, and it leaves nothing behind, also on Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.topics import EVENTS
from tests.kafka.harness import Cluster
from tests.shoppers import log_of, viewed

pytestmark = pytest.mark.kafka


def children_of(marker: str) -> list[str]:
    """Command lines of processes whose environment carries a marker."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marker.encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


def start(marker: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "streams", "demo", *arguments],
        env={**os.environ, "DEMO_MARKER": marker},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_demo_adds_up_and_writes_its_numbers(tmp_path: Path) -> None:
    out = tmp_path / "demo.json"
    demo = start("adds-up", "--to", "2017-03-15", "--out", str(out))
    said, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, said
    numbers = json.loads(out.read_text())
    assert numbers["adds_up"]
    assert numbers["records_in"] == sum(numbers[fate] for fate in ("applied", "duplicate", "late", "dead")) > 10_000
    assert numbers["alerts"] > 0
    assert numbers["withheld"] > 0
    assert numbers["decision_p99_ms"] >= numbers["decision_p50_ms"] > 0
    assert "What happened" in said
    # Only alerts of the first month and a half can be judged: their 30 days must lie within the data.
    assert set(numbers["alert_truth"]) == {"watch", "high", "critical"}
    judged = sum(told["judged"] for told in numbers["alert_truth"].values())
    assert 0 < judged < numbers["alerts"]
    assert all(told["came_true"] <= told["judged"] for told in numbers["alert_truth"].values())
    assert 0 < numbers["base_rate"] < 1
    assert numbers["offered"]["judged"] <= numbers["offers"]
    assert "came true" in said
    assert not children_of("adds-up")


def test_the_demo_refuses_a_broker_that_holds_somebodys_events(cluster: Cluster) -> None:
    cluster.send(log_of(viewed()))
    demo = start("refuses", "--broker", cluster.bootstrap)
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "holds 1 records" in said
    assert len(cluster.read(EVENTS.name)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("moment", ["Starting", "is ready"])
def test_ctrl_c_stops_everything_that_the_demo_started(moment: str, tmp_path: Path) -> None:
    demo = start(f"ctrl-c-{len(moment)}", "--out", str(tmp_path / "demo.json"))
    assert demo.stdout is not None
    if moment == "is ready":
        next(line for line in demo.stdout if moment in line)
    else:
        time.sleep(3)
    demo.send_signal(signal.SIGINT)
    demo.stdout.read()
    assert demo.wait(60) == 130
    end = time.monotonic() + 10
    while (left := children_of(f"ctrl-c-{len(moment)}")) and time.monotonic() < end:
        time.sleep(0.2)
    assert not left
