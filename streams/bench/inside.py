"""What is measured within one process: the models' cost per scored shopper, and the rate of the training replay."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import SHIPPED
from models.registry import task as find
from models.store import Shelf
from streams.bench.clickstream import clickstream
from streams.demo.recommending import FOLDER
from streams.demo.recommending import TASK as RECOMMEND
from streams.records.events import ShopperEvent, decode_event
from training.history import history_of
from training.replay import replay

#: Rows per run, as in the contract of the tasks.
ROWS = 256
RUNS = 50
REPLAY_EVENTS, REPLAY_RUNS = 1_000_000, 3


def models() -> dict[str, float]:
    """task → CPU microseconds per row in slices of 256, the median of the runs; ``shoppers' together``: of all that
    judge shoppers. ``recommend``, which each shop trains for itself, is the version of the demo's shop."""
    shelf, found = Shelf(), {}
    for task in SHIPPED:
        found[task.name] = _cost(shelf.model(task.name), shelf.artifact(task.name).golden)
    recommend = load_artifact(find(RECOMMEND), FOLDER)
    found[RECOMMEND] = _cost(Predictor(recommend), recommend.golden)
    return {**found, "shoppers' together": round(sum(us for t, us in found.items() if find(t).entity == "shopper"), 2)}


def _cost(predictor: Predictor, golden: npt.NDArray[np.float32]) -> float:
    rows = np.resize(golden, (ROWS, predictor.width))
    spent = []
    for _ in range(RUNS):
        began = time.process_time()
        predictor.score(rows)
        spent.append((time.process_time() - began) / ROWS * 1e6)
    return round(statistics.median(spent), 2)


def training_replay(shoppers: int) -> dict[str, Any]:
    """Events per CPU second from columns to churn's training rows."""
    decoded = (decode_event(value) for _, value in clickstream(REPLAY_EVENTS, shoppers))
    history = history_of((e for e in decoded if isinstance(e, ShopperEvent)), "USD")
    features = find("churn").features
    rates, rows = [], 0
    for _ in range(REPLAY_RUNS):
        began = time.process_time()
        rows = len(replay(history, features))
        rates.append(len(history) / (time.process_time() - began))
    return {
        "events_per_cpu_second": round(statistics.median(rates)),
        "events": len(history),
        "rows": rows,
    }
