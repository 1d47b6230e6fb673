"""What a worker measures of its models, and that it undoes each kind of harm by itself; without Kafka around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.registry import task
from models.store import Shelf, Store
from streams.agents.entity_log import EntityLog
from streams.campaign_book import CampaignBook
from streams.control import Control, decode
from streams.entities.shopper import SHOPPER
from streams.metrics import Metrics
from streams.monitoring.canary import CanaryPolicy
from streams.monitoring.late_labels import code_of
from streams.outside.compared import seen
from streams.processing.rules import Rules
from streams.records.events import encode_event
from streams.records.serving import CanaryRolledBack, ChangeRefused, ModelsChosen, Stages, StagesSet
from streams.topics import CONTROL, EVENTS
from tests.models.doubles import Double
from tests.models.variants import variant
from tests.shoppers import Log, random_history
from tests.worlds import EmptyTable, cut

CHURN = task("churn")
FAILING = "failing"
LOG = random_history(71, 9000, 300, hostile=False)


class Writer:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def send(self, topic: str, _key: bytes | None, value: bytes) -> None:
        self.sent.append((topic, value))

    def say(self, topic: str, value: bytes, **_: Any) -> None:
        self.sent.append((topic, value))

    def poll(self) -> None:
        """Nothing waits here."""


class Failing(Double):
    """The shipped model, which fails for some rows in its last answer."""

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        found = super().score(x)
        found["lapse_90d"][::10] = np.nan
        return found


def worker(shelf: Any, folder: Path | None = None) -> EntityLog:
    return EntityLog(SHOPPER, "group", Rules(), shelf, EmptyTable(), Writer(), Metrics(), 10_000, folder=folder)  # type: ignore[arg-type]


def asked(change_id: str, live: str) -> Control:
    """An operator's wish for churn."""
    control, stages = Control(), Stages(change_id=change_id, live=live)
    control.apply(StagesSet(task="churn", stages=stages, reason="", changed_at_ms=0))
    return control


def run(events: EntityLog, log: Log, size: int = 600) -> list[CanaryRolledBack]:
    for slice_ in cut(log, range(size, len(log), size)):
        events.handle(slice_, 0)
        events.models.watch()
    sent = events.writer.sent  # type: ignore[attr-defined]
    said = [decode(value) for topic, value in sent if topic == CONTROL.name]
    return [record for record in said if isinstance(record, CanaryRolledBack)]


def canary(version: str, share: float = 0.5, task: str = "churn") -> Log:
    stages = Stages(change_id="change", canary=version, canary_share=share, canary_salt="s")
    return [(None, encode_event(ModelsChosen(stages={task: stages})))]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    store = Store(str(tmp_path_factory.mktemp("store")))
    for made in (variant(CHURN, 1.01), variant(CHURN, 12.0), variant(CHURN, 4.0), variant(CHURN, slow=32)):
        store.put("churn", made.files())
    return Shelf(store)


def with_failing(shelf: Shelf) -> Any:
    failing = Failing(shelf.model("churn"), FAILING, "f" * 64)
    return SimpleNamespace(
        tasks=shelf.tasks,
        tasks_of=shelf.tasks_of,
        outputs=shelf.outputs,
        shipped=shelf.shipped,
        model=lambda t, v=None: failing if v == failing.version else shelf.model(t, v),
    )


@pytest.mark.parametrize("harm", ["errors", "latency", "score_drift", "calibration"])
def test_a_canary_that_does_harm_is_rolled_back_once_for_what_it_did(harm: str, shelf: Shelf) -> None:
    version = {
        "errors": FAILING,
        "latency": variant(CHURN, slow=32).version,
        "score_drift": variant(CHURN, 12.0).version,
        "calibration": variant(CHURN, 4.0).version,
    }[harm]
    events = worker(with_failing(shelf) if harm == "errors" else shelf)
    policy = CanaryPolicy(least_labels=60, max_worse_calibration=0.02)
    # One kind of harm at a time.
    off: dict[str, dict[str, Any]] = {
        "latency": {"max_cost_ratio": np.inf},
        "score_drift": {"max_score_psi": np.inf},
        "calibration": {"max_worse_calibration": np.inf},
    }
    for other, change in off.items():
        if other != harm:
            policy = replace(policy, **change)
    events.models.canary_policy = policy
    # What it says is judged by what came later, which takes longer.
    log = LOG if harm == "calibration" else LOG[:6000]
    (said,) = run(events, [*canary(version), *log])
    assert (said.task, said.change_id, said.version, said.reason) == ("churn", "change", version, harm)
    counted = events.metrics.registry.get_sample_value
    assert counted("offerstream_canaries_rolled_back_total", {"task": "churn", "reason": harm}) == 1


#: By kind of answer: a task, one of its outputs of that kind, and what is done to it.
OTHERWISE: dict[str, tuple[str, str, Callable[[np.ndarray], np.ndarray]]] = {
    "number": ("value", "revenue_90d", lambda said: said * 100),
    "quantiles": ("value", "revenue_90d_quantiles", lambda said: said * 100),
    "distribution": ("behaviour", "next_type", lambda said: said[:, ::-1]),
    "ranking": ("behaviour", "next_category", lambda said: said + 5000),
    "embedding": ("behaviour", "embedding", lambda said: np.ones_like(said)),
}


def otherwise(shelf: Shelf, kind: str) -> Any:
    """A shelf with one more version of a task, which says something else."""
    name, output, change = OTHERWISE[kind]

    class Other(Double):
        def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
            found = super().score(x)
            return found | {output: change(found[output])}

    other = Other(shelf.model(name), "otherwise", "e" * 64)
    return SimpleNamespace(
        tasks=shelf.tasks,
        tasks_of=shelf.tasks_of,
        outputs=shelf.outputs,
        shipped=shelf.shipped,
        model=lambda t, v=None: other if v == other.version else shelf.model(t, v),
    )


@pytest.mark.parametrize("kind", sorted(OTHERWISE))
def test_a_canary_of_any_kind_of_answer_is_rolled_back_where_it_says_something_else(kind: str, shelf: Shelf) -> None:
    task_, output, _ = OTHERWISE[kind]
    events = worker(otherwise(shelf, kind))
    # Two models on a busy machine cost more or less by chance.
    events.models.canary_policy = CanaryPolicy(max_cost_ratio=np.inf, least_rows=200)
    (said,) = run(events, [*canary("otherwise", task=task_), *LOG[:3000]])
    moved = "distance" if kind in ("ranking", "embedding") else "score_drift"
    assert (said.task, said.version, said.reason) == (task_, "otherwise", moved)
    assert output in said.detail


def test_a_canary_is_rolled_back_where_late_labels_tell_that_it_is_worse(shelf: Shelf) -> None:
    task_, output, _ = OTHERWISE["ranking"]
    events = worker(otherwise(shelf, "ranking"))
    events.models.canary_policy = CanaryPolicy(
        max_cost_ratio=np.inf, max_score_psi=np.inf, max_distance=1.0, least_labels=80
    )
    (said,) = run(events, [*canary("otherwise", task=task_), *LOG[:4000]])
    assert (said.task, said.reason) == (task_, "quality")
    assert output in said.detail


def test_a_canary_that_does_no_harm_goes_on_and_what_is_known_of_it_is_shown(shelf: Shelf) -> None:
    version = variant(CHURN, 1.01).version
    events = worker(shelf)
    events.models.canary_policy = CanaryPolicy(max_cost_ratio=np.inf)  # Two models on a busy machine.
    events.models.comparisons.say_seconds = 0
    assert run(events, [*canary(version, 0.7), *LOG]) == []
    value = events.metrics.registry.get_sample_value
    compared = {"task": "churn", "stage": "canary", "version": version}
    assert (value("offerstream_compared_rows_total", compared) or 0) > 1000
    for stage in ("live", "canary"):
        labels = {"task": "churn", "output": "lapse_30d", "stage": stage}
        assert (value("offerstream_labels_known", labels) or 0) > 20
        for measure in ("auc", "calibration_error", "brier"):
            assert 0 < (value("offerstream_live_quality", labels | {"measure": measure}) or 0) <= 1
    assert (value("offerstream_difference_from_training", {"task": "churn", "name": "orders.count"}) or 0) > 0
    # What whoever lists versions is told: the sums over all due points, as the counters have them.
    control, shipped = Control(), shelf.shipped("churn")
    for topic, sent in events.writer.sent:  # type: ignore[attr-defined]
        if topic == CONTROL.name:
            control.apply(decode(sent))
    found = seen(control, "group", "churn", Stages(change_id="", canary=version), shipped)
    assert len(found) == 1
    assert found[0].asked - found[0].failed == value("offerstream_compared_rows_total", compared)
    of_output = compared | {"output": "lapse_30d"}
    apart, total = found[0].outputs["lapse_30d"], value("offerstream_compared_difference_total", of_output) or 0
    assert (apart.mean_distance or 0) * apart.known == pytest.approx(total)
    assert 0 < total / apart.known < 0.1
    for good, stage in ((apart.live, "live"), (apart.other, "canary")):
        labels = {"task": "churn", "output": "lapse_30d", "stage": stage}
        assert good is not None
        assert good.labels == value("offerstream_labels_known", labels)
        assert good.measures["brier"] == value("offerstream_live_quality", labels | {"measure": "brier"})
    assert seen(control, "another group", "churn", Stages(change_id="", canary=version), shipped) == []
    # Once it has ended, nothing is said of it any more.
    ended = Stages(change_id="another")
    events.handle(cut([*canary(version), *LOG, (None, encode_event(ModelsChosen(stages={"churn": ended})))], [])[0], 0)
    events.models.watch()
    assert value("offerstream_labels_known", labels | {"stage": "canary"}) is None
    assert value("offerstream_compared_rows_total", compared) is None
    assert value("offerstream_compared_difference_total", of_output) is None
    assert not events.models._canaries
    judged = {code for task, _, code in events.models._judged if task == "churn"}
    assert judged == {code_of(shelf.model("churn").digest)}


def test_what_is_chosen_is_written_once_and_again_only_where_it_does_not_serve(shelf: Shelf) -> None:
    events = worker(shelf)
    run(events, LOG[:200])
    sent = events.writer.sent  # type: ignore[attr-defined]
    sent.clear()
    wanted = asked("x", variant(CHURN, 1.01).version)
    events.choices.choose(wanted, CampaignBook())
    events.choices.choose(wanted, CampaignBook())
    assert [topic for topic, _ in sent] == [EVENTS.name]
    broken = asked("y", "feedbeef0000")
    events.choices.choose(broken, CampaignBook())
    events.choices.choose(broken, CampaignBook())
    (topic, value), *more = sent[1:]
    assert (topic, more) == (CONTROL.name, [])
    broken.apply(decode(value))
    said = broken.refusals("group", "churn")[0]
    assert (said.change_id, said.version) == ("y", "feedbeef0000")
    assert "feedbeef0000 cannot be read" in said.reason
    assert broken.refusals("another group", "churn") == {}
    assert events.metrics.registry.get_sample_value("offerstream_models_refused_total", {"task": "churn"}) == 1


def test_a_change_that_serves_after_all_is_not_refused_any_more(shelf: Shelf) -> None:
    events, version = worker(shelf), variant(CHURN, 1.01).version
    control = asked("x", version)
    control.apply(
        ChangeRefused(
            task="churn", change_id="x", group="group", partition=0, version=version, reason="gone", decided_at_ms=0
        )
    )
    run(events, [*LOG[:200], (None, encode_event(ModelsChosen(stages={"churn": control.stages["churn"]})))])
    sent = events.writer.sent  # type: ignore[attr-defined]
    sent.clear()
    events.choices.choose(control, CampaignBook())
    (value,) = (value for topic, value in sent if topic == CONTROL.name)
    control.apply(decode(value))
    assert control.refusals("group", "churn") == {}
    sent.clear()
    events.choices.choose(control, CampaignBook())
    assert sent == []
