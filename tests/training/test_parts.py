"""A history by parts: in however many it is replayed, and wherever, the rows are the same bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console

from models.registry import task
from streams.entities.shopper import SHOPPER
from streams.features.shopper import CATALOGUE
from streams.processing.due import DuePoints
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import ForgetPolicy, Rules
from streams.records.events import ShopperEvent, decode_event
from streams.settings import Settings
from tests.shoppers import DAY, NOON, log_of, ordered, random_history, viewed
from tests.worlds import cut
from training import parts
from training import replay as replaying
from training.asked import Asked
from training.command import run
from training.errors import Misuse, TrainingError
from training.history import History, history_of
from training.job import CutHistory, Job
from training.parts import Workers, canonical, replayed, stood
from training.replay import EVENT, SILENCE, SNAPSHOT, Part, Rows, replay, standing
from training.source import of_files

FEATURES = tuple(CATALOGUE.features)


@pytest.fixture(scope="module")
def history() -> History:
    """Some twenty shoppers over months, of whom the busiest has every second event and others are long silent."""
    log = random_history(4, 400, 20, hostile=False)
    events = [event for _, value in log if isinstance(event := decode_event(value or b""), ShopperEvent)]
    return history_of(sorted(events, key=lambda each: each.event_time), "USD")


def bits(rows: Rows) -> list[bytes]:
    return [getattr(rows, name).tobytes() for name in Rows.__slots__]


@pytest.mark.parametrize("slice_", [1 << 18, 50])
def test_any_number_of_parts_gives_the_same_bits(
    history: History, slice_: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With timers, and snapshots; also where most slices hold nobody of a part."""
    monkeypatch.setattr(replaying, "SLICE", slice_)
    moments = [int(history.time_ms[at]) for at in (100, 250, 399)]
    whole = canonical([replay(history, FEATURES, snapshots_ms=moments)])
    assert {EVENT, SILENCE, SNAPSHOT} == set(whole.why.tolist())
    for count in (1, 3, len(history.shoppers) + 3):
        some = [replay(Part.of(history, n, count), FEATURES, snapshots_ms=moments) for n in range(count)]
        assert bits(canonical(some)) == bits(whole)
        assert count == 1 or max(len(part) for part in some) < len(whole)
    assert bits(replayed(history, FEATURES, Workers(), tmp_path, snapshots_ms=moments)) == bits(whole)


def test_training_forgets_whom_a_worker_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """However a history is cut, and in any part of it."""
    log = random_history(7, 600, 90, hostile=False)
    events = [event for _, value in log if isinstance(event := decode_event(value or b""), ShopperEvent)]
    events.sort(key=lambda each: each.event_time)
    history, rules = history_of(events, "USD"), Rules(forget=ForgetPolicy(days=8.0, buyers_days=15.0))
    served: set[tuple[int, bytes]] = set()

    def collect(due: list[DuePoints], x: npt.NDArray[np.float32]) -> None:
        at_ms = np.concatenate([points.now_ms for points in due]) if due else ()
        served.update((int(at), row.tobytes()) for at, row in zip(at_ms, x, strict=True))

    worker = PartitionProcessor(SHOPPER, 0, rules, collector=collect, collected=FEATURES)
    for slice_ in cut(log_of(*events), range(0, len(events), 70)):
        worker.apply(slice_)
    assert worker.side.forgetting is not None
    assert worker.side.forgetting.drain_count() > 3
    for size, count in ((1 << 18, 1), (50, 1), (1 << 18, 3)):
        monkeypatch.setattr(replaying, "SLICE", size)
        found = [replay(Part.of(history, n, count), FEATURES, rules=rules) for n in range(count)]
        rows = {(int(at), row.tobytes()) for part in found for at, row in zip(part.at_ms, part.x, strict=True)}
        assert rows == served


def test_a_timer_fires_when_the_time_of_others_has_come_to_it() -> None:
    """A part that went by its own time alone would lack the silences of whoever comes no more."""
    history = history_of(
        [ordered("gone", NOON), *(viewed("here", NOON + day * DAY, str(day)) for day in range(99))], "USD"
    )
    part = Part.of(history, 0, 2)
    assert part.history.shoppers == ["gone"]
    assert (replay(part.history, ("orders.count",)).why == SILENCE).sum() == 0
    found = replay(part, ("orders.count",))
    silent = [row for row in zip(found.why.tolist(), found.at_ms.tolist(), strict=True) if row[0] == SILENCE]
    whole = replay(history, ("orders.count",))
    mine = whole.select((whole.shopper == 0) & (whole.why == SILENCE))
    assert [at for _, at in silent] == mine.at_ms.tolist() != []


def test_the_first_events_of_a_kept_history_are_replayed_from_its_file(history: History, tmp_path: Path) -> None:
    history.write(tmp_path / "kept.arrow")
    kept = History.read(tmp_path / "kept.arrow")[0]
    assert kept.kept_in == str(tmp_path / "kept.arrow")
    early = kept.until(200)
    found = replayed(early, FEATURES, Workers(), tmp_path / "nothing")
    assert bits(found) == bits(canonical([replay(history.until(200), FEATURES)]))
    assert not (tmp_path / "nothing").exists()


def test_processes_of_dask_give_the_same_bits(history: History, tmp_path: Path) -> None:
    pytest.importorskip("dask")
    told: list[int] = []
    found = replayed(history, FEATURES, Workers(2), tmp_path, told.append)
    assert bits(found) == bits(replayed(history, FEATURES, Workers(), tmp_path))
    assert told == [len(history) // 2, len(history)]


def test_a_cluster_of_dask_gives_the_same_bits(history: History, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        there = Workers(3, cluster.scheduler_address)
        there.check()
        found = replayed(history, FEATURES, there, tmp_path)
        gone = replace(history, kept_in=str(tmp_path / "moved.arrow"))
        with pytest.raises(TrainingError, match=r"The Dask cluster at .*moved\.arrow"):
            replayed(gone, FEATURES, there, tmp_path)
    assert bits(found) == bits(replayed(history, FEATURES, Workers(), tmp_path))


def test_how_shoppers_stood_is_the_same_by_parts(history: History, tmp_path: Path) -> None:
    """Also of who had not come yet, and of some twice."""
    rng = np.random.default_rng(3)
    shopper = rng.integers(0, len(history.shoppers), 90)
    at_ms = rng.integers(int(history.time_ms[0]), history.end_ms + 40 * DAY, 90)
    whole = standing(history, FEATURES, shopper, at_ms)
    assert len(np.unique(whole, axis=0)) > 60
    assert stood(history, FEATURES, shopper, at_ms, Workers(), tmp_path).tobytes() == whole.tobytes()
    for count in (3, len(history.shoppers) + 3):
        for number in range(count):
            some = shopper % count == number
            part = Part.of(history, number, count)
            place = np.searchsorted(part.shopper, shopper[some])
            assert standing(part, FEATURES, place, at_ms[some]).tobytes() == whole[some].tobytes()
    pytest.importorskip("dask")
    assert stood(history, FEATURES, shopper, at_ms, Workers(2), tmp_path).tobytes() == whole.tobytes()


def test_tasks_learn_of_how_shoppers_stood_by_parts(history: History, tmp_path: Path) -> None:
    given = CutHistory(of_files(tmp_path, Rules()), history, int(history.time_ms[200]))
    job = Job(task("ad"), (given,), 1, tmp_path, workers=Workers())
    shopper, at_ms = history.shopper, history.time_ms
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.job.standing", None)
        by_parts = job.standing(given, shopper, at_ms)
    assert len(np.unique(by_parts, axis=0)) > 200
    assert by_parts.tobytes() == replace(job, workers=None).standing(given, shopper, at_ms).tobytes()


@pytest.mark.parametrize("asked", ["sales", "category"])
def test_tasks_about_items_refuse_workers(asked: str) -> None:
    with pytest.raises(Misuse, match=f"--workers and --dask replay shoppers by parts, and {asked} is about items"):
        run(Asked(asked, workers=Workers(2)), Settings.from_environment(), Console())


def test_what_is_missing_for_several_workers_is_said(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "find_spec", lambda _name: None)
    Workers().check()
    with pytest.raises(Misuse, match=r"of which dask is not installed: pip install 'offerstream\[dask\]'"):
        Workers(2).check()
    with pytest.raises(Misuse, match="of which distributed is not installed"):
        Workers(1, "tcp://nobody:8786").check()


def test_a_cluster_that_cannot_be_reached_is_said(history: History, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    for address in ("tcp://127.0.0.1:9", "nothing://here", "tcp://host:x"):
        with pytest.raises(TrainingError, match=f"The Dask cluster at {address}: "):
            Workers(2, address, 0.3).check()
    with pytest.raises(TrainingError, match=r"The Dask cluster at tcp://127\.0\.0\.1:9"):
        replayed(history, ("orders.count",), Workers(2, "tcp://127.0.0.1:9", 0.3), tmp_path)


def test_a_trainer_gets_the_rows_of_parts(history: History, tmp_path: Path) -> None:
    """With the check that no row knows its future, which replays shorter histories by parts as well."""
    source = of_files(tmp_path, Rules())
    given = CutHistory(source, history, int(history.time_ms[200]))
    asked, moments = task("churn"), {"snapshots_ms": (int(history.time_ms[200]),)}
    usual = Job(asked, (given,), 1, tmp_path).rows(given, asked.features, **moments)
    by_parts = Job(asked, (given,), 1, tmp_path, workers=Workers()).rows(given, asked.features, **moments)
    assert bits(by_parts.rows) == bits(canonical([usual.rows]))
