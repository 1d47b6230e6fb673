"""``offerstream campaigns``: files are checked, and what is wrong ends with exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.campaigns import examples
from streams.cli import cli


@pytest.mark.parametrize("name", examples.NAMES)
def test_every_example_is_printed_and_checked(name: str) -> None:
    run = CliRunner()
    text = run.invoke(cli, ["campaigns", "examples", name]).output
    checked = run.invoke(cli, ["campaigns", "check", "-", "--json"], input=text)
    assert checked.exit_code == 0, checked.output
    found = json.loads(checked.output)
    assert (found["good"], found["campaigns"], found["problems"]) == (True, [name], [])
    assert name in run.invoke(cli, ["campaigns", "examples"]).output
    shown = run.invoke(cli, ["campaigns", "check", "-"], input=text)
    assert f"1 campaigns, all good. Digest {found['digest']}." in shown.output


def test_a_bad_file_ends_with_2_and_all_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(examples.text("win-back").replace("lapse_30d", "laps_30d").replace("percent: 5", "percent: 500"))
    told = CliRunner().invoke(cli, ["campaigns", "check", str(file)])
    assert told.exit_code == 2
    assert [line.split(": ")[1] for line in told.output.splitlines()] == ["line 9", "line 12"]
    found = json.loads(CliRunner().invoke(cli, ["campaigns", "check", str(file), "--json"]).output)
    assert not found["good"]
    assert found["problems"][0] == {
        "line": 9,
        "field": "campaigns[0].audience",
        "value": "",
        "rule": "column 1: There is no feature or answer 'laps_30d': did you mean lapse_30d?",
    }


def test_a_budget_in_another_currency_than_the_shops_is_refused() -> None:
    text = examples.text("welcome")
    told = CliRunner().invoke(cli, ["campaigns", "check", "-"], input=text, env={"OFFERSTREAM_CURRENCY": "EUR"})
    assert told.exit_code == 2
    assert "the shop's currency is EUR" in told.output


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    told = CliRunner().invoke(cli, ["campaigns", "check", "-"], input=b"campaigns:\n- id: \xff\n")
    assert told.exit_code == 2
    assert "-: line 2: This is no UTF-8" in told.output


def test_the_schema_is_printed() -> None:
    schema = json.loads(CliRunner().invoke(cli, ["campaigns", "schema"]).output)
    assert schema["$ref"] == "#/$defs/CampaignSet"
    assert schema["$defs"]["Percent"]["properties"]["percent"]["maximum"] == 100
