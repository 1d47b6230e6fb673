"""The embedded broker: verified jars, a clean end, and never an orphan."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from streams import admin, topics
from streams.access import Access
from streams.broker.cache import INSTEAD, fetch_jars
from streams.broker.embedded import Broker, BrokerError
from streams.broker.jars import JarError, fetch, read_lock
from streams.entities import contents

pytestmark = pytest.mark.kafka


def gone(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_the_lock_names_kafka_and_a_digest_for_every_jar() -> None:
    jars = read_lock()
    assert jars[0].coordinate == "org.apache.kafka:kafka_2.13:4.3.1"
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars)


def test_a_jar_with_another_digest_never_reaches_the_folder(tmp_path: Path) -> None:
    kept = fetch_jars()[0].parent
    jar = min(read_lock(), key=lambda j: j.size)
    lock = tmp_path / "bad.lock"
    lock.write_text(f"{jar.coordinate} {jar.file_name} {jar.size} {'0' * 64}\n")
    with pytest.raises(JarError, match=r"but bad\.lock has"):
        fetch(tmp_path / "jars", lock)
    assert not list((tmp_path / "jars").glob("*.jar"))
    assert (kept / jar.file_name).exists()


@pytest.mark.parametrize("home", ["/proc/nothing", ""])
def test_without_a_home_that_can_be_written_jars_are_kept_here(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jars = fetch_jars()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    if not home:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)  # a user that the system does not know
    monkeypatch.chdir(tmp_path)
    INSTEAD.mkdir(parents=True)
    for jar in jars:
        (INSTEAD / jar.name).symlink_to(jar)
    assert {path.parent for path in fetch_jars()} == {INSTEAD}


def test_where_nothing_can_be_written_a_line_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nothing")
    monkeypatch.chdir("/proc")
    with pytest.raises(JarError, match="Set XDG_CACHE_HOME"):
        fetch_jars()


def test_topics_are_created_as_catalogued_and_differences_are_told(broker: Broker) -> None:
    wanted = contents.topics("told")
    admin.create(Access(broker.bootstrap), wanted, 3)
    assert admin.create(Access(broker.bootstrap), wanted, 3) == []
    assert admin.check(Access(broker.bootstrap), wanted) == []
    assert admin.check(Access(broker.bootstrap), contents.changelogs("absent")[:1]) == [
        "absent-shoppers-changelog does not exist: offerstream topics create"
    ]


def test_the_broker_dies_with_its_owner_and_starts_again_on_its_data(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from streams.access import Access; from streams.broker.embedded import Broker\n"
        "from streams.broker.cache import fetch_jars\n"
        "from streams import admin, topics\n"
        "b = Broker(Path(sys.argv[1]), fetch_jars()); b.start()\n"
        "admin.create(Access(b.bootstrap), topics.TOPICS, 2)\n"
        "print(b.pid, flush=True); time.sleep(100)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert gone(pid, 15)
    with Broker(tmp_path, fetch_jars()) as again:
        assert topics.EVENTS.name in AdminClient({"bootstrap.servers": again.bootstrap}).list_topics(timeout=10).topics
        with pytest.raises(BrokerError, match="cannot be used"):
            Broker(tmp_path / "other", fetch_jars(), port=again.port).start()
        pid = again.pid
    assert gone(pid, 1)
