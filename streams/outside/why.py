"""What is known of one shopper right now, and what is missing for an offer: read from Kafka alone, from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from models.artifact import ArtifactError
from models.registry import TASKS
from models.store import Shelf, Store
from streams.campaigns import memory
from streams.campaigns.plan import Plans
from streams.campaigns.vocabulary import vocabulary
from streams.columns.arrays import Ints
from streams.decisions import churn_alert, promotion
from streams.decisions.promotion import PromotionPolicy, Prospect
from streams.decisions.shopper_profile import NOTED
from streams.outside.inspect import favourite_category, features_of, identified_as, newest_ms, state_of
from streams.outside.reading import Place, Reader
from streams.processing.partition import PartitionProcessor
from streams.processing.partitioning import WORKERS, homes
from streams.processing.silence import LAST_EVENT
from streams.records.ads import AdDecided
from streams.records.offers import OfferMade, OfferWithheld
from streams.records.outcomes import AnyOutcome, ChurnAlerted, ItemsRecommended, Scored
from streams.records.profiled import ShopperProfiled
from streams.records.receipts import Receipt
from streams.records.serving import Stages
from streams.records.words import guard_in_words, shown_day
from streams.settings import Settings
from streams.state.codec import NEVER
from streams.topics import RECEIPTS, TOPIC_OF

_T = TypeVar("_T", bound=AnyOutcome)


@dataclass(frozen=True, slots=True)
class CampaignSeen:
    """How a campaign sees a shopper."""

    campaign: str
    approval: str
    addressed: bool | None
    """Whether its audience would hold now, by their features and last answers; None: what it asks for is not known."""
    audience: str
    receipt: Receipt | None = None
    """Its last decision that left one; decision.receipts.v1 keeps them for 90 days."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A shopper as they stand. Times are event time, UTC milliseconds since 1970; None: never, or not known."""

    shopper_id: str
    as_of_ms: int
    """Newest event time in their partition."""
    partition: int
    last_event_ms: int
    orders: int
    usual_basket_cents: int
    days_between_orders: float | None
    currency: str
    consent: str
    may_write: bool
    """Whether marketing may write to them, by their word or by default."""
    favourite_category: str | None
    holdout: bool
    model: str
    """Version of the churn model that serves them …"""
    thresholds: dict[str, float]
    """… and from which score on each level begins."""
    level: str
    alerted_level: str
    alerted_ms: int | None
    offers_ms: list[int]
    """When they were made offers, the last ones."""
    next_offer_ms: int | None
    """Before when no offer is possible, for cooldown and frequency cap; None: there is nothing to wait for."""
    silence_due_ms: int | None
    """When their silence makes them due, unless an event of theirs comes before."""
    scored: Scored | None = None
    """The last answers; scores.v1 keeps them for 7 days."""
    profile: ShopperProfiled | None = None
    """How they were described last."""
    last_alert: ChurnAlerted | None = None
    last_offer: OfferMade | None = None
    last_withheld: OfferWithheld | None = None
    recommended: ItemsRecommended | None = None
    """The list of items that holds."""
    last_ad: AdDecided | None = None
    missing: list[str] = field(default_factory=list)
    """What is missing for an offer, each thing in words; empty: nothing."""
    percent: int | None = None
    """How large an offer would be."""
    identified_as: str | None = None
    """Who they turned out to be: what is known here is theirs, and nothing is decided about this id any more."""
    merged_ids: int = 0
    """How many ids turned out to be this shopper; of more than 8 the last ones."""
    campaigns: list[CampaignSeen] | None = None
    """How each campaign that holds in their partition sees them; None: the built-in offer is made."""


def standing(settings: Settings, shopper: str) -> Standing:
    """Find out how a shopper stands. Raises ``TopicError``, and ``ArtifactError`` where their model is not there."""
    state = state_of(settings, shopper)
    now = newest_ms(state, shopper)
    features = {address: values[0] for address, values in features_of(state, shopper, now).items() if len(values) == 1}
    rules, rows = state.rules, state.arena.rows
    row = state.arena.find([shopper])

    def held(column: Any, kind: str) -> int:
        return int(rows.flat[kind][rows.cells(column, row)][0])

    shelf = Shelf(Store(settings.models))
    model = _model(shelf, state, shopper)
    (enter,) = churn_alert.thresholds([model], rules.churn_alert.thresholds).tolist()
    with Reader(settings.access) as reader:
        scored = _last(reader, shopper, Scored)
        alerts, offers = _last(reader, shopper, ChurnAlerted), _last(reader, shopper, OfferMade)
        withheld, recommended = _last(reader, shopper, OfferWithheld), _last(reader, shopper, ItemsRecommended)
        profiles, ads = _last(reader, shopper, ShopperProfiled), _last(reader, shopper, AdDecided)
        receipts = _receipts(reader, shopper) if state.in_force.campaigns is not None else {}
    policy, times = rules.promotion, promotion.offer_times(rows, int(row[0]))
    closed = policy.closed_until_ms(times)
    timer = int(state.arena.timer[row][0])
    answer = scored[-1].answers.get(churn_alert.TASK) if scored else None
    said = None if answer is None else answer.scores.get(churn_alert.OUTPUT)
    score = said if isinstance(said, float) else None
    gaps = features["orders.gaps"]
    start = rules.publish_from_ms
    too_old = [f"nothing is published before {shown_day(start)} (OFFERSTREAM_PUBLISH_FROM)"] if now < start else []
    prospect = Prospect(
        row=int(row[0]),
        shopper_id=shopper,
        now_ms=now,
        score=-1.0 if score is None else score,
        threshold=enter[0],
        discount_rate=features["orders.discount_rate"],
        coupon_share=features["orders.coupon_share"],
        average_order_cents=features["orders.average_value"],
        orders=features["orders.count"],
        consent=features["offers.consent"],
        held_out=bool(held(promotion.HELD_OUT, "u1")),
    )
    who = identified_as(state, shopper)
    gone = [] if who is None else [f"they were identified as {who}, so nothing is decided about this id"]
    return Standing(
        shopper_id=shopper,
        as_of_ms=now,
        partition=state.partition,
        last_event_ms=held(LAST_EVENT, "i8"),
        orders=int(features["orders.count"]),
        usual_basket_cents=round(features["orders.average_value"]),
        days_between_orders=round(features["orders.gap_mean"], 1) if gaps > 0 else None,
        currency=rules.decode.currency,
        consent=churn_alert.CONSENT[int(prospect.consent)],
        may_write=policy.consents(prospect.consent),
        favourite_category=favourite_category(state, shopper, now),
        holdout=prospect.held_out or policy.in_holdout(shopper),
        model=model.version,
        thresholds=dict(zip(churn_alert.LEVELS[1:], enter, strict=True)),
        level=churn_alert.LEVELS[held(churn_alert.LEVEL, "u1")],
        alerted_level=churn_alert.LEVELS[held(churn_alert.ALERTED, "u1")],
        alerted_ms=held(churn_alert.LAST, "i8") or None,
        offers_ms=sorted(times.tolist()),
        next_offer_ms=max((end for end in closed.values() if end > now), default=None),
        silence_due_ms=None if timer == NEVER else timer,
        scored=scored[-1] if scored else None,
        profile=profiles[-1] if profiles else None,
        last_alert=alerts[-1] if alerts else None,
        last_offer=offers[-1] if offers else None,
        last_withheld=withheld[-1] if withheld else None,
        recommended=recommended[-1] if recommended else None,
        last_ad=ads[-1] if ads else None,
        missing=[*gone, *too_old, *missing(policy, prospect, times, None if timer == NEVER else timer)],
        identified_as=who,
        merged_ids=int(np.count_nonzero(rows.data[memory.MERGED.name][row[0]])),
        percent=None if score is None else policy.percent(prospect),
        campaigns=_seen(
            state,
            features_of(state, shopper, now)
            | {address: [held(column, "u1") or float("nan")] for address, column in NOTED.items()},
            scored[-1] if scored else None,
            receipts,
        ),
    )


def offer(settings: Settings, offer_id: str) -> Receipt | None:
    """The receipt of an offer; None where there is none, or no more. Raises ``TopicError``, ``Unreachable``."""
    wanted = offer_id.encode()
    with Reader(settings.access) as reader:
        for partition in range(reader.partitions(RECEIPTS.name)):
            place = (RECEIPTS.name, partition)
            for record in reader.newest([place], lambda record: wanted in (record.value or b""), least=2000):
                found = msgspec.json.decode(record.value or b"", type=Receipt)
                if found.offer_id == offer_id:
                    return found
    return None


def _receipts(reader: Reader, shopper: str) -> dict[str, Receipt]:
    """The last receipts of a shopper by campaign."""
    key, place = shopper.encode(), _place(reader, RECEIPTS.name, shopper)
    mine = (record for record in reader.between(place, *reader.extent(place)) if record.key == key)
    found = [msgspec.json.decode(record.value or b"", type=Receipt) for record in mine]
    # A worker that was killed may have said older ones again.
    return {each.campaign: each for each in sorted(found, key=lambda each: each.event_time_ms)}


def _seen(
    state: PartitionProcessor,
    features: dict[str, list[float]],
    scored: Scored | None,
    receipts: dict[str, Receipt],
) -> list[CampaignSeen] | None:
    chosen = state.in_force.campaigns
    if chosen is None:
        return None
    answers = {
        f"{task}.{output}": value
        for task, answer in (scored.answers if scored else {}).items()
        for output, value in answer.scores.items()
    }

    def column(address: str) -> npt.NDArray[np.float64]:
        known = features.get(address) or answers.get(address, float("nan"))
        return np.array([known if isinstance(known, float) else known[0] if len(known) == 1 else known])

    found = []
    for plan in Plans.of(chosen, vocabulary(state.catalogue.features.values(), TASKS)).plans:
        holds, fails = plan.audience.judge(column, 1)
        addressed = True if holds[0] else False if fails[0] else None
        campaign = plan.campaign
        found.append(CampaignSeen(plan.id, campaign.approval, addressed, campaign.audience, receipts.get(plan.id)))
    return found


def missing(policy: PromotionPolicy, prospect: Prospect, times: Ints, silence_due_ms: int | None) -> Iterator[str]:
    """Everything that keeps a shopper from an offer, each in words; nothing where ``policy`` would make one. A score
    below 0 stands for none."""
    if prospect.orders < 1:
        yield (
            "they have never ordered, and offers are for those who did (orders that came too late do not count: "
            f"offerstream watch late --from beginning --shopper {prospect.shopper_id})"
        )
    elif prospect.score < 0:
        again = "" if silence_due_ms is None else f", on {shown_day(silence_due_ms)} at the latest"
        yield f"no score of theirs is in scores.v1, which keeps 7 days: the next comes when they are due again{again}"
    elif prospect.score < prospect.threshold:
        near = abs(prospect.score - prospect.threshold) < 0.01
        digits = 4 if near else 2
        yield f"score {prospect.score:.{digits}f} is below watch {prospect.threshold:.{digits}f}"
    if not policy.consents(prospect.consent):
        yield f"no consent ({'forbidden' if prospect.consent < 0 else 'never said'})"
    if prospect.held_out or policy.in_holdout(prospect.shopper_id):
        yield guard_in_words("holdout")
    closed = policy.closed_until_ms(times)
    if prospect.now_ms < closed["cooldown"]:
        yield f"cooldown until {shown_day(closed['cooldown'])}"
    if prospect.now_ms < closed["frequency_cap"]:
        until = shown_day(closed["frequency_cap"])
        yield f"{policy.cap} offers in {policy.cap_days:g} days are the most, so none until {until}"
    percent = policy.percent(prospect)
    if not policy.within_margin(percent):
        left = policy.gross_margin - percent / 100
        yield f"{percent}% off would leave {left:.0%} of the price, less than the floor of {policy.margin_floor:.0%}"


def _model(shelf: Shelf, state: PartitionProcessor, shopper: str) -> Any:
    stages = state.in_force.stages.get(churn_alert.TASK, Stages(change_id=""))
    canary = stages.canary if stages.in_canary(shopper) else None
    try:
        return shelf.model(churn_alert.TASK, canary or stages.live)
    except ArtifactError as error:
        raise ArtifactError(f"The model that serves {shopper} cannot be read here: {error}") from error


def _last(reader: Reader, shopper: str, kind: type[_T]) -> list[_T]:
    """The last outcomes of a kind of a shopper, in order: at least one where there is one."""
    key, place = shopper.encode(), _place(reader, TOPIC_OF[kind], shopper)
    found = reader.newest([place], lambda record: record.key == key, least=2000)
    return [msgspec.json.decode(record.value or b"", type=kind) for record in found]


def _place(reader: Reader, topic: str, shopper: str) -> Place:
    """Where workers put what they say of a shopper."""
    (home,) = homes([shopper.encode()], WORKERS, reader.partitions(topic)).tolist()
    return topic, home
