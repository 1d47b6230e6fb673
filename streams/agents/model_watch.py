"""Watches the models that serve: labels that became known, drift, and whether a canary does harm."""

from __future__ import annotations

import logging
import time
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streams.agents.comparisons import Comparisons
from streams.metrics import Metrics
from streams.monitoring import kinds
from streams.monitoring.canary import CanaryPolicy, CanaryWatch, Compared, Versioned
from streams.monitoring.drift import ROWS_AT_ONCE, Columns, Drift, FromTraining
from streams.monitoring.judged import Judged
from streams.monitoring.known import Known
from streams.monitoring.late_labels import code_of
from streams.processing.model import Model
from streams.processing.partition import PartitionProcessor
from streams.processing.scoring import TaskScores
from streams.records.serving import CanaryRolledBack, key_of
from streams.state.write_behind import WriteBehind
from streams.topics import CONTROL

#: How often what drift is measured against is written down.
KEEP_SECONDS = 300.0
#: How often it is said of one record that something in it cannot be read; all are counted.
UNREADABLE_SECONDS = 60.0

log = logging.getLogger(__name__)


class ModelWatch:
    """Takes what models answered, slice by slice; ``watch`` shows it and rolls back canaries that do harm.
    ``group``: OFFERSTREAM_APP_ID. ``processors`` are those of the partitions that this worker owns, by partition.
    ``folder``: where what drift is measured against outlives a restart."""

    def __init__(
        self,
        entity: str,
        group: str,
        writer: WriteBehind,
        metrics: Metrics,
        processors: Mapping[int, PartitionProcessor],
        folder: Path | None = None,
    ) -> None:
        self._drift_files = f"drift-{entity}-"
        self.writer, self.metrics, self.processors, self._folder = writer, metrics, processors, folder
        self._kept_at = time.monotonic()
        self.comparisons = Comparisons(group, writer)
        self.canary_policy = CanaryPolicy()
        self._canaries: dict[tuple[str, str, str], CanaryWatch] = {}
        self._tasks: set[str] = set()
        self._rolled_back: set[tuple[str, str]] = set()
        self._unsaid: list[CanaryRolledBack] = []
        self._judged: dict[tuple[str, str, int], Judged] = {}
        self._compared: set[tuple[str, str, str]] = set()
        """Task, stage and version of what counters are about."""
        self._drifts: dict[str, tuple[str, Drift, FromTraining]] = {}
        self._unseen: dict[tuple[str, int], list[Columns]] = {}
        """By digest and day: what drift was not measured of yet …"""
        self._unseen_rows: Counter[tuple[str, int]] = Counter()
        """… and of how many due points."""
        self._unreadable_told: dict[str, float] = {}

    def observe(self, scores: TaskScores, processor: PartitionProcessor) -> None:
        """Take what a task answered in a slice."""
        model, today = scores.models[0], processor.today
        self._tasks.add(model.task)
        self._begin_drift(model, processor)
        of = (model.digest, today)
        self._unseen.setdefault(of, []).append(drift_columns(scores))
        self._unseen_rows[of] += len(scores.judged)
        # Numbers of a few rows cost what those of many do.
        if self._unseen_rows[of] >= ROWS_AT_ONCE:
            self._measure_drift(*of)
        self._tell_unreadable(scores)
        for compared in scores.compared:
            self._compare(compared, processor)

    def _tell_unreadable(self, scores: TaskScores) -> None:
        """Count what models could not be given, and say of one each minute which it is and why."""
        for address, found in scores.unreadable.items():
            self.metrics.unreadable.labels(scores.models[0].task, address).inc(len(found))
            if time.monotonic() - self._unreadable_told.get(address, -UNREADABLE_SECONDS) >= UNREADABLE_SECONDS:
                self._unreadable_told[address] = time.monotonic()
                event_id, why = next(iter(found.items()))
                log.warning("%s of record %r is passed over, as if it were not there. %s", address, event_id, why)

    def _measure_drift(self, digest: str, day: int) -> None:
        columns = self._unseen.pop((digest, day))
        del self._unseen_rows[digest, day]
        if digest in self._drifts:  # else it serves no more
            _, drift, from_training = self._drifts[digest]
            together = {name: np.concatenate([some[name] for some in columns]) for name in columns[0]}
            drift.observe(together, day)
            from_training.observe(together)

    def _begin_drift(self, model: Model, processor: PartitionProcessor) -> None:
        if model.digest not in self._drifts:
            # Only of what serves now: during a change, partitions come to it one after the other.
            serving = {task.live.digest for p in self.processors.values() for task in p.in_force.serving}
            self._drifts = {digest: drifts for digest, drifts in self._drifts.items() if digest in serving}
            growing = [address for address, feature in processor.catalogue.features.items() if feature.grows]
            drift = Drift(growing)
            if self._folder is not None:
                _restore(drift, self._folder / f"{self._drift_files}{model.digest}.npz")
            self._drifts[model.digest] = (model.task, drift, FromTraining(model.distributions))

    def _keep_drifts(self, folder: Path) -> None:
        """Write down what drift is measured against; of models that serve no more it is deleted."""
        try:
            for path in folder.glob(f"{self._drift_files}*"):
                if path.name.removeprefix(self._drift_files).removesuffix(".npz") not in self._drifts:
                    path.unlink()
            for digest, (_, drift, _) in self._drifts.items():
                unfinished = folder / f"{self._drift_files}{digest}.unfinished"
                with unfinished.open("wb") as file:
                    np.savez(file, allow_pickle=False, **drift.state())
                unfinished.rename(folder / f"{self._drift_files}{digest}.npz")
        except OSError as error:
            log.warning("What drift is measured against is not kept for the next start: %s", error)

    def _compare(self, compared: Compared, processor: PartitionProcessor) -> None:
        m, task = self.metrics, compared.model.task
        labels = (task, compared.stage, compared.model.version)
        self._compared.add(labels)
        answered = compared.asked - compared.failed
        m.compared_rows.labels(*labels).inc(answered)
        m.compared_failed.labels(*labels).inc(compared.failed)
        m.compared_seconds.labels(*labels).inc(compared.other_us_per_row * answered / 1e6)
        for output, (known, agreeing, distance) in self.comparisons.observe(compared).items():
            m.compared_distances.labels(*labels, output).inc(known)
            m.compared_agreeing.labels(*labels, output).inc(agreeing)
            m.compared_difference.labels(*labels, output).inc(distance)
        change = processor.in_force.stages[task].change_id
        if compared.stage == "canary" and (task, change) not in self._rolled_back:
            self._canaries.setdefault((task, change, compared.model.version), CanaryWatch()).observe(compared)

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
            for serving in processor.in_force.serving:
                for level, share in serving.live.levels.get("promised", {}).items():
                    m.alert_promise.labels(level).set(float(share))
            self._judge(found, processor)
        for gauge in (m.labels_known, m.live_quality, m.drift, m.from_training, m.drift_known):
            for task in self._tasks:
                # Else it would go on saying of a canary what was true before it ended.
                gauge.remove_by_labels({"task": task})
        self._show_quality()
        self.comparisons.say(self._judged_of)
        for digest, day in list(self._unseen):
            self._measure_drift(digest, day)
        self._drop_retired()
        for task, drift, from_training in self._drifts.values():
            for name, value in drift.psi().items():
                m.drift.labels(task, name).set(value)
            m.drift_known.labels(task).set(drift.settled)
            for name, value in from_training.psi().items():
                m.from_training.labels(task, name).set(value)
        if self._folder is not None and time.monotonic() - self._kept_at > KEEP_SECONDS:
            self._kept_at = time.monotonic()
            self._keep_drifts(self._folder)
        changes = {(task, s.change_id) for p in self.processors.values() for task, s in p.in_force.stages.items()}
        self._canaries = {key: canary for key, canary in self._canaries.items() if key[:2] in changes}
        for (task, change, version), canary in list(self._canaries.items()):
            verdict = canary.verdict(self.canary_policy)
            if verdict is not None:
                del self._canaries[task, change, version]
                self._roll_back(task, change, version, *verdict)

    def _judge(self, found: Known, processor: PartitionProcessor) -> None:
        """Take labels that became known."""
        outputs = {(model.task, o.name): o for model in processor.in_force.models for o in model.outputs}
        for name, labels in found.labels.items():
            if name not in outputs:  # Nothing of the task serves any more.
                continue
            for (task, *_), canary in self._canaries.items():
                if task == name[0]:
                    canary.judge(outputs[name], labels)
            for code in np.unique(labels.model).tolist():
                judged = self._judged.setdefault((*name, code), Judged(outputs[name]))
                judged.observe(labels, labels.model == code)

    def _judged_of(self, model: Versioned, output: str) -> Judged | None:
        return self._judged.get((model.task, output, code_of(model.digest)))

    def _show_quality(self) -> None:
        """Show how good answers were."""
        m = self.metrics
        serving = {
            (stage, model.digest): model
            for processor in self.processors.values()
            for task in processor.in_force.serving
            for stage, model in task.staged.items()
        }
        for (stage, digest), model in serving.items():
            for output in model.outputs:
                judged = self._judged.get((model.task, output.name, code_of(digest)))
                if judged is None:
                    continue
                m.labels_known.labels(model.task, output.name, stage).set(judged.count)
                for measure, value in judged.measures().items():
                    m.live_quality.labels(model.task, output.name, stage, measure).set(value)

    def _drop_retired(self) -> None:
        """Keep nothing of versions that no partition asks any more, once it was said how they compare."""
        if not self.processors:  # Partitions are being shared out anew.
            return
        models = [(s, m) for p in self.processors.values() for t in p.in_force.serving for s, m in t.staged.items()]
        staged = {(model.task, stage, model.version) for stage, model in models}
        for task, stage, version in self._compared - staged:
            for counter in self.metrics.comparing:
                counter.remove_by_labels({"task": task, "stage": stage, "version": version})
        self._compared &= staged
        codes = {code_of(model.digest) for _, model in models} | self.comparisons.unsaid
        self._judged = {key: judged for key, judged in self._judged.items() if key[2] in codes}

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


def _restore(drift: Drift, path: Path) -> None:
    if path.exists():
        try:
            with np.load(path, allow_pickle=False) as state:
                drift.restore(state)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            log.warning("%s is damaged (%s): what drift is measured against is learned anew.", path, error)


def drift_columns(scores: TaskScores) -> dict[str, npt.NDArray[Any]]:
    """What drift is measured of, for the rows that the live model answered: the scalar features that it saw, and
    numbers that tell of each of its answers, before they were recalibrated, which moves them by itself."""
    mine = (scores.used == 0) & scores.judged
    found: dict[str, npt.NDArray[Any]] = dict(scores.inputs[0].numbers(mine))
    said = scores.answers | scores.foretold
    for output in scores.models[0].outputs:
        found |= kinds.numbers(output, said[output.name][mine])
    return found
