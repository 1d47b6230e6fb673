"""What every program that the bench runs is given: settings, and the clock that it is measured by."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from streams.settings import Settings


class Clock:
    """Notes the first record, and ends the process once the last was committed."""

    def __init__(self, records: int) -> None:
        self.records, self.seen, self.first, self.cpu = records, 0, 0.0, 0.0
        self.more: dict[str, Any] = {}

    def begin(self) -> None:
        """The first record is there, or was before."""
        if not self.first:
            self.first, self.cpu = time.perf_counter(), time.process_time()

    def count(self, n: int) -> bool:
        """Count records; true when these were the last."""
        self.begin()
        self.seen += n
        return self.seen >= self.records

    def finish(self, due_points: int) -> None:
        """Print the result and end, without ceremony."""
        spent = {"seconds": time.perf_counter() - self.first, "cpu_seconds": time.process_time() - self.cpu}
        found = {"records": self.seen, "due_points": due_points}
        sys.stdout.write("\n" + json.dumps(spent | found | self.more) + "\n")
        sys.stdout.flush()
        os._exit(0)


def start(contestant: Callable[[Settings, Clock], None], arguments: Sequence[str]) -> None:
    """Run a contestant; arguments: BROKER DATA_DIR APP_ID RECORDS."""
    broker, data_dir, app_id, records = arguments
    settings = Settings(broker=broker, data_dir=Path(data_dir), app_id=app_id, port=0, idle_tick_seconds=0.0)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    contestant(settings, Clock(int(records)))
