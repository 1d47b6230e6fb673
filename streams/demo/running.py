"""What the demo needs around it: Kafka, unless one is there, the topics, and a worker. Whatever starts here is stopped
with the stack that it is given."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from rich.console import Console

from streams.access import Access
from streams.admin import create, records_in
from streams.broker.embedded import Broker, free_ports
from streams.demo.prices import ASSUMED_MARGIN
from streams.demo.scrape import get
from streams.entities import contents
from streams.keeper import keep
from streams.settings import PREFIX, Settings
from streams.topics import EVENTS

console = Console()
#: A worker that was told to stop and does not is killed after so long.
STOP_SECONDS = 20.0
#: Settings that say where Kafka is and who we are to it.
ACCESS = ("broker", "security_protocol", "sasl_mechanism", "sasl_username", "sasl_password", "ssl_ca_file")
#: What the demo's worker is told besides. Days pass in seconds: what is leased must last until the next report comes.
#: By its name Kafka knows a worker that was killed when it comes back. No data set knows what items cost.
TOLD = {
    "flush_seconds": "5",
    "lease_minutes": "1440",
    "instance_id": "demo",
    "price_assumed_margin": str(ASSUMED_MARGIN),
}


class DemoError(RuntimeError):
    """The demo could not run to its end."""


class Worker:
    """A worker in a process of its own, which may be killed and started again, and ends when this process does; its
    output goes to ``log``."""

    def __init__(self, command: list[str], environment: dict[str, str], log: BinaryIO) -> None:
        self._command, self._environment, self._log = command, environment, log
        self._turn = Lock()
        self.started = 0
        """How often it was started: what it counts begins anew each time."""
        self._start()

    def _start(self) -> None:
        self.started += 1
        command = [sys.executable, "-m", "streams", *self._command]
        self._keeper, self._pid = keep(command, STOP_SECONDS, self._log, env=self._environment)

    @property
    def ended(self) -> int | None:
        """The code that it ended with by itself; None while it runs, or is started again."""
        with self._turn:
            return self._keeper.poll()

    def kill_and_restart(self) -> None:
        """End it as a crash does, in the middle of whatever it does, and start it again."""
        with self._turn:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._keeper.wait()
            self._start()

    def stop(self) -> None:
        """End it in good order."""
        self._keeper.terminate()
        self._keeper.wait()


@dataclass(frozen=True, slots=True)
class Running:
    """Kafka and a worker that is ready; its metrics are on ``port``."""

    settings: Settings
    """Of the worker, as far as whoever speaks to Kafka needs them."""
    broker: Broker | None
    """None for one that was there before."""
    worker: Worker
    port: int
    log: Path

    @property
    def kafka(self) -> Access:
        """Kafka, for clients."""
        return self.settings.access

    @property
    def app_id(self) -> str:
        """The worker's group."""
        return self.settings.app_id

    def fail(self, what: str) -> DemoError:
        """An error with the end of the worker's log."""
        return DemoError(f"{what}:\n{_tail(self.log)}")


def set_up(stack: ExitStack, folder: Path, broker: str | None) -> Running:
    """Start an embedded Kafka, or take the one named, and a worker on it."""
    store = str(folder / "models")
    if broker is None:
        embedded = _embedded(stack, folder)
        settings = Settings(broker=embedded.bootstrap, app_id="offerstream-demo", models=store)
    else:
        embedded, named = None, _named(broker)
        told = {name: getattr(named, name) for name in (*ACCESS, "replication")}
        settings = Settings(app_id=f"offerstream-demo-{os.getpid()}", models=store, **told)
    create(settings.access, contents.topics(settings.app_id), 4, settings.replication)
    (port,) = free_ports(1)
    worker = _start_worker(stack, folder, settings, port)
    running = Running(settings, embedded, worker, port, folder / "worker.log")
    with console.status("Waiting for the worker…"):
        _wait_ready(running)
    console.print(f"A worker is ready: http://127.0.0.1:{port}/metrics")
    return running


def _embedded(stack: ExitStack, folder: Path) -> Broker:
    from streams.broker.cache import fetch_jars

    jars = fetch_jars()
    with console.status("Starting Apache Kafka…"):
        embedded = Broker(folder / "kafka", jars)
        stack.callback(embedded.stop)
        embedded.start()
    console.print(f"Apache Kafka listens on {embedded.bootstrap}")
    return embedded


def _named(broker: str) -> Settings:
    settings = Settings.from_environment(broker=broker)
    if held := records_in(settings.access, EVENTS):
        raise DemoError(
            f"{EVENTS.name} at {broker} holds {held:,} records. The demo sends households of 2017, counts all: "
            "it is for a broker of its own. Leave --broker away, or send your data with: offerstream replay."
        )
    return settings


def environment(told: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child that is told these settings, by name, and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return kept | {f"{PREFIX}{name.upper()}": value for name, value in told.items()}


def _start_worker(stack: ExitStack, folder: Path, settings: Settings, port: int) -> Worker:
    told = {name: str(getattr(settings, name)) for name in ("app_id", "models", *ACCESS)} | TOLD
    command = ["worker", "--data-dir", str(folder / "worker"), "--port", str(port)]
    log = stack.enter_context((folder / "worker.log").open("wb"))
    worker = Worker(command, environment(told), log)
    stack.callback(worker.stop)
    return worker


def _wait_ready(running: Running) -> None:
    end = time.monotonic() + 60
    while get(running.port, "/ready") is None:
        if running.worker.ended is not None or time.monotonic() > end:
            raise running.fail("The worker did not become ready")
        time.sleep(0.2)


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-3000:] if path.exists() else "(no log)"
