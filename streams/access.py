"""How Kafka is reached: addresses, encryption and credentials, as each of our three clients wants to be told."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class Access:
    """``servers``: HOST:PORT[,HOST:PORT…]. ``ca_file``: PEM of who signed the broker's certificate; the system's
    authorities where it is empty. User and password are only used by the SASL protocols. The password is never shown.
    """

    servers: str
    protocol: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
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
