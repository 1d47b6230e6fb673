"""What follows an offer to an id follows it to whom the id belongs to, whatever crashes."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from streams.effects.sums import merged, of_outcomes, of_record
from streams.processing.windows_kept import Known
from streams.records import events as e
from streams.records.budget import LeaseGranted, encode_budget_record
from streams.records.effects import OfferOutcome
from streams.state.keys import EFFECT
from tests.campaigns.builders import CONTENT, campaign
from tests.decisions.test_campaigns import choose, chosen
from tests.identity.shop import GROUP, Owner, Shop, history
from tests.shoppers import DAY, HOUR, NOON, carted, identified, log_of, ordered
from tests.worlds import DictTier, shipped

CARTS = campaign(
    id="carts",
    audience="carts.adds_24h >= 1",
    trigger={"kind": "event", "types": ["cart_item_added"]},
    economics={"basket_cents": 3000, "gross_margin": 0.4},
    arms=[CONTENT | {"valid_days": 0.5}],
    caps=[{"offers": 1, "days": 1}],
    effect={"window_days": 2, "return_days": 1, "expected_shoppers": 100},
)
MIDNIGHT = NOON // DAY * DAY + DAY


def chose(shop: Shop, holdout_share: float = 0.0, window_days: float = 2.0) -> None:
    """The campaign begins."""
    effect = msgspec.structs.replace(CARTS.effect, window_days=window_days)
    found = msgspec.structs.replace(CARTS, holdout_share=holdout_share, effect=effect)
    for owner in shop.owners:
        owner.log += choose(chosen(found, holdout_share=0, default_consent=True, receipt_share=0), GROUP)


def begin_day(shop: Shop, day: int) -> None:
    """There is money for a day in every partition."""
    for owner in shop.owners:
        lease = LeaseGranted(
            campaign="carts", currency="USD", group=GROUP, partition=owner.partition, sequence=day,
            granted_cents=(day % 1000 + 1) * 50_000, lease_cents=50_000, day=day, expires_at_ms=(day + 1) * DAY,
            price_micros=0, reference_micros=0,
        )  # fmt: skip
        owner.log += [*log_of(e.ClockTicked(event_time=day * DAY)), (None, encode_budget_record(lease))]


def come(shop: Shop, events: list[e.ShopperEvent], trouble: float | None = None) -> None:
    """Events, day by day, each when all that was said before is applied; or in trouble. Then all windows are over."""
    for day, some in itertools.groupby(events, lambda event: int(event.event_time) // DAY):  # type: ignore[arg-type]
        begin_day(shop, day)
        of_day = list(some)
        for each in [[event] for event in of_day] if trouble is None else [of_day]:
            shop.run(each, 30, trouble or 0.0)
    for owner in shop.owners:
        owner.log += log_of(*(e.ClockTicked(event_time=(day + k) * DAY) for k in (2, 3, 4, 20)))
    shop.settle()


def outcomes(owners: list[Owner]) -> dict[str, OfferOutcome]:
    """By id, what became of offers."""
    raw = {id_: value for owner in owners for id_, value in owner.outcomes.items() if b'"opened_ms"' in value}
    return {id_: msgspec.json.decode(value, type=OfferOutcome) for id_, value in raw.items()}


def told(*events: e.ShopperEvent, partitions: int) -> dict[str, tuple[int, int]]:
    """Shopper → orders and net revenue of their windows."""
    shop = Shop(1, partitions=partitions, shelf=shipped())
    chose(shop)
    come(shop, list(events))
    measured = [one for one in outcomes(shop.owners).values() if one.measured is not None]
    assert len({one.shopper_id for one in measured}) == len(measured)
    return {one.shopper_id: (one.measured.orders, one.measured.revenue_cents) for one in measured if one.measured}


AT = MIDNIGHT + 2 * HOUR
BEFORE = (carted("cookie", AT), ordered("cookie", AT + 1, "o1", 1000))
LOGIN = identified("cookie", "ann", AT + HOUR, "login")
AFTER = ordered("ann", AT + 2 * HOUR, "o2", 700)
LATER = ordered("ann", AT + 2 * DAY + HOUR, "o3", 300)


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize(
    ("events", "expected"),
    [
        # What Ann orders after the login counts, until the window is over, and so does what comes under the old id.
        ([*BEFORE, LOGIN, AFTER, LATER], {"cookie": (2, 1700)}),
        ([*BEFORE, LOGIN, AFTER, ordered("cookie", AT + 3 * HOUR, "o4", 50), LATER], {"cookie": (3, 1750)}),
        ([*BEFORE, LOGIN, AFTER, e.OrderReturned(event_id="r", shopper_id="ann", event_time=AT + DAY, order_id="o2")],
         {"cookie": (1, 1000)}),
        # She entered by that; who had entered before keeps a window of her own.
        ([*BEFORE, LOGIN, carted("ann", AT + 2 * HOUR, "c2"), AFTER], {"cookie": (2, 1700)}),
        ([carted("ann", AT - HOUR, "c0"), *BEFORE, LOGIN, AFTER, LATER], {"ann": (1, 700), "cookie": (1, 1000)}),
        # The second of two cookies comes to somebody who entered by the first one.
        ([*BEFORE, carted("phone", AT + 2, "c9"), LOGIN, identified("phone", "ann", AT + HOUR + 1, "l2"), AFTER],
         {"cookie": (2, 1700), "phone": (0, 0)}),
        # By an id in between; and back to where it began.
        ([*BEFORE, identified("phone", "ann", AT + 2, "l2"), identified("cookie", "phone", AT + HOUR, "l1"), AFTER],
         {"cookie": (2, 1700)}),
        ([*BEFORE, identified("phone", "cookie", AT + 2, "l2"), identified("cookie", "phone", AT + HOUR, "l1"),
          ordered("cookie", AT + 2 * HOUR, "o2", 700)], {"cookie": (2, 1700)}),
        # A login when the window is over moves nothing; one within the time for returns moves what may still come back.
        ([*BEFORE, identified("cookie", "ann", AT + 5 * DAY, "l1"), ordered("ann", AT + 5 * DAY + 1, "o9")],
         {"cookie": (1, 1000)}),
    ],
)  # fmt: skip
def test_the_window_goes_on_as_the_shoppers(
    partitions: int, events: list[e.ShopperEvent], expected: dict[str, tuple[int, int]]
) -> None:
    assert told(*events, partitions=partitions) == expected


def known(held: dict[bytes, bytes]) -> dict[str, Any]:
    """By campaign: who entered, and the sums over what has closed."""
    _, found = msgspec.msgpack.decode(held[EFFECT][8:], type=tuple[int, dict[str, Known]])
    return {name: (each.entered, dict(map(of_record, each.tallies))) for name, each in found.items()}


@settings(max_examples=3, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 10**6), window_days=st.sampled_from((0.5, 3.0, 14.0)))
@example(seed=9, window_days=14.0)
def test_whatever_crashes_every_window_closes_once_with_the_same_bits(seed: int, window_days: float) -> None:
    """Held against a loop without trouble over the logs as they stand, in other slices."""
    shop, rng = Shop(seed), random.Random(seed)
    chose(shop, 0.3, window_days)
    events = sorted(history(seed, 250)[0], key=lambda event: int(event.event_time) // DAY)  # type: ignore[arg-type]
    come(shop, events, 0.4)
    found, plain = outcomes(shop.owners), list[Owner]()
    for owner in shop.owners:
        one = Owner(owner.partition, owner.partitions, owner.rules, owner.shelf, owner.log, DictTier())
        one.work([rng.randrange(len(one.log)) for _ in range(5)])
        one.flush()
        plain.append(one)
        if EFFECT in owner.tier.held:
            assert known(one.tier.held) == known(owner.tier.held)
    assert outcomes(plain) == found
    sums = [known(owner.tier.held)["carts"] for owner in shop.owners if EFFECT in owner.tier.held]
    assert merged([cells for _, cells in sums]) == of_outcomes(list(found.values()))
    # Whoever entered, an id as it was then, has one window, on whichever side.
    entries = [one for one in found.values() if one.measured is not None]
    assert len({one.shopper_id for one in entries}) == len(entries) == sum(sum(entered) for entered, _ in sums)
    if seed == 9:
        assert sum(len(moved.windows) for moved in shop.moved() if isinstance(moved, e.ShopperMerged)) > 1
