"""The demo's own model: kept whole, promoted when its time comes, and told by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.store import Shelf, Store
from models.tasks.recommend.task import RECOMMEND
from streams.columns.shopper_events import item_code
from streams.demo.recommending import FOLDER, OwnModel, in_words
from streams.features.kinds.bought import whole
from streams.features.shopper import CATALOGUE
from streams.settings import Settings
from tests.demo.test_sending import ms
from tests.shoppers import ordered
from training.datasets.complete_journey_items import Items


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
