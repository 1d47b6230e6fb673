"""What the bench compares and how it says so: everything but the runs themselves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.bench import environments
from streams.bench.clickstream import clickstream, number_of
from streams.bench.command import OTHERS, same_work, summarize
from streams.bench.environments import MADE, PEERS, PROGRAMS, folder_of, python_of
from streams.bench.errors import BenchError
from streams.bench.limit import slices
from streams.bench.outputs import Scores, agreement, scores_of
from streams.bench.plain_work import PlainWork
from streams.processing.rules import Rules
from streams.topics import SCORES

KEYS = {"ours_events_per_second", *(f"{peer}_ratio" for peer in ("limit", "faust", *PEERS))}
SAID: Scores = {("a", "e0", "churn", "p30"): 0.5, ("b", "e1", "churn", "p30"): 0.25}


def runs(names: tuple[str, ...], slower: float = 4.0) -> dict[str, list[dict[str, Any]]]:
    """Two rounds; all but ours take ``slower`` times as long."""
    found = {}
    for name in (*names, "ours_empty", "faust_empty"):
        seconds = 1.0 if name == "ours" else slower
        one = {"seconds": seconds, "records": 1000, "due_points": 150, "events_per_second": 1000 / seconds}
        more = {"stages": {"fold": seconds / 2}, "cpu_seconds": seconds, "kafka_bytes": {"scores.v1": 2000, "few": 9}}
        found[name] = [one | more] * 2
    return found


def test_the_result_has_its_keys_and_null_for_whom_nobody_asked() -> None:
    names = ("ours", "limit", "faust", "quix")
    found = json.loads(json.dumps(summarize(runs(names), dict.fromkeys(names, SAID), 2, 1000)))
    assert found.keys() >= KEYS
    assert {key for key in found if found[key] is None and key.endswith("_ratio")} == {"bytewax_ratio", "pathway_ratio"}
    assert (found["quix_ratio"], found["quix_ratio_range"], found["quix_events_per_second"]) == (4.0, [4.0, 4.0], 250)
    assert found["ours_microseconds_per_event"] == {"fold": 500, "whole": 1000}
    assert found["ours_cpu_microseconds_per_event"] == 1000
    assert found["kafka_bytes_per_event"] == {"scores.v1": 2.0}
    assert found["scores_alike"] == {"limit": 1.0, "faust": 1.0, "quix": 1.0}


def test_all_peers_are_told_of() -> None:
    names = ("ours", *OTHERS)
    found = summarize(runs(names, slower=0.8), dict.fromkeys(names, SAID), 2, 1000)
    assert {found[f"{name}_ratio"] for name in OTHERS} == {0.8}


@pytest.mark.parametrize("name", ["limit", "quix"])
def test_other_due_points_are_an_error(name: str) -> None:
    names = ("ours", "limit", "faust", "quix")
    results = runs(names)
    results[name] = [run | {"due_points": 149} for run in results[name]]
    with pytest.raises(BenchError, match="did not do the same work"):
        same_work(results, dict.fromkeys(names, SAID))


def test_other_scores_are_an_error() -> None:
    names = ("ours", "limit", "faust", "bytewax")
    other = {at: score + 0.1 for at, score in SAID.items()}
    with pytest.raises(BenchError, match=r"did not say the same.*'bytewax': 0.0"):
        same_work(runs(names), dict.fromkeys(names, SAID) | {"bytewax": other})


def test_scores_agree_but_for_rounding_and_among_the_records_that_both_had() -> None:
    ours = {**SAID, ("c", "e7", "churn", "p30"): 0.1}
    assert agreement(SAID, ours, 2) == 1
    assert agreement(SAID, ours, 8) == pytest.approx(2 / 3)  # ours was due with an event when the other was not
    assert agreement({at: score + 1e-4 for at, score in SAID.items()}, ours, 2) == 1
    assert agreement({("a", "e0", "churn", "p30"): 0.6}, ours, 1) == 0
    assert agreement({}, {}, 1) == 0


def worked(n: int, stored: bool) -> Iterator[tuple[str, bytes]]:
    """What a peer writes; ``stored``: each state goes through JSON in between."""
    work, states = PlainWork(Rules().cadence_ms), dict[bytes, Any]()
    for key, value in clickstream(n, 20):
        states[key], outputs = work.apply(states.get(key), value)
        if stored:
            states[key] = json.loads(json.dumps(states[key]))
        yield from outputs
    assert 0 < work.due_points < n


def test_a_peer_says_the_same_however_its_state_is_kept() -> None:
    written = list(worked(300, stored=False))
    assert written == list(worked(300, stored=True))
    scores = scores_of(value for topic, value in written if topic == SCORES.name)
    known = {(key.decode(), number) for number, (key, _) in enumerate(clickstream(300, 20))}
    assert {(shopper, number_of(event)) for shopper, event, *_ in scores} <= known
    assert "behaviour" in {task for *_, task, _ in scores}


def test_scores_of_times_and_of_items_are_not_compared() -> None:
    said = {"entity": "shopper", "key": "a", "due": {"kind": "event", "ref": "e0"}}
    said["answers"] = {"churn": {"scores": {"p30": 0.5, "several": [1.0]}}}
    others = [said | {"entity": "item"}, said | {"due": {"kind": "silence", "ref": "7"}}]
    found = scores_of([None, *(json.dumps(one).encode() for one in (said, *others))])
    assert found == {("a", "e0", "churn", "p30"): 0.5}


def test_what_peers_do_needs_no_more_than_their_environments_have() -> None:
    """Neither Kafka nor Faust: peers pin other versions of some, and lack others."""
    code = (
        "import sys; before = set(sys.modules); import streams.bench.clock, streams.bench.plain_work;"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = {name for name in done.stdout.split() if not name.startswith("_sysconfigdata")}
    assert found <= {"streams", "models", "msgspec", "numpy", "onnxruntime", "xxhash", "typing_extensions"}


def pins(peer: str) -> dict[str, str]:
    lines = (PROGRAMS / f"{peer}.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), peer
    return dict(line.lower().split("==") for line in lines)


def test_peers_are_pinned_and_share_what_their_work_is_made_of() -> None:
    shared = ("msgspec", "numpy", "onnxruntime", "xxhash")
    assert len({tuple(pins(peer)[name] for name in shared) for peer in PEERS}) == 1
    assert all((PROGRAMS / f"{peer}.py").is_file() for peer in PEERS)


def test_an_environment_is_made_once_and_again_when_it_was_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def made(_peer: str, command: list[str]) -> None:
        commands.append(command)
        (tmp_path / "offerstream" / "peers" / folder_of("quix")).mkdir(parents=True, exist_ok=True)
        if "pip" in command and len(commands) == 2:
            raise BenchError("interrupted")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(environments, "_run", made)
    with pytest.raises(BenchError):
        python_of("quix")
    python = python_of("quix")
    assert (python.parents[1] / MADE).exists()
    assert python_of("quix") == python
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"]] * 2


def test_other_packages_are_another_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder_of("quix")
    (tmp_path / "quix.txt").write_text("quixstreams==0\n")
    monkeypatch.setattr(environments, "PROGRAMS", tmp_path)
    assert folder_of("quix") != before


class Message:
    """As confluent-kafka gives them."""

    def __init__(self, partition: int, offset: int) -> None:
        self._partition, self._offset = partition, offset

    def error(self) -> None: ...
    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 10 * self._offset

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return str(self._offset).encode()


def test_the_bare_limit_takes_the_messages_of_each_partition_as_one_slice() -> None:
    found = list(slices([Message(0, 4), Message(1, 9), Message(0, 6)]))
    assert [(s.partition, list(s.offsets), list(s.timestamps_ms), list(s.values)) for s in found] == [
        (0, [4, 6], [40, 60], [b"4", b"6"]),
        (1, [9], [90], [b"9"]),
    ]
