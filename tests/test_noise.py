"""Client libraries say the same thing once a minute, and everything else as before."""

from __future__ import annotations

import logging

import pytest

from streams.noise import TOLD, NotTold, quieten


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


def test_the_error_that_a_worker_tells_itself_is_not_told_again_and_any_other_is() -> None:
    told, other = RuntimeError("told"), RuntimeError("other")
    setattr(told, TOLD, True)

    def passes(text: str, error: Exception | None = None) -> bool:
        how = None if error is None else (type(error), error, None)
        return NotTold().filter(logging.LogRecord("streams.parts", logging.ERROR, "", 0, text, None, how))

    assert not passes("Crashed reason=%r", told)
    assert passes("Crashed reason=%r", other)
    assert not passes("[^Process]: We experienced a crash! Reraising original exception...")
    assert passes("A slice could not be applied")
