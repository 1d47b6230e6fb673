"""Exit codes: 2 for what cannot be meant so, 1 for what went wrong; and what was probably meant is said."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import click
import pytest

from streams import worker
from streams.cli import cli, main
from tests.cli.harness import called, commands, reaches

each = pytest.mark.parametrize(
    ("words", "command"), [pytest.param(words, command, id=" ".join(words)) for words, command in commands()]
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, and a process that stays as it is."""
    monkeypatch.setattr(worker, "_fast_loop", lambda: None)
    monkeypatch.setattr(worker, "KAFKA_PATIENCE_SECONDS", 0.0)
    monkeypatch.setenv("OFFERSTREAM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OFFERSTREAM_PORT", "0")
    monkeypatch.chdir(tmp_path)


def code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of a command as the shell sees it."""
    monkeypatch.setattr(sys, "argv", ["offerstream", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@each
def test_a_misspelt_option_is_a_misuse_of_every_command(
    words: tuple[str, ...], command: click.Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(monkeypatch, *called(words, command), "--nonsense") == 2
    for param in command.params:
        if isinstance(param, click.Option) and len(param.opts[0]) > 5:
            near = param.opts[0][:-2] + param.opts[0][-1] + param.opts[0][-2]  # two letters in the wrong order
            if near == param.opts[0]:
                continue
            assert code(monkeypatch, *called(words, command), f"{near}=x") == 2
            said = capsys.readouterr().err
            assert f"No such option: {near}" in said
            assert param.opts[0] in said.partition("Did you mean")[2] or "Possible options" in said, said


@each
def test_a_misspelt_command_is_answered_with_the_nearest_one(
    words: tuple[str, ...], command: click.Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = words[-1]
    near = name[:2] + name[3:] if len(name) > 3 else name + "e"
    assert code(monkeypatch, *words[:-1], near) == 2
    assert f"Did you mean offerstream {' '.join(words)}?" in capsys.readouterr().err


@each
def test_a_setting_that_cannot_be_used_is_a_misuse(
    words: tuple[str, ...], command: click.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reaches(command, "from_environment"):
        monkeypatch.setenv("OFFERSTREAM_CURRENCY", "euro")
        assert code(monkeypatch, *called(words, command)) == 2


@each
def test_a_broker_that_is_away_went_wrong_and_what_to_do_is_said(
    words: tuple[str, ...], command: click.Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if words in (("models", "list"), ("train",)) or not any(param.name == "broker" for param in command.params):
        return  # those two need none
    given = [str(Path(__file__)) if word == "-" else word for word in called(words, command)]
    assert code(monkeypatch, *given, "--broker=127.0.0.1:1") == 1
    assert "in another terminal: offerstream broker; or name yours: --broker" in capsys.readouterr().err
    monkeypatch.setenv("OFFERSTREAM_DATA_DIR", "another")  # the first is locked for as long as this process lives
    assert code(monkeypatch, *given, "--broker=nosuch.invalid:9092") == 1
    assert "Is the address right" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("nonsense", "There is no command 'nonsense'."),
        ("promote churn x", "Did you mean offerstream models promote?"),
        ("train chrun", "There is no task 'chrun': did you mean churn?"),
        ("train churn --history cdnow --cut yesterday", "'yesterday' is no ISO 8601 time"),
        ("train churn --cut 2026-03-01", "name one with --history or --from-broker"),
        ("train churn --history shop.json --cut 2026-03-01", "there is no such file or folder"),
        ("train churn --history cdnow --cut 1997-10-01 --cut 1997-11-01", "There are 2 --cut for 1 histories"),
        ("models show chrun", "did you mean churn?"),
        ("models promote chrun v --to live", "did you mean churn?"),
        ("models diff churn zzz zzz", "0 versions of 'churn' start with 'zzz'; there are"),
        ("report churn zzz", "0 versions of 'churn' start with 'zzz'; there are"),
        ("schema OrdersPlaced", "There is no record 'OrdersPlaced': did you mean OrderPlaced?"),
        ("features list shoper", "There is no entity 'shoper': did you mean shopper?"),
        ("features show itme i1", "There is no entity 'itme': did you mean item?"),
        ("replay complete_jorney", "did you mean complete_journey?"),
        ("replay no.jsonl --format jsonl", "no.jsonl: there is no such file"),
        ("check no.jsonl", "no.jsonl: there is no such file"),
        ("watch alert", "did you mean alerts?"),
        ("dead-letters --reason not_jsn", "did you mean not_json?"),
        ("watch --from tomorrow", "'tomorrow' is no ISO 8601 time"),
    ],
)
def test_a_name_or_a_date_that_is_none_is_a_misuse(
    arguments: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(monkeypatch, *arguments.split()) == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_what_is_found_wrong_and_what_is_taken_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.jsonl").write_text("{}\n")
    assert code(monkeypatch, "check", "bad.jsonl") == 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert code(monkeypatch, "broker", "--port", port) == 1
        assert code(monkeypatch, "worker", "--port", port) == 1
    assert "is another worker running?" in capsys.readouterr().err
    for words in (["--help"], ["settings"], ["topics", "list"]):
        assert code(monkeypatch, *words) == 0


def test_every_group_knows_what_was_meant() -> None:
    groups = [cli, *(command for command in cli.commands.values() if isinstance(command, click.Group))]
    assert all(hasattr(group, "meant") for group in groups)
