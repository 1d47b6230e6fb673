"""Versions change while the stream runs: nobody restarts, no slice is missed, and harm is undone by itself."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from models.registry import task
from streams.outside.versions import Versions
from streams.records.serving import CanaryRolledBack
from streams.topics import CONTROL, EVENTS, SCORES
from tests.kafka.harness import SHORT, Cluster, Worker, wait_until
from tests.models.variants import variant
from tests.shoppers import random_history

pytestmark = pytest.mark.kafka
CHURN = task("churn")


def serving(worker: Worker) -> set[tuple[str, str, str]]:
    """(partition, stage, version) of churn, as the worker's metrics say."""
    found = set()
    for line in worker.get("/metrics")[1].splitlines():
        if line.startswith("offerstream_model_info{") and 'task="churn"' in line:
            labels = dict(part.split("=") for part in line[line.index("{") + 1 : line.index("}")].split(","))
            found.add(tuple(labels[name].strip('"') for name in ("partition", "stage", "version")))
    return found  # type: ignore[return-value]


def choices(cluster: Cluster) -> int:
    """Records in the log that chose models."""
    return sum(b'"models_chosen"' in (value or b"") for *_, value in cluster.read(EVENTS.name))


def test_a_version_is_swapped_live_on_every_worker_and_back_without_missing_a_slice(cluster: Cluster) -> None:
    log = random_history(51, 5000, 150, hostile=False)
    cluster.send(log[:2000])
    workers = [cluster.worker(data="first"), cluster.worker(data="second")]
    for worker in workers:
        worker.wait_ready()
    cluster.wait_committed(2000)
    versions = Versions(cluster.settings())
    old, new = versions.shelf.shipped("churn"), versions.store.put("churn", variant(CHURN, 0.5).files()).version
    both = {"0", "1", "2"}

    def everywhere(version: str) -> bool:
        shown = set().union(*(serving(w) for w in workers))
        return {(p, "live", version) for p in both} == shown

    wait_until(lambda: everywhere(old))

    def keep_sending() -> None:
        for i in range(2000, 4000, 20):
            cluster.send(log[i : i + 20])
            time.sleep(0.05)

    with ThreadPoolExecutor(1) as pool:  # Storefronts do not wait for models.
        sending = pool.submit(keep_sending)
        versions.promote("churn", new, "live", 0.0, "better")
        assert wait_until(lambda: everywhere(new)) < 15
        assert not sending.done()
        sending.result()
    wait_until(lambda: cluster.committed() >= 4000 + 3)
    versions.rollback("churn", "not better after all")
    assert wait_until(lambda: everywhere(old)) < 15
    cluster.send(log[4000:])
    wait_until(lambda: cluster.committed() >= len(log) + 6)
    cluster.wait_caught_up()
    for worker in workers:
        worker.stop()
    cluster.assert_as_plain()
    answers = [json.loads(value or b"")["answers"] for *_, value in cluster.read(SCORES.name)]
    used = [found["churn"]["model"]["version"] for found in answers if "churn" in found]
    assert set(used) == {old, new}
    assert 0.1 < used.count(new) / len(used) < 0.5


def test_a_canary_that_says_something_else_is_rolled_back_and_the_reason_published(cluster: Cluster) -> None:
    log = random_history(52, 6000, 150, hostile=False)
    cluster.send(log[:500])
    worker = cluster.worker()
    worker.wait_ready()
    versions = Versions(cluster.settings())
    canary, shadow = (versions.store.put("churn", variant(CHURN, scale).files()).version for scale in (12.0, 1.01))
    versions.promote("churn", canary, "canary", 0.5, "looked good offline")
    versions.promote("churn", shadow, "shadow", 0.0, "")
    wait_until(lambda: {stage for _, stage, _ in serving(worker)} == {"live", "canary", "shadow"})
    cluster.send(log[500:])
    wait_until(lambda: {stage for _, stage, _ in serving(worker)} == {"live", "shadow"})
    wait_until(lambda: cluster.committed() >= len(log) + choices(cluster))
    cluster.wait_caught_up()
    found = [msgspec.json.decode(value or b"") for *_, value in cluster.read(CONTROL.name)]
    (said,) = [record for record in found if record["type"] == CanaryRolledBack.__struct_config__.tag]
    assert (said["task"], said["version"], said["reason"]) == ("churn", canary, "score_drift")
    (seen,) = Versions(cluster.settings()).compared("churn")
    assert (seen.stage, seen.version) == ("shadow", shadow)
    assert seen.asked >= seen.outputs["lapse_30d"].known > 0
    metrics = worker.get("/metrics")[1]
    assert 'offerstream_canaries_rolled_back_total{reason="score_drift",task="churn"} 1.0' in metrics
    agreeing = [line for line in metrics.splitlines() if line.startswith("offerstream_compared_agreeing_total")]
    assert any('stage="shadow"' in line and float(line.rsplit(" ", 1)[1]) > 500 for line in agreeing)
    assert Versions(cluster.settings()).control.verdict("churn") is not None
    worker.stop()
    cluster.assert_as_plain()


def test_a_version_that_is_broken_in_the_store_is_refused_and_the_old_one_goes_on(cluster: Cluster) -> None:
    log = random_history(53, 1500, 80, hostile=False)
    cluster.send(log[:500])
    versions = Versions(cluster.settings())
    new = versions.store.put("churn", variant(CHURN, 0.5).files()).version
    versions.promote("churn", new, "live", 0.0, "")
    model = cluster.folder / "models" / "churn" / new / "model.onnx"
    model.write_bytes(model.read_bytes()[:-9])
    worker = cluster.worker()
    worker.wait_ready()
    wait_until(
        lambda: "offerstream_models_refused_total" in worker.get("/metrics")[1] and "must not serve" in worker.tail()
    )
    cluster.send(log[500:])
    cluster.wait_committed(len(log))
    assert {version for _, _, version in serving(worker)} == {versions.shelf.shipped("churn")}
    worker.stop()
    cluster.assert_as_plain()


def test_a_worker_killed_after_a_swap_goes_on_with_the_version_that_the_log_chose(cluster: Cluster) -> None:
    log = random_history(54, 3000, 100, hostile=False)
    versions = Versions(cluster.settings())
    new = versions.store.put("churn", variant(CHURN, 0.5).files()).version
    cluster.send(log[:1000])
    first = cluster.worker(data="first", **SHORT)
    first.wait_ready()
    versions.promote("churn", new, "live", 0.0, "")
    wait_until(lambda: {version for _, _, version in serving(first)} == {new})
    cluster.send(log[1000:2000])
    first.kill()
    second = cluster.worker(data="second")
    second.wait_ready()
    cluster.send(log[2000:])
    wait_until(lambda: cluster.committed() >= len(log) + choices(cluster))
    cluster.wait_caught_up()
    second.stop()
    cluster.assert_as_plain()
