"""From an offer to what followed: shown, clicked, redeemed, ordered, returned, within a window.

Whatever order a shopper's records come in, and however often, the outcome is the same: records are kept as a set, and
read when the window has closed, in the order of their own times. It closes when the watermark passes: the integrator
says (``close``) that nothing older than a time comes any more, which is what lateness means.

The unit of a campaign's effect is the shopper, not the offer: a shopper *enters* a campaign with the first offer of it,
or with the first that the holdout alone kept back, and all that they do in the window after that is measured, whether
the offer is named in it or not. Offers after the first add to the cost of the first one's window and begin none of
their own, or a shopper with five offers would count five times and one of the holdout once.

>>> journeys = Journeys(Window(days=7, return_days=3), "USD")
>>> journeys.feed(Ordered("o1", 5, units=2, revenue_cents=900, margin_cents=300, offer_id="f1", discount_cents=100))
>>> journeys.feed(Reacted("f1", "redeemed", 4))
>>> journeys.feed(Opened("f1", "ann", "win-back", "10%", at_ms=1, contact_cents=2))
>>> journeys.feed(Returned("r1", "o1", 9, units=1, revenue_cents=450, margin_cents=150))
>>> (outcome,) = journeys.close(1 + 10 * DAY_MS)
>>> outcome.order_id, outcome.returned, outcome.measured.margin_cents, outcome.measured.cost_cents
('o1', 'partly', 200, 52)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from streams.records.effects import Measured, OfferOutcome
from streams.records.outcomes import Due, outcome_id

DAY_MS = 86_400_000
Reaction = Literal["shown", "clicked", "redeemed", "dismissed"]
REACTIONS: tuple[Reaction, ...] = ("shown", "clicked", "redeemed", "dismissed")


@dataclass(frozen=True, slots=True)
class Window:
    """For how long what a shopper does counts, and returns of it are waited for.

    Prevents that orders count before it is known whether they come back, and that they count for ever.
    """

    days: float = 14.0
    return_days: float = 14.0
    slack_minutes: float = 60.0
    """An order that names no offer belongs to a redemption at most so long before or after it."""

    def __post_init__(self) -> None:
        if not 0 < self.days <= 366 or not 0 <= self.return_days <= 366 or self.slack_minutes < 0:
            raise ValueError(
                f"{self}: days must be above 0, days and return_days at most 366, nothing below 0. Say other ones."
            )

    def end_ms(self, opened_ms: int) -> int:
        """First millisecond that no longer counts."""
        return opened_ms + round(self.days * DAY_MS)

    def closed_ms(self, opened_ms: int) -> int:
        """First millisecond at which a return no longer counts: then the outcome is final."""
        return self.end_ms(opened_ms) + round(self.return_days * DAY_MS)


@dataclass(frozen=True, slots=True)
class Opened:
    """An offer was made; or kept back by the holdout and by nothing else (``held``)."""

    offer_id: str
    shopper_id: str
    campaign: str
    arm: str
    at_ms: int
    held: bool = False
    segment: str = ""
    contact_cents: int = 0
    """What it costs to make it, redeemed or not."""
    coupon_code: str = ""
    before_orders: int = 0
    before_revenue_cents: int = 0
    """What the shopper did in a period before, equally long for everyone: makes the interval narrower."""
    click_cents: int = 0
    """What a click on it costs, where the click does not say."""


@dataclass(frozen=True, slots=True)
class Reacted:
    """A shopper's reaction to an offer; the first one of each kind counts."""

    offer_id: str
    reaction: Reaction
    at_ms: int


@dataclass(frozen=True, slots=True)
class Used:
    """The shop says in which order an offer was used; the first one of each offer counts."""

    offer_id: str
    order_id: str
    at_ms: int
    discount_cents: int | None = None
    """What it took off that order; None: what the order says."""


@dataclass(frozen=True, slots=True)
class Charged:
    """A click on an ad was to be paid; the first one of each decision counts."""

    offer_id: str
    at_ms: int
    cents: int | None = None
    """None: what the ad says."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order of at least one unit: what was paid, and what is left of it after the cost of goods."""

    order_id: str
    at_ms: int
    units: int
    revenue_cents: int
    margin_cents: int
    offer_id: str = ""
    """The offer that was used in it, where its coupon says so; empty: the nearest redemption's."""
    discount_cents: int = 0
    """What the offer took off, already missing in revenue and margin."""


@dataclass(frozen=True, slots=True)
class Returned:
    """An order, or a part of it, came back or was cancelled; ``units`` None: all that is left."""

    event_id: str
    order_id: str
    at_ms: int
    units: int | None = None
    revenue_cents: int = 0
    margin_cents: int = 0


Fact: TypeAlias = Opened | Reacted | Used | Charged | Ordered | Returned


@dataclass(slots=True)
class _Left:
    """What is left of an order after its returns."""

    order: Ordered
    units: int
    revenue: int
    margin: int
    discount: int

    @property
    def returned(self) -> Literal["no", "partly", "all"]:
        if self.units == self.order.units and self.revenue == self.order.revenue_cents:
            return "no"
        return "partly" if self.units else "all"


@dataclass(slots=True)
class Journeys:
    """The open offers of one shopper and what is known of them. Plain data: pack it as you like."""

    window: Window
    currency: str
    opened: dict[str, Opened] = field(default_factory=dict)
    reacted: dict[tuple[str, Reaction], tuple[int, ...]] = field(default_factory=dict)
    """When a reaction came: the first time since the offer was made; all times while the offer is not known."""
    used: dict[str, Used] = field(default_factory=dict)
    ordered: dict[str, Ordered] = field(default_factory=dict)
    returned: dict[str, Returned] = field(default_factory=dict)
    charged: dict[str, Charged] = field(default_factory=dict)
    entered: dict[str, int] = field(default_factory=dict)
    """Campaign → when the shopper entered it; kept for as long as the campaign lives (``forget``)."""

    def feed(self, fact: Fact) -> None:
        """Take one record. The same one again changes nothing; of two with one id the earlier one holds."""
        if isinstance(fact, Opened):
            kept = self.opened.get(fact.offer_id)
            if kept is None or _earlier(fact, kept):
                self.opened[fact.offer_id] = fact
                for reaction in REACTIONS:
                    self._reach(fact.offer_id, reaction, ())
        elif isinstance(fact, Reacted):
            self._reach(fact.offer_id, fact.reaction, (fact.at_ms,))
        elif isinstance(fact, Used):
            said = self.used.get(fact.offer_id)
            if said is None or _earlier(fact, said):
                self.used[fact.offer_id] = fact
        elif isinstance(fact, Charged):
            paid = self.charged.get(fact.offer_id)
            if paid is None or _earlier(fact, paid):
                self.charged[fact.offer_id] = fact
        elif isinstance(fact, Ordered):
            old = self.ordered.get(fact.order_id)
            if old is None or _earlier(fact, old):
                self.ordered[fact.order_id] = fact
        else:
            before = self.returned.get(fact.event_id)
            if before is None or _earlier(fact, before):
                self.returned[fact.event_id] = fact

    def _reach(self, offer_id: str, reaction: Reaction, more: tuple[int, ...]) -> None:
        times, offer = {*self.reacted.get((offer_id, reaction), ()), *more}, self.opened.get(offer_id)
        if offer is not None:
            times = {min(since)} if (since := [at for at in times if at >= offer.at_ms]) else set()
        if times:
            self.reacted[offer_id, reaction] = tuple(sorted(times))
        else:
            self.reacted.pop((offer_id, reaction), None)

    def close(self, watermark_ms: int) -> list[OfferOutcome]:
        """Outcomes of all windows that have closed by now, oldest first; what nobody needs any more is forgotten.

        ``watermark_ms``: records older than this do not come any more.
        """
        due = [o for o in self.opened.values() if self.window.closed_ms(o.at_ms) <= watermark_ms]
        due.sort(key=lambda o: (o.at_ms, o.offer_id))
        said = []
        for offer in due:
            first = offer.campaign not in self.entered
            said.append(self._outcome(offer, first))
            if first:
                self.entered[offer.campaign] = offer.at_ms
            del self.opened[offer.offer_id]
        self._prune(watermark_ms)
        return said

    def next_ms(self) -> int | None:
        """When the next window closes, for a timer; None: no offer is open."""
        return min((self.window.closed_ms(o.at_ms) for o in self.opened.values()), default=None)

    def forget(self, campaign: str) -> None:
        """A campaign is over for good: its name may be used again."""
        self.entered.pop(campaign, None)

    def _outcome(self, offer: Opened, first: bool) -> OfferOutcome:
        start, end, closed = offer.at_ms, self.window.end_ms(offer.at_ms), self.window.closed_ms(offer.at_ms)
        left = self._left(start, end, closed)
        used = self._used(offer, left, end)
        shown, clicked, redeemed, dismissed = (self._when(offer, reaction, end) for reaction in REACTIONS)
        return OfferOutcome(
            outcome_id=outcome_id("offer_closed", offer.shopper_id, f"window:{offer.offer_id}", offer.campaign),
            event_time_ms=closed,
            due=Due(kind="window", ref=offer.offer_id),
            offer_id=offer.offer_id,
            shopper_id=offer.shopper_id,
            campaign=offer.campaign,
            arm=offer.arm,
            segment=offer.segment,
            held=offer.held,
            opened_ms=start,
            shown_ms=shown,
            clicked_ms=clicked,
            redeemed_ms=used.order.at_ms if redeemed is None and used is not None else redeemed,
            dismissed_ms=dismissed,
            order_id=None if used is None else used.order.order_id,
            order_units=0 if used is None else used.units,
            order_revenue_cents=0 if used is None else used.revenue,
            discount_cents=0 if used is None else used.discount,
            returned="no" if used is None else used.returned,
            currency=self.currency,
            measured=self._measured(offer, left, end) if first else None,
        )

    def _measured(self, entry: Opened, left: dict[str, _Left], end: int) -> Measured:
        """What the shopper did from entry to ``end``, with all offers of the campaign made in between."""
        offers = [o for o in self.opened.values() if o.campaign == entry.campaign and entry.at_ms <= o.at_ms < end]
        made = [o for o in offers if not o.held]
        used = [(o, self._used(o, left, end)) for o in made]
        discount = sum({u.order.order_id: u.discount for _, u in used if u is not None}.values())
        contacts = sum(o.contact_cents + self._click_cents(o, end) for o in made)
        kept = [each for each in left.values() if each.units]
        return Measured(
            offers=len(made),
            shown=sum(self._when(o, "shown", end) is not None for o in made),
            clicked=sum(self._when(o, "clicked", end) is not None for o in made),
            redeemed=sum(u is not None or self._when(o, "redeemed", end) is not None for o, u in used),
            orders=len(kept),
            units=sum(each.units for each in kept),
            revenue_cents=sum(each.revenue for each in kept),
            margin_cents=sum(each.margin for each in kept) + discount,
            cost_cents=contacts + discount,
            before_orders=entry.before_orders,
            before_revenue_cents=entry.before_revenue_cents,
        )

    def _click_cents(self, offer: Opened, end: int) -> int:
        """What a click on it in the window cost."""
        paid = self.charged.get(offer.offer_id)
        if paid is None or not offer.at_ms <= paid.at_ms < end:
            return 0
        return offer.click_cents if paid.cents is None else paid.cents

    def _when(self, offer: Opened, reaction: Reaction, end: int) -> int | None:
        (at,) = self.reacted.get((offer.offer_id, reaction), (end,))
        return at if at < end else None

    def _used(self, offer: Opened, left: dict[str, _Left], end: int) -> _Left | None:
        """The order in which an offer was used: the one that names it, else the one nearest to its redemption."""
        if offer.held:
            return None
        orders = [each for each in left.values() if offer.at_ms <= each.order.at_ms < end]
        said = self.used.get(offer.offer_id)
        named = [each for each in orders if said is not None and each.order.order_id == said.order_id]
        named = named or [each for each in orders if each.order.offer_id == offer.offer_id]
        if named:
            return min(named, key=lambda each: (each.order.at_ms, each.order.order_id))
        at = self._when(offer, "redeemed", end)
        if at is None:
            return None
        slack = round(self.window.slack_minutes * 60_000)
        near = [each for each in orders if not each.order.offer_id and abs(each.order.at_ms - at) <= slack]
        return min(near, key=lambda each: (abs(each.order.at_ms - at), each.order.order_id), default=None)

    def _left(self, start: int, end: int, closed: int) -> dict[str, _Left]:
        """Orders in [start, end), less the returns before ``closed``, none returned more than once."""
        told = [said for said in self.used.values() if said.discount_cents is not None]
        off = {said.order_id: sum(s.discount_cents or 0 for s in told if s.order_id == said.order_id) for said in told}
        left = {
            o.order_id: _Left(o, o.units, o.revenue_cents, o.margin_cents, off.get(o.order_id, o.discount_cents))
            for o in self.ordered.values()
            if start <= o.at_ms < end
        }
        for back in sorted(self.returned.values(), key=lambda r: (r.at_ms, r.event_id)):
            each = left.get(back.order_id)
            if each is None or not each.order.at_ms <= back.at_ms < closed or not each.units:
                continue
            if back.units is None or back.units >= each.units:
                each.units = each.revenue = each.margin = each.discount = 0
                continue
            revenue = min(back.revenue_cents, each.revenue)
            # What the offer took off comes back in proportion to what was paid.
            each.discount -= each.discount * revenue // each.revenue if each.revenue else 0
            each.units, each.revenue = each.units - back.units, each.revenue - revenue
            each.margin -= back.margin_cents
        return left

    def _prune(self, watermark_ms: int) -> None:
        """Drop what is older than the watermark and in no open window: no record that needs it can come."""
        spans = [(o.at_ms, self.window.end_ms(o.at_ms)) for o in self.opened.values()]
        self.ordered = {
            key: o
            for key, o in self.ordered.items()
            if o.at_ms >= watermark_ms or any(start <= o.at_ms < end for start, end in spans)
        }
        self.reacted = {
            key: times if key[0] in self.opened else tuple(at for at in times if at >= watermark_ms)
            for key, times in self.reacted.items()
            if key[0] in self.opened or times[-1] >= watermark_ms
        }
        self.used = {key: said for key, said in self.used.items() if key in self.opened or said.at_ms >= watermark_ms}
        self.charged = {
            key: paid for key, paid in self.charged.items() if key in self.opened or paid.at_ms >= watermark_ms
        }
        self.returned = {
            key: r for key, r in self.returned.items() if r.at_ms >= watermark_ms or r.order_id in self.ordered
        }


def _earlier(one: Fact, other: Fact) -> bool:
    return (one.at_ms, repr(one)) < (other.at_ms, repr(other))
