"""The demo's own model: kept whole, promoted when its time comes, and told by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from models.store import Shelf, Store
from models.task import AtLeast
from models.tasks.recommend.task import RECOMMEND
from streams.cli import cli
from streams.columns.shopper_events import item_code
from streams.demo.recommending import FOLDER, OwnModel, in_words
from streams.features.kinds.bought import whole
from streams.features.shopper import CATALOGUE
from streams.outside.goes_with import UnknownItems, going_with
from streams.settings import Settings
from tests.demo.test_sending import ms
from tests.shoppers import ordered, viewed
from training.datasets.complete_journey_items import Items
from training.history import history_of
from training.replay import EVENT, replay


def own(folder: Path, caught_up: list[int]) -> OwnModel:
    return OwnModel(Settings(models=str(folder)), caught_up.append)


def test_it_is_proven_learned_before_october_and_is_small(tmp_path: Path) -> None:
    held = own(tmp_path, [])
    assert held.cut_ms == ms("2017-10-01")
    assert (tmp_path / "recommend" / held.admitted / "model.onnx").is_file()
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 2 << 20


def test_events_wait_at_its_cut_until_it_is_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str | int] = []
    held = OwnModel(Settings(models=str(tmp_path)), happened.append)

    def promote(self: OwnModel) -> None:
        happened.append("live")
        self.live = True

    monkeypatch.setattr(OwnModel, "_promote", promote)
    events = [ordered("ann", held.cut_ms + step, f"o{i}") for i, step in enumerate((-2, -1, 0, 1))]
    for event in held.paced(events):
        happened.append(event.event_id)
    assert happened == ["o0", "o1", 2, "live", "o2", "o3"]


def test_a_list_is_told_by_name() -> None:
    listed = [
        {"item_id": "1082185", "weight": 0.1, "because": "due_again"},
        {"item_id": "no such", "weight": 0.05, "because": "goes_with", "of": "1082185"},
    ]
    example = {"shopper_id": "household-1", "event_time_ms": ms("2017-11-02"), "items": listed}
    told = in_words(example, Items(ms("2017-11-01"), ms("2017-11-03")))
    assert told is not None
    assert (told["shopper_id"], told["day"]) == ("household-1", "2017-11-02")
    (first, why), (second, with_) = told["lines"]
    assert first.startswith("Bananas")
    assert why == "bought before, due again"
    assert second == "no name (no such)"
    assert with_ == f"goes with {first}"
    assert in_words(None, Items(ms("2017-11-01"), ms("2017-11-03"))) is None


def test_its_lists_name_no_item_twice_and_go_with_what_is_known(tmp_path: Path) -> None:
    held = own(tmp_path, [])
    predictor = Shelf(Store(str(tmp_path))).model("recommend", held.admitted)
    rows = Store(str(tmp_path)).get("recommend", held.admitted).golden
    said = predictor.score(rows)
    known = {name: codes_of(rows, name) for name in ("items.bought_code", "items.seen_code")}
    names = np.array([item_code(name) & 0xFFFF_FFFF for name in predictor.names])
    for i in range(len(rows)):
        listed = said["items"][i][said["weight"][i] > 0].astype(int)
        assert len(np.unique(listed)) == len(listed) >= 19
        assert (np.diff(said["weight"][i]) <= 0).all()
        beside = said["beside"][i].astype(int)
        theirs = {code for codes in known.values() for code in codes[i].tolist()}
        assert {int(names[place]) for place in beside[beside >= 0]} <= theirs
    assert (said["beside"] >= 0).any()
    assert (said["again"] > 0).all()
    assert (said["again"] <= 1).all()


def codes_of(rows: np.ndarray[tuple[int, int], np.dtype[np.float32]], address: str) -> np.ndarray[tuple[int, int], Any]:
    """[n, k] the hashes that rows of the task tell at an address."""
    widths = [CATALOGUE.features[name].width for name in RECOMMEND.features]
    at = RECOMMEND.features.index(address)
    start = sum(widths[:at])
    return whole(rows[:, start : start + widths[at]])


def test_whoever_has_no_history_is_told_of_items_from_the_third_view_on(tmp_path: Path) -> None:
    """Sessions of items that are bought together: others that go with them come first, not what is popular."""
    held = own(tmp_path, [])
    predictor = Shelf(Store(str(tmp_path))).model("recommend", held.admitted)
    sessions = [
        [name, *(one.item_id for one in going_with(predictor, [name]))][:3] for name in predictor.names[40:240:10]
    ]
    events = [
        viewed(f"s{n}", held.cut_ms + 60_000 * k, f"v{n}-{k}", item_id=name)
        for k in range(3)
        for n, name in enumerate(session[k] for session in sessions)
    ]
    history = history_of(events, "USD")
    rows = replay(history, (*RECOMMEND.features, "items.known"), cadence_ms=1)
    rows = rows.select(rows.why == EVENT)
    known = rows.x[:, -1]
    assert sorted(known.tolist()) == sorted([1.0, 2.0, 3.0] * len(sessions))
    (least,) = RECOMMEND.population
    assert least == AtLeast("items.known", 3)
    early = predictor.score(np.ascontiguousarray(rows.x[known < 3, :-1]))
    assert not early["weight"].any()
    third = known == 3
    said = predictor.score(np.ascontiguousarray(rows.x[third, :-1]))
    popular, found = set(predictor.names[:10]), []
    for i, shopper in enumerate(rows.shopper[third].tolist()):
        session = set(sessions[int(history.shoppers[shopper][1:])])
        listed = [predictor.names[int(place)] for place in said["items"][i][said["weight"][i] > 0]]
        found.append([name for name in listed if name not in session][:10])
        assert len(found[-1]) == 10
    assert len({tuple(listed) for listed in found}) == len(sessions)
    assert np.mean([len(popular & set(listed)) for listed in found]) < 5
    assert np.mean(said["beside"] >= 0) > 0.3


def test_what_goes_with_items_is_asked_of_a_version(tmp_path: Path) -> None:
    held = own(tmp_path, [])
    model = Shelf(Store(str(tmp_path))).model("recommend", held.admitted)
    one, other = model.names[100], model.names[101]
    alone, both = going_with(model, [one]), going_with(model, [one, "no such", other, one])
    assert {each.of for each in alone} == {one}
    assert {each.of for each in both} == {one, other}
    for found in (alone, both):
        names = [each.item_id for each in found]
        assert len(set(names)) == len(names) > 5
        assert not {one, other} & set(names[:1])
        weights = [each.weight for each in found]
        assert weights == sorted(weights, reverse=True)
        assert 0 < sum(weights) <= 1.001
    assert not {one, other} & {each.item_id for each in both}
    with pytest.raises(UnknownItems, match="none of these"):
        going_with(model, ["no such"])
    with pytest.raises(ValueError, match="at most 8"):
        going_with(model, model.names[:9])
    run = CliRunner().invoke(cli, ["goes-with", one, "no such", "--version", str(FOLDER), "--json"])
    assert [each["item_id"] for each in json.loads(run.output)["goes_with"]] == [each.item_id for each in alone]
    run = CliRunner().invoke(cli, ["goes-with", *model.names[:9], "--version", str(FOLDER)])
    assert (run.exit_code, "At most 8 items" in run.output) == (2, True)
