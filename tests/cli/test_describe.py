"""A writer of one's own is held to the same checks, whatever it says and however it ends."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streams.cli import cli

BASE = {"type": "item_listed", "event_id": "l1", "event_time": 1_700_000_000_000}
TEA = {"name": "Sencha", "weight": "250 g", "organic": "true"}
RECORDS = [
    BASE | {"item_id": "tea", "brand": "Acme", "attributes": TEA},
    BASE | {"item_id": "few", "attributes": {"size": "S"}},
    BASE | {"item_id": "cup", "attributes": {"name": "Cup", "colour": "black", "volume": "3 dl"}},
]


def records(folder: Path) -> str:
    path = folder / "items.jsonl"
    path.write_text("\n".join([*map(json.dumps, RECORDS), "no json"]) + "\n")
    return str(path)


def writer(folder: Path, body: str) -> str:
    """A program that runs ``body`` for each request ``asked``."""
    path = folder / "writer.py"
    path.write_text(f"import json, sys\nfor line in sys.stdin:\n    asked = json.loads(line)\n    {body}\n")
    return shlex.join([sys.executable, str(path)])


def run(*words: str) -> tuple[int, list[dict[str, Any]], str]:
    result = CliRunner().invoke(cli, ["describe", *words])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.output


SAY = "print(json.dumps({'item_id': asked['item_id'], 'language': asked['language'], **%s}), flush=True)"
GOOD = "{'title': asked['attributes']['name'], 'offer': 'For you.', "
GOOD += "'description': '. '.join(asked['attributes'].values())}"
BAD = "{'title': 'Sencha', 'description': 'Weighs 500 g, the best.', 'offer': '<b>now</b>'}"


def test_the_shipped_model_writes_in_every_language(tmp_path: Path) -> None:
    code, said, told = run(records(tmp_path))
    assert code == 0
    assert [(each["item_id"], each["language"]) for each in said] == [
        ("tea", "en"), ("tea", "zh-Hans"), ("cup", "en"), ("cup", "zh-Hans"),
    ]  # fmt: skip
    assert all(each["accepted"] and each["coverage"] == 1.0 and each["title"] for each in said)
    assert "2 lines are no listing or change with 3 attributes" in " ".join(told.split())


def test_what_a_writer_says_is_taken_where_it_is_true(tmp_path: Path) -> None:
    code, said, _ = run(records(tmp_path), "--writer", writer(tmp_path, SAY % GOOD), "--language", "en")
    assert code == 0
    assert [each["title"] for each in said] == ["Sencha", "Cup"]


def test_what_a_writer_invents_is_rejected_with_reasons(tmp_path: Path) -> None:
    code, said, _ = run(records(tmp_path), "--writer", writer(tmp_path, SAY % BAD), "--language", "en")
    assert code == 1
    assert not any(each["accepted"] or "title" in each for each in said)
    assert said[0]["reasons"] == [
        "description: forbidden 'best'",
        "description: invented number '500'",
        "offer: markup",
    ]


def test_more_can_be_asked_of_a_writer(tmp_path: Path) -> None:
    asked = writer(tmp_path, SAY % GOOD)
    code, said, _ = run(records(tmp_path), "--writer", asked, "--language", "en", "--forbid", "sencha")
    assert code == 1
    assert said[0]["reasons"] == ["title: forbidden 'sencha'", "description: forbidden 'sencha'"]
    code, said, _ = run(records(tmp_path), "--writer", asked, "--language", "en", "--coverage", "1")
    assert said[0]["reasons"] == ["texts: not covered '75% of the attributes'"]  # says of organic only that it is true


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ("pass", ["no answer"]),
        ("print('no json', flush=True)", ["no answer"]),
        ("print('[1]', flush=True)", ["no answer"]),
        (SAY % "{'title': 3}", ["title: no text", "description: no text", "offer: no text"]),
        ("sys.exit(0)", ["no answer"]),
    ],
)
def test_what_is_not_answered_is_said(tmp_path: Path, body: str, reasons: list[str]) -> None:
    code, said, _ = run(records(tmp_path), "--writer", writer(tmp_path, body), "--language", "en")
    assert code == 1
    tea = [each for each in said if each["item_id"] == "tea"]
    assert [each["reasons"] for each in tea] == [reasons]


def test_an_answer_that_nobody_asked_for_is_rejected(tmp_path: Path) -> None:
    twice = f"{SAY % GOOD}; {SAY % GOOD}"
    code, said, _ = run(records(tmp_path), "--writer", writer(tmp_path, twice), "--language", "en")
    assert code == 1
    assert [each["accepted"] for each in said] == [True, False, True, False]
    assert said[1]["reasons"] == ["nobody asked for it, or it was answered before"]


@pytest.mark.parametrize(
    ("command", "why"),
    [("/no/such/program", "cannot be started"), ("", "cannot be started"), ("'", "cannot be started")],
)
def test_a_writer_that_cannot_be_started_is_one_line(tmp_path: Path, command: str, why: str) -> None:
    result = CliRunner().invoke(cli, ["describe", records(tmp_path), "--writer", command])
    assert result.exit_code
    assert why in str(result.exception) or result.exit_code == 2


def test_a_writer_that_fails_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["describe", records(tmp_path), "--writer", writer(tmp_path, "sys.exit(3)")])
    assert "exit code 3" in str(result.exception)
