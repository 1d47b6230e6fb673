"""One seed, one digest: the shipped networks, trained for a moment in two processes, end in the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long
TRAIN = """
import hashlib, sys
from pathlib import Path
import numpy as np
import tensorflow as tf
from models.registry import task
from training.export import to_onnx, widths
from training.fit import Schedule, fit, seed_everything
from training.networks.encoder import Encoder, answering
from training.networks.hazard import hazard

for name in ("behaviour", "churn"):
    found, rng = task(name), np.random.default_rng(3)
    x = rng.integers(0, 14, (2048, sum(widths(found)))).astype(np.float32)
    y = rng.random((2048, 6)).round().astype(np.float32)
    seed_everything(7)
    if name == "churn":
        trained, exported = hazard(x, np.full(6, 0.3), {o.name: k + 1 for k, o in enumerate(found.outputs)})
        loss = lambda said, _x, wanted: tf.reduce_mean((tf.sigmoid(said) - wanted[:, None]) ** 2)
    else:
        trained = Encoder(np.arange(1, 200), np.ones((2, 8), np.float32))
        trained(np.zeros((1, 168), np.float32))
        exported = answering(trained)
        loss = lambda said, _x, wanted: tf.reduce_mean((said["purchase"] - wanted[:, :2]) ** 2) - tf.reduce_mean(
            tf.math.log(said["next_type"][:, 1] + 1e-6) + tf.reduce_sum(said["window"] * said["window"], axis=1)
        )
    fit(trained, lambda _rng: (x, y), loss, Schedule(2, 256), seed=7, kept_in=Path(sys.argv[1]) / name)
    exported(x[:3])
    print("digest of", name, hashlib.sha256(to_onnx(exported, found)).hexdigest())
"""


def test_two_processes_end_in_the_same_digests_whatever_their_hashes(tmp_path: Path) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    said = [process.communicate() for process in running]
    digests = [[line for line in out.splitlines() if line.startswith("digest of")] for out, _ in said]
    assert len(digests[0]) == len(digests[1]) == 2, said
    assert digests[0] == digests[1]
