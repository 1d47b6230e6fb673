"""How far a training is: bars on a terminal; elsewhere a line when a stage begins, and now and then while it lasts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from training.fit import Tell

#: Where there is no terminal, a line comes at least this often, also from steps that cannot say how far they are.
TELL_SECONDS = 15.0


@contextmanager
def progress(console: Console, seconds: float = TELL_SECONDS) -> Iterator[Tell]:
    """Call the result with a stage, how much of it is done, and how much there is (None: unknown)."""
    if console.is_terminal:
        with _bars(console) as tell:
            yield tell
        return
    lines = _Lines(console)
    stop = Event()

    def repeat() -> None:
        while not stop.wait(seconds):
            lines.say()

    thread = Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield lines.tell
    finally:
        stop.set()
        thread.join()


@contextmanager
def _bars(console: Console) -> Iterator[Tell]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        stages: dict[str, TaskID] = {}

        def tell(stage: str, done: int, total: int | None) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], completed=done, total=total)

        yield tell


@dataclass
class _Lines:
    console: Console
    began: float = field(default_factory=time.monotonic)
    now: tuple[str, int, int | None] = ("", 0, None)

    def tell(self, stage: str, done: int, total: int | None) -> None:
        begins = stage != self.now[0]
        self.now = (stage, done, total)
        if begins:
            self.say()

    def say(self) -> None:
        stage, done, total = self.now
        if not stage:
            return
        of = f": {done:,} of {total:,} ({done / total:.0%})" if total else f": {done:,}" if done else ""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        self.console.print(f"[{minutes}:{seconds:02}] {stage}{of}", markup=False, highlight=False, soft_wrap=True)
