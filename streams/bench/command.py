"""``offerstream bench``: rounds of all contestants in turn on one embedded broker, medians and ratios."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from streams.access import Access
from streams.admin import create
from streams.bench import inside
from streams.bench import latency as answering
from streams.bench.clickstream import clickstream
from streams.bench.environments import PEERS, python_of
from streams.bench.errors import BenchError
from streams.bench.outputs import Scores, agreement, scores_at
from streams.bench.runs import machine, send_events, tell, without_settings
from streams.broker.embedded import Broker
from streams.entities import contents
from streams.terminal import print_rows

SHOPPERS = 20_000
#: Peers are slower by several times: they get a tenth of the records, so that rounds take alike.
PEER_SHARE = 10
TIMEOUT_SECONDS = 300
#: Contestants that do all of the work, beside this worker, which of them always take part, and which of them get all
#: of the records.
OTHERS = ("limit", "faust", *PEERS)
ALWAYS, WHOLE = ("limit", "faust"), ("ours", "limit", "ours_empty")
#: Events per second at which it is measured how soon a score can be read, and for how long.
LATENCY_RATES, LATENCY_SECONDS = (2_000, 8_000), 15
#: The least share of scores that must be the same.
LEAST_ALIKE = 0.95
CALLED = {
    "ours": "offerstream",
    "limit": "bare limit, not durable",
    "faust": "idiomatic Faust",
    "quix": "Quix Streams",
    "bytewax": "Bytewax",
    "pathway": "Pathway",
}
Runs = dict[str, list[dict[str, Any]]]


def run(out: Path, rounds: int, events: int, as_json: bool = False, peers: Sequence[str] = ()) -> None:
    """Run the bench, write it as JSON and print it, as tables or as it was written. ``peers`` (of ``PEERS``) take part
    beside those that always do."""
    from streams.broker.cache import fetch_jars

    jars = fetch_jars()
    records = clickstream(events, SHOPPERS)
    results: Runs = {}
    order = ("ours", *ALWAYS, *peers, "ours_empty", "faust_empty")
    pythons = {}
    for peer in peers:
        with Console(stderr=True).status(f"The environment of {peer} …"):
            pythons[peer] = python_of(peer)
    scores: dict[str, Scores] = {}
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("Measuring", total=rounds * len(order))
        for r in range(rounds):
            for name in order if r % 2 == 0 else order[::-1]:
                some = records if name in WHOLE else records[: events // PEER_SHARE]
                progress.update(task, description=f"Round {r + 1}: {name}")
                found, said = _measure(jars, name, some, pythons.get(name))
                results.setdefault(name, []).append(found)
                scores.setdefault(name, said)
                progress.advance(task)
        latency = answering.measure(jars, LATENCY_RATES, LATENCY_SECONDS, progress)
    summary = summarize(results, scores, rounds, events) | latency
    with Console(stderr=True).status("Measuring models and the training replay…"):
        summary |= {"models_microseconds_per_row": inside.models(), "replay": inside.training_replay(SHOPPERS)}
    tell(summary, out, as_json, _print)


def _measure(
    jars: list[Path], name: str, records: list[tuple[bytes, bytes]], python: Path | None
) -> tuple[dict[str, Any], Scores]:
    """One contestant on a fresh broker that holds the records already, and what it said. ``python``: of its own
    environment, where it has one."""
    with (
        tempfile.TemporaryDirectory(prefix="offerstream-bench-") as folder,
        Broker(Path(folder) / "kafka", jars) as broker,
    ):
        app_id = f"bench-{name.replace('_', '-')}"
        create(Access(broker.bootstrap), contents.topics(app_id), 4)
        send_events(broker.bootstrap, records)
        program = [sys.executable, "-m", "streams.bench.contestants", name]
        environment = without_settings()
        if python is not None:
            program = [str(python), "-m", f"streams.bench.peers.{name}"]
            environment["PYTHONPATH"] = _ours_alone(Path(folder) / "path")
        done = subprocess.run(
            [*program, broker.bootstrap, f"{folder}/data", app_id, str(len(records))],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            cwd=folder,
            env=environment,
        )
        if done.returncode:
            raise BenchError(f"{name} ended with code {done.returncode}:\n{done.stderr[-3000:]}")
        # Faust writes to standard output, too.
        result: dict[str, Any] = json.loads(done.stdout[done.stdout.index('{"seconds"') :].splitlines()[0])
        result["events_per_second"] = result["records"] / result["seconds"]
        result["kafka_bytes"] = {t.name: topic_bytes(Path(folder) / "kafka", t.name) for t in contents.topics(app_id)}
        return result, scores_at(broker.bootstrap)


def _ours_alone(folder: Path) -> str:
    """A folder to import this package from and nothing that is installed beside it."""
    folder.mkdir()
    here = Path(__file__).parents[2]
    for package in ("streams", "models"):
        (folder / package).symlink_to(here / package, target_is_directory=True)
    return str(folder)


def topic_bytes(folder: Path, topic: str) -> int:
    """What a topic takes on the disk of a broker with data in a folder."""
    return sum(file.stat().st_size for file in folder.rglob(f"{topic}-*/*.log"))


def ratio(results: Runs, name: str, other: str) -> dict[str, Any]:
    """How many times as fast one was as the other, round by round: median, least and most."""
    rate = {n: [r["events_per_second"] for r in results[n]] for n in (name, other)}
    pairs = [a / b for a, b in zip(rate[name], rate[other], strict=True)]
    digits = 1 if min(pairs) > 2 else 2
    return {"median": round(statistics.median(pairs), digits), "range": [round(f(pairs), digits) for f in (min, max)]}


def same_work(results: Runs, scores: dict[str, Scores]) -> dict[str, Any]:
    """Due points per event, and the share of scores that each of the others and this worker say alike.

    Raises ``BenchError`` where they did other work: peers run the same code, so they have the same due points, and so
    have this worker and its limit; all say the same scores, but for rounding and few events.
    """
    first = {name: results[name][0] for name in ("ours", *OTHERS) if name in results}
    due = {name: round(run["due_points"] / run["records"], 4) for name, run in first.items()}
    alike = {
        n: round(agreement(scores[n], scores["ours"], run["records"]), 4) for n, run in first.items() if n != "ours"
    }
    for some in (WHOLE, ("faust", *PEERS)):
        if len({due[name] for name in some if name in due}) > 1:
            raise BenchError(f"They did not do the same work: due points per event {due}.")
    if min(alike.values()) < LEAST_ALIKE:
        raise BenchError(
            f"They did not say the same: the share of scores that each and this worker said alike {alike}."
        )
    return {"due_points_per_event": due, "scores_alike": alike}


def summarize(results: Runs, scores: dict[str, Scores], rounds: int, events: int) -> dict[str, Any]:
    """Medians of the rates, and of the ratios round by round; null for whoever did not take part."""
    rate = {name: round(statistics.median(r["events_per_second"] for r in runs)) for name, runs in results.items()}
    stages = {
        stage: statistics.median(1e6 * r["stages"][stage] / r["records"] for r in results["ours"])
        for stage in results["ours"][0]["stages"]
    }
    whole = statistics.median(1e6 * r["seconds"] / r["records"] for r in results["ours"])
    summary: dict[str, Any] = {"ours_events_per_second": rate["ours"]}
    for name in OTHERS:
        found = ratio(results, "ours", name) if name in results else {"median": None, "range": None}
        summary |= {f"{name}_events_per_second": rate.get(name)}
        summary |= {f"{name}_ratio": found["median"], f"{name}_ratio_range": found["range"]}
    transport = ratio(results, "ours_empty", "faust_empty")
    return summary | {
        "transport_ours_events_per_second": rate["ours_empty"],
        "transport_faust_events_per_second": rate["faust_empty"],
        "transport_ratio": transport["median"],
        "transport_ratio_range": transport["range"],
        "ours_microseconds_per_event": {
            **{stage: round(value, 2) for stage, value in stages.items()},
            "whole": round(whole, 2),
        },
        **same_work(results, scores),
        "ours_cpu_microseconds_per_event": round(
            statistics.median(1e6 * r["cpu_seconds"] / r["records"] for r in results["ours"]), 2
        ),
        "kafka_bytes_per_event": {
            topic: round(size / results["ours"][0]["records"], 1)
            for topic, size in results["ours"][0]["kafka_bytes"].items()
            if size >= results["ours"][0]["records"]
        },
        "rounds": rounds,
        "events": events,
        "shoppers": SHOPPERS,
        "machine": machine(),
    }


def _print(s: dict[str, Any], out: Path) -> None:
    asked = [name for name in OTHERS if s[f"{name}_ratio"] is not None]
    rows = [(CALLED["ours"], f"{s['ours_events_per_second']:,}", "", "")]
    for name in asked:
        low, high = s[f"{name}_ratio_range"]
        ratio_, agrees = f"{s[f'{name}_ratio']} ({low} … {high})", f"{s['scores_alike'][name]:.1%}"
        rows.append((CALLED[name], f"{s[f'{name}_events_per_second']:,}", ratio_, agrees))
    print_rows(("", "events per second, medians", "offerstream is so many times as fast (range)", "same scores"), rows)
    answering.print_points(s["latency"])
    low, high = s["transport_ratio_range"]
    spent = ", ".join(f"{stage} {value}" for stage, value in s["ours_microseconds_per_event"].items())
    cost = ", ".join(f"{task} {us}" for task, us in s["models_microseconds_per_row"].items())
    due = ", ".join(f"{name} {share}" for name, share in s["due_points_per_event"].items())
    click.echo(
        f"Transport, decode only: {s['transport_ours_events_per_second']:,} events per second, Faust's "
        f"{s['transport_faust_events_per_second']:,}: {s['transport_ratio']} times ({low} … {high}).\n"
        f"Microseconds per event: {spent}.\n"
        f"Due points per event: {due}.\n"
        f"CPU microseconds of models per row, in slices of {inside.ROWS}: {cost}.\n"
        f"Training replay from columns: {s['replay']['events_per_cpu_second']:,} events per CPU second.\n"
        f"Written to {out}."
    )
