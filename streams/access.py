"""How Kafka is reached: addresses, encryption and credentials, as each of our three clients wants to be told."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
DEFAULT_PORT = 9092
#: How long each server has to accept a connection.
CONNECT_SECONDS = 3.0
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:/@\[\]]+)(?::(\d{1,5}))?")


class Unreachable(RuntimeError):
    """No Kafka broker answers."""


@dataclass(frozen=True, slots=True)
class Access:
    """``servers``: HOST:PORT[,HOST:PORT…]. ``ca_file``: PEM of who signed the broker's certificate; the system's
    authorities where it is empty. User and password are only used by the SASL protocols. The password is never shown.
    """

    servers: str
    protocol: SecurityProtocol = "PLAINTEXT"
    mechanism: SaslMechanism = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""

    @property
    def encrypted(self) -> bool:
        """Whether the connection is TLS."""
        return self.protocol.endswith("SSL")

    @property
    def authenticated(self) -> bool:
        """Whether user and password are given."""
        return self.protocol.startswith("SASL")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every server. Raises ``ValueError`` when one is not written so.

        >>> Access("one:9092,[::1]:9093,three").addresses
        [('one', 9092), ('::1', 9093), ('three', 9092)]
        """
        found = []
        for server in self.servers.split(","):
            match = _ADDRESS.fullmatch(server)
            port = int(match[2] or DEFAULT_PORT) if match else 0
            if match is None or not 0 < port < 65536:
                raise ValueError(f"{server!r} is no HOST:PORT with a port from 1 to 65535")
            found.append((match[1].strip("[]"), port))
        return found

    def require(self, patience_seconds: float = 0.0) -> None:
        """Make sure that a server accepts connections, before anything is done for which one is needed. Waits for that
        as long as told. Raises ``Unreachable``, which says of every server why not."""
        end = time.monotonic() + patience_seconds
        while reasons := list(self._silent()):
            if time.monotonic() >= end:
                raise Unreachable(self.no_answer("; ".join(dict.fromkeys(reasons))))
            time.sleep(0.2)

    @contextmanager
    def answering(self, failure: type[Exception], raised: type[Exception]) -> Iterator[None]:
        """Where Kafka is asked: a client's ``failure`` within is told as no broker that answers, and ``raised``.

        >>> with Access("127.0.0.1:9092").answering(OSError, ValueError):  # doctest: +ELLIPSIS
        ...     raise OSError("no route")
        Traceback (most recent call last):
        ValueError: No Kafka broker answers at 127.0.0.1:9092 (--broker, OFFERSTREAM_BROKER): no route. Start ...
        """
        try:
            yield
        except failure as error:
            first = error.args[0] if error.args else error
            why = first.str() if hasattr(first, "str") else str(error)  # confluent-kafka's says more in its first
            raise raised(self.no_answer(why)) from error

    def no_answer(self, why: str) -> str:
        """What to say when no broker answers."""
        return f"No Kafka broker answers at {self.servers} (--broker, OFFERSTREAM_BROKER): {why}. {self._advice()}"

    def _advice(self) -> str:
        """What to do where no broker answers."""
        hosts = {host for host, _ in self.addresses}
        if hosts <= {"127.0.0.1", "::1", "localhost"}:
            return "Start one in another terminal: offerstream broker; or name yours: --broker HOST:PORT."
        return "Is the address right, does Kafka run there, and may this machine reach it?"

    def _silent(self) -> Iterator[str]:
        """Why each server accepts no connection; nothing once one does."""
        reasons = []
        for host, port in self.addresses:
            try:
                socket.create_connection((host, port), CONNECT_SECONDS).close()
                return
            except (socket.gaierror, UnicodeError):
                reasons.append(f"{host} cannot be resolved")
            except TimeoutError:
                reasons.append(f"{host}:{port} does not answer")
            except OSError as error:
                reasons.append(f"{host}:{port}: {error.strerror or error}")
        yield from reasons

    def librdkafka(self) -> dict[str, Any]:
        """The configuration of a confluent-kafka client."""
        told: dict[str, Any] = {"bootstrap.servers": self.servers, "security.protocol": self.protocol}
        if self.authenticated:
            told |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        if self.encrypted and self.ca_file:
            told["ssl.ca.location"] = self.ca_file
        return told

    def kafka_python(self) -> dict[str, Any]:
        """Keyword arguments of a kafka-python client."""
        told: dict[str, Any] = {"bootstrap_servers": self.servers.split(","), "security_protocol": self.protocol}
        if self.authenticated:
            told |= {"sasl_mechanism": self.mechanism, "sasl_plain_username": self.username}
            told["sasl_plain_password"] = self.password
        if self.encrypted:
            told["ssl_context"] = self.tls()
        return told

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context; None where the connection is not encrypted."""
        return ssl.create_default_context(cafile=self.ca_file or None) if self.encrypted else None
