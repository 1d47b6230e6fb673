"""What workers have seen of a canary or shadow beside the live version: their runs added up, for who lists versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from streams.control import Control
from streams.records.serving import AnswersJudged, ModelsCompared, OutputCompared, Stages


@dataclass(frozen=True, slots=True)
class Good:
    """How good the newest answers were whose late label is known."""

    labels: int
    measures: dict[str, float]
    """By measure; of several runs the mean, each weighing as many labels as it knows."""

    def __str__(self) -> str:
        return ", ".join([f"{self.labels:,} late labels", *(f"{k} {v:.3g}" for k, v in self.measures.items())])


@dataclass(frozen=True, slots=True)
class Apart:
    """How far answers to one output lie apart, and how good both were."""

    known: int
    """Due points of which the distance is known."""
    mean_distance: float | None
    """From 0 to 1; None where it is known of none …"""
    agreeing: float | None
    """… and the share of them within 0.05."""
    live: Good | None
    other: Good | None
    """None of a shadow: the label of a due point is kept for the answer that was acted on."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A version beside the one that is live."""

    stage: str
    version: str
    against: str
    asked: int
    failed: int
    outputs: dict[str, Apart]

    def described(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)

    def told(self, task: str) -> Iterator[str]:
        """For people, a line each."""
        failed = f", {self.failed:,} of them failed" if self.failed else ""
        yield f"{task}: {self.stage} {self.version} beside live {self.against}: {self.asked:,} due points{failed}"
        for name, apart in self.outputs.items():
            if apart.mean_distance is None:
                yield f"  {name}: nothing tells how far the answers lie apart"
            else:
                yield (
                    f"  {name}: {apart.mean_distance:.3f} apart on average (of 1), {apart.agreeing:.1%} within 0.05, "
                    f"over {apart.known:,} due points"
                )
            if apart.live:
                yield f"    live: {apart.live}"
            if apart.other:
                yield f"    {self.stage}: {apart.other}"
            elif apart.live and self.stage == "shadow":
                yield "    shadow: no late labels, for none of its answers was acted on"


def seen(control: Control, group: str, task: str, stages: Stages, live: str) -> list[Seen]:
    """What the workers of a group saw of a task's canary and shadow beside the version that is ``live``."""
    found = []
    for stage, version in (("canary", stages.canary), ("shadow", stages.shadow)):
        wanted = (task, stage, version, live, group)
        runs = [r for r in control.compared.values() if (r.task, r.stage, r.version, r.against, r.group) == wanted]
        if version and runs:
            found.append(_added(runs))
    return found


def _added(runs: list[ModelsCompared]) -> Seen:
    names = dict.fromkeys(name for run in runs for name in run.outputs)
    return Seen(
        runs[0].stage,
        runs[0].version,
        runs[0].against,
        sum(run.asked for run in runs),
        sum(run.failed for run in runs),
        {name: _apart([run.outputs[name] for run in runs if name in run.outputs]) for name in names},
    )


def _apart(some: list[OutputCompared]) -> Apart:
    known = sum(each.known for each in some)
    return Apart(
        known,
        sum(each.distance for each in some) / known if known else None,
        sum(each.agreeing for each in some) / known if known else None,
        _good(each.live for each in some),
        _good(each.other for each in some),
    )


def _good(some: Iterable[AnswersJudged | None]) -> Good | None:
    judged = [each for each in some if each is not None]
    if not judged:
        return None
    measures = {}
    for name in dict.fromkeys(name for each in judged for name in each.measures):
        having = [each for each in judged if name in each.measures]
        labels = sum(each.labels for each in having)
        measures[name] = sum(each.measures[name] * each.labels for each in having) / labels
    return Good(sum(each.labels for each in judged), measures)
