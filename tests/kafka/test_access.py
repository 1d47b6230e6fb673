"""A Kafka that asks who is there: every client of ours says so, and a wrong password is an error that says so."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from streams.access import Access
from streams.settings import Settings, SettingsError
from tests.kafka.harness import Cluster
from tests.processes import run
from tests.shoppers import log_of, ordered

pytestmark = pytest.mark.kafka


def told(password: str) -> dict[str, str]:
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "shop",
        "sasl_password": password,
    }


def offerstream(
    password: str, *arguments: str, given: str | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    more = {f"OFFERSTREAM_{name.upper()}": value for name, value in (told(password) | settings).items()}
    return run("streams", *arguments, input=given, env={**os.environ, **more}, text=True)


def test_worker_producer_and_subscriber_say_who_they_are(cluster: Cluster, secure: str) -> None:
    """Admin, kafka-python, Faust's consumer, librdkafka's producer and consumer."""
    worker = replace(cluster, bootstrap=secure).worker(**told("s3cret"))
    worker.wait_ready()
    events = b"\n".join(value or b"" for _, value in log_of(*(ordered(f"s{k}") for k in range(20)))).decode()
    replay = ("replay", "-", "--format", "jsonl", "--wait", "--broker", secure)
    sent = offerstream("s3cret", *replay, given=events, app_id=cluster.app_id)
    assert "20 applied, 0 duplicate, 0 late, 0 dead" in sent.stdout, sent.stderr
    watch = ("watch", "profiles", "--from", "beginning", "--limit", "20", "--json", "--broker", secure)
    read = offerstream("s3cret", *watch)
    assert len({json.loads(line)["shopper_id"] for line in read.stdout.splitlines()}) == 20, read.stderr
    worker.stop()
    refused = offerstream("wrong", "topics", "check", "--broker", secure)
    assert refused.returncode == 1
    assert "No Kafka broker answers" in refused.stderr


def test_a_password_is_never_shown() -> None:
    settings = Settings(security_protocol="SASL_SSL", sasl_username="shop", sasl_password="s3cret")
    assert "s3cret" not in repr(settings) + repr(settings.access) + str(settings.shown())
    assert settings.shown()["sasl_password"] == "(set)"
    assert "s3cret" not in offerstream("s3cret", "settings").stdout


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"security_protocol": "TLS"}, "one of PLAINTEXT"),
        ({"security_protocol": "SASL_SSL"}, "SASL_USERNAME"),
        ({"sasl_mechanism": "MAGIC"}, "SCRAM-SHA-256"),
        ({"ssl_ca_file": "/no/such.pem"}, "does not exist"),
        ({"sasl_password": 5309}, r"SASL_PASSWORD is \(set\)"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings(**settings)


def test_each_client_is_told_in_its_own_words() -> None:
    access = Access("a:1,b:2", "SASL_SSL", "PLAIN", "shop", "s3cret")
    assert access.librdkafka()["sasl.password"] == "s3cret"
    told = access.kafka_python()
    assert told["bootstrap_servers"] == ["a:1", "b:2"]
    assert told["ssl_context"] is not None
    assert Access("a:1").kafka_python() == {"bootstrap_servers": ["a:1"], "security_protocol": "PLAINTEXT"}
