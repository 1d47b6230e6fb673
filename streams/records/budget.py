"""How a campaign's budget reaches the partitions of shoppers, and what they say of it.

One partition of the campaigns' log keeps a campaign's ledger (``streams/budget/ledger.py``); each partition of shoppers
keeps a purse (``streams/budget/purse.py``). The ledger writes ``LeaseGranted`` into the shoppers' log, purses write
``SpendReported`` into the campaigns' log. Amounts are sums since the budget began, so a record that comes again, or one
that is missing, does no harm: the newest one says it all.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

#: Prices are whole numbers of this part.
PRICE_UNIT = 1_000_000

Campaign = Annotated[Annotated[str, Meta(min_length=1, max_length=200)], Meta(description="The campaign.")]
Currency = Annotated[Annotated[str, Meta(pattern="^[A-Z]{3}$")], Meta(description="ISO 4217, such as USD.")]
#: A thousand times a trillion: sums stay exact where readers take numbers for doubles.
Amount = Annotated[int, Meta(ge=0, le=10**15)]
Count = Annotated[int, Meta(ge=0, le=10**15)]
Price = Annotated[int, Meta(ge=0, le=10**12)]
Day = Annotated[int, Meta(ge=-1, le=10**6)]
Pacing = Literal["even", "front_loaded", "asap"]


class _Record(msgspec.Struct, tag_field="type", kw_only=True, frozen=True, gc=False, omit_defaults=True):
    campaign: Campaign
    currency: Currency


class BudgetSet(_Record, tag="budget_set", frozen=True, kw_only=True):
    """From here on in the campaigns' log this is the campaign's budget in one currency. A smaller one than what was
    committed already takes back nothing: from here on nothing is leased until it is more again."""

    revision: Annotated[
        Annotated[int, Meta(ge=0)], Meta(description="Grows with every change; what is not larger is known.")
    ]
    total_cents: Annotated[Amount, Meta(description="All that may ever be spent, integer cents.")]
    daily_cents: Annotated[
        Amount | None,
        Meta(
            description="What may be committed on one of the shop's days, integer cents; null: what is left, spread "
            "over the days that are left."
        ),
    ] = None
    starts_at_ms: Annotated[int, Meta(description="Nothing is leased before, UTC milliseconds since 1970.")] = 0
    ends_at_ms: Annotated[
        int | None, Meta(description="Nothing is leased from here on, UTC milliseconds since 1970; null: no end.")
    ] = None
    pacing: Annotated[
        Pacing,
        Meta(
            description="even: along the day's demand; front_loaded: three quarters of it in the first half; asap: "
            "to whoever comes first."
        ),
    ] = "even"
    open: Annotated[bool, Meta(description="False while the campaign is paused or stopped: leases come back.")] = True
    first_price_micros: Annotated[
        Price,
        Meta(description="Value that a cent of cost must bring before anything is known, in millionths of a cent."),
    ] = PRICE_UNIT
    partitions: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)], Meta(description="How many partitions the shoppers' log has.")
    ]
    lease_minutes: Annotated[
        Annotated[int, Meta(ge=1, le=1440)], Meta(description="How long a lease is good for, in minutes of event time.")
    ] = 15
    arithmetic: Annotated[
        int, Meta(description="Number of the rules of leasing and pacing: a ledger that does not know it stops.")
    ] = 1


class LeaseGranted(_Record, tag="lease_granted", frozen=True, kw_only=True):
    """From here on in this partition of shoppers so much may be committed. Written by the owner of the campaign's
    partition; what it says is a function of that partition's log, so two owners say the same under one sequence."""

    group: Annotated[
        Annotated[str, Meta(max_length=249)],
        Meta(description="The workers (OFFERSTREAM_APP_ID) whose ledger granted it; others pass over it."),
    ] = ""
    partition: Annotated[int, Meta(description="The partition of shoppers that it is for.")]
    sequence: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="0, 1, 2 … by campaign, currency and partition; what is not larger is known."),
    ]
    granted_cents: Annotated[Amount, Meta(description="Leased to the partition since the budget began, a sum.")]
    lease_cents: Annotated[
        Amount, Meta(description="At most so much stays free from here on; what is beyond it goes back.")
    ]
    day: Annotated[Day, Meta(description="The shop's day that it is for, days since 1970; -1: none.")]
    expires_at_ms: Annotated[
        int,
        Meta(description="When the log's event time comes to this, what is free goes back; a whole minute, UTC ms."),
    ]
    price_micros: Annotated[
        Price, Meta(description="Value that a cent of cost must bring for an offer, in millionths of a cent.")
    ]
    reference_micros: Annotated[
        Price, Meta(description="Price of the whole day at which demand is counted, in millionths of a cent.")
    ]
    ends_at_ms: Annotated[
        int | None, Meta(description="When the campaign ends, UTC milliseconds since 1970; null: no end.")
    ] = None


class SpendReported(_Record, tag="spend_reported", frozen=True, kw_only=True):
    """What a partition of shoppers did with its leases up to a place in its log. ``granted = free + reserved +
    settled + released + returned``, where ``committed = reserved + settled + released``."""

    source_partition: Annotated[int, Meta(ge=0, description="The partition of shoppers.")]
    sequence: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="0, 1, 2 … by campaign, currency and source; what is not larger is known."),
    ]
    event_time: Annotated[int, Meta(description="How far the source's event time has come, UTC ms since 1970.")]
    day: Annotated[Day, Meta(description="The shop's day that this is in, days since 1970.")]
    granted_cents: Annotated[Amount, Meta(description="Leased to it, a sum, as it has received it.")]
    returned_cents: Annotated[Amount, Meta(description="Of that, given back unused, a sum.")]
    committed_cents: Annotated[Amount, Meta(description="Reserved for offers, a sum.")]
    committed_before_cents: Annotated[Amount, Meta(description="The same, when the day began.")]
    settled_cents: Annotated[Amount, Meta(description="Of what was reserved, really spent, a sum.")]
    released_cents: Annotated[Amount, Meta(description="Of what was reserved, not needed, a sum: it goes back.")]
    short_cents: Annotated[
        Amount, Meta(description="Cost of offers worth their price that no lease was left for, a sum.")
    ]
    demand_cents: Annotated[Amount, Meta(description="Cost of all offers worth the reference price, a sum.")]
    candidates: Annotated[Count, Meta(description="Offers that were considered, a sum.")]
    offers: Annotated[Count, Meta(description="Offers that were accepted, a sum.")]


BUDGET_RECORDS: tuple[type[msgspec.Struct], ...] = (BudgetSet, LeaseGranted, SpendReported)
AnyBudgetRecord = BudgetSet | LeaseGranted | SpendReported
budget_decoder: msgspec.json.Decoder[AnyBudgetRecord] = msgspec.json.Decoder(AnyBudgetRecord)
_encoder = msgspec.json.Encoder()


def encode_budget_record(record: AnyBudgetRecord) -> bytes:
    """One record as it goes over the wire; what has its default is left out.

    >>> encode_budget_record(BudgetSet(campaign="a", currency="USD", revision=0, total_cents=5, partitions=1))
    b'{"type":"budget_set","campaign":"a","currency":"USD","revision":0,"total_cents":5,"partitions":1}'
    """
    return _encoder.encode(record)
