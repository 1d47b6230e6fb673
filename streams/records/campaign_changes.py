"""What operators say of campaigns: the records of the compacted topic ``campaigns.v1``."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.records.campaigns import Campaign, Shop

ChangeId = Annotated[str, Meta(description="Names what was said at once, such as all campaigns of a file.")]
Why = Annotated[str, Meta(description="Why, in the operator's words.")]
When = Annotated[int, Meta(description="When it was said, UTC milliseconds since 1970.")]


class CampaignApplied(msgspec.Struct, tag_field="type", tag="campaign_applied", kw_only=True, frozen=True, gc=False):
    """An operator set a campaign, or its state: key the campaign's id. The newest one holds."""

    campaign: Annotated[
        Campaign,
        Meta(
            description="All of it. Its approval is its state: draft, approved, paused or stopped; an approved one is "
            "active from start to end."
        ),
    ]
    change_id: ChangeId
    reason: Why
    changed_at_ms: When


class ShopApplied(msgspec.Struct, tag_field="type", tag="shop_applied", kw_only=True, frozen=True, gc=False):
    """An operator set what holds for all campaigns; key: /shop. The newest one holds."""

    shop: Annotated[Shop, Meta(description="All of it.")]
    change_id: ChangeId
    reason: Why
    changed_at_ms: When


CampaignChange = CampaignApplied | ShopApplied


def key_of(record: CampaignChange) -> bytes:
    """The record's key in the topic; no campaign's id has a slash."""
    return record.campaign.id.encode() if isinstance(record, CampaignApplied) else b"/shop"
