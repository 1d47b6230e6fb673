"""Client libraries say the same thing once a minute, and everything else as before."""

from __future__ import annotations

import logging

import pytest

from streams.noise import quieten


def test_a_warning_of_a_kind_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    noisy, ours = logging.getLogger("aiokafka.test_noise"), logging.getLogger("streams.test_noise")
    quieten()
    with caplog.at_level(logging.INFO):
        for n in range(1000):
            noisy.error("Unable connect to node with id %s", n)
            noisy.warning("Marking the coordinator dead (node %s)", n)
        noisy.warning("Timer %s is overlapping (interval=%r runtime=%r)", "commit", 1.0, 2.8)
        for n in range(3):
            noisy.info("joined %s", n)
            ours.error("a worker's own error %s", n)
    said = [record.getMessage() for record in caplog.records]
    assert said[:2] == ["Unable connect to node with id 0", "Marking the coordinator dead (node 0)"]
    assert len(said) == 2 + 3 + 3
