"""Who is asked by what its record says."""

from __future__ import annotations

import numpy as np
import pytest

from streams.entities.item import ITEM
from streams.processing.payloads import Payloads
from streams.records.items import ItemChanged, ItemListed
from tests.features.files import picture, tone, wav
from tests.shoppers import NOON

RED, HIGH = picture(np.full((8, 8, 3), (230, 20, 20))), wav(tone(2000, seconds=0.1))
GRAMS, PICTURE, SOUND = (
    (f"payload.has_{name}", f"payload.{name}") for name in ("grams", "picture", "sound")
)  # fmt: skip


def listed(n: int, title: str | None = None, image: bytes | None = None, audio: bytes | None = None) -> ItemListed:
    return ItemListed(event_id=f"l{n}", item_id="a", event_time=NOON + n, title=title, image=image, audio=audio)


DUE = [
    listed(0, "Tea", RED, HIGH),
    listed(1, "Tea"),
    listed(2, None, RED[:40]),
    listed(3, None, None, HIGH),
    ItemChanged(event_id="c4", item_id="a", event_time=NOON + 4, unit_price_cents=5),
    None,
]


@pytest.mark.parametrize(
    ("addresses", "asked"),
    [
        ((*GRAMS, *PICTURE, *SOUND), [0, 1, 3]),  # one of them at least: not a price, nor a picture that is cut off
        ((*PICTURE, *SOUND), [0, 3]),
        (PICTURE, [0]),
        (("price.now", *PICTURE), [0, 1, 2, 3, 4, 5]),  # a price says something, too
        ((*PICTURE, SOUND[1]), [0, 3]),
    ],
)
def test_what_takes_only_what_may_be_missing_is_asked_where_there_is_some(
    addresses: tuple[str, ...], asked: list[int]
) -> None:
    payloads = Payloads(DUE, ITEM.catalogue.payloads)
    assert np.flatnonzero(payloads.said(addresses, np.ones(len(DUE), np.bool_))).tolist() == asked
    none = payloads.said(addresses, np.zeros(len(DUE), np.bool_))
    assert not none.any()


def test_has_grams_is_whether_there_is_a_title() -> None:
    block = Payloads(DUE, ITEM.catalogue.payloads).block(GRAMS[0])
    assert block(slice(None))[:, 0].tolist() == [1, 1, 0, 0, 0, 0]
