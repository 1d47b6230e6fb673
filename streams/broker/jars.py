"""The locked jars of Apache Kafka, fetched from Maven Central through jgo and verified by SHA-256.

``kafka-jars.lock`` has a line per jar: coordinate, file name, bytes, sha256. ``python -m streams.broker.jars``
resolves it anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK = Path(__file__).with_name("kafka-jars.lock")
ROOTS = ("org.apache.kafka:kafka_2.13:4.3.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")

Progress = Callable[[int, int], None]
"""Called with bytes so far and bytes in all."""


class JarError(RuntimeError):
    """A jar could not be fetched, or is not the one that was locked."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    coordinate: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version, *classifier = self.coordinate.split(":")
        return "-".join([artifact, version, *classifier]) + ".jar"


def read_lock(lock: Path = LOCK) -> list[Jar]:
    """The jars of a lock file, in its order, which is the classpath's."""
    jars = []
    for line in lock.read_text().splitlines():
        fields = line.split("#", 1)[0].split()
        if fields:
            coordinate, _name, size, sha256 = fields
            jars.append(Jar(coordinate, int(size), sha256))
    return jars


def fetch(into: Path, lock: Path = LOCK, progress: Progress | None = None, workers: int = 6) -> list[Path]:
    """The locked jars as files in ``into``, in lock order; fetches what is missing or damaged.

    A file reaches ``into`` only whole and with the locked sha256; of several that fetch at the same time one does, and
    the others wait. Raises ``JarError``.
    """
    if missing(into, lock):
        into.mkdir(parents=True, exist_ok=True)
        with (into / ".fetching").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if wanted := missing(into, lock):
                _download(wanted, into, lock, progress, workers)
    return [into / jar.file_name for jar in read_lock(lock)]


def missing(folder: Path, lock: Path = LOCK) -> list[Jar]:
    """The locked jars that a folder does not hold whole; it need not exist."""
    return [jar for jar in read_lock(lock) if not _intact(folder / jar.file_name, jar)]


def _intact(path: Path, jar: Jar) -> bool:
    return path.is_file() and path.stat().st_size == jar.size and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(wanted: list[Jar], into: Path, lock: Path, progress: Progress | None, workers: int) -> None:
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ImportError as error:
        raise JarError("Fetching Kafka's jars needs the extra 'kafka': pip install 'offerstream[kafka]'.") from error
    total, done = sum(jar.size for jar in wanted), 0

    @contextlib.contextmanager
    def per_file(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        def advance(n: int) -> None:
            nonlocal done
            done += n
            if progress:
                progress(done, total)

        yield advance

    # jgo writes straight to the final path and only warns about a bad checksum, hence the scratch folder.
    scratch = Path(tempfile.mkdtemp(prefix=".fetch-", dir=into))
    try:
        context = MavenContext(resolver=PythonResolver(progress_callback=per_file), repo_cache=scratch, timeout=30)

        def one(jar: Jar) -> None:
            group, artifact, version, *classifier = jar.coordinate.split(":")
            try:
                got = context.project(group, artifact).at_version(version).artifact(*classifier).resolve()
            except (RuntimeError, OSError) as error:  # requests' errors are OSErrors
                raise JarError(f"Could not fetch {jar.coordinate}: {error}") from error
            found = _sha256(got)
            if found != jar.sha256:
                raise JarError(f"{jar.coordinate}: its sha256 is {found}, but {lock.name} has {jar.sha256}.")
            os.replace(got, into / jar.file_name)

        with ThreadPoolExecutor(workers) as pool:
            try:
                for job in as_completed([pool.submit(one, jar) for jar in wanted]):
                    job.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def make_lock(lock: Path = LOCK, roots: tuple[str, ...] = ROOTS) -> int:
    """Resolve the roots and all they need at run time, and write the lock; returns the number of jars."""
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), timeout=60)
        wanted: list[Any] = [context.create_dependency(root) for root in roots]
        for dependency in wanted:
            # Not raw, jgo lets each root manage the versions of the others, as if it were a BOM.
            dependency.scope, dependency.raw = "compile", True
        inputs, transitive = context.resolver.resolve(wanted)
        lines = [
            f"# Made by python -m streams.broker.jars from {' '.join(roots)}.",
            "# coordinate, file, bytes, sha256",
        ]
        found = [d.artifact for d in [*inputs, *transitive] if d.scope in ("compile", "runtime")]
        for artifact in [*found[: len(roots)], *sorted(found[len(roots) :], key=str)]:
            path = artifact.resolve()
            parts = [artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier]
            lines.append(f"{':'.join(filter(None, parts))} {path.name} {path.stat().st_size} {_sha256(path)}")
    lock.write_text("\n".join(lines) + "\n")
    return len(found)


if __name__ == "__main__":
    sys.stdout.write(f"{make_lock()} jars locked in {LOCK}\n")
