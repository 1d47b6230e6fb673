"""The command line: help that helps, errors that say what to do."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli import cli
from streams.settings import Settings, SettingsError
from streams.topics import PRODUCED
from tests import processes


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_every_command_has_help(command: str) -> None:
    text = run(*([command] if command else []), "--help")
    assert "Usage:" in text
    assert len(text) > 150


def test_the_schema_of_every_record_is_printed() -> None:
    definitions = json.loads(run("schema"))["$defs"]
    wanted = "OrderPlaced ItemViewed ChurnAlerted OfferMade OfferWithheld DeadLetter Scored ItemListed StockCounted"
    assert {*wanted.split(), "ItemReviewed", "ItemProfiled"} <= definitions.keys()
    assert definitions["OrderLine"]["properties"]["unit_price_cents"]["minimum"] == 0
    assert json.loads(run("schema", "OrderPlaced"))["$ref"] == "#/$defs/OrderPlaced"


def test_the_catalogues_are_printed() -> None:
    assert "orders.days_since_last" in run("features", "list", "shopper")
    assert "orders.days_since_last" not in run("features", "list", "item")
    assert "stock.cover_days" in run("features", "list", "item")
    for topic in PRODUCED:
        assert topic.name in run("topics", "list")
    assert "storefront.events.v1" in run("topics", "list")
    assert "offerstream_records_total" in run("metrics")
    assert "OFFERSTREAM_HOLDOUT_SHARE" in run("settings")


def offerstream(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return processes.run("streams", *arguments, input=stdin, text=True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay", "nothing"], "there are: complete_journey"),
        (["replay", "online_retail"], "--data DIR"),
        (["replay", "no-such-file", "--format", "jsonl"], "there is no such file"),
        (["replay", "cdnow", "orders.jsonl"], "cdnow is none: send it by itself"),
        (["preview", "no-such-file"], "there is no such file"),
        (["replay", "complete_journey", "--from", "yesterday"], "ISO 8601"),
        (["topics", "check", "--broker", "127.0.0.1:1"], "No Kafka broker answers"),
        (["features", "show", "s1", "--broker", "127.0.0.1:1"], "No Kafka broker answers"),
        (["features", "show", "item", "i1", "--broker", "127.0.0.1:1"], "No Kafka broker answers"),
        (["features", "show", "store", "i1"], "There is no entity 'store'; there are: shopper, item, campaign."),
        (
            ["features", "show", "item", "i1", "i2"],
            "One shopper, item or campaign at a time, such as: features show item i1",
        ),
        (["features", "list", "store"], "There is no entity 'store'; there are: shopper, item, campaign."),
        (["replay", "[/x]"], "no data set '[/x]'"),  # not markup
        (["train", "nothing"], "there are: behaviour, churn"),
        (["schema", "Nothing"], "there are: AdClicked"),
    ],
)
def test_an_error_is_a_line_that_says_what_to_do(arguments: list[str], says: str) -> None:
    done = offerstream(*arguments)
    assert done.returncode != 0
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("given", [("-",), ("-", "--format", "jsonl"), ("bad.jsonl",)])
def test_a_file_with_a_bad_line_is_not_sent_and_raw_is_offered(given: tuple[str, ...], tmp_path: Path) -> None:
    good = '{"type":"item_viewed","event_id":"e","shopper_id":"s","event_time":1700000000000,"item_id":"i"}\n'
    with socket.socket() as silent:  # Somebody listens there; Kafka is asked nothing yet.
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        broker = f"127.0.0.1:{silent.getsockname()[1]}"
        (tmp_path / "bad.jsonl").write_text(good + "{}\n")
        source, *more = (str(tmp_path / word) if word == "bad.jsonl" else word for word in given)
        done = offerstream("replay", source, *more, "--broker", broker, stdin=good + "{}\n")
    said = " ".join(done.stderr.split())
    assert done.returncode == 1
    assert ":2: type: Object missing required field `type`" in said
    assert "Nothing was sent: 1 of 2 records are bad." in said
    assert "--raw" in said


def test_lines_that_are_no_events_are_records_all_the_same() -> None:
    from streams.producer.replay import records_of_lines

    good = b'{"type":"item_viewed","event_id":"e","shopper_id":"s","event_time":1,"item_id":"i"}'
    raw = list(records_of_lines(enumerate([good, b"junk", b'{"shopper_id":"s9"}', b"[" * 100_000])))
    assert [(r.key, r.time_ms) for r in raw] == [(b"s", 1), (None, None), (b"s9", None), (None, None)]


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("PORT", "x", "a whole number from 0 to 65535 (TCP port)"),
        ("PORT", "1.5", "a whole number from 0 to 65535 (TCP port)"),
        ("HOLDOUT_SHARE", "2", "a number from 0 to 1 (share)"),
        ("CADENCE_SECONDS", "nan", "a number from 0.001 to 1000000000 (seconds)"),
        ("MAX_SLICE", "0", "a whole number from 1 to 2147483648 (records)"),
        ("CURRENCY", "euro", "three capital letters (ISO 4217)"),
        ("CURRENCY", "USD\n", "three capital letters (ISO 4217)"),
        ("PARTITIONER", "fnv", "one of any, crc32, murmur2"),
        ("DEFAULT_CONSENT", "maybe", "one of True, False"),
        ("BROKER", "", "at least one character"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_in_one_line(variable: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({f"OFFERSTREAM_{variable}": value})
    assert str(refused.value) == f"OFFERSTREAM_{variable} is {value!r}; it must be {says}."


@pytest.mark.parametrize(("variable", "value"), [("BROKER", "host:x"), ("DATA_DIR", "")])
def test_an_address_or_a_folder_that_cannot_be_is_refused(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"OFFERSTREAM_{variable}"):
        Settings.from_environment({f"OFFERSTREAM_{variable}": value})


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match="OFFERSTREAM_TYPO is not a setting"):
        Settings.from_environment({"OFFERSTREAM_TYPO": "1"})


@pytest.mark.parametrize(("text", "value"), [(" 12\n", 12.0), ("1e3", 1000.0), ("0", 0.0)])
def test_a_number_is_read_as_it_is_written(text: str, value: float) -> None:
    assert Settings.from_environment({"OFFERSTREAM_LIVE_SECONDS": text}).live_seconds == value


@pytest.mark.parametrize("text", ["yes", "Yes", "true", "True", "1"])
def test_a_switch_is_read_as_people_write_it(text: str) -> None:
    assert Settings.from_environment({"OFFERSTREAM_DEFAULT_CONSENT": text}).default_consent is True


def test_settings_come_from_the_environment_and_flags_win() -> None:
    environment = {"OFFERSTREAM_BROKER": "b:1", "OFFERSTREAM_DATA_DIR": "/x", "OFFERSTREAM_DEFAULT_CONSENT": "yes"}
    settings = Settings.from_environment(environment, broker="c:2", port=None)
    assert (settings.broker, settings.data_dir, settings.default_consent) == ("c:2", Path("/x"), True)
    assert settings.host == "127.0.0.1"
