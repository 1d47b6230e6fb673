"""All settings of a worker: read from the environment once, then frozen.

Every field ``name`` is set by ``OFFERSTREAM_NAME``. Secrets come only from there.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import numpy as np

from streams.access import MECHANISMS, PROTOCOLS, Access
from streams.decisions.churn_alert import ChurnAlertPolicy
from streams.decisions.promotion import PromotionPolicy
from streams.features.days import UTC as UTC_DAYS
from streams.features.days import Days
from streams.processing.partitioning import PARTITIONERS
from streams.processing.rules import DecodeRules, Rules
from streams.processing.silence import SilencePolicy
from streams.topics import TABLES

PREFIX = "OFFERSTREAM_"


#: The range of every number; NaN lies in none.
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("partitions", "replication", "max_slice", "hot_rows", "max_event_bytes"), (1, 2**31)),
    **dict.fromkeys(("holdout_share", "gross_margin", "margin_floor"), (0, 1)),
    **dict.fromkeys(("flush_seconds", "cadence_seconds"), (0.001, 1e9)),
    **dict.fromkeys(("silence_shortest_days", "silence_longest_days", "silence_unknown_days"), (1e-6, 3650)),
    **dict.fromkeys(
        (
            "allowed_lateness_seconds",
            "future_tolerance_seconds",
            "idle_tick_seconds",
            "live_seconds",
            "announce_seconds",
        ),
        (0, 1e9),
    ),
    "silence_growth": (1.05, 100),
    "silence_firings": (1, 255),
    "port": (0, 65535),
    "standbys": (0, 100),
    "stalled_seconds": (1, 1e6),
    "session_seconds": (1, 1800),
}
_CHOICES = {
    "security_protocol": PROTOCOLS,
    "sasl_mechanism": MECHANISMS,
    "partitioner": PARTITIONERS,
    "default_consent": ("True", "False"),
}
#: By how a name ends.
_UNITS = {
    "_seconds": "seconds",
    "_days": "days",
    "_bytes": "bytes",
    "_share": "share",
    "margin": "share",
    "margin_floor": "share",
    "partitions": "partitions",
    "replication": "copies",
    "standbys": "workers",
    "_growth": "factor",
    "_firings": "times",
    "max_slice": "records",
    "hot_rows": "rows",
    "port": "TCP port",
    "currency": "ISO 4217",
    "publish_from": "ISO 8601",
}


class SettingsError(ValueError):
    """A setting has a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told. The comments say what a wrong value costs."""

    app_id: str = "offerstream"
    """Consumer group, and the prefix of the changelog topic. Workers that share it share the partitions."""
    broker: str = "127.0.0.1:9092"
    """Kafka, HOST:PORT[,HOST:PORT…]."""
    security_protocol: str = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    sasl_mechanism: str = "SCRAM-SHA-512"
    """PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    sasl_username: str = ""
    """Who we are to Kafka."""
    sasl_password: str = field(default="", repr=False)
    """A secret: only ever read from the environment, never shown."""
    ssl_ca_file: str = ""
    """PEM of the authority that signed the broker's certificate; the system's authorities when empty."""
    data_dir: Path = Path("build/worker")
    """Where the feature table's local copy lives; one folder per worker."""
    models: str = "build/models"
    """The store of model versions: a folder that every worker sees, or any URL that fsspec knows."""
    entities: str = "shopper item"
    """What the worker keeps, by name: shopper, item. Without item, no catalogue is read."""
    host: str = "127.0.0.1"
    """Where /metrics, /live and /ready are served. Loopback unless you decide otherwise."""
    port: int = 6066
    """0 takes a free port."""
    partitions: int = 4
    """Partitions of the topics that the worker creates."""
    replication: int = 1
    """Copies of each partition that the worker asks for when it creates a topic; 3 in production."""
    standbys: int = 0
    """How many other workers keep a copy of each partition's table, to take over without reading the changelog."""
    partitioner: str = "murmur2"
    """How all producers place a key: murmur2 (Java's way), crc32 (librdkafka's own), or any: not judged."""
    currency: str = "USD"
    """The one currency whose cents are added up."""
    allowed_lateness_seconds: float = 3600.0
    """How far behind the newest event of its partition an event may be and still count."""
    time_zone: str = UTC_DAYS
    """IANA name, such as Asia/Shanghai: where a feature counts days, they are this zone's. A table keeps its zone."""
    cadence_seconds: float = 3600.0
    """A shopper is due at most this long after their first event, however indecisive their events are."""
    future_tolerance_seconds: float = 300.0
    """An event time further ahead of its record's append time than this is a dead letter."""
    max_event_bytes: int = 262144
    """A larger record is a dead letter."""
    silence_shortest_days: float = 3.0
    """A shopper's silence timer waits at least this long after their last event."""
    silence_longest_days: float = 60.0
    """A shopper's silence timer waits at most this long after their last event."""
    silence_unknown_days: float = 21.0
    """A shopper's silence timer waits this long while their rhythm is not known."""
    silence_growth: float = 1.25
    """A silence this many times as long makes its shopper due again; nearer to 1 alerts sooner, scores more often."""
    silence_firings: int = 12
    """How often one silence makes its shopper due, at most."""
    publish_from: str = ""
    """Alerts and offers that stand on an event time before this are not published: ISO 8601, without an offset UTC;
    empty: all are. For a history that is replayed before storefronts go live."""
    default_consent: bool = False
    """Whether a shopper who never said allows marketing."""
    holdout_share: float = 0.05
    """Share of shoppers that never get an offer, as a control group."""
    holdout_salt: str = "offerstream-1"
    """Another salt draws another control group."""
    gross_margin: float = 0.30
    """The shop's gross margin, as a share of the price."""
    margin_floor: float = 0.12
    """What an offer must leave of it."""
    flush_seconds: float = 1.0
    """How often state is made durable and offsets committed; also how much is redone after a crash."""
    max_slice: int = 4096
    """Most records per slice: larger is faster, smaller decides sooner."""
    hot_rows: int = 500_000
    """Shoppers kept in memory per worker (about 4 KiB each); the others are read from disk when they return."""
    idle_tick_seconds: float = 10.0
    """A live partition idle this long gets a tick of the clock, so that timers fire; 0 never."""
    live_seconds: float = 3600.0
    """A partition is live, and gets ticks, while its newest record was appended at most this long after it happened;
    raise it for producers that send in batches."""
    stalled_seconds: float = 60.0
    """/ready fails when records wait and none was processed for this long."""
    announce_seconds: float = 5.0
    """The worker's console says at most this often what alerts, offers and dead letters came; 0 never."""
    session_seconds: float = 30.0
    """Kafka gives a silent worker's partitions to others after this long."""
    instance_id: str = ""
    """A name that no other worker of the group has and that a restart keeps, such as a pod's of a StatefulSet: Kafka
    then gives a restarted worker its partitions back at once. Two workers with one name take them from each other."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                between = " to ".join(np.format_float_positional(bound, trim="-") for bound in (low, high))
                raise SettingsError(f"{PREFIX}{name.upper()} is {getattr(self, name)}; it must be from {between}.")
        for name in ("app_id", "broker", "host", "models"):
            if not getattr(self, name):
                raise SettingsError(f"{PREFIX}{name.upper()} is empty.")
        for name, known in _CHOICES.items():
            if str(getattr(self, name)) not in known:
                raise SettingsError(
                    f"{PREFIX}{name.upper()} is {getattr(self, name)!r}; it is one of {', '.join(known)}."
                )
        try:
            _ = self.access.addresses
        except ValueError as error:
            raise SettingsError(f"{PREFIX}BROKER (--broker): {error}; several are separated by commas.") from error
        if self.access.authenticated and not (self.sasl_username and self.sasl_password):
            raise SettingsError(f"{self.security_protocol} needs {PREFIX}SASL_USERNAME and {PREFIX}SASL_PASSWORD.")
        if self.ssl_ca_file and not Path(self.ssl_ca_file).is_file():
            raise SettingsError(f"{PREFIX}SSL_CA_FILE is {self.ssl_ca_file}, which does not exist.")
        try:
            self.access.tls()
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(f"{PREFIX}SSL_CA_FILE is {self.ssl_ca_file}, which holds no PEM: {error}.") from error
        if self.silence_shortest_days > self.silence_longest_days:
            raise SettingsError(
                f"{PREFIX}SILENCE_SHORTEST_DAYS is {self.silence_shortest_days}; it must be at most "
                f"{PREFIX}SILENCE_LONGEST_DAYS, which is {self.silence_longest_days}."
            )
        try:
            Days(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise SettingsError(
                f"{PREFIX}TIME_ZONE is {self.time_zone!r}, which is no time zone: give an IANA name such as "
                "Europe/London."
            ) from error
        self._publish_from_ms()
        unknown = set(self.kept_entities) - set(TABLES)
        if unknown or not self.kept_entities:
            raise SettingsError(f"{PREFIX}ENTITIES is {self.entities!r}; it names some of {', '.join(TABLES)}.")
        if len(self.currency) != 3 or not self.currency.isupper():
            raise SettingsError(f"{PREFIX}CURRENCY is {self.currency!r}; ISO 4217 has three capital letters.")

    @property
    def kept_entities(self) -> tuple[str, ...]:
        """The entities that the worker keeps, by name."""
        return tuple(dict.fromkeys(self.entities.replace(",", " ").split()))

    @property
    def access(self) -> Access:
        """How Kafka is reached."""
        return Access(
            self.broker,
            self.security_protocol,
            self.sasl_mechanism,
            self.sasl_username,
            self.sasl_password,
            self.ssl_ca_file,
        )

    def _publish_from_ms(self) -> int:
        if not self.publish_from:
            return 0
        try:
            at = datetime.fromisoformat(self.publish_from)
        except ValueError as error:
            raise SettingsError(
                f"{PREFIX}PUBLISH_FROM is {self.publish_from!r}; it is an ISO 8601 time, such as 2026-01-31 or "
                "2026-01-31T12:00+02:00, or empty."
            ) from error
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)

    def shown(self) -> dict[str, str]:
        """Every setting as it may be shown: secrets are not."""
        secret = {f.name for f in fields(self) if not f.repr}
        values = {f.name: str(getattr(self, f.name)) for f in fields(self)}
        return {name: "(set)" if value and name in secret else value for name, value in values.items()}

    def catalogue(self) -> list[tuple[str, str, str, str, str, str]]:
        """(variable, value, default, unit, range or choices, meaning) of every setting; secrets are not shown."""
        defaults, meant = {f.name: str(f.default) for f in fields(self)}, _meanings()
        found = []
        for name, value in self.shown().items():
            allowed = ", ".join(_CHOICES.get(name, ()))
            if name in _RANGES:
                allowed = " to ".join(np.format_float_positional(bound, trim="-") for bound in _RANGES[name])
            unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")
            found.append((f"{PREFIX}{name.upper()}", value, defaults[name], unit, allowed, meant[name]))
        return found

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """The settings from ``OFFERSTREAM_…`` variables; ``overrides`` that are not None win.

        Raises ``SettingsError`` for an unknown variable (a typo would otherwise be a silent default) or a bad value.

        >>> Settings.from_environment({"OFFERSTREAM_PORT": "7000"}, broker="b:9092").port
        7000
        """
        environment = os.environ if environment is None else environment
        known = {field.name: field for field in fields(Settings)}
        values: dict[str, Any] = {}
        for variable, text in environment.items():
            if not variable.startswith(PREFIX):
                continue
            name = variable[len(PREFIX) :].lower()
            if name not in known:
                raise SettingsError(f"{variable} is not a setting. There are: {', '.join(sorted(known))}.")
            values[name] = _parse(variable, text, known[name].default)
        values |= {name: value for name, value in overrides.items() if value is not None}
        return Settings(**values)

    def rules(self) -> Rules:
        """How the log is treated under these settings."""
        return Rules(
            decode=DecodeRules(
                currency=self.currency,
                future_tolerance_ms=int(self.future_tolerance_seconds * 1000),
                max_event_bytes=self.max_event_bytes,
                partitioner=self.partitioner,
            ),
            publish_from_ms=self._publish_from_ms(),
            allowed_lateness_ms=int(self.allowed_lateness_seconds * 1000),
            cadence_ms=int(self.cadence_seconds * 1000),
            time_zone=self.time_zone,
            silence=SilencePolicy(
                shortest_days=self.silence_shortest_days,
                longest_days=self.silence_longest_days,
                unknown_days=self.silence_unknown_days,
                growth=self.silence_growth,
                firings=self.silence_firings,
            ),
            churn_alert=ChurnAlertPolicy(),
            promotion=PromotionPolicy(
                default_consent=self.default_consent,
                holdout_share=self.holdout_share,
                holdout_salt=self.holdout_salt,
                gross_margin=self.gross_margin,
                margin_floor=self.margin_floor,
            ),
        )


def _meanings() -> dict[str, str]:
    """What the string below each field says."""
    (body,) = (node.body for node in ast.parse(inspect.getsource(Settings)).body if isinstance(node, ast.ClassDef))
    return {
        field.target.id: inspect.cleandoc(said.value.value).replace("\n", " ")
        for field, said in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(said, ast.Expr)
        and isinstance(said.value, ast.Constant)
        and isinstance(said.value.value, str)
    }


def _parse(variable: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, bool):
            if text.lower() not in ("1", "0", "true", "false", "yes", "no"):
                raise ValueError("not a yes or no")
            return text.lower() in ("1", "true", "yes")
        if isinstance(default, Path) and not text:
            raise ValueError("it is empty")
        return type(default)(text)
    except ValueError as error:
        raise SettingsError(f"{variable} is {text!r}, which is no {type(default).__name__}: {error}.") from error
