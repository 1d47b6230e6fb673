"""Without a terminal a line says now and then how far a training is."""

from __future__ import annotations

import io
import time

from rich.console import Console

from training.progress import TELL_SECONDS, progress


def test_a_step_that_says_nothing_for_long_is_told_again_and_again() -> None:
    out = io.StringIO()
    with progress(Console(file=out, force_terminal=False), seconds=0.01) as tell:
        tell("training", 0, 200)
        tell("training", 50, 200)
        tell("exporting", 0, None)
        end = time.monotonic() + 60
        while out.getvalue().count("exporting") < 4:
            assert time.monotonic() < end
            time.sleep(0.01)
    lines = out.getvalue().splitlines()
    assert lines[0] == "[0:00] training: 0 of 200 (0%)"
    assert lines[-1].endswith("] exporting")
    assert TELL_SECONDS <= 30


def test_every_stage_is_told_when_it_begins() -> None:
    out = io.StringIO()
    with progress(Console(file=out, force_terminal=False)) as tell:
        for stage in ("reading", "replaying", "training"):
            for done in range(3):
                tell(stage, done, 3)
    assert [line.split("] ")[1] for line in out.getvalue().splitlines()] == [
        f"{stage}: 0 of 3 (0%)" for stage in ("reading", "replaying", "training")
    ]


def test_on_a_terminal_bars_are_drawn() -> None:
    out = io.StringIO()
    with progress(Console(file=out, force_terminal=True, width=100)) as tell:
        tell("training", 1, 3)
    assert "training" in out.getvalue()
    assert "1/3" in out.getvalue()
