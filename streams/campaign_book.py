"""The topic of campaigns: what operators said of each, read by every worker."""

from __future__ import annotations

import msgspec

from streams.access import Access
from streams.compacted import Board, newest, put
from streams.records.campaign_changes import CampaignApplied, CampaignChange, ShopApplied, key_of
from streams.records.campaigns import CampaignSet, Shop
from streams.topics import CAMPAIGNS


class UnknownCampaign(KeyError):
    """There is no campaign of that id."""

    exit_code = 2

    def __str__(self) -> str:
        return str(self.args[0])


_decoder = msgspec.json.Decoder(CampaignChange)


class CampaignBook:
    """The newest record of every campaign and of the shop.

    >>> CampaignBook().wanted is None
    True
    """

    def __init__(self) -> None:
        self.campaigns: dict[str, CampaignApplied] = {}
        self.shop_applied: ShopApplied | None = None

    def apply(self, record: CampaignChange) -> None:
        """Take a record; a later one of the same key replaces it. Whoever reads meanwhile sees all of it or none."""
        if isinstance(record, ShopApplied):
            self.shop_applied = record
        else:
            self.campaigns = {**self.campaigns, record.campaign.id: record}

    @property
    def shop(self) -> Shop:
        """What holds for all campaigns."""
        return Shop() if self.shop_applied is None else self.shop_applied.shop

    @property
    def wanted(self) -> CampaignSet | None:
        """What is to hold in every partition: campaigns that are approved or paused. None until one was, so that a
        draft does not end the built-in offer; stopping the last one does not bring that back."""
        states = {name: said.campaign.approval for name, said in sorted(self.campaigns.items())}
        if all(state == "draft" for state in states.values()):
            return None
        held = [name for name, state in states.items() if state in ("approved", "paused")]
        return CampaignSet(shop=self.shop, campaigns=tuple(self.campaigns[name].campaign for name in held))


def decode(value: bytes) -> CampaignChange:
    """A record of the topic. Raises ``msgspec.DecodeError``."""
    return _decoder.decode(value)


BOARD = Board(CAMPAIGNS, decode, CampaignBook)


def publish(kafka: Access, changes: list[CampaignChange]) -> None:
    """Put records into the topic and wait until they are there. Raises ``TopicError``."""
    put(kafka, CAMPAIGNS, [(key_of(each), msgspec.json.encode(each)) for each in changes])


def read(kafka: Access) -> CampaignBook:
    """The topic as it stands. Raises ``TopicError``, ``Unreachable``."""
    return newest(kafka, BOARD)
