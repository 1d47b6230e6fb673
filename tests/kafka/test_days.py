"""A worker in a shop's time zone, and whoever reads its table from the outside, count the same days."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from streams.outside.inspect import features_at
from tests.kafka.harness import Cluster
from tests.shoppers import log_of, viewed

pytestmark = pytest.mark.kafka


def test_the_evening_and_the_morning_of_a_shop_in_shanghai_are_two_days(cluster: Cluster) -> None:
    times = [datetime.fromisoformat(f"2024-05-0{t}+08:00") for t in ("1T23:30", "2T00:30")]  # to UTC one day
    log = log_of(*(viewed(at=int(t.timestamp() * 1000), event_id=f"e{t}") for t in times))
    cluster.send(log)
    worker = cluster.worker(time_zone="Asia/Shanghai")
    cluster.wait_committed(len(log))
    worker.stop()
    settings = replace(cluster.settings(), time_zone="Asia/Shanghai")
    assert features_at(settings, "s1", None)[1]["visits.active_days_7d"] == [2]
    assert cluster.rows() == cluster.expected(settings.rules()).rows
