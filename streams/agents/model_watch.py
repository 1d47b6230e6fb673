"""Watches the models that serve: labels that became known, drift, and whether a canary does harm."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streams.decisions.churn_alert import TASK as LABELLED_TASK
from streams.metrics import Metrics
from streams.monitoring.alert_labels import promised
from streams.monitoring.canary import CanaryPolicy, CanaryWatch, Compared
from streams.monitoring.drift import Drift
from streams.monitoring.late_labels import Judged, code_of
from streams.monitoring.quality import Calibration
from streams.processing.partition import PartitionProcessor
from streams.processing.scoring import Model, TaskScores
from streams.records.serving import CanaryRolledBack, key_of
from streams.state.write_behind import WriteBehind
from streams.topics import CONTROL

#: Two answers that differ by no more agree.
AGREEMENT = 0.05

log = logging.getLogger(__name__)


class ModelWatch:
    """Takes what models answered, slice by slice; ``watch`` shows it and rolls back canaries that do harm.
    ``processors`` are those of the partitions that this worker owns, by partition."""

    def __init__(self, writer: WriteBehind, metrics: Metrics, processors: Mapping[int, PartitionProcessor]) -> None:
        self.writer, self.metrics, self.processors = writer, metrics, processors
        self.canary_policy = CanaryPolicy()
        self._canaries: dict[tuple[str, str, str], CanaryWatch] = {}
        self._rolled_back: set[tuple[str, str]] = set()
        self._unsaid: list[CanaryRolledBack] = []
        self._judged: dict[int, Judged] = {}
        self._drifts: dict[str, tuple[str, Drift]] = {}

    def take(self, scores: TaskScores, processor: PartitionProcessor) -> None:
        """Take what a task answered in a slice."""
        self._drift_of(scores.models[0]).take(drift_columns(scores))
        for compared in scores.compared:
            self._compare(compared, processor)

    def _drift_of(self, model: Model) -> Drift:
        if model.digest not in self._drifts:
            # Only of what serves now: during a change, partitions come to it one after the other.
            serving = {task.live.digest for processor in self.processors.values() for task in processor.serving}
            self._drifts = {digest: drift for digest, drift in self._drifts.items() if digest in serving}
            self._drifts[model.digest] = (model.task, Drift(model.distributions))
        return self._drifts[model.digest][1]

    def _compare(self, compared: Compared, processor: PartitionProcessor) -> None:
        m, task = self.metrics, compared.model.task
        labels = (task, compared.stage, compared.model.version)
        known = np.isfinite(compared.other)
        difference = compared.distance[known]
        m.compared_rows.labels(*labels).inc(len(known))
        m.compared_failed.labels(*labels).inc(int((~known).sum()))
        m.compared_agreeing.labels(*labels).inc(int((difference <= AGREEMENT).sum()))
        m.compared_difference.labels(*labels).inc(float(difference.sum()))
        m.compared_seconds.labels(*labels).inc(compared.other_us_per_row * len(known) / 1e6)
        change = processor.stages[task].change_id
        if compared.stage == "canary" and (task, change) not in self._rolled_back:
            self._canaries.setdefault((task, change, compared.model.version), CanaryWatch()).take(compared)

    def watch(self) -> None:
        """Once a second: labels that became known, drift, and whether a canary does harm."""
        m = self.metrics
        verdicts, self._unsaid = self._unsaid, []
        for record in verdicts:
            self._say_verdict(record)
        for processor in self.processors.values():
            found = processor.known()
            for (level, came_true), n in found.alerts.items():
                m.alerts_judged.labels(level, "yes" if came_true else "no").inc(n)
            live = processor.live(LABELLED_TASK)
            for level, share in promised(live.levels if live is not None else {}).items():
                m.alert_promise.labels(level).set(share)
            labels = found.labels
            for code in np.unique(labels.model).tolist():
                mask = labels.model == code
                self._judged.setdefault(code, Judged()).take(labels.score[mask], labels.lapsed[mask])
        serving = {
            stage: self._judged.get(code_of(model.digest))
            for processor in self.processors.values()
            for task in processor.serving
            if task.live.task == LABELLED_TASK
            for stage, model in task.staged.items()
        }
        for gauge in (m.labels_known, m.live_auc, m.live_calibration_error):
            gauge.clear()  # Else it would go on saying of a canary what was true before it ended.
        known: dict[str, Calibration] = {}
        for stage, judged in serving.items():
            if judged is not None:
                known[stage] = judged.calibration()
                m.labels_known.labels(LABELLED_TASK, stage).set(judged.count)
                m.live_auc.labels(LABELLED_TASK, stage).set(judged.auc())
                m.live_calibration_error.labels(LABELLED_TASK, stage).set(known[stage].error)
        for task, drift in self._drifts.values():
            for name, value in drift.psi().items():
                m.drift.labels(task, name).set(value)
        changes = {(task, s.change_id) for p in self.processors.values() for task, s in p.stages.items()}
        self._canaries = {key: canary for key, canary in self._canaries.items() if key[:2] in changes}
        for (task, change, version), canary in list(self._canaries.items()):
            both = [known.get(stage) if task == LABELLED_TASK else None for stage in ("live", "canary")]
            verdict = canary.verdict(self.canary_policy, *both)
            if verdict is not None:
                del self._canaries[task, change, version]
                self._roll_back(task, change, version, *verdict)

    def _roll_back(self, task: str, change: str, version: str, reason: str, detail: str) -> None:
        log.error("Canary %s %s is rolled back for %s: %s", task, version, reason, detail)
        self._rolled_back.add((task, change))  # It goes on until the log says so.
        self.metrics.canaries_rolled_back.labels(task, reason).inc()
        record = CanaryRolledBack(
            task=task,
            change_id=change,
            version=version,
            reason=reason,
            detail=detail,
            decided_at_ms=int(time.time() * 1000),
        )
        self._say_verdict(record)

    def _say_verdict(self, record: CanaryRolledBack) -> None:
        def unsaid() -> None:
            self._unsaid.append(record)

        self.writer.say(CONTROL.name, msgspec.json.encode(record), key=key_of(record), unsaid=unsaid)


def drift_columns(scores: TaskScores) -> dict[str, npt.NDArray[Any]]:
    """What drift is measured of, for the rows that the live model answered: the scalar features that it saw, and its
    probabilities."""
    mine = (scores.used == 0) & scores.judged
    model, x = scores.models[0], scores.inputs[0][mine]
    places = np.cumsum((0, *model.widths[:-1])).tolist()
    found: dict[str, npt.NDArray[Any]] = {
        a: x[:, p] for a, p, w in zip(model.features, places, model.widths, strict=True) if w == 1
    }
    found |= {o.name: scores.answers[o.name][mine] for o in model.outputs if o.scalar}
    return found
