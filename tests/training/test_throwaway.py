"""Adding a task takes one folder in models/tasks, one file in training/tasks and one registry line: here it is done."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.shop import lines

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]

TASK = '''
"""Does this shopper come back within a week?"""

from models.task import Output, Task

RETURNS = Task(
    name="returns",
    question="Does this shopper order again within a week?",
    features=("orders.days_since_last", "orders.count", "orders.gap_mean", "visits.events_30d", "behaviour.embedding"),
    outputs=(Output("returns_7d"),),
    owner="tests",
)
'''

TRAINER = '''
"""Trains ``returns``."""

import numpy as np

from streams.features.kinds.decay import DAY_MS
from training import export
from training.evaluate import compare, importance
from training.fit import Schedule, fit, seed_everything
from training.labels.horizons import ordered_within
from training.needs import Need, buyers
from training.networks.tabular import tabular
from training.split import split, window

SHIPPED = {"cdnow": "1998-01-01"}
NEEDS = (Need("shoppers who ordered before the cut", buyers, 10, 100, "A test."),)


def train(job):
    import tensorflow as tf

    (given,) = job.histories
    table = job.rows(given, job.task.features)
    labels = ordered_within(table.history, table.rows, (7,))
    parts = split(table.rows, labels, given.cut_ms, 28 * DAY_MS)
    x, y = table.matrix(job.task.features), labels.value
    trained, test = parts.fit[:, 0], parts.test[:, 0]
    seed_everything(job.seed)
    network = tabular(x[trained], "returns_7d", (8,), 0.0)

    def loss(answer, _x, wanted):
        return tf.reduce_mean(tf.keras.losses.binary_crossentropy(wanted, answer))

    fit(network, lambda _rng: (x[trained], y[trained]), loss, Schedule(1, 512), seed=job.seed, kept_in=job.kept_in)

    def answer(rows):
        return {"returns_7d": network.predict(rows, batch_size=4096, verbose=0).reshape(-1)}

    scores = {"ours": answer(x[test])["returns_7d"].astype(float), "recency": -x[test][:, 0].astype(float)}
    found = compare(y[test, 0], scores, table.rows.shopper[test], {}, job.seed)
    widths = list(zip(job.task.features, export.widths(job.task, job.upstream), strict=True))
    found["importance"] = importance(lambda x: answer(x)["returns_7d"], x[test], y[test, 0], widths, job.seed)
    card = {
        "data": job.data,
        "split": {"windows": {given.name: window(table.history, given.cut_ms)}},
        "seed": job.seed, "metrics": {given.name: {"returns_7d": found}},
        "baselines": "recency", "intended_use": "a test", "limits": "a test",
    }
    onnx = export.to_onnx(network, job.task)
    return export.proven(job.task, onnx, answer, x[test][:500], x[trained], card, job.upstream)
'''


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_a_task_is_a_folder_a_file_and_a_line(tmp_path: Path) -> None:
    for name in ("streams", "models", "training", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name)  # with what is compiled: it holds for a file of the same time
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    # One folder …
    (tmp_path / "models/tasks/returns").mkdir()
    (tmp_path / "models/tasks/returns/task.py").write_text(TASK)
    # … one file …
    (tmp_path / "training/tasks/returns.py").write_text(TRAINER)
    # … and one line.
    registry = tmp_path / "models/registry.py"
    text = registry.read_text().replace("PROMOTION,", "PROMOTION, RETURNS,")
    registry.write_text(
        "from models.tasks.returns.task import RETURNS\n" + text.replace("from __future__ import annotations\n", "")
    )
    (tmp_path / "shop.jsonl").write_bytes(lines(200, 300))
    command = ("-m", "streams", "train", "returns", "--history", "shop.jsonl", "--cut", "2024-07-28")
    said = run(tmp_path, *command, "--out", "models/tasks/returns")
    card = json.loads((tmp_path / "models/tasks/returns/card.json").read_text())
    assert card["version"] in said
    # Its laws hold with no test of its own, but for those of what the package ships; and the stream serves it.
    which = ("tests/models/test_laws.py", "-k", "returns and not shipped")
    laws = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", *which)
    assert "passed" in laws
    served = (
        "from tests.worlds import *; from tests.shoppers import random_history as h; "
        "w = run_plain(cut(h(1, 200, 9, hostile=False), [])); "
        "print(sum(b'returns_7d' in o for o in w.outcomes.values()))"
    )
    assert int(run(tmp_path, "-c", served).split()[-1]) > 50
    report = run(tmp_path, "-m", "streams", "report", "returns", "--out", str(tmp_path / "report.html"))
    assert "report.html" in report
