"""A worker in a shop's time zone, and whoever reads its table from the outside, count the same days."""

from __future__ import annotations

import re
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


def test_a_worker_of_another_currency_or_time_zone_ends_with_one_line_that_says_what_to_do(cluster: Cluster) -> None:
    """What was added up stands in the old one; a traceback tells an operator nothing."""
    log = log_of(viewed(event_id="e"))
    cluster.send(log)
    worker = cluster.worker()
    cluster.wait_committed(len(log))
    worker.stop()
    for setting, other in (("currency", "EUR"), ("time_zone", "Asia/Shanghai")):
        worker = cluster.worker(loglevel="WARNING", **{setting: other})
        assert worker.process.wait(90) == 1
        (line,) = worker.log.read_text().splitlines()
        assert re.fullmatch(rf"error: The feature table .* {other}\. Set OFFERSTREAM_{setting.upper()} back, .*", line)
