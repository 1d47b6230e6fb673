"""How a log is treated: everything that decides besides models, as one value that the log names by digest."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

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
from streams.features.days import UTC
from streams.processing.silence import SilencePolicy


@dataclass(frozen=True, slots=True)
class DecodeRules:
    """What a record must satisfy beyond its schema.

    ``future_tolerance_ms`` prevents one record from the year 9999 making every later event late: an event time
    further ahead of the broker's append time than this is refused. ``currency`` is the only one whose cents are
    added up; adding euros to dollars would be a number without a meaning. ``partitioner`` is how all producers place a
    key (``streams/processing/partitioning.py``): a record in another partition would split its shopper in two.
    """

    currency: str = "USD"
    future_tolerance_ms: int = 300_000
    max_event_bytes: int = 262_144
    partitioner: str = "murmur2"


@dataclass(frozen=True, slots=True)
class ForgetPolicy:
    """After how many days without an event a shopper is forgotten: whoever comes back later is somebody new.

    Prevents that bots, which have another id each time, fill memory and disk for ever. Who never ordered is forgotten
    after ``days``, and who did after ``buyers_days``; 0: never. Both count to the end of a week
    (``streams/processing/forgetting.py``).
    """

    days: float = 400.0
    buyers_days: float = 0.0


NOBODY_FORGOTTEN = ForgetPolicy(0.0, 0.0)
#: Where in a description what came later stands, and what logs were under before; the digest of their rules does not
#: name it.
_LATER: dict[tuple[str, ...], Any] = {
    ("forget",): msgspec.to_builtins(NOBODY_FORGOTTEN),
    ("recommendation", "new_place"): 0,
    ("inventory", "plan_days"): 7.0,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """How a worker treats its log. The log says which hold from where on (``RulesChosen``), so workers with other
    settings, and a replay, decide alike."""

    decode: DecodeRules = field(default_factory=DecodeRules)
    allowed_lateness_ms: int = 3_600_000
    publish_from_ms: int = 0
    """Alerts and offers that stand on an event time before this are decided and remembered, but not published: nobody
    wants to write to shoppers about the year that a history is of. UTC milliseconds since 1970."""
    cadence_ms: int = 3_600_000
    time_zone: str = UTC
    """IANA name: the shop's days are counted in it."""
    silence: SilencePolicy = field(default_factory=SilencePolicy)
    churn_alert: ChurnAlertPolicy = field(default_factory=ChurnAlertPolicy)
    promotion: PromotionPolicy = field(default_factory=PromotionPolicy)
    profile: ProfilePolicy = field(default_factory=ProfilePolicy)
    recommendation: RecommendationPolicy = field(default_factory=RecommendationPolicy)
    ads: AdPolicy = field(default_factory=AdPolicy)
    forecast: ForecastPolicy = field(default_factory=ForecastPolicy)
    price_forecast: PriceForecastPolicy = field(default_factory=PriceForecastPolicy)
    prices: PricePolicy = field(default_factory=PricePolicy)
    inventory: InventoryPolicy = field(default_factory=InventoryPolicy)
    rating: RatingPolicy = field(default_factory=RatingPolicy)
    forget: ForgetPolicy = field(default_factory=ForgetPolicy)

    def in_units_of(self, own: Rules) -> Rules:
        """These rules in the currency and time zone of ``own``: what was added up stands in them.

        >>> Rules(cadence_ms=5).in_units_of(Rules(time_zone="Asia/Shanghai")).time_zone
        'Asia/Shanghai'
        """
        decode = replace(self.decode, currency=own.decode.currency)
        return replace(self, decode=decode, time_zone=own.time_zone)

    def described(self) -> dict[str, Any]:
        """The rules as plain values, as they go over the wire."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        for (*parts, name), before in _LATER.items():
            part = _part(found, parts)
            if part[name] == before:
                del part[name]
        return found

    @property
    def digest(self) -> str:
        """12 hex digits that name these rules.

        >>> Rules().digest == Rules().digest != Rules(cadence_ms=1).digest
        True
        """
        return hashlib.blake2b(msgspec.json.encode(self.described(), order="deterministic"), digest_size=6).hexdigest()

    @staticmethod
    def of(described: dict[str, Any]) -> Rules:
        """The rules that ``described`` gave. Raises ``msgspec.ValidationError`` for values that are none; names that
        this version does not know are passed over, which the digest then tells.

        >>> Rules.of(Rules(cadence_ms=5).described()).cadence_ms
        5
        """
        found = copy.deepcopy(described)
        for (*parts, name), before in _LATER.items():
            _part(found, parts).setdefault(name, before)
        return msgspec.convert(found, Rules)


def _part(described: dict[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    """A part of a description; of one that is none, nothing that is kept."""
    for name in parts:
        found = described.setdefault(name, {})
        described = found if isinstance(found, dict) else {}
    return described
