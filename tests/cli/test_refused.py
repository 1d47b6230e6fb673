"""What cannot be used is refused in a line, before any work: every option of every command, and every setting."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from models.artifact import ArtifactError
from models.registry import task
from models.store import Store
from streams import worker
from streams.access import Access, Unreachable
from streams.cli import cli, told
from streams.commands.common import Number, OutFile, OutFolder, Text, Time
from streams.settings import Settings, SettingsError
from tests.cli.harness import called, commands
from tests.models.variants import variant


def bad(kind: click.ParamType, tmp_path: Path) -> list[str]:
    """Values that a kind must refuse."""
    (tmp_path / "file").touch()
    if isinstance(kind, OutFile):
        return [str(tmp_path), str(tmp_path / "file" / "x"), "/proc/nothing/x", "x" * 300]
    if isinstance(kind, OutFolder):
        return [str(tmp_path / "file"), str(tmp_path / "file" / "x"), "/proc/nothing/x", "x" * 300]
    if isinstance(kind, click.Path):
        return [str(tmp_path / "nothing")]
    if isinstance(kind, Time):
        return ["yesterday", "", "1969-01-01", "2017-13-01"]
    if isinstance(kind, Text):
        return ["\udcff"]
    if isinstance(kind, (click.IntRange, Number)):
        below = [str(kind.min - 1)] if kind.min is not None else []
        above = [str(kind.max + 1)] if kind.max is not None else []
        return [*below, *above, "x", "nan"]
    return []


each = pytest.mark.parametrize(
    ("words", "command"), [pytest.param(words, command, id=" ".join(words)) for words, command in commands()]
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """The command line in a folder of its own, in a process that stays as it is."""
    monkeypatch.setattr(worker, "_fast_loop", lambda: None)
    monkeypatch.setattr(worker, "KAFKA_PATIENCE_SECONDS", 0.0)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield CliRunner()
    assert not list((tmp_path / "here").glob("*.json"))


def refused(result: Result) -> str:
    """What was said of what was refused."""
    assert result.exit_code != 0, result.output
    if isinstance(result.exception, SystemExit):
        return result.output
    assert isinstance(result.exception, told()), repr(result.exception)
    assert "\n" not in str(result.exception)
    return str(result.exception)


@each
def test_every_value_of_every_command_is_checked_before_the_work(
    words: tuple[str, ...], command: click.Command, run: CliRunner, tmp_path: Path
) -> None:
    for param in command.params:
        if isinstance(param, click.Option) and param.is_flag:
            continue
        assert param.type not in (click.INT, click.FLOAT), f"{words} {param.name} has no range"
        assert type(param.type) is not click.Path or param.type.exists, f"{words} {param.name}: see OutFile"
        for value in bad(param.type, tmp_path):
            given = [value] if isinstance(param, click.Argument) else [f"{param.opts[0]}={value}"]
            result = run.invoke(cli, [*called(words, command, but=param.name or ""), *given])
            assert result.exit_code == 2, f"{words} {given}: {result.output}{result.exception!r}"
            assert param.opts[-1].lstrip("-").lower() in result.output.lower()


@each
def test_a_broker_that_cannot_be_is_told_at_once(
    words: tuple[str, ...], command: click.Command, run: CliRunner
) -> None:
    if not any(param.name == "broker" for param in command.params):
        return
    if words in (("models", "list"), ("train",)):  # need none, unless told otherwise: tests/kafka has them
        return
    for value, says in (
        ("one two:9092", "no HOST:PORT"),
        ("host:0", "no HOST:PORT"),
        ("host:x", "no HOST:PORT"),
        ("http://host:1", "no HOST:PORT"),
        ("host:1,,other:1", "no HOST:PORT"),
        ("", "at least one character"),
    ):
        assert says in refused(run.invoke(cli, [*called(words, command), f"--broker={value}"]))
    for value, says in (
        ("nosuch.invalid:9092", "cannot be resolved"),
        ("127.0.0.1:1", "refused"),
        ("x" * 70, "be res"),
    ):
        own = ["--port=0", f"--data-dir={value}"] if words == ("worker",) else []
        assert says in refused(run.invoke(cli, [*called(words, command), f"--broker={value}", *own]))


@pytest.mark.parametrize("command", [("replay", "complete_journey"), ("demo",), ("dead-letters",)])
def test_a_window_of_nothing_is_refused(command: tuple[str, ...], run: CliRunner) -> None:
    result = run.invoke(cli, [*command, "--from", "2017-06-02", "--to", "2017-06-01"])
    assert "--to must be later" in refused(result)


def test_a_worker_refuses_a_folder_a_port_and_a_host_that_it_cannot_have(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="OFFERSTREAM_DATA_DIR"):
        worker.run(Settings(data_dir=tmp_path / "file", port=0))
    with pytest.raises(SettingsError, match=r"OFFERSTREAM_HOST.*cannot be resolved"):
        worker.run(Settings(data_dir=tmp_path / "data", host="nosuch.invalid"))
    with pytest.raises(SettingsError, match="no address of this machine"):
        worker.run(Settings(data_dir=tmp_path / "data", host="192.0.2.1"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match="is another worker running"):
            worker.run(Settings(data_dir=tmp_path / "data", port=taken.getsockname()[1]))


def test_a_broker_refuses_a_port_that_is_taken_before_it_fetches_anything(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.broker.cache.fetch_jars", lambda: 1 / 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "Choose another" in refused(run.invoke(cli, ["broker", "--port", str(taken.getsockname()[1])]))


def test_a_worker_that_starts_with_its_kafka_waits_for_it() -> None:
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        access = Access(f"127.0.0.1:{late.getsockname()[1]}")
        with pytest.raises(Unreachable):
            access.require()
        late.listen()
        access.require(60)


def test_an_authority_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(SettingsError, match="OFFERSTREAM_SSL_CA_FILE"):
        Settings(security_protocol="SSL", ssl_ca_file=str(tmp_path / "ca.pem"))


def test_a_store_that_is_a_file_takes_no_version(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="OFFERSTREAM_MODELS"):
        Store(str(tmp_path / "file")).put("churn", variant(task("churn"), 0.5).files())
