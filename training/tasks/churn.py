"""Trains ``churn``: a network over the feature row, on Complete Journey and Online Retail together.

The two differ so much (weekly groceries, wholesale every few weeks) that pooled metrics would mostly tell the shops
apart, so everything is reported per data set, and each weighs the same in training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.tasks.churn.task import CHURN
from training import export
from training.baselines import logistic
from training.datasets import COMPLETE_JOURNEY, ONLINE_RETAIL, Dataset
from training.evaluate import auc_interval, calibration, measure
from training.labels.lapse import DAY_MS, OrderTimes
from training.networks.tabular import tabular
from training.replay import Rows, replay

HORIZON_DAYS = 30
#: data set → rows due from here on are for the test; training rows' labels were known before.
CUTS = {
    COMPLETE_JOURNEY: datetime(2017, 8, 1, tzinfo=UTC),
    ONLINE_RETAIL: datetime(2011, 7, 1, tzinfo=UTC),
}
#: The last part of the training period picks the number of epochs.
VALIDATION_DAYS = 21
HIDDEN, DROPOUT, EPOCHS, BATCH = (64, 32), 0.1, 30, 512

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Example:
    """The rows of one data set with their labels and parts."""

    name: str
    rows: Rows
    x: npt.NDArray[np.float32]
    rfm: npt.NDArray[np.float32]
    label: npt.NDArray[np.float32]
    fit: npt.NDArray[np.bool_]
    validate: npt.NDArray[np.bool_]
    test: npt.NDArray[np.bool_]


def examples(dataset: Dataset, data_dir: Path | None, cut: datetime, progress: Progress) -> Example:
    """Replay a data set and label its due points; the parts are disjoint in time, labels included."""
    addresses = tuple(dict.fromkeys((*CHURN.features, *logistic.RFM)))
    orders = OrderTimes()
    rows = replay(
        orders.watch(dataset.read(data_dir)),
        addresses,
        dataset.currency,
        lambda n: progress(f"replaying {dataset.name}", n, None),
    )
    label, known_ms = orders.lapse(rows.shoppers, rows.shopper, rows.due_ms, HORIZON_DAYS)
    cut_ms = int(cut.timestamp() * 1000)
    early_ms = cut_ms - VALIDATION_DAYS * DAY_MS
    # Only shoppers who ever ordered can lapse.
    buyer = rows.x[:, addresses.index("orders.count")] > 0
    train = buyer & (known_ms <= cut_ms)
    return Example(
        name=dataset.name,
        rows=rows,
        x=rows.x[:, [addresses.index(a) for a in CHURN.features]],
        rfm=rows.x[:, [addresses.index(a) for a in logistic.RFM]],
        label=label,
        fit=train & (known_ms <= early_ms),
        validate=train & (rows.due_ms >= early_ms - HORIZON_DAYS * DAY_MS) & (known_ms > early_ms),
        test=buyer & (rows.due_ms >= cut_ms) & (known_ms <= orders.end_ms),
    )


def _weights(parts: list[Example], which: str) -> npt.NDArray[np.float64]:
    sizes = [int(getattr(p, which).sum()) for p in parts]
    total = sum(sizes)
    return np.concatenate([np.full(n, total / len(parts) / n) for n in sizes])


def _stack(parts: list[Example], column: str, which: str) -> npt.NDArray[Any]:
    return np.concatenate([getattr(p, column)[getattr(p, which)] for p in parts])


def _fit(parts: list[Example], seed: int, progress: Progress) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    x, y = _stack(parts, "x", "fit"), _stack(parts, "label", "fit")
    network = tabular(x, CHURN.outputs[0].name, HIDDEN, DROPOUT)
    network.compile(keras.optimizers.AdamW(2e-3, weight_decay=1e-3), "binary_crossentropy", weighted_metrics=[])
    keep = keras.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)
    tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda e, _: progress("training", e + 1, EPOCHS))
    network.fit(
        x,
        y[:, None],
        batch_size=BATCH,
        epochs=EPOCHS,
        sample_weight=_weights(parts, "fit"),
        validation_data=(
            _stack(parts, "x", "validate"),
            _stack(parts, "label", "validate")[:, None],
            _weights(parts, "validate"),
        ),
        callbacks=[keep, tell],
        verbose=0,
    )
    return network


def _evaluate(part: Example, scores: dict[str, npt.NDArray[np.float64]], seed: int) -> dict[str, Any]:
    label, silence = part.label[part.test], part.rows.silence[part.test]
    found: dict[str, Any] = {}
    for segment, mask in (("all", np.ones(len(label), bool)), ("silence", silence)):
        within = {name: score[mask] for name, score in scores.items()}
        found[segment] = {name: measure(label[mask], score) for name, score in within.items()}
        found[segment]["auc_95"] = auc_interval(label[mask], within, part.rows.shopper[part.test][mask], seed)
    found["calibration"] = [[round(v, 4) for v in bin_] for bin_ in calibration(label, scores["ours"])]
    return found


def train(data_dir: Path | None, seed: int, out: Path, progress: Progress) -> Artifact:
    """Train, evaluate against the baselines on the same split, export, prove and write; returns the artifact."""
    parts = [
        examples(COMPLETE_JOURNEY, None, CUTS[COMPLETE_JOURNEY], progress),
        examples(ONLINE_RETAIL, data_dir, CUTS[ONLINE_RETAIL], progress),
    ]
    network = _fit(parts, seed, progress)
    progress("exporting", 0, None)
    joint = logistic.fit(_stack(parts, "rfm", "fit"), _stack(parts, "label", "fit"), _weights(parts, "fit"))
    metrics: dict[str, Any] = {}
    for part in parts:
        own = logistic.fit(part.rfm[part.fit], part.label[part.fit], np.ones(int(part.fit.sum())))
        scores = {
            "ours": np.asarray(network.predict(part.x[part.test], batch_size=1000, verbose=0), np.float64).reshape(-1),
            "rfm_logistic": joint.predict(part.rfm[part.test]),
            "rfm_logistic_of_this_shop_alone": own.predict(part.rfm[part.test]),
        }
        progress(f"evaluating on {part.name}", 0, None)
        metrics[part.name] = _evaluate(part, scores, seed)
    card = {
        "data": [
            {"name": d.name, "licence": d.licence, "meaning": d.meaning} for d in (COMPLETE_JOURNEY, ONLINE_RETAIL)
        ],
        "split": {
            "horizon_days": HORIZON_DAYS,
            "rule": "train: label known before the cut; test: due from the cut on",
            "cuts": {d.name: cut.date().isoformat() for d, cut in CUTS.items()},
            "rows": {p.name: {"train": int(p.fit.sum()), "test": int(p.test.sum())} for p in parts},
        },
        "seed": seed,
        "metrics": metrics,
        "baselines": "logistic regression on recency, frequency, average value, mean gap, overdue ratio; "
        "for both shops together, and one for each shop alone",
        "intended_use": "Ranking shoppers of one shop by how likely they stop buying, to alert and to offer.",
        "limits": "No order in 30 days is not lost for ever: most come back later. Learned from groceries in the US "
        "and gifts in Britain; retrain on your own history before you act on the probability itself. "
        "In Online Retail's autumn more customers return than the model expects from the spring.",
    }
    rows = np.concatenate([p.x[p.test][:: max(1, int(p.test.sum()) // 1000)] for p in parts])
    rows = np.random.default_rng(seed).permutation(rows)

    def answer(x: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        return {"lapse_30d": network.predict(x, batch_size=1000, verbose=0).reshape(-1)}

    return export.ship(CHURN, export.to_onnx(network, CHURN), answer, rows, _stack(parts, "x", "fit"), card, out)
