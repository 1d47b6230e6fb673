"""What commands share: progress also where there is no terminal."""

from __future__ import annotations

import pytest

from streams.terminal import progress_bar


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("Checking [x]", 4_000_000, bytes_=True, tell_seconds=0) as done:
        done(1_000_000)
    with progress_bar("Sending", None, tell_seconds=0) as done:
        done(1_500)
    with progress_bar("Soon", 10, tell_seconds=3600) as done:
        done(5)
    assert capsys.readouterr().err.splitlines() == ["Checking [x]: 1.0 MB of 4.0 MB (25%)", "Sending: 1,500"]
