"""All settings of a worker: read from the environment once, then frozen.

Every field ``name`` is set by ``OFFERSTREAM_NAME``. Secrets come only from there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints
from zoneinfo import ZoneInfoNotFoundError

import msgspec
import numpy as np
from msgspec import Meta

from streams.access import Access, SaslMechanism, SecurityProtocol
from streams.decisions.ad_campaigns import ADS_KEPT
from streams.decisions.ads import AdPolicy
from streams.decisions.churn_alert import ChurnAlertPolicy
from streams.decisions.inventory import InventoryPolicy
from streams.decisions.price_forecast import PriceForecastPolicy
from streams.decisions.price_optimize import PricePolicy
from streams.decisions.promotion import PromotionPolicy
from streams.decisions.rating_drop import RatingPolicy
from streams.decisions.recommendations import RecommendationPolicy
from streams.decisions.sales_forecast import ForecastPolicy
from streams.decisions.shopper_profile import ProfilePolicy
from streams.entities.contents import ENTITIES
from streams.features.days import UTC as UTC_DAYS
from streams.features.days import Days
from streams.processing.partitioning import Partitioner
from streams.processing.rules import DecodeRules, ForgetPolicy, Rules
from streams.processing.silence import SilencePolicy

PREFIX = "OFFERSTREAM_"


def _in(unit: str, low: float, high: float) -> Meta:
    return Meta(ge=low, le=high, extra_json_schema={"unit": unit})


def _says(meaning: str) -> Meta:
    return Meta(description=meaning)


# Kinds of values, each with its unit and range. NaN lies in none.
Share = Annotated[float, _in("share", 0, 1)]
Growth = Annotated[float, _in("factor", 1.05, 100)]
Seconds = Annotated[float, _in("seconds", 0, 1e9)]
SomeSeconds = Annotated[float, _in("seconds", 0.001, 1e9)]
Span = Annotated[float, _in("days", 1e-6, 3650)]
Kept = Annotated[float, _in("days", 0, 36500)]
Ads = Annotated[int, _in("ads", 1, ADS_KEPT)]
Times = Annotated[int, _in("times", 1, 255)]
Port = Annotated[int, _in("TCP port", 0, 65535)]
Workers = Annotated[int, _in("workers", 0, 100)]
Partitions = Annotated[int, _in("partitions", 1, 2**31)]
Copies = Annotated[int, _in("copies", 1, 2**31)]
Bytes = Annotated[int, _in("bytes", 1, 2**31)]
Records = Annotated[int, _in("records", 1, 2**31)]
Rows = Annotated[int, _in("rows", 1, 2**31)]
Switch = Annotated[bool, Meta(extra_json_schema={"enum": [True, False]})]
Name = Annotated[str, Meta(min_length=1, extra_json_schema={"allowed": "at least one character"})]
Currency = Annotated[
    str, Meta(pattern=r"^[A-Z]{3}\Z", extra_json_schema={"unit": "ISO 4217", "allowed": "three capital letters"})
]
Time = Annotated[str, Meta(extra_json_schema={"unit": "ISO 8601"})]


class SettingsError(ValueError):
    """A setting has a value that cannot be used."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told. A value may also be text, as the environment has it. Raises ``SettingsError``."""

    app_id: Annotated[
        Name,
        _says("Consumer group, and the prefix of the changelog topic. Workers that share it share the partitions."),
    ] = "offerstream"
    broker: Annotated[Name, _says("Kafka, HOST:PORT[,HOST:PORT…].")] = "127.0.0.1:9092"
    security_protocol: Annotated[SecurityProtocol, _says("PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.")] = "PLAINTEXT"
    sasl_mechanism: Annotated[SaslMechanism, _says("PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")] = "SCRAM-SHA-512"
    sasl_username: Annotated[str, _says("Who we are to Kafka.")] = ""
    sasl_password: Annotated[str, _says("A secret: only ever read from the environment, never shown.")] = field(
        default="", repr=False
    )
    ssl_ca_file: Annotated[
        str, _says("PEM of the authority that signed the broker's certificate; the system's authorities when empty.")
    ] = ""
    data_dir: Annotated[Path, _says("Where the feature table's local copy lives; one folder per worker.")] = Path(
        "build/worker"
    )
    models: Annotated[
        Name, _says("The store of model versions: a folder that every worker sees, or any URL that fsspec knows.")
    ] = "build/models"
    entities: Annotated[
        str, _says("What the worker keeps, by name: shopper, item, campaign. Without item, no catalogue is read.")
    ] = "shopper item campaign"
    search_encoder: Annotated[
        str,
        _says(
            "An encoder of texts that `offerstream encoders` keeps, NAME or NAME@VERSION, whose likeness counts in "
            "/search; none when empty."
        ),
    ] = ""
    host: Annotated[
        Name,
        _says(
            "Where /metrics, /live, /ready and (on loopback) /search are served. Loopback unless you decide otherwise."
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, _says("0 takes a free port.")] = 6066
    partitions: Annotated[Partitions, _says("Partitions of the topics that the worker creates.")] = 4
    replication: Annotated[
        Copies, _says("Copies of each partition that the worker asks for when it creates a topic; 3 in production.")
    ] = 1
    standbys: Annotated[
        Workers,
        _says(
            "How many other workers keep a copy of each partition's table, to take over without reading the changelog."
        ),
    ] = 0
    partitioner: Annotated[
        Partitioner,
        _says("How all producers place a key: murmur2 (Java's way), crc32 (librdkafka's own), or any: not judged."),
    ] = "murmur2"
    currency: Annotated[Currency, _says("The one currency whose cents are added up.")] = "USD"
    allowed_lateness_seconds: Annotated[
        Seconds, _says("How far behind the newest event of its partition an event may be and still count.")
    ] = 3600.0
    time_zone: Annotated[
        str,
        _says(
            "IANA name, such as Asia/Shanghai: where a feature counts days, they are this zone's. A table keeps its "
            "zone."
        ),
    ] = UTC_DAYS
    cadence_seconds: Annotated[
        SomeSeconds,
        _says("A shopper is due at most this long after their first event, however indecisive their events are."),
    ] = 3600.0
    future_tolerance_seconds: Annotated[
        Seconds, _says("An event time further ahead of its record's append time than this is a dead letter.")
    ] = 300.0
    max_event_bytes: Annotated[Bytes, _says("A larger record is a dead letter.")] = 262144
    silence_shortest_days: Annotated[
        Span, _says("A shopper's silence timer waits at least this long after their last event.")
    ] = 3.0
    silence_longest_days: Annotated[
        Span, _says("A shopper's silence timer waits at most this long after their last event.")
    ] = 60.0
    silence_unknown_days: Annotated[
        Span, _says("A shopper's silence timer waits this long while their rhythm is not known.")
    ] = 21.0
    silence_growth: Annotated[
        Growth,
        _says(
            "A silence this many times as long makes its shopper due again; nearer to 1 alerts sooner, scores more "
            "often."
        ),
    ] = 1.25
    silence_firings: Annotated[Times, _says("How often one silence makes its shopper due, at most.")] = 12
    forget_days: Annotated[
        Kept,
        _says(
            "A shopper who never ordered and was not heard of for so long, to the end of a week, is forgotten: whoever "
            "comes back is somebody new; 0: never. Bots with random ids fill memory and disk for so long."
        ),
    ] = 400.0
    forget_buyers_days: Annotated[Kept, _says("The same of a shopper who ordered.")] = 0.0
    publish_from: Annotated[
        Time,
        _says(
            "Alerts and offers that stand on an event time before this are not published: ISO 8601, without an offset "
            "UTC; empty: all are. For a history that is replayed before storefronts go live."
        ),
    ] = ""
    default_consent: Annotated[Switch, _says("Whether a shopper who never said allows marketing.")] = False
    holdout_share: Annotated[Share, _says("Share of shoppers that never get an offer, as a control group.")] = 0.05
    holdout_salt: Annotated[str, _says("Another salt draws another control group.")] = "offerstream-1"
    gross_margin: Annotated[Share, _says("The shop's gross margin, as a share of the price.")] = 0.30
    margin_floor: Annotated[Share, _says("What an offer must leave of it.")] = 0.12
    recommend_never: Annotated[str, _says("Ids of items that are never recommended, with commas between them.")] = ""
    recommend_exploration_share: Annotated[
        Share, _says("Share of lists whose item at the drawn place is drawn among all that could stand there.")
    ] = 0.05
    recommend_drawn_place: Annotated[
        int, _in("place", 1, RecommendationPolicy().most), _says("The place of a list that is drawn, from 1 on.")
    ] = 4
    recommend_new_place: Annotated[
        int,
        _in("place", 0, RecommendationPolicy().most),
        _says("The place of the best item that is new to a list's model, behind the drawn one; 0: no list has one."),
    ] = 10
    recommend_most_of_category: Annotated[
        int,
        _in("items", 0, RecommendationPolicy().most),
        _says("Of one category a list has at most so many items, as far as categories are known; 0: any number."),
    ] = 0
    recommend_price_factor: Annotated[
        float,
        _in("factor", 0, 1000),
        _says(
            "What a list has costs at most so many times what a unit cost the shopper so far, and at least that "
            "divided by it, but for what they bought before; 0: any price, else at least 1."
        ),
    ] = 0.0
    ad_click_rate: Annotated[Share, _says("Clicks per advertisement shown, of shoppers who were shown few.")] = 0.005
    ad_brought_share: Annotated[
        Share, _says("Of the purchases after a click on an advertisement, the share that it brought: assumed.")
    ] = 0.25
    ad_least_return: Annotated[
        float, _in("cents", 0, 1000), _says("What a cent spent on clicks must bring beyond itself: it lowers bids.")
    ] = 0.0
    ad_exploration_share: Annotated[Share, _says("Share of decisions that draw their advertisement.")] = 0.05
    ad_cap: Annotated[Ads, _says("Of one advertisement so many for a shopper within the hours of the cap.")] = 3
    ad_cap_all: Annotated[Ads, _says("Of all advertisements together; at least that of one.")] = 12
    ad_cap_hours: Annotated[float, _in("hours", 0.01, 8760), _says("How far back both caps count.")] = 24.0
    price_largest_change: Annotated[
        float, _in("share", 0.01, 0.5), _says("A suggested price lies at most so far from the one that holds.")
    ] = 0.10
    price_margin_floor: Annotated[
        float, _in("share", 0, 0.95), _says("What a suggested price leaves over the cost, as a share of the price.")
    ] = 0.12
    price_assumed_margin: Annotated[
        float,
        _in("share", 0, 0.95),
        _says("Where the catalogue says no cost: what is left of the usual price; 0: then no price is suggested."),
    ] = 0.0
    price_point: Annotated[
        int, _in("digit", -1, 9), _says("The last digit of a suggested price in cents; -1: any.")
    ] = 9
    price_change_days: Annotated[
        float, _in("days", 1, 365), _says("A price that was changed less than so long ago is left alone.")
    ] = 14.0
    price_experiment: Annotated[
        Literal["off", "split", "switchback"],
        _says("How to learn where too little is known: half of the items, or each item by turns; or not."),
    ] = "off"
    forecast_days: Annotated[
        float,
        _in("days", 0, 30),
        _says(
            "A forecast of an item, and the plan that stands on it, is said anew when it is so old: 1 says it daily, 0 "
            "whenever it is made; sooner when it moved."
        ),
    ] = 7.0
    rated_worse_days: Annotated[
        int,
        _in("days", 0, 180),
        _says("For so long at most an item that is suddenly rated worse is offered to nobody; 0: it is offered."),
    ] = 14
    lease_minutes: Annotated[
        int,
        _in("minutes", 1, 1440),
        _says(
            "For how many minutes of event time a part of a campaign's budget is leased to a partition: shorter spends "
            "more evenly; a replay, in which hours pass in a second, needs more, such as 1440."
        ),
    ] = 15
    flush_seconds: Annotated[
        SomeSeconds,
        _says("How often state is made durable and offsets committed; also how much is redone after a crash."),
    ] = 1.0
    max_slice: Annotated[Records, _says("Most records per slice: larger is faster, smaller decides sooner.")] = 4096
    hot_rows: Annotated[
        Rows,
        _says("Shoppers kept in memory per worker (about 9 KiB each); the others are read from disk when they return."),
    ] = 500_000
    idle_tick_seconds: Annotated[
        Seconds, _says("A live partition idle this long gets a tick of the clock, so that timers fire; 0 never.")
    ] = 10.0
    live_seconds: Annotated[
        Seconds,
        _says(
            "A partition is live, and gets ticks, while its newest record was appended at most this long after it "
            "happened; raise it for producers that send in batches."
        ),
    ] = 3600.0
    stalled_seconds: Annotated[
        float,
        _in("seconds", 1, 1e6),
        _says("/ready fails when records wait and none was processed for this long."),
    ] = 60.0
    announce_seconds: Annotated[
        Seconds,
        _says("The worker's console says at most this often what alerts, offers and dead letters came; 0 never."),
    ] = 5.0
    session_seconds: Annotated[
        float,
        _in("seconds", 1, 1800),
        _says("Kafka gives a silent worker's partitions to others after this long."),
    ] = 30.0
    instance_id: Annotated[
        str,
        _says(
            "A name that no other worker of the group has and that a restart keeps, such as a pod's of a StatefulSet: "
            "Kafka then gives a restarted worker its partitions back at once. Two workers with one name take them "
            "from each other."
        ),
    ] = ""

    def __post_init__(self) -> None:
        for name in _KINDS:
            object.__setattr__(self, name, _read(name, getattr(self, name)))
        try:
            _ = self.access.addresses
        except ValueError as error:
            raise SettingsError(f"{PREFIX}BROKER (--broker): {error}; several are separated by commas.") from error
        if str(self.data_dir) in ("", "."):
            raise SettingsError(f"{PREFIX}DATA_DIR is empty; it must be a folder.")
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
        if 0 < self.recommend_price_factor < 1:
            raise SettingsError(
                f"{PREFIX}RECOMMEND_PRICE_FACTOR is {self.recommend_price_factor}; it must be 0 or at least 1."
            )
        if self.ad_cap > self.ad_cap_all:
            raise SettingsError(f"{PREFIX}AD_CAP is {self.ad_cap}; it must be at most AD_CAP_ALL, {self.ad_cap_all}.")
        try:
            Days(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise SettingsError(
                f"{PREFIX}TIME_ZONE is {self.time_zone!r}, which is no time zone: give an IANA name such as "
                "Europe/London."
            ) from error
        self._publish_from_ms()
        known = [entity.name for entity in ENTITIES]
        if not self.kept_entities or not set(self.kept_entities) <= set(known):
            raise SettingsError(f"{PREFIX}ENTITIES is {self.entities!r}; it names some of {', '.join(known)}.")

    @property
    def store(self) -> str:
        """Where the store of models is, wherever this is read: a folder by its whole path."""
        return self.models if "://" in self.models else str(Path(self.models).absolute())

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
        values = {name: str(getattr(self, name)) for name in _KINDS}
        return {name: "(set)" if value and name in _SECRETS else value for name, value in values.items()}

    def catalogue(self) -> list[tuple[str, str, str, str, str, str]]:
        """(variable, value, default, unit, range or choices, meaning) of every setting; secrets are not shown."""
        defaults, shown = {f.name: str(f.default) for f in fields(self)}, self.shown()
        return [
            (_variable(name), shown[name], defaults[name], told.get("unit", ""), _allowed(told), told["description"])
            for name, told in _SCHEMAS.items()
        ]

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """The settings from ``OFFERSTREAM_…`` variables; ``overrides`` that are not None win.

        Raises ``SettingsError`` for an unknown variable (a typo would otherwise be a silent default) or a bad value.

        >>> Settings.from_environment({"OFFERSTREAM_PORT": "7000"}, broker="b:9092").port
        7000
        """
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for said, text in environment.items():
            if said.startswith(PREFIX):
                name = said.removeprefix(PREFIX).lower()
                if name not in _KINDS:
                    raise SettingsError(f"{said} is not a setting. There are: {', '.join(sorted(_KINDS))}.")
                values[name] = text
        values |= {name: value for name, value in overrides.items() if value is not None}
        return Settings(**values)

    @staticmethod
    def told() -> set[str]:
        """The names of the settings that the environment has."""
        return {said.removeprefix(PREFIX).lower() for said in os.environ if said.startswith(PREFIX)}

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
            profile=ProfilePolicy(),
            promotion=PromotionPolicy(
                default_consent=self.default_consent,
                holdout_share=self.holdout_share,
                holdout_salt=self.holdout_salt,
                gross_margin=self.gross_margin,
                margin_floor=self.margin_floor,
            ),
            recommendation=RecommendationPolicy(
                never=tuple(sorted({item.strip() for item in self.recommend_never.split(",")} - {""})),
                exploration_share=self.recommend_exploration_share,
                drawn_place=self.recommend_drawn_place,
                new_place=self.recommend_new_place,
                most_of_category=self.recommend_most_of_category,
                price_factor=self.recommend_price_factor,
            ),
            prices=PricePolicy(
                largest_change=self.price_largest_change,
                margin_floor=self.price_margin_floor,
                assumed_margin=self.price_assumed_margin,
                price_point=self.price_point,
                change_days=self.price_change_days,
                period_days=max(self.price_change_days, 14.0),
                experiment=self.price_experiment,
            ),
            forecast=ForecastPolicy(again_days=self.forecast_days),
            price_forecast=PriceForecastPolicy(again_days=self.forecast_days),
            inventory=InventoryPolicy(plan_days=self.forecast_days),
            rating=RatingPolicy(held_days=self.rated_worse_days),
            forget=ForgetPolicy(days=self.forget_days, buyers_days=self.forget_buyers_days),
            ads=AdPolicy(
                cap=self.ad_cap,
                cap_all=self.ad_cap_all,
                cap_hours=self.ad_cap_hours,
                click_rate=self.ad_click_rate,
                brought_share=self.ad_brought_share,
                least_return=self.ad_least_return,
                exploration_share=self.ad_exploration_share,
            ),
        )


_KINDS: dict[str, Any] = get_type_hints(Settings, include_extras=True)
_SCHEMAS = {name: msgspec.json.schema(kind, schema_hook=lambda _: {"type": "string"}) for name, kind in _KINDS.items()}
_SECRETS = {f.name for f in fields(Settings) if not f.repr}
#: What people write for a switch, beside what msgspec reads: true, false, 1, 0.
_SWITCHES = {"yes": "true", "no": "false"}


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _read(name: str, value: Any) -> Any:
    """The value of a setting, also of its text. Raises ``SettingsError``."""
    told = _SCHEMAS[name]
    if isinstance(value, str) and told.get("type") != "string":
        value = _SWITCHES.get(value.strip().lower(), value.strip())
    try:
        return msgspec.convert(value, _KINDS[name], strict=False, dec_hook=lambda kind, text: kind(text))
    except msgspec.ValidationError as error:
        said = "(set)" if name in _SECRETS else repr(value)
        raise SettingsError(f"{_variable(name)} is {said}; it must be {_wanted(told)}.") from error


def _wanted(told: dict[str, Any]) -> str:
    start = {"integer": "a whole number from ", "number": "a number from "}.get(told.get("type", ""), "")
    unit = f" ({told['unit']})" if "unit" in told else ""
    return f"{'one of ' if 'enum' in told else start}{_allowed(told) or 'text'}{unit}"


def _allowed(told: dict[str, Any]) -> str:
    """The range, the choices, or what else a value must be."""
    if "minimum" in told:
        return " to ".join(np.format_float_positional(told[end], trim="-") for end in ("minimum", "maximum"))
    return ", ".join(map(str, told.get("enum", ()))) or told.get("allowed", "")
