"""What operators do with campaigns: apply files, pause, go on, stop, look."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from models.nearest import unknown
from models.registry import TASKS
from streams.campaign_book import CampaignBook, UnknownCampaign, publish, read
from streams.campaigns.lexer import ExpressionError
from streams.campaigns.plan import Plans
from streams.campaigns.reading import takers
from streams.campaigns.terms import NEWS_TRIGGERS
from streams.campaigns.vocabulary import Vocabulary, vocabulary
from streams.entities.shopper import SHOPPER
from streams.outside.coupon_loading import shares, stocks
from streams.outside.inspect import progress
from streams.outside.reading import Reader
from streams.processing.coupon_pools import Stock
from streams.records.campaign_changes import CampaignApplied, CampaignChange, ShopApplied
from streams.records.campaigns import MAX_CAMPAIGNS, Campaign, CampaignSet, Shop, encode
from streams.settings import Settings


class ChangeError(ValueError):
    """A change of campaigns that cannot be made as things stand."""


class Campaigning:
    """The campaigns of a shop, as they stand in Kafka. Raises ``TopicError`` and ``Unreachable``."""

    def __init__(self, settings: Settings, words: Vocabulary) -> None:
        self.settings, self._words = settings, words

    @cached_property
    def book(self) -> CampaignBook:
        """What operators said, read when it is first asked for."""
        return read(self.settings.access)

    def find(self, campaign: str) -> CampaignApplied:
        """What was said last of a campaign. Raises ``UnknownCampaign``."""
        if campaign not in self.book.campaigns:
            raise UnknownCampaign(unknown("campaign", campaign, self.book.campaigns or ["none yet"]))
        return self.book.campaigns[campaign]

    def apply(self, chosen: CampaignSet, reason: str, *, shop: bool) -> list[str]:
        """Set the campaigns of a file, and what holds for the shop where the file says it (``shop``); others stay as
        they are. A paused campaign stays paused. Returns what was done with each, in words. Raises ``ChangeError``."""
        told, changed = list[str](), list[Campaign]()
        for campaign in chosen.campaigns:
            held = self.book.campaigns.get(campaign.id)
            state = None if held is None else held.campaign.approval
            if state == "stopped" and campaign.approval != "stopped":
                raise ChangeError(f"{campaign.id} was stopped, which is for good: give what is new an id of its own.")
            if state == "paused" and campaign.approval == "approved":
                campaign = replace(campaign, approval="paused")
            if held is not None and encode(held.campaign) == encode(campaign):
                told.append(f"{campaign.id}: unchanged, {campaign.approval}")
                continue
            changed.append(campaign)
            still = " still" if state == "paused" == campaign.approval else ""
            told.append(f"{campaign.id}: {'new' if held is None else 'changed'},{still} {campaign.approval}")
        said_shop = chosen.shop if shop and chosen.shop != self.book.shop else None
        self._say(changed, reason, said_shop)
        return told

    def pause(self, campaign: str, reason: str) -> None:
        """Let an approved campaign make no offers until it is resumed. Raises ``ChangeError``, ``UnknownCampaign``."""
        self._turn(campaign, "approved", "paused", reason)

    def resume(self, campaign: str, reason: str) -> None:
        """Let a paused campaign go on. Raises ``ChangeError``, ``UnknownCampaign``."""
        self._turn(campaign, "paused", "approved", reason)

    def stop(self, campaign: str, reason: str) -> None:
        """End a campaign for good. Raises ``ChangeError``, ``UnknownCampaign``."""
        self._turn(campaign, None, "stopped", reason)

    def _turn(self, campaign: str, before: str | None, after: str, reason: str) -> None:
        held = self.find(campaign).campaign
        if held.approval == after:
            raise ChangeError(f"{campaign} is {after} already.")
        if before is not None and held.approval != before:
            raise ChangeError(f"{campaign} is {held.approval}; only what is {before} can become {after}.")
        self._say([replace(held, approval=after)], reason, None)

    def _say(self, campaigns: Iterable[Campaign], reason: str, shop: Shop | None) -> None:
        more = {"change_id": secrets.token_hex(8), "reason": reason, "changed_at_ms": int(time.time() * 1000)}
        changes: list[CampaignChange] = [] if shop is None else [ShopApplied(shop=shop, **more)]  # type: ignore[arg-type]
        changes += [CampaignApplied(campaign=each, **more) for each in campaigns]  # type: ignore[arg-type]
        after = CampaignBook()
        for change in [*self.book.campaigns.values(), *filter(None, [self.book.shop_applied]), *changes]:
            after.apply(change)
        self._check(after.wanted or CampaignSet())
        if changes:
            publish(self.settings.access, changes)
        self.book = after

    def _check(self, wanted: CampaignSet) -> None:
        """All campaigns together. Raises ``ChangeError``."""
        if len(wanted.campaigns) > MAX_CAMPAIGNS:
            raise ChangeError(
                f"{len(wanted.campaigns)} campaigns would be approved or paused, at most {MAX_CAMPAIGNS} can be: stop "
                "some that are over (offerstream campaigns stop ID)."
            )
        size, most = len(encode(wanted)) + 1000, self.settings.max_event_bytes
        if size > most:
            raise ChangeError(
                f"All campaigns together take {size:,} bytes, workers read {most:,} (OFFERSTREAM_MAX_EVENT_BYTES): "
                "stop some, or shorten blocked_shoppers."
            )
        for pool, of in takers(wanted.campaigns).items():
            if len(of) > 1:
                raise ChangeError(f"Pool {pool} is of {' and '.join(of)}: a pool is one campaign's at a time.")
        try:
            Plans.of(wanted, self._words)
        except ExpressionError as error:
            raise ChangeError(
                f"Together with the campaigns and segments that are there already: {error} A file that says shop says "
                "the segments of all campaigns."
            ) from error


def shop_vocabulary() -> Vocabulary:
    """What audiences may name here: the features of shoppers and the answers about them."""
    return vocabulary(SHOPPER.catalogue.features.values(), TASKS)


def without_codes(settings: Settings, campaigns: Iterable[Campaign]) -> Iterator[str]:
    """Which campaigns take codes from a pool in which none is left, in words. Raises ``TopicError``,
    ``Unreachable``."""
    pools = {campaign.coupons.pool: campaign.id for campaign in campaigns if campaign.coupons.pool}
    held = stocks({}, *shares(settings)) if pools else {}
    for pool, campaign in pools.items():
        if not held.get(pool, Stock(0, 0)).left:
            yield (
                f"{campaign} makes no offers with a discount while pool {pool} has no codes: "
                f"offerstream campaigns coupons {pool} FILE"
            )


def not_noticed(campaign: Campaign) -> Iterator[str]:
    """What a campaign asks for that workers do not do yet, in words."""
    of_news, most = type(campaign.trigger) in NEWS_TRIGGERS, campaign.economics.min_stock
    for arm in campaign.offers:
        counted = arm.applies_to == "trigger_item" and of_news
        if arm.applies_to in ("items", "recommended", "trigger_item") and not counted and most > 1:
            yield (
                f"{campaign.id}, {arm.id}: of these items workers know only whether they can be bought, not how many "
                f"there are, so min_stock: {most} counts as out of stock: set economics.min_stock to 1"
            )


@dataclass(frozen=True, slots=True)
class Standing:
    """A campaign as it stands."""

    campaign: Campaign
    state: str
    """draft, paused, stopped, or of an approved one: scheduled, active or ended."""
    budget_cents: int
    offers: int
    reserved_cents: int
    """What its offers have set aside, as of the last flush."""
    coupons: Stock | None
    """Codes of its pool that are left and were given; None: it takes none from a pool."""
    partitions: int
    """In how many partitions what was said of campaigns holds …"""
    of_partitions: int


def stand(campaigning: Campaigning, now_ms: int) -> list[Standing]:
    """Every campaign by id. Raises ``TopicError``, ``Unreachable``."""
    settings, wanted = campaigning.settings, campaigning.book.wanted
    with Reader(settings.access) as reader:
        found = progress(reader, settings)
    digest = None if wanted is None else wanted.digest
    holds = sum(held.campaigns == digest for held in found.values())
    made = [held.reserved for held in found.values()]
    codes = stocks({}, *(held.coupons for held in found.values()))
    return [
        Standing(
            said.campaign,
            _state(said.campaign, now_ms),
            budget.total_cents if (budget := said.campaign.budget.get(settings.currency)) else 0,
            sum(each.get(name, (0, 0))[0] for each in made),
            sum(each.get(name, (0, 0))[1] for each in made),
            codes.get(pool, Stock(0, 0)) if (pool := said.campaign.coupons.pool) else None,
            holds,
            len(found),
        )
        for name, said in sorted(campaigning.book.campaigns.items())
    ]


def _state(campaign: Campaign, now_ms: int) -> str:
    if campaign.approval != "approved":
        return campaign.approval
    start, end = (round(at.timestamp() * 1000) for at in (campaign.start, campaign.end))
    return "scheduled" if now_ms < start else "active" if now_ms < end else "ended"
