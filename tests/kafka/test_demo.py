"""The demo: it adds up, and it leaves nothing behind, also on Ctrl-C."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.demo.items import RANKINGS
from streams.demo.searches import QUERIES
from streams.demo.systems import SYSTEMS
from streams.topics import ADS, ALERTS, EFFECTS, EVENTS, OFFERS, RECOMMENDATIONS, SEARCH_RANKINGS
from tests.kafka.harness import Cluster, in_the_background, wait_until
from tests.shoppers import log_of, viewed

pytestmark = pytest.mark.kafka


def children_of(marker: str) -> list[tuple[int, str]]:
    """Processes whose environment carries a marker: id and command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marker.encode() in (entry / "environ").read_bytes():
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append((int(entry.name), command))
            except OSError:
                continue
    return found


def start(marker: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "streams", "demo", *arguments],
        env={**os.environ, "DEMO_MARKER": marker},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=in_the_background,
    )


@dataclass(frozen=True)
class Run:
    """What one demo of not quite three months said and left behind."""

    said: str
    numbers: dict[str, Any]
    page: str
    left: list[tuple[int, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("demo") / "demo.json"
    # From the first of October on its recommender serves (it learned from what was before).
    demo = start("adds-up", "--from", "2017-07-15", "--to", "2017-10-05", "--out", str(out))
    said, _ = demo.communicate(timeout=450)
    assert demo.returncode == 0, said
    left = children_of("adds-up")
    return Run(said, json.loads(out.read_text()), out.with_suffix(".html").read_text(), left)


def test_the_demo_adds_up_and_writes_its_numbers(run: Run) -> None:
    numbers = run.numbers
    assert numbers["adds_up"]
    assert numbers["records_in"] == sum(numbers[fate] for fate in ("applied", "duplicate", "late", "dead")) > 10_000
    assert numbers["alerts"] > 0
    assert numbers["withheld"] > 0
    assert numbers["decision_p99_ms"] >= numbers["decision_p50_ms"] > 0
    assert "What happened" in run.said
    # Only alerts of the first month and a half can be judged: their 30 days must lie within the data.
    assert set(numbers["alert_truth"]) == {"watch", "high", "critical"}
    judged = sum(told["judged"] for told in numbers["alert_truth"].values())
    assert 0 < judged < numbers["alerts"]
    assert all(told["came_true"] <= told["judged"] for told in numbers["alert_truth"].values())
    assert 0 < numbers["base_rate"] < 1
    assert numbers["offered"]["judged"] <= numbers["offers"]
    assert "came true" in run.said
    assert not run.left


def test_every_system_answers_and_shows_a_real_record(run: Run) -> None:
    systems = run.numbers["systems"]
    assert set(systems) == {system.name for system in SYSTEMS} >= {"churn", "behaviour"}
    assert systems["search"]["answers"] >= len(QUERIES)
    assert systems["search"]["example"]["answer"]["items"]
    # Some tasks answer at an item's record (of listings without a title only those who write), others when its day is
    # over.
    of_items = sum(systems[name]["answers"] for name in ("category", "copy", "sentiment", "sales"))
    assert systems["behaviour"]["answers"] + of_items == run.numbers["scored"]
    assert systems["behaviour"]["answers"] > systems["churn"]["answers"] > 0
    assert systems["category"]["example"]["category"]["category"] == "Digital Cameras"
    assert systems["sentiment"]["example"]["sentiment"]["reviews"] == 8
    assert systems["review"]["example"]["reviews"] == 8
    assert systems["items"]["answers"] == run.numbers["item_profiles"] > 0
    for system in SYSTEMS:
        told = systems[system.name]
        if system.topic is EFFECTS:
            assert told["answers"] == 0  # the demo's campaigns are of December
            continue
        assert (told["topic"], told["answers"] > 0) == (system.topic.name, True)
        example = msgspec.convert(told["example"], system.topic.records[0])
        if hasattr(example, "shopper_id") and system.topic not in (OFFERS, ADS, SEARCH_RANKINGS, RECOMMENDATIONS):
            # Of the story's shopper, at the time of its alert, or the newest before it.
            assert example.shopper_id == run.numbers["story"]["shopper_id"]
            late_ms = run.numbers["story"]["at_ms"] - told["example"]["event_time_ms"]
            assert late_ms == 0 or (late_ms > 0 and system.topic is not ALERTS)


def test_items_are_applied_added_up_and_shown_with_a_stock_that_is_called_simulated(run: Run) -> None:
    items = run.numbers["items"]
    assert items["records_in"] == sum(items[fate] for fate in ("applied", "duplicate", "late", "dead", "tick")) > 20_000
    assert (items["duplicate"], items["late"], items["dead"]) == (0, 0, 0)
    assert items["catalogue"].keys() == {"item_listed", "item_changed", "item_reviewed", "stock_counted"}
    for name, ranking in RANKINGS.items():
        rows = items[name]
        assert len(rows) == 5, name
        numbers = [row[ranking.number] for row in rows]
        assert numbers == sorted(numbers, reverse=name == "best_sellers")
        assert ranking.title in run.said
        for row in rows:
            assert row["item_id"] in run.said
            assert row["title"] in html.unescape(run.page)
    # The worker's week is the week that was sent, where a profile is of the last day: some hours of it are missing.
    last = [row for row in items["best_sellers"] if row["as_of"] == "2017-10-04" and row["item_id"] != "6534178"]
    assert sum(abs(row["units_7d"] - row["weeks"][-1]) for row in last) <= sum(row["weeks"][-1] for row in last) / 3
    assert "simulated stock" in run.page
    assert "stock is simulated" in run.said


def test_the_story_is_told_in_the_terminal_and_on_the_page(run: Run) -> None:
    story = run.numbers["story"]
    assert f"One shopper's story: {story['shopper_id']}" in run.said
    titles = [title for title, _ in story["lines"]]
    assert titles[:2] == ["What they did", "What silence meant"]
    assert titles[-1] == "What came of it"
    for _, told in story["lines"]:
        assert " ".join(told.split()[:3]) in run.said
        assert told in html.unescape(run.page)
    assert "demo.html" in "".join(run.said.split())


def test_all_texts_say_the_period_that_was_replayed(run: Run) -> None:
    period = "2017-07-15 to 2017-10-04 (82 days)"
    assert period in run.said
    assert period in run.page
    assert "from 2017-07-15 on and before 2017-10-05" in " ".join(run.said.split())
    for text in (run.said, run.page, json.dumps(run.numbers)):
        assert not re.search(r"\ba year\b", text)


def test_the_demo_refuses_a_broker_that_holds_somebodys_events(cluster: Cluster) -> None:
    cluster.send(log_of(viewed()))
    demo = start("refuses", "--broker", cluster.bootstrap)
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "holds 1 records" in said
    assert len(cluster.read(EVENTS.name)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_kafka_that_dies_is_told_at_once(tmp_path: Path) -> None:
    demo = start("kafka-dies", "--out", str(tmp_path / "demo.json"))
    assert demo.stdout is not None
    next(line for line in demo.stdout if " processed, " in line)
    (java,) = [
        pid for pid, command in children_of("kafka-dies") if "kafka.Kafka" in command and "keeper" not in command
    ]
    os.kill(java, signal.SIGKILL)
    said = demo.stdout.read()
    assert demo.wait(60) == 1
    assert "Apache Kafka ended with code 137" in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("moment", "how"), [("Starting", signal.SIGINT), ("is ready", signal.SIGKILL)])
def test_what_the_demo_started_ends_with_it(moment: str, how: signal.Signals, tmp_path: Path) -> None:
    demo = start(f"ctrl-c-{len(moment)}", "--out", str(tmp_path / "demo.json"))
    assert demo.stdout is not None
    if moment == "is ready":
        next(line for line in demo.stdout if moment in line)
    else:  # Kafka is on its way.
        wait_until(lambda: {pid for pid, _ in children_of(f"ctrl-c-{len(moment)}")} - {demo.pid}, pause=0.05)
    demo.send_signal(how)
    said = demo.stdout.read()
    assert demo.wait(60) == (130 if how == signal.SIGINT else -how), said
    # A worker whose Kafka ends with it is given its time to stop.
    wait_until(lambda: not children_of(f"ctrl-c-{len(moment)}"), seconds=40)
