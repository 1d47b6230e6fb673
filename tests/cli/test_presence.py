"""Whoever watches hears when Kafka goes and when it is back, once each."""

from __future__ import annotations

import socket

import pytest

from streams.access import Access
from streams.commands import watch
from streams.commands.watch import Presence


def test_that_kafka_is_away_is_said_once_and_that_it_is_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watch, "PRESENCE_SECONDS", 0.0)
    with socket.socket() as kafka:
        kafka.bind(("127.0.0.1", 0))
        presence = Presence(Access(f"127.0.0.1:{kafka.getsockname()[1]}"))
        for _ in range(3):
            presence.look()
        assert capsys.readouterr().err.count("What comes is shown when it is back.") == 1
        kafka.listen()
        for _ in range(3):
            presence.look()
        assert capsys.readouterr().err == "Kafka answers again.\n"
