"""The demo: real households through the whole system, watched live, and a summary that adds up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from streams.access import Access
from streams.broker.embedded import Broker, free_ports
from streams.commands.common import interruptible
from streams.hindsight import Hindsight
from streams.producer.replay import Sent, event_time_ms, records_of, send
from streams.reading import Reader
from streams.records import words
from streams.settings import Settings
from streams.topics import ALERTS, EVENTS, OFFERS, TOPICS, WITHHELD, changelogs, create, records_in
from training.datasets import COMPLETE_JOURNEY

console = Console()
#: Two of the slowest steps have no end in sight for longer than this only when something is wrong.
PATIENCE_SECONDS = 150
#: The fate that each record has exactly one of; ticks and choices are the worker's own records.
RECORD_FATES = ("applied", "duplicate", "late", "dead")


class DemoError(RuntimeError):
    """The demo could not run to its end."""


def run(broker: str | None, out: Path, start_ms: int | None, stop_ms: int | None) -> int:
    """Run the demo; returns the exit code. Everything it started is stopped, also on Ctrl-C and SIGTERM."""
    interruptible()
    try:
        with ExitStack() as stack:
            summary = _run(stack, broker, start_ms, stop_ms)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    except DemoError as error:
        console.print("[red]error:[/]", escape(str(error)), highlight=False)
        return 1
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(summary, indent=2) + "\n")
    _print_summary(summary, out)
    return 0 if summary["adds_up"] else 1


def _run(stack: ExitStack, broker: str | None, start_ms: int | None, stop_ms: int | None) -> dict[str, Any]:
    from streams.commands.jars import fetch_jars

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offerstream-demo-")))
    app_id = "offerstream-demo" if broker is None else f"offerstream-demo-{os.getpid()}"
    if broker is None:
        jars = fetch_jars()
        with console.status("Starting Apache Kafka…"):
            running = Broker(folder / "kafka", jars)
            stack.callback(running.stop)
            running.start()
        kafka, replication = Access(running.bootstrap), 1
        console.print(f"Apache Kafka listens on {kafka.servers}")
    else:
        settings = Settings.from_environment(broker=broker)
        kafka, replication = settings.access, settings.replication
        if held := records_in(kafka, EVENTS):
            raise DemoError(
                f"{EVENTS.name} at {broker} holds {held:,} records. The demo sends households of 2017, counts all: "
                "it is for a broker of its own. Leave --broker away, or send your data with: offerstream replay."
            )
    create(kafka, [*TOPICS, *changelogs(app_id)], 4, replication)
    (port,) = free_ports(1)
    worker = _start_worker(stack, folder, kafka, port, app_id)
    with console.status("Waiting for the worker…"):
        _wait_ready(port, worker, folder)
    console.print(f"A worker is ready: http://127.0.0.1:{port}/metrics")
    console.print("Replaying Complete Journey: 2,469 households, 2017. Alerts and offers as they come:\n")
    hindsight = Hindsight(event_time_ms)
    watch = Watch(kafka, hindsight)
    stack.callback(watch.stop)
    sending = Sending(kafka, hindsight, start_ms, stop_ms)
    watch.start()
    sending.start()
    began = time.monotonic()
    last_change, last_done = began, -1
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while True:
            done = _records(port)
            if done != last_done:
                last_change, last_done = time.monotonic(), done
            live.update(watch.view(sending.sent, done, time.monotonic() - began))
            if sending.failure is not None:
                raise DemoError(f"The replay failed: {sending.failure}")
            if sending.finished.is_set() and done >= sending.sent:
                break
            if worker.poll() is not None:
                raise DemoError(f"The worker ended with code {worker.returncode}:\n{_tail(folder / 'worker.log')}")
            if time.monotonic() - last_change > PATIENCE_SECONDS:
                raise DemoError(f"Nothing was processed for {PATIENCE_SECONDS} s:\n{_tail(folder / 'worker.log')}")
            time.sleep(0.2)
        seconds = time.monotonic() - began
        watch.settle()
        live.update(watch.view(sending.sent, last_done, seconds))
    samples = _metrics(port)
    with console.status("Looking back: did the alerts come true?"):
        hindsight.read_scores(kafka)
        looked_back = hindsight.summary()
    return _summary(samples, sending.sent, seconds, watch) | looked_back


def _start_worker(stack: ExitStack, folder: Path, kafka: Access, port: int, app_id: str) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFERSTREAM_")}
    access = {
        "SECURITY_PROTOCOL": kafka.protocol,
        "SASL_MECHANISM": kafka.mechanism,
        "SASL_USERNAME": kafka.username,
        "SASL_PASSWORD": kafka.password,
        "SSL_CA_FILE": kafka.ca_file,
    }
    told = {f"OFFERSTREAM_{name}": value for name, value in access.items()}
    command = ["worker", "--broker", kafka.servers, "--data-dir", str(folder / "worker"), "--port", str(port)]
    log = stack.enter_context((folder / "worker.log").open("wb"))
    worker = subprocess.Popen(
        [sys.executable, "-m", "streams", *command],
        env={**kept, **told, "OFFERSTREAM_APP_ID": app_id, "OFFERSTREAM_MAX_SLICE": "1024"},
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C reaches us, and we stop it
    )
    stack.callback(_stop, worker)
    return worker


def _stop(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(20)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _get(port: int, path: str) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def _wait_ready(port: int, worker: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + 60
    while _get(port, "/ready") is None:
        if worker.poll() is not None or time.monotonic() > end:
            raise DemoError(f"The worker did not become ready:\n{_tail(folder / 'worker.log')}")
        time.sleep(0.2)


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-3000:] if path.exists() else "(no log)"


def _metrics(port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = _get(port, "/metrics") or ""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _by(samples: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, label: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for (sample, labels), value in samples.items():
        if sample == name:
            found[dict(labels)[label]] += int(value) if label != "stage" else value  # type: ignore[assignment]
    return found


def _records(port: int) -> int:
    fates = _by(_metrics(port), "offerstream_records_total", "fate")
    return sum(n for fate, n in fates.items() if fate in RECORD_FATES)


def _quantile(samples: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, q: float) -> float:
    """A quantile of a histogram, interpolated within its bucket."""
    buckets = sorted(
        (float(dict(labels)["le"]), value) for (sample, labels), value in samples.items() if sample == f"{name}_bucket"
    )
    total = buckets[-1][1] if buckets else 0
    low, below = 0.0, 0.0
    for high, upto in buckets:
        if upto >= q * total and upto > below:
            return low if high == float("inf") else low + (high - low) * (q * total - below) / (upto - below)
        low, below = high, upto
    return low


def _summary(samples: Any, sent: int, seconds: float, watch: Watch) -> dict[str, Any]:
    fates = _by(samples, "offerstream_records_total", "fate")
    outcomes = _by(samples, "offerstream_outcomes_total", "kind")
    reasons = _by(samples, "offerstream_outcomes_total", "reason")
    counted = sum(fates[fate] for fate in RECORD_FATES)
    seen = {name: watch.counts[name] for name in ("alerts", "offers", "withheld")}
    said = {
        "alerts": outcomes["ChurnAlerted"],
        "offers": outcomes["OfferMade"],
        "withheld": outcomes["OfferWithheld"],
    }
    return {
        "records_in": sent,
        "applied": fates["applied"],
        "duplicate": fates["duplicate"],
        "late": fates["late"],
        "dead": fates["dead"],
        **said,
        "withheld_by": {r: reasons[r] for r in ("no_consent", "holdout", "cooldown", "frequency_cap", "below_margin")},
        "alerts_by_level": {level: reasons[level] for level in ("watch", "high", "critical")},
        "scored": outcomes["Scored"],
        "profiles": outcomes["ProfileUpdated"],
        "due_by": dict(_by(samples, "offerstream_due_points_total", "kind")),
        "seconds": round(seconds, 2),
        "events_per_second": round(sent / seconds, 1),
        "decision_p50_ms": round(1000 * _quantile(samples, "offerstream_decision_seconds", 0.5), 2),
        "decision_p99_ms": round(1000 * _quantile(samples, "offerstream_decision_seconds", 0.99), 2),
        "read_from_topics": seen,
        "adds_up": counted == sent and seen == said,
    }


def _print_summary(s: dict[str, Any], out: Path) -> None:
    console.print()
    table = Table(title="What happened", show_header=False, title_justify="left")
    total = f"{s['applied']:,} applied + {s['duplicate']:,} duplicate + {s['late']:,} late + {s['dead']:,} dead"
    table.add_row("records in", f"{s['records_in']:,} = {total}")
    table.add_row("due points", ", ".join(f"{n:,} by {kind}" for kind, n in s["due_by"].items()))
    table.add_row(
        "churn alerts",
        f"{s['alerts']:,} ({', '.join(f'{n:,} {k}' for k, n in s['alerts_by_level'].items())})",
    )
    _print_truth(table, s)
    table.add_row("profiles", f"{s['profiles']:,} updates: an embedding, and the likely next event and category")
    anyway = s["offered"]
    within_week = (
        f"; {anyway['ordered_within_7_days']:,} of {anyway['judged']:,} ordered within 7 days"
        if anyway["judged"]
        else ""
    )
    table.add_row("offers made", f"{s['offers']:,}{within_week}")
    held = ", ".join(f"{n:,} {k.replace('_', ' ')}" for k, n in s["withheld_by"].items() if n)
    table.add_row("offers withheld", f"{s['withheld']:,} ({held})")
    table.add_row("", "no consent: a household has consented once a campaign of the shop addressed it")
    table.add_row("speed", f"{s['events_per_second']:,.0f} events/s end to end, a year in {s['seconds']:.0f} s")
    table.add_row("decisions", f"{s['decision_p50_ms']} ms median, {s['decision_p99_ms']} ms p99 after a slice arrived")
    verdict = "[green]yes[/]" if s["adds_up"] else "[red]NO[/]"
    table.add_row("adds up", f"{verdict}: every record has a fate, every outcome was read back from its topic")
    console.print(table)
    console.print(f"The numbers are in {out}. Next: README.md, “Go on from here”.")


def _print_truth(table: Table, s: dict[str, Any]) -> None:
    for level, told in s["alert_truth"].items():
        if told["judged"]:
            low, high = (f"{100 * bound:.0f}" for bound in told["interval"])
            promise = "" if told["promised"] is None else f", promised {100 * told['promised']:.0f}%"
            right = f"{100 * told['came_true'] / told['judged']:.0f}% of {told['judged']:,}"
            table.add_row(f"… {level} came true", f"{right} (95%: {low} to {high}%{promise})")
    if s["base_rate"] is not None:
        silent = f"{100 * s['base_rate']:.0f}% ordered nothing in the {s['alert_days']} days after"
        table.add_row("… of all judged", silent)
    lapses = s["foretold"]
    if lapses["foretold"]:
        told = f"{lapses['foretold']:,} of {lapses['lapses']:,} foretold, {lapses['days_before']:.0f} days before"
        table.add_row(f"{lapses['lapse_days']} days of silence", told)
        table.add_row("alerts per shopper", f"{s['alerts_per_shopper_month']:.2f} a month")


@dataclass
class Sending:
    """The replay, in a thread of its own."""

    kafka: Access
    hindsight: Hindsight
    start_ms: int | None
    stop_ms: int | None
    sent: int = 0
    failure: Exception | None = None
    finished: Event = field(default_factory=Event)

    def start(self) -> None:
        """Begin."""
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            events = (event for event in COMPLETE_JOURNEY.read(None) if self._wanted(event_time_ms(event)))
            records = records_of(self.hindsight.passing(events))
            send(self.kafka, records, acknowledged := Sent(), self._so_far)
            self.sent = acknowledged.records
        except Exception as error:
            self.failure = error
        finally:
            self.finished.set()

    def _wanted(self, at_ms: int) -> bool:
        return (self.start_ms is None or at_ms >= self.start_ms) and (self.stop_ms is None or at_ms < self.stop_ms)

    def _so_far(self, sent: int) -> None:
        self.sent = sent


class Watch:
    """Reads alerts and offers as a marketing system would, and keeps the newest to show."""

    KINDS = {ALERTS.name: "alerts", OFFERS.name: "offers", WITHHELD.name: "withheld"}  # noqa: RUF012 (constant)

    def __init__(self, kafka: Access, hindsight: Hindsight) -> None:
        self._hindsight = hindsight
        self.counts: Counter[str] = Counter()
        self.newest: dict[str, deque[Text]] = {"alerts": deque(maxlen=5), "offers": deque(maxlen=5)}
        self._ids: set[str] = set()
        self._stop = Event()
        self._last_read = time.monotonic()
        self._reader = Reader(kafka)
        # From the topics' present ends: a broker that was there before may hold older outcomes.
        here = [(name, p) for name in self.KINDS for p in range(self._reader.partitions(name))]
        self._starts = {place: self._reader.extent(place)[1] for place in here}
        self._thread = Thread(target=self._read, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End reading."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)
        self._reader.close()

    def settle(self, quiet_seconds: float = 2.0) -> None:
        """Wait until nothing new has come for a while."""
        end = time.monotonic() + 20
        while time.monotonic() - self._last_read < quiet_seconds and time.monotonic() < end:
            time.sleep(0.1)

    def _read(self) -> None:
        for records in self._reader.follow(self._starts, 0.2):
            if self._stop.is_set():
                return
            for record in records:
                outcome = msgspec.json.decode(record.value or b"")
                if outcome["outcome_id"] in self._ids:
                    continue  # the same outcome said again: ids make it effectively once
                self._ids.add(outcome["outcome_id"])
                self._last_read = time.monotonic()
                kind = self.KINDS[record.topic]
                self.counts[kind] += 1
                self._hindsight.take(outcome)
                if kind in self.newest:
                    self.newest[kind].append(_line(kind, outcome))

    def view(self, sent: int, done: int, seconds: float) -> Group:
        """What to show right now."""
        numbers = ", ".join(f"{self.counts[kind]:,} {kind}" for kind in self.KINDS.values())
        status = Text(f"\n{seconds:5.1f} s   {sent:,} sent, {done:,} processed   {numbers}", style="bold")
        return Group(*self.newest["alerts"], *self.newest["offers"], status)


def _line(kind: str, outcome: dict[str, Any]) -> Text:
    record = msgspec.convert(outcome, ALERTS.records[0] if kind == "alerts" else OFFERS.records[0])
    return Text(words.line(record, reasons=1), style="red" if kind == "alerts" else "green")
