"""Late events have a way back: taken out, and counted by a table that is made anew with a larger allowed lateness."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import processes
from tests.kafka.harness import Cluster, fates
from tests.shoppers import DAY, HOUR, NOON, log_of, viewed

pytestmark = pytest.mark.kafka


def test_what_a_phone_sent_two_hours_late_is_told_taken_out_and_counted_in_a_table_made_anew(
    cluster: Cluster, tmp_path: Path
) -> None:
    online = log_of(viewed("a", NOON, "v1"), viewed("a", NOON + DAY, "v2"))
    phone = log_of(*(viewed("a", NOON + DAY - 2 * HOUR + i, f"p{i}") for i in range(3)))
    cluster.send([*online, *phone, online[0]])  # the last one is late only because it was sent again
    worker = cluster.worker()
    cluster.wait_committed(6)
    assert {fate: n for fate, n in fates([worker]).items() if n} == {"applied": 2, "late": 4}
    worker.stop()

    originals = tmp_path / "late.jsonl"
    done = processes.run(
        "streams",
        "late-events",
        "--originals",
        str(originals),
        text=True,
        env={**os.environ, "OFFERSTREAM_BROKER": cluster.bootstrap},
    )
    assert done.returncode == 0, done.stderr
    assert "3 late events; 1 more had been sent before." in done.stdout
    assert originals.read_bytes().splitlines() == [value for _, value in phone]
    # Behind the newest event by two hours, the oldest of those that were sent for the first time.
    needed = int(done.stdout.split("OFFERSTREAM_ALLOWED_LATENESS_SECONDS=")[1].split()[0])
    assert needed >= 7200

    cluster.app_id += "-anew"
    patient = cluster.worker(data="anew", allowed_lateness_seconds=str(needed))
    cluster.wait_committed(6)
    assert {fate: n for fate, n in fates([patient]).items() if n} == {"applied": 5, "late": 1}
