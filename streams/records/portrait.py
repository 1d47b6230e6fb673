"""A shopper's profile line by line, as ``offerstream why`` prints it."""

from __future__ import annotations

from collections.abc import Iterator

from streams.records.profiled import SEGMENTS, ShopperProfiled
from streams.records.words import money, shown_day

_STAGE = {"at_risk": "at risk"}


def rows(profile: ShopperProfiled) -> Iterator[tuple[str, str]]:
    """(what, said) of a profile, in the order in which a marketer asks."""
    name, _ = SEGMENTS[profile.segment]
    stage = _STAGE.get(profile.stage, profile.stage)
    yield "segment", f"{name}: they {profile.segment_text} ({stage}, {shown_day(profile.event_time_ms)})"
    spent = f"{money(profile.net_spend_cents, profile.currency)} in all, after returns"
    yield "value so far", f"{spent}; {profile.orders_30d:,} of {_orders(profile.orders)} in the last 30 days"
    expected = profile.expected
    if expected is not None:
        low, middle, high = (
            money(cents, profile.currency)
            for cents in (expected.revenue_low_cents, expected.revenue_middle_cents, expected.revenue_high_cents)
        )
        mean = money(expected.revenue_cents, profile.currency)
        yield (
            "next 90 days",
            f"{expected.orders:g} orders and {mean} on average; half bring less than {middle}, eight in ten {low} to "
            f"{high}; any order: {expected.active:.0%}",
        )
    yield "next order", _next(profile)
    day, part = profile.weekday and f"{profile.weekday}s", profile.daypart and f"in the {profile.daypart}"
    yield "usually", " ".join(each for each in (day, part) if each) or "no day or time in particular"
    yield (
        "prices",
        f"{profile.price_sensitivity} sensitivity: {profile.discount_share:.0%} taken off all they bought, a coupon in "
        f"{profile.coupon_share:.0%} of orders",
    )


def _orders(n: int) -> str:
    return "1 order" if n == 1 else f"{n:,} orders"


def _next(profile: ShopperProfiled) -> str:
    days = profile.next_order_in_days
    if days is None:
        return "no rhythm yet: one purchase"
    around = "" if profile.give_or_take_days is None else f", give or take {profile.give_or_take_days:,} days"
    when = f"due in {days:,} days" if days >= 0 else f"was due {-days:,} days ago"
    return f"{when} by their rhythm of {profile.rhythm_days:g} days{around}"
