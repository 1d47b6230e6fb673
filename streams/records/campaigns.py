"""What a campaign is: whom it addresses, when, with which offers, for how much money, and what holds it back.

Marketing writes campaigns into a YAML file (``docs/campaigns.md``); ``streams/campaigns/reading.py`` turns it into a
``CampaignSet``, which the log names by its digest. Money is in integer cents of the shop's currency.

>>> empty = CampaignSet()
>>> empty.digest == CampaignSet(campaigns=()).digest
True
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from streams.records.campaign_parts import (
    Ad,
    AdAsked,
    AnyArm,
    AnyOffer,
    AnyTrigger,
    Budget,
    Cap,
    Cooldown,
    Coupons,
    Economics,
    Effect,
    Name,
    QuietHours,
    Share,
    Text,
)
from streams.records.schema import schema_of

MAX_CAMPAIGNS, MAX_ARMS, MAX_SEGMENTS, MAX_EXPRESSION = 64, 8, 64, 2_000

ExpressionText = Annotated[str, Meta(min_length=1, max_length=MAX_EXPRESSION)]
AwareTime = Annotated[datetime, Meta(tz=True)]


class Campaign(msgspec.Struct, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """One campaign."""

    id: Annotated[
        Name, Meta(description="Its name in commands, offers and reports; unique. Lower case, digits and dashes.")
    ]
    title: Annotated[Text, Meta(description="What people call it; at most 200 characters; default: empty.")] = ""
    approval: Annotated[
        Literal["draft", "approved", "paused", "stopped"],
        Meta(description="Only an approved campaign makes offers; default: draft."),
    ] = "draft"
    approved_by: Annotated[
        Text, Meta(description="Who approved it; must be said of an approved campaign; default: empty.")
    ] = ""
    priority: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="0 to 1000, default 100. A shopper gets one offer at a time: that of the highest priority.",
        ),
    ] = 100
    audience: Annotated[
        ExpressionText,
        Meta(
            description="Whom it addresses, such as lapse_30d > 0.5 and orders.count >= 2: an expression over feature "
            "addresses, task outputs, segments and what profiles say (profile.segment == champions), at most 2,000 "
            "characters. What is unknown is not addressed."
        ),
    ]
    trigger: Annotated[AnyTrigger, Meta(description="When a shopper is looked at.")]
    arms: Annotated[
        tuple[AnyArm, ...],
        Meta(min_length=1, max_length=MAX_ARMS, description="What may be offered, 1 to 8 arms; one is chosen."),
    ]
    economics: Annotated[
        Economics, Meta(description="What an order brings and what an offer costs; default: as each field says.")
    ] = Economics()
    coupons: Annotated[Coupons, Meta(description="Where coupon codes come from; default: no codes.")] = Coupons()
    budget: Annotated[
        dict[Annotated[str, Meta(pattern="^[A-Z]{3}$")], Budget],
        Meta(min_length=1, description="What may be spent, by currency (ISO 4217, such as USD)."),
    ]
    pacing: Annotated[
        Literal["even", "front_loaded", "asap"],
        Meta(
            description="How the budget is spread over the campaign: evenly, more of it at first, or as fast as "
            "offers are worth it; default: even."
        ),
    ] = "even"
    start: Annotated[AwareTime, Meta(description="From when on it makes offers: ISO 8601 with an offset.")]
    end: Annotated[AwareTime, Meta(description="Until when it makes offers, exclusive: ISO 8601 with an offset.")]
    caps: Annotated[
        tuple[Cap, ...],
        Meta(
            min_length=1,
            max_length=4,
            description="How often one shopper may get an offer of this campaign; all hold; default: 1 in 7 days.",
        ),
    ] = (Cap(offers=1, days=7.0),)
    cooldown: Annotated[
        Cooldown, Meta(description="Days of rest after what a shopper did; default: as each field says.")
    ] = Cooldown()
    quiet_hours: Annotated[
        QuietHours | None,
        Meta(description="Hours without contact: what falls into them waits until they end; null (default): none."),
    ] = None
    holdout_share: Annotated[
        Share,
        Meta(
            description="Share of shoppers, 0 to 1, who never get an offer of this campaign, so that its effect can be "
            "measured; default 0.05."
        ),
    ] = 0.05
    exploration_share: Annotated[
        Share,
        Meta(
            description="Share of decisions, 0 to 1, that draw evenly among all admissible arms and no contact, so "
            "that other arms are learnt about; default 0.05."
        ),
    ] = 0.05
    effect: Annotated[Effect, Meta(description="How what it brings is measured; default: as each field says.")] = (
        Effect()
    )
    salt: Annotated[
        Text, Meta(description="Another salt draws another holdout and other explorations; default: empty.")
    ] = ""
    exclusions: Annotated[
        tuple[Name, ...],
        Meta(max_length=MAX_CAMPAIGNS, description="Campaigns whose live offer excludes one of this; default: none."),
    ] = ()
    minimum_age: Annotated[
        Annotated[int, Meta(ge=0, le=120)] | None,
        Meta(description="Youngest shopper in years, 0 to 120; an unknown age is too young; null (default): no limit."),
    ] = None

    @property
    def of_ads(self) -> bool:
        """Whether it is one of advertisements."""
        return isinstance(self.trigger, AdAsked)

    @property
    def offers(self) -> tuple[AnyOffer, ...]:
        """Its arms that are offers: all, or none."""
        return tuple(arm for arm in self.arms if not isinstance(arm, Ad))

    @property
    def ads(self) -> tuple[Ad, ...]:
        """Its arms that are ads: none, or all."""
        return tuple(arm for arm in self.arms if isinstance(arm, Ad))


class Shop(msgspec.Struct, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """What holds for all campaigns together."""

    time_zone: Annotated[
        str,
        Meta(
            max_length=64,
            description="IANA name: quiet hours are the shop's where a shopper's are unknown; default UTC.",
        ),
    ] = "UTC"
    caps: Annotated[
        tuple[Cap, ...],
        Meta(
            min_length=1,
            max_length=4,
            description="How often one shopper may get any offer, all campaigns together; all hold; default: 3 in 30 "
            "days.",
        ),
    ] = (Cap(offers=3, days=30.0),)
    holdout_share: Annotated[
        Share, Meta(description="Share of shoppers, 0 to 1, who never get any offer; default 0.02.")
    ] = 0.02
    holdout_salt: Annotated[Text, Meta(description="Another salt draws another holdout; default: offerstream-1.")] = (
        "offerstream-1"
    )
    default_consent: Annotated[
        bool, Meta(description="Whether marketing may write to who never said; default: false.")
    ] = False
    blocked_shoppers: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...],
        Meta(max_length=10_000, description="Shoppers who never get an offer, at most 10,000; default: none."),
    ] = ()
    segments: Annotated[
        dict[Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$")], ExpressionText],
        Meta(
            max_length=MAX_SEGMENTS,
            description="Named expressions: vip: orders.spend > 100000 is segment.vip in audiences; default: none.",
        ),
    ] = msgspec.field(default_factory=dict)
    receipt_share: Annotated[
        Share,
        Meta(
            description="Share of decisions, 0 to 1, that leave a receipt though the shopper was not addressed; "
            "default 0.01. Offers, and offers that were withheld, always leave one."
        ),
    ] = 0.01


class CampaignSet(msgspec.Struct, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """All campaigns of a shop, and what holds for them together."""

    shop: Annotated[Shop, Meta(description="What holds for all campaigns; default: as each field says.")] = Shop()
    campaigns: Annotated[
        tuple[Campaign, ...], Meta(max_length=MAX_CAMPAIGNS, description="The campaigns, at most 64; default: none.")
    ] = ()

    @property
    def digest(self) -> str:
        """12 hex digits that name these campaigns, what they leave to defaults included; the order in which they are
        listed does not matter."""
        ordered = msgspec.structs.replace(self, campaigns=tuple(sorted(self.campaigns, key=lambda each: each.id)))
        return hashlib.blake2b(encode(ordered), digest_size=6).hexdigest()

    def described(self) -> dict[str, Any]:
        """The set as plain values, as it goes over the wire."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    @staticmethod
    def of(described: dict[str, Any]) -> CampaignSet | None:
        """The set that ``described`` gave; None where it says what this version does not know, which may decide. Raises
        ``msgspec.ValidationError`` for values that are none.

        >>> CampaignSet.of(CampaignSet().described()) == CampaignSet()
        True
        """
        try:
            return msgspec.convert(described, CampaignSet)
        except msgspec.ValidationError as error:
            if "contains unknown field" in str(error):
                return None
            raise


def encode(record: CampaignSet | Campaign) -> bytes:
    """A campaign, or a set, as JSON: the same bytes for the same content."""
    return msgspec.json.encode(record, order="deterministic")


def json_schema() -> dict[str, Any]:
    """JSON Schema of a file of campaigns, for editors and other programs.

    >>> json_schema()["$ref"]
    '#/$defs/CampaignSet'
    """
    schema = "https://json-schema.org/draft/2020-12/schema"
    return {
        "$schema": schema,
        "$ref": "#/$defs/CampaignSet",
        "$defs": schema_of([CampaignSet, *get_args(AnyTrigger), *get_args(AnyArm)]),
    }
