"""A training row is a serving row: the same log through the replay and through a worker on Apache Kafka."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from models.artifact import load_artifact
from models.registry import SHIPPED
from streams.features.meaning import OTHER
from streams.features.shopper import CATALOGUE
from streams.processing.scoring import TYPES
from streams.records.events import ShopperEvent, decode_event
from tests.kafka.harness import Cluster
from tests.shoppers import log_of, random_history
from training.history import history_of
from training.replay import replay

pytestmark = pytest.mark.kafka


def test_training_rows_are_what_a_worker_gives_its_models_bit_for_bit(cluster: Cluster, tmp_path: Path) -> None:
    decoded = [decode_event(value or b"") for _, value in random_history(51, 3000, 60, hostile=False)]
    events = sorted((e for e in decoded if isinstance(e, ShopperEvent)), key=lambda e: e.event_time)
    cluster.send(log_of(*events))
    served = tmp_path / "rows.jsonl"
    worker = cluster.worker(rows_to=str(served))
    cluster.wait_committed(len(events))
    worker.stop()
    tasks = [t for t in SHIPPED if t.entity == "shopper"]
    # Else take the upstream models' answers as well.
    assert all(a in CATALOGUE.features for t in tasks for a in t.features)
    of_serving = Counter(
        (task.name, line["shopper"], line[task.name]) for line in map(json.loads, served.open()) for task in tasks
    )
    of_training: Counter[tuple[str, str, str]] = Counter()
    for (slice_,) in cluster.slices().values():
        part = [decode_event(value or b"") for value in slice_.values]
        history = history_of([e for e in part if isinstance(e, ShopperEvent)], "USD")
        for task in tasks:
            rows = replay(history, task.features)
            if TYPES in task.features:  # What came after a model was trained is nothing that it knows.
                start = sum(CATALOGUE.features[a].width for a in task.features[: task.features.index(TYPES)])
                types = rows.x[:, start : start + CATALOGUE.features[TYPES].width]
                types[types > max(load_artifact(task).card["codes"].values())] = OTHER
            of_training.update(
                (task.name, history.shoppers[i], x.tobytes().hex()) for i, x in zip(rows.shopper, rows.x, strict=True)
            )
    assert of_serving == of_training
    assert of_serving.total() > 2000
