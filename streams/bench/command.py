"""``offerstream bench``: rounds of all contestants in turn on one embedded broker, medians and ratios."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from confluent_kafka import Producer
from rich.console import Console
from rich.progress import Progress

from streams.access import Access
from streams.admin import create
from streams.bench import inside
from streams.bench.clickstream import clickstream
from streams.bench.errors import BenchError
from streams.broker.embedded import Broker
from streams.entities import contents
from streams.terminal import print_rows
from streams.topics import EVENTS

SHOPPERS = 20_000
#: The peer is slower by more than ten times: it gets a tenth of the records, so that rounds take alike.
PEER_SHARE = 10
TIMEOUT_SECONDS = 300


def run(out: Path, rounds: int, events: int, as_json: bool = False) -> None:
    """Run the bench, write it as JSON and print it, as tables or as it was written."""
    from streams.broker.cache import fetch_jars

    jars = fetch_jars()
    records = clickstream(events, SHOPPERS)
    results: dict[str, list[dict[str, Any]]] = {}
    order = ("ours", "faust", "ours_empty", "faust_empty")
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("Measuring", total=rounds * len(order))
        for r in range(rounds):
            for name in order if r % 2 == 0 else order[::-1]:
                some = records[: events // PEER_SHARE] if name.startswith("faust") else records
                progress.update(task, description=f"Round {r + 1}: {name}")
                results.setdefault(name, []).append(_measure(jars, name, some))
                progress.advance(task)
    summary = summarize(results, rounds, events)
    with Console(stderr=True).status("Measuring models and the training replay…"):
        summary |= {"models_microseconds_per_row": inside.models(), "replay": inside.training_replay(SHOPPERS)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(summary, indent=2) + "\n")
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        _print(summary, out)


def _measure(jars: list[Path], name: str, records: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """One contestant on a fresh broker that holds the records already."""
    with (
        tempfile.TemporaryDirectory(prefix="offerstream-bench-") as folder,
        Broker(Path(folder) / "kafka", jars) as broker,
    ):
        app_id = f"bench-{name.replace('_', '-')}"
        create(Access(broker.bootstrap), contents.topics(app_id), 4)
        producer = Producer(
            {"bootstrap.servers": broker.bootstrap, "partitioner": "murmur2", "linger.ms": 20, "log_level": 0}
        )
        for key, value in records:
            while True:
                try:
                    producer.produce(EVENTS.name, value, key)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush()
        arguments = [name, broker.bootstrap, f"{folder}/data", app_id, str(len(records))]
        done = subprocess.run(
            [sys.executable, "-m", "streams.bench.contestants", *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            env={k: v for k, v in os.environ.items() if not k.startswith("OFFERSTREAM_")},
        )
        if done.returncode:
            raise BenchError(f"{name} ended with code {done.returncode}:\n{done.stderr[-3000:]}")
        # Faust writes to standard output, too.
        result: dict[str, Any] = json.loads(done.stdout[done.stdout.index('{"seconds"') :].splitlines()[0])
        result["events_per_second"] = result["records"] / result["seconds"]
        return result


def summarize(results: dict[str, list[dict[str, Any]]], rounds: int, events: int) -> dict[str, Any]:
    """Medians of the rates, and of the ratios round by round."""
    rate = {name: [r["events_per_second"] for r in runs] for name, runs in results.items()}
    pairs = [a / b for a, b in zip(rate["ours"], rate["faust"], strict=True)]
    transport = [a / b for a, b in zip(rate["ours_empty"], rate["faust_empty"], strict=True)]
    stages = {
        stage: statistics.median(1e6 * r["stages"][stage] / r["records"] for r in results["ours"])
        for stage in results["ours"][0]["stages"]
    }
    whole = statistics.median(1e6 * r["seconds"] / r["records"] for r in results["ours"])
    due = {name: round(results[name][0]["due_points"] / results[name][0]["records"], 3) for name in ("ours", "faust")}
    if not 0.8 < due["ours"] / due["faust"] < 1.25:
        raise BenchError(f"The two did not do the same work: due points per event {due}.")
    return {
        "ours_events_per_second": round(statistics.median(rate["ours"])),
        "faust_events_per_second": round(statistics.median(rate["faust"])),
        "ratio": round(statistics.median(pairs), 1),
        "ratio_range": [round(min(pairs), 1), round(max(pairs), 1)],
        "transport_ours_events_per_second": round(statistics.median(rate["ours_empty"])),
        "transport_faust_events_per_second": round(statistics.median(rate["faust_empty"])),
        "transport_ratio": round(statistics.median(transport), 1),
        "transport_ratio_range": [round(min(transport), 1), round(max(transport), 1)],
        "ours_microseconds_per_event": {
            **{stage: round(value, 2) for stage, value in stages.items()},
            "whole": round(whole, 2),
        },
        "due_points_per_event": due["ours"],
        "peer_due_points_per_event": due["faust"],
        "rounds": rounds,
        "events": events,
        "shoppers": SHOPPERS,
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
    }


def _print(s: dict[str, Any], out: Path) -> None:
    rows = []
    for what, key in (("whole job, durable", ""), ("transport, decode only", "transport_")):
        ours, peer = (f"{s[f'{key}{side}_events_per_second']:,}" for side in ("ours", "faust"))
        low, high = s[f"{key}ratio_range"]
        rows.append((what, ours, peer, f"{s[f'{key}ratio']} ({low} … {high})"))
    print_rows(("events per second, medians", "offerstream", "idiomatic Faust", "ratio (range)"), rows)
    spent = ", ".join(f"{stage} {value}" for stage, value in s["ours_microseconds_per_event"].items())
    cost = ", ".join(f"{task} {us}" for task, us in s["models_microseconds_per_row"].items())
    click.echo(
        f"Microseconds per event: {spent}. {s['due_points_per_event']} due points per event "
        f"(the peer's part: {s['peer_due_points_per_event']}).\n"
        f"CPU microseconds per scored shopper, slices of {inside.ROWS}: {cost}.\n"
        f"Training replay from columns: {s['replay']['events_per_cpu_second']:,} events per CPU second.\n"
        f"Written to {out}."
    )
