"""A shop's own events as a history: the same from every place, nothing lost unsaid, and rows as the worker's."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.registry import task
from streams.entities.shopper import SHOPPER
from streams.features.shopper import CATALOGUE
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import DecodeRules, Rules
from streams.records.events import ShopperEvent, decode_event
from tests.shoppers import HOUR, NOON, Log, log_of, ordered, random_history, slice_of, viewed
from tests.training.test_training import Recorders
from training.asked import Asked
from training.command import load
from training.errors import Misuse, TrainingError
from training.files import files_of
from training.history import History
from training.job import CutHistory, Job
from training.records import Log as RecordLog
from training.records import Tally, history_of_logs
from training.replay import replay
from training.source import About, of_files


def values_of(log: Log) -> list[bytes]:
    return [value for _, value in log if value is not None]


def written(path: Path, values: Sequence[bytes]) -> Path:
    """A file of events, in the format that its name says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"value": pa.array(values, pa.binary())}), path, row_group_size=100)
    else:
        text = b"".join(value + b"\n" for value in values)
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def in_fields(path: Path, values: Sequence[bytes]) -> Path:
    """A Parquet file with a column per field, as a table of a data warehouse is exported."""
    rows = [json.loads(value) for value in values]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    times = pa.array(columns.pop("event_time"), pa.int64()).cast(pa.timestamp("ms"))
    pq.write_table(pa.table({"event_time": times, **{name: pa.array(held) for name, held in columns.items()}}), path)
    return path


def read(path: Path, rules: Rules | None = None) -> tuple[History, Tally]:
    history, tally = of_files(path, rules or Rules()).load(path.parent / "work", lambda _n: None)
    assert tally is not None
    return history, tally


def assert_same(one: History, other: History) -> None:
    for field in fields(History):
        if field.name == "kept_in":
            continue
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        assert list(ours) == list(theirs), field.name


def test_every_format_gives_the_same_history_and_rows(tmp_path: Path) -> None:
    values = values_of(random_history(11, 900, 30))
    whole, tally = read(written(tmp_path / "events.jsonl", values))
    assert tally.used == len(whole) > 800
    assert tally.duplicate > 10
    features = task("churn").features
    rows = replay(whole, features)
    for path in (
        written(tmp_path / "events.jsonl.gz", values),
        written(tmp_path / "events.parquet", values),
        written(tmp_path / "events-named-otherwise", values),
        in_fields(tmp_path / "fields.parquet", values),
    ):
        history, its = read(path)
        assert (its.records, its.used, its.displaced) == (len(values), tally.used, tally.displaced)
        assert_same(history, whole)
        assert replay(history, features).x.tobytes() == rows.x.tobytes()


def test_a_folder_is_one_history_of_all_its_event_files(tmp_path: Path) -> None:
    values = values_of(random_history(11, 900, 30))
    folder = tmp_path / "events"
    (folder / "2023").mkdir(parents=True)
    written(folder / "2023" / "12.ndjson.gz", values[:300])
    written(folder / "2024-01.parquet", values[300:500])
    written(folder / "2024-02.jsonl", values[500:])
    (folder / "_SUCCESS").touch()
    (folder / "_temporary.jsonl").write_text("half a li")
    (folder / "notes.txt").write_text("no events")
    history, tally = read(folder)
    whole, whole_tally = read(written(tmp_path / "whole.jsonl", values))
    assert_same(history, whole)
    assert tally == whole_tally
    assert of_files(folder, Rules()).name == "events/"


def test_the_order_of_a_file_does_not_matter(tmp_path: Path) -> None:
    values = values_of(random_history(12, 500, 20, hostile=False))
    sorted_, tally = read(written(tmp_path / "sorted.jsonl", values))
    assert (tally.late, tally.duplicate, tally.displaced) == (0, 0, 0)
    by_shopper = sorted(values, key=lambda value: json.loads(value)["shopper_id"])
    history, tally = read(written(tmp_path / "by-shopper.jsonl", by_shopper))
    assert tally.displaced == 0  # each shopper's events are in order
    assert_same(history, sorted_)
    shuffled = random.Random(1).sample(values, len(values))
    history, tally = read(written(tmp_path / "shuffled.jsonl", shuffled))
    assert tally.displaced > 100
    assert "stood after a later event of their shopper and were put in order" in next(tally.told())
    assert len(history) == len(sorted_)
    np.testing.assert_array_equal(history.time_ms, sorted_.time_ms)


def test_every_record_is_accounted_for(tmp_path: Path) -> None:
    good = values_of(log_of(*(viewed("a", NOON + i * HOUR, f"e{i}") for i in range(5))))
    bad = [
        b"junk",
        b'{"type":"item_viewed"}',
        *values_of(log_of(ordered("a", NOON, "o1", currency="EUR"))),
        b'{"type":"clock_ticked","event_time":1700000000000}',
        good[0],
    ]
    history, tally = read(written(tmp_path / "events.jsonl", [*good[:3], *bad, *good[3:]]))
    assert (len(history), tally.records, tally.used) == (5, 10, 5)
    assert (tally.duplicate, tally.late, tally.workers) == (1, 0, 1)
    assert tally.dead == {"not_json": 1, "invalid": 1, "foreign_currency": 1}
    said = list(tally.told())
    assert said[0].startswith("10 records: 5 used, 1 duplicate, 0 late, 3 dead, 1 of workers")
    assert any("dead, not_json: 1, the first is events.jsonl:4: " in line for line in said)
    assert any("dead, foreign_currency: 1, the first is events.jsonl:6: EUR, but" in line for line in said)
    again, kept = read(tmp_path / "events.jsonl")
    assert kept == tally  # also when the history is not read anew
    assert_same(again, history)
    with_euros, tally = read(tmp_path / "events.jsonl", Rules(decode=DecodeRules(currency="EUR")))
    assert (len(with_euros), tally.dead.get("foreign_currency")) == (6, None)


def test_records_of_items_beside_events_are_counted_apart(tmp_path: Path) -> None:
    events = values_of(log_of(*(viewed("a", NOON + i * HOUR, f"e{i}") for i in range(3))))
    listed = b'{"type":"item_listed","event_id":"c1","item_id":"tea","event_time":1700000000000,"title":"Tea"}'
    (tmp_path / "shop").mkdir()
    written(tmp_path / "shop" / "events.jsonl", [*events, b"junk"])
    written(tmp_path / "shop" / "catalogue.jsonl", [listed])
    _, tally = read(tmp_path / "shop")
    assert (tally.used, tally.other, tally.dead) == (3, 1, {"not_json": 1})
    said = next(tally.told("records of items, not used by churn"))
    assert said == "5 records: 3 used, 0 duplicate, 0 late, 1 dead, 1 records of items, not used by churn"
    wrong: tuple[tuple[str, About, str], ...] = (
        ("catalogue", "shopper", "catalogue.jsonl holds records of items; churn learns of events of shoppers"),
        ("events", "item", "events.jsonl holds events of shoppers; churn learns of records of items"),
    )
    for name, about, why in wrong:
        path = written(tmp_path / f"{name}.jsonl", [listed] if name == "catalogue" else events)
        source = of_files(path, Rules(), about)
        with pytest.raises(Misuse, match=why):
            load((source, NOON), Asked("churn", work=tmp_path), lambda *_: None, lambda _text: None)


@pytest.mark.parametrize("seed", range(3))
def test_of_a_partition_what_is_late_to_the_worker_is_late_here(seed: int) -> None:
    log, rules = random_history(seed, 3000, 40), Rules(decode=DecodeRules(partitioner="any"))
    processor, slices = (
        PartitionProcessor(SHOPPER, 0, rules),
        [slice_of(log[a : a + 70], a) for a in range(0, len(log), 70)],
    )
    fates = sum((processor.apply(slice_).fates for slice_ in slices[1:]), processor.apply(slices[0]).fates)
    history, tally = history_of_logs([RecordLog(slices, 1)], rules)
    assert tally.late == fates["late"] > 10
    assert 10 < fates["duplicate"] <= tally.duplicate <= fates["duplicate"] + 1  # an order that time moved among the 12
    assert len(history) == tally.used == fates["applied"] + fates["duplicate"] - tally.duplicate


def test_rows_are_those_of_a_worker_with_the_shops_settings(tmp_path: Path) -> None:
    rules = Rules(time_zone="Asia/Shanghai", allowed_lateness_ms=3 * HOUR, cadence_ms=2 * HOUR)
    events = [decode_event(value) for value in values_of(random_history(14, 900, 30, hostile=False))]
    log = log_of(
        *sorted((e for e in events if isinstance(e, ShopperEvent)), key=lambda e: (e.event_time, e.shopper_id))
    )
    path = written(tmp_path / "events.jsonl", values_of(log))
    source = of_files(path, rules)
    history, _ = source.load(tmp_path, lambda _n: None)
    addresses = tuple(a for a in CATALOGUE.features if a.startswith(("orders.", "visits.", "browsing.")))
    given = CutHistory(source, history, int(history.time_ms[500]))
    found = Job(task("churn"), (given,), 1).rows(given, addresses)
    served: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    processor = PartitionProcessor(SHOPPER, 0, rules, Recorders((*addresses, "orders.count"), served))
    for a in range(0, len(log), 97):
        processor.apply(slice_of(log[a : a + 97], a))
    buyers = [row[:-1] for row in served if row[-1] >= 1]
    assert sorted(row.tobytes() for row in found.matrix(addresses)) == sorted(row.tobytes() for row in buyers)
    assert len(buyers) > 100
    other = Job(task("churn"), (given,), 1).rows(CutHistory(of_files(path, Rules()), history, given.cut_ms), addresses)
    assert {row.tobytes() for row in other.matrix(addresses)} != {row.tobytes() for row in found.matrix(addresses)}


def test_a_snapshot_counts_the_days_of_the_shop() -> None:
    at = [int(np.datetime64(t, "ms").astype(np.int64)) for t in ("2024-05-01T15:30", "2024-05-01T16:30")]
    history, _ = history_of_logs(
        [RecordLog([slice_of(log_of(*(viewed(at=t, event_id=f"e{t}") for t in at)))])], Rules()
    )
    days = [
        replay(
            history, ("visits.active_days_7d",), snapshots_ms=(at[1],), due_points=False, rules=Rules(time_zone=zone)
        ).x.tolist()
        for zone in ("UTC", "Asia/Shanghai")
    ]
    assert days == [[[1.0]], [[2.0]]]


def test_a_table_needs_columns_that_are_fields_of_events(tmp_path: Path) -> None:
    pq.write_table(pa.table({"customer": ["a"], "event_time": [1]}), tmp_path / "orders.parquet")
    with pytest.raises(TrainingError, match=r"no column type, event_id, shopper_id.*There are: customer, event_time"):
        read(tmp_path / "orders.parquet")


def test_what_is_null_in_a_table_is_not_there(tmp_path: Path) -> None:
    line = {"item_id": "i", "quantity": 1, "unit_price_cents": 5, "category": None, "discount_cents": None}
    columns = {
        "type": ["order_placed", "item_viewed"],
        "event_id": ["1", "2"],
        "shopper_id": ["a", "a"],
        "event_time": ["2024-01-01T10:00:00Z", "2024-01-01T12:00:00+01:00"],
        "order_id": ["o", None],
        "lines": [[line], None],
        "item_id": [None, "i"],
        "dwell_seconds": [None, 1.5],
    }
    pq.write_table(pa.table(columns), tmp_path / "events.parquet")
    history, tally = read(tmp_path / "events.parquet")
    assert (len(history), tally.dead) == (2, {})
    assert history.dwell_ms.tolist() == [0, 1500]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + b"x" * 50)
    with pytest.raises(TrainingError, match=r"cut\.parquet cannot be read as Parquet"):
        read(tmp_path / "cut.parquet")
    (tmp_path / "array.json").write_text('[{"type": "item_viewed"}]')
    with pytest.raises(TrainingError, match=r"array\.json is one JSON array.*jq -c"):
        read(tmp_path / "array.json")


def test_a_folder_without_events_says_what_is_in_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="It is empty"):
        files_of(tmp_path)
    (tmp_path / "orders.csv").touch()
    with pytest.raises(TrainingError, match=r"no \.jsonl.*There are: orders\.csv"):
        files_of(tmp_path)
    with pytest.raises(TrainingError, match="neither a file nor a folder"):
        files_of(tmp_path / "missing")


def test_a_tally_survives_the_cache() -> None:
    tally = Tally(9, 1, 2, 3, 1, 4, {"empty": 1}, {"empty": "x"})
    assert msgspec.json.decode(msgspec.json.encode(tally), type=Tally) == tally
