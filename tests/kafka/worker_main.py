"""A worker that kills itself at a named step (``raise``: fails there), or notes what it gives its models, if told to.

BOOTSTRAP DATA_DIR PORT, ``KILL_AT=STEP:N`` (with ``SLEEPS``: stops itself there until it is continued),
``ROWS_TO=FILE``, and ``SPENDS`` (with the decision of ``tests/spender.py``).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from models.registry import task
from streams.agents.entity_log import EntityLog
from streams.entities import contents
from streams.processing import partition, scoring
from streams.processing.applied import Applied
from streams.records.slices import Slice
from streams.settings import Settings
from streams.worker import run
from tests.spender import SPENDERS


def note_rows(path: Path) -> None:
    """Append a line per scored due point: its shopper, and per task the bytes of the row that its model is given."""
    score = scoring.score

    def noted(serving: Any, features: Any, places: Any, key: Any, *more: Any) -> Any:
        found = score(serving, features, places, key, *more)
        with path.open("a") as out:
            mine = {name: scores for name, scores in found.items() if task(name).entity == "shopper"}
            for i in range(len(features) if mine else 0):
                rows = {name: scores.inputs[0][i].tobytes().hex() for name, scores in mine.items()}
                out.write(json.dumps({"shopper": key(i), **rows}) + "\n")
        return found

    partition.score = noted  # type: ignore[assignment,attr-defined]


def main() -> int:
    """Run the worker."""
    bootstrap, data_dir, port = sys.argv[1:]
    step, _, n = os.environ.get("KILL_AT", "").partition(":")
    seen: Counter[str] = Counter()

    def reached(name: str) -> None:
        seen[name] += 1
        if name == step and seen[name] == int(n):
            os.kill(os.getpid(), signal.SIGSTOP if os.environ.get("SLEEPS") else signal.SIGKILL)

    handle = EntityLog.handle

    def watched(self: EntityLog, slice_: Slice, follows: int) -> Applied:
        if step == "mid_slice" and seen["mid_slice"] + 1 == int(n):
            # Half of the slice is in memory, none of its outputs sent.
            self.processor(slice_.partition).apply(slice_.cut(0, len(slice_) // 2))
        reached("mid_slice")
        if step == "raise" and seen["mid_slice"] == int(n):
            self.processor(slice_.partition).apply(slice_)
            raise RuntimeError("a slice that cannot be applied")
        return handle(self, slice_, follows)

    if rows_to := os.environ.get("ROWS_TO"):
        note_rows(Path(rows_to))
    if os.environ.get("SPENDS"):
        contents.ENTITIES = (SPENDERS, *contents.ENTITIES[1:])
    EntityLog.handle = watched  # type: ignore[method-assign]
    settings = Settings.from_environment(broker=bootstrap, data_dir=Path(data_dir), port=int(port))
    return run(settings, os.environ.get("LOGLEVEL", "INFO"), reached)


if __name__ == "__main__":
    sys.exit(main())
