"""A Kafka that asks who is there: every client of ours says so, and a wrong password is an error that says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streams.access import Access
from streams.broker.cache import fetch_jars
from streams.broker.embedded import Broker, free_ports
from streams.settings import Settings, SettingsError

pytestmark = pytest.mark.kafka
JAAS = (
    'org.apache.kafka.common.security.plain.PlainLoginModule required username="shop" password="s3cret" '
    'user_shop="s3cret";'
)


def asks(port: int) -> dict[str, str]:
    """A second listener, where everybody has to say who they are."""
    ours, secure = "PLAINTEXT://127.0.0.1:{port}", f"SECURE://127.0.0.1:{port}"
    return {
        "listeners": f"{ours},{secure},CONTROLLER://127.0.0.1:{{controller_port}}",
        "advertised.listeners": f"{ours},{secure}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECURE:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secure.plain.sasl.jaas.config": JAAS,
    }


def offerstream(password: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    told = {
        "OFFERSTREAM_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "OFFERSTREAM_SASL_MECHANISM": "PLAIN",
        "OFFERSTREAM_SASL_USERNAME": "shop",
        "OFFERSTREAM_SASL_PASSWORD": password,
    }
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )


def test_worker_producer_and_subscriber_say_who_they_are(tmp_path: Path) -> None:
    """The demo is all of them: admin, kafka-python, Faust's consumer and librdkafka."""
    (port,) = free_ports(1)
    with Broker(tmp_path / "kafka", fetch_jars(), more=asks(port)):
        secure = f"127.0.0.1:{port}"
        out = tmp_path / "demo.json"
        arguments = ("demo", "--broker", secure, "--to", "2017-01-07", "--out", str(out))
        done = offerstream("s3cret", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        numbers = json.loads(out.read_text())
        assert numbers["adds_up"]
        assert numbers["records_in"] > 1_000
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
