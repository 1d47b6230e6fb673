"""``offerstream check``: for people, for programs, and its exit code."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

from tests import processes


def written(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "events.jsonl"
    path.write_bytes(content)
    return str(path)


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return processes.run("streams", *arguments, input=stdin)


GOOD = b'{"type":"item_viewed","event_id":"e%d","shopper_id":"s","event_time":1700000000000,"item_id":"i"}\n'
BAD = b'{"type":"item_viewed","event_id":"e","shopper_id":"s","event_time":1700000000,"item_id":"i"}\n'


def test_check_says_line_field_fault_and_fix_and_ends_with_a_summary(tmp_path: Path) -> None:
    name = written(tmp_path, GOOD % 1 + BAD + GOOD % 2)
    done = run("check", name)
    said = done.stdout.decode()
    assert done.returncode == 1
    assert f"{name}:2: event_time: 1700000000 ms is before 1990: seconds instead of milliseconds?" in said
    assert "3 records: 2 good, 1 bad." in said
    assert "2023-11-14 22:13:20Z" in said
    assert run("check", written(tmp_path, GOOD % 1)).returncode == 0


def test_check_says_in_which_currency_amounts_are_taken_where_none_is_named() -> None:
    said = "No currency is named: amounts are taken as USD (OFFERSTREAM_CURRENCY)."
    priced = GOOD.replace(b'"i"}', b'"i","unit_price_cents":100}')
    assert said in run("check", "-", stdin=priced % 1).stdout.decode()
    named = priced.replace(b"100}", b'100,"currency":"USD"}')
    for lines in (GOOD % 1, priced % 1 + named % 2):
        assert "No currency" not in run("check", "-", stdin=lines).stdout.decode()


def test_check_for_programs_is_an_object_per_finding_and_a_summary() -> None:
    done = run("check", "-", "--json", stdin=gzip.compress(GOOD % 1 + GOOD % 1 + BAD))
    duplicate, error, summary = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert (duplicate["severity"], duplicate["line"], duplicate["reason"]) == ("warning", 2, "duplicate")
    assert error.keys() == {"severity", "line", "reason", "field", "detail", "fix"}
    assert (summary["severity"], summary["records"], summary["good"], summary["bad"]) == ("summary", 3, 2, 1)
    assert summary["errors"] == {"event_time_too_old": 1}


def test_check_prints_so_many_of_each_kind_and_counts_all() -> None:
    done = run("check", "-", "--limit", "3", stdin=BAD * 50 + b"junk\n")
    said = done.stdout.decode()
    assert said.count("is before 1990") == 3
    assert "[not_json]" in said  # not hidden by the many
    assert "50 (3 shown)" in " ".join(said.split())
    assert "51 records: 0 good, 51 bad." in said


def test_a_file_that_is_no_json_lines_is_one_line_of_error(tmp_path: Path) -> None:
    done = run("check", written(tmp_path, b"[" + GOOD % 1 + b"]"))
    assert done.returncode == 1
    assert "one JSON array" in " ".join(done.stderr.decode().split())
    assert b"Traceback" not in done.stderr
