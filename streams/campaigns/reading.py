"""A file of campaigns as records, or all that is wrong with it, each with line, field, value and rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfoNotFoundError

import msgspec

from models.nearest import hint
from streams.campaigns.checking import problems
from streams.campaigns.expression import Expression
from streams.campaigns.lexer import ExpressionError
from streams.campaigns.terms import EVENT_CODES
from streams.campaigns.vocabulary import Vocabulary
from streams.campaigns.yaml_lines import Path, Problem, Tree, read, shown
from streams.features.days import Days
from streams.records.campaign_parts import (
    Ad,
    AdAsked,
    AnyOffer,
    BackInStock,
    BrowseAbandoned,
    Bundle,
    CartAbandoned,
    Economics,
    Event,
    PriceDrop,
)
from streams.records.campaigns import Campaign, CampaignSet
from streams.records.tags import tag_of

#: What an ad's campaign does not have.
OFFERS_ONLY = (
    "priority", "coupons", "caps", "cooldown", "quiet_hours", "exploration_share", "exclusions", "minimum_age"
)  # fmt: skip
ECONOMICS_OF_OFFERS = tuple(name for name in Economics.__struct_fields__ if name != "gross_margin")
_START = datetime(2026, 1, 1, tzinfo=UTC)
#: All that may be left out is.
_PLAIN = Campaign(id="plain", audience="true", trigger=AdAsked(), arms=(), budget={}, start=_START, end=_START)
#: (where, what stands there, what must)
_Found = tuple[Path, object, str]


def takers(campaigns: Iterable[Campaign]) -> dict[str, list[str]]:
    """Pool → the campaigns that take its codes, those that are over for good left out."""
    found: dict[str, list[str]] = {}
    for campaign in campaigns:
        if campaign.coupons.pool and campaign.approval != "stopped":
            found.setdefault(campaign.coupons.pool, []).append(campaign.id)
    return {pool: list(dict.fromkeys(ids)) for pool, ids in found.items()}


class CampaignError(ValueError):
    """A file that is no set of campaigns: all that is wrong with it."""

    def __init__(self, found: list[Problem]) -> None:
        super().__init__("\n".join(map(str, found)))
        self.problems = found


@dataclass(frozen=True, slots=True)
class _Checks:
    """What a set must satisfy beyond the range of each field."""

    words: Vocabulary
    currency: str | None

    def of(self, chosen: CampaignSet) -> Iterator[_Found]:
        yield from self._shop(chosen)
        segments = {}
        for name, text in chosen.shop.segments.items():
            yield from self._expression(("shop", "segments", name), text, {})
            try:
                segments[name] = Expression.of(text, self.words)
            except ExpressionError:  # told above; who uses it is not told again
                segments[name] = Expression.of("true", self.words)
        ids, pools = [campaign.id for campaign in chosen.campaigns], takers(chosen.campaigns)
        for i, campaign in enumerate(chosen.campaigns):
            at: Path = ("campaigns", i)
            if campaign.id in ids[:i]:
                yield (*at, "id"), campaign.id, "another campaign has this id; each has its own"
            yield from self._expression((*at, "audience"), campaign.audience, segments)
            yield from self._times_and_money(at, campaign)
            yield from self._trigger(at, campaign)
            yield from self._arms(at, campaign)
            for j, name in enumerate(campaign.effect.segments):
                if name not in chosen.shop.segments:
                    near = hint(name, list(chosen.shop.segments))
                    yield (*at, "effect", "segments", j), name, f"shop.segments has no such segment{near}"
            of = pools.get(campaign.coupons.pool, [])
            if campaign.id in of[1:]:
                yield (
                    (*at, "coupons", "pool"),
                    campaign.coupons.pool,
                    f"{of[0]} takes its codes; a pool is one campaign's",
                )
            for j, other in enumerate(campaign.exclusions):
                if other == campaign.id:
                    yield (*at, "exclusions", j), other, "a campaign cannot exclude itself"
                elif other not in ids:
                    yield (*at, "exclusions", j), other, f"no campaign of this file has this id{hint(other, ids)}"

    def _shop(self, chosen: CampaignSet) -> Iterator[_Found]:
        zone = chosen.shop.time_zone
        try:
            Days(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield ("shop", "time_zone"), zone, "it must be an IANA name, such as Europe/Berlin"

    def _expression(self, at: Path, text: str, segments: dict[str, Expression]) -> Iterator[_Found]:
        try:
            Expression.of(text, self.words, segments)
        except ExpressionError as error:
            yield at, None, str(error)

    def _times_and_money(self, at: Path, campaign: Campaign) -> Iterator[_Found]:
        if campaign.end <= campaign.start:
            yield (*at, "end"), campaign.end.isoformat(), "it must be later than start"
        if campaign.approval == "approved" and not campaign.approved_by:
            yield (*at, "approved_by"), None, "say who approved it; an approved campaign spends money"
        if self.currency is not None and self.currency not in campaign.budget:
            yield (*at, "budget"), None, f"the shop's currency is {self.currency}, and there is no budget in it"
        for currency, budget in campaign.budget.items():
            if budget.daily_cents is not None and budget.daily_cents > budget.total_cents:
                where = (*at, "budget", currency, "daily_cents")
                yield where, budget.daily_cents, f"it must be at most total_cents, {budget.total_cents}"
        quiet, coupons, basket = campaign.quiet_hours, campaign.coupons, campaign.economics.basket
        if quiet is not None and quiet.start == quiet.end:
            yield (
                (*at, "quiet_hours", "end"),
                quiet.end,
                "it must differ from start; without quiet hours, leave both out",
            )
        if (coupons.source == "pool") != bool(coupons.pool):
            yield (
                (*at, "coupons", "pool"),
                coupons.pool or None,
                "name the pool where the source is pool, and only there",
            )
        try:
            known = self.words.find(basket)
        except KeyError as error:
            yield (*at, "economics", "basket"), basket, str(error.args[0])
        else:
            if known.unit != "cents" or known.width != 1:
                yield (
                    (*at, "economics", "basket"),
                    basket,
                    "it must be a feature in cents, such as orders.average_value",
                )

    def _trigger(self, at: Path, campaign: Campaign) -> Iterator[_Found]:
        if isinstance(campaign.trigger, Event):
            for j, name in enumerate(campaign.trigger.types):
                if name not in EVENT_CODES:
                    near = hint(name, list(EVENT_CODES))
                    yield (*at, "trigger", "types", j), name, f"there is no event of this type{near}"

    def _arms(self, at: Path, campaign: Campaign) -> Iterator[_Found]:
        ids = [arm.id for arm in campaign.arms]
        for j, arm in enumerate(campaign.arms):
            here: Path = (*at, "arms", j)
            if arm.id in ids[:j]:
                yield (*here, "id"), arm.id, "another arm of the campaign has this id; each has its own"
            if isinstance(arm, Ad) != campaign.of_ads:
                rule = "arms of kind ad are of campaigns whose trigger is ad_requested, and these have no others"
                yield (*here, "kind"), tag_of(type(arm)), rule
            elif not isinstance(arm, Ad):
                yield from self._target(here, campaign, arm)
        yield from self._ads(at, campaign)

    def _ads(self, at: Path, campaign: Campaign) -> Iterator[_Found]:
        if not campaign.of_ads:
            return
        stood = set[str]()
        for j, arm in enumerate(campaign.ads):
            mine = set(arm.names) or {""}
            for name in sorted(mine & stood):
                yield (*at, "arms", j, "names"), name, "an ad is of one arm, and one arm at most names none"
            stood |= mine
        for name in OFFERS_ONLY:
            if (said := getattr(campaign, name)) != getattr(_PLAIN, name):
                yield (*at, name), said, "only offers have it; leave it out"
        for name in ECONOMICS_OF_OFFERS:
            if (said := getattr(campaign.economics, name)) != getattr(_PLAIN.economics, name):
                yield (*at, "economics", name), said, "only offers have it; leave it out"

    def _target(self, here: Path, campaign: Campaign, arm: AnyOffer) -> Iterator[_Found]:
        if isinstance(arm, Bundle):
            if arm.applies_to != "items" or len(arm.names) < 2:
                yield (*here, "names"), None, "a bundle applies_to: items, and names at least two"
            return
        named = arm.applies_to in ("items", "category")
        if named != bool(arm.names) or (arm.applies_to == "category" and len(arm.names) != 1):
            rule = "name the items, or the one category, where applies_to is items or category, and only there"
            yield (*here, "names"), None, rule
        if arm.applies_to != "recommended" and arm.most_items:
            yield (*here, "most_items"), arm.most_items, "only where applies_to is recommended; else name the items"
        of_item = (BackInStock, PriceDrop, CartAbandoned, BrowseAbandoned)
        if arm.applies_to == "trigger_item" and not isinstance(campaign.trigger, of_item):
            rule = "only back_in_stock, price_drop, cart_abandoned and browse_abandoned are about an item"
            yield (*here, "applies_to"), arm.applies_to, rule


def campaigns_of(text: str, words: Vocabulary, currency: str | None = None) -> CampaignSet:
    """The campaigns of a YAML text. ``currency``: the shop's, in which every campaign must have a budget; None: do not
    ask. Raises ``CampaignError`` with all that is wrong."""
    tree = read(text)
    if tree.problems and tree.value is None:
        raise CampaignError(tree.problems)
    if tree.value is None:
        raise CampaignError(
            [Problem(1, "", "", "The file is empty; offerstream campaigns examples shows what to write.")]
        )
    found = [*tree.problems, *problems(CampaignSet, tree)]
    if not found:
        chosen = msgspec.convert(tree.value, CampaignSet)
        found += [_problem(tree, *each) for each in _Checks(words, currency).of(chosen)]
        if not found:
            return chosen
    else:
        found += _expressions(tree, words)
    raise CampaignError(sorted(found, key=lambda each: each.line))


def says_shop(text: str) -> bool:
    """Whether a YAML text says what holds for the shop."""
    value = read(text).value
    return isinstance(value, dict) and "shop" in value


def _expressions(tree: Tree, words: Vocabulary) -> Iterator[Problem]:
    """What is wrong with the audiences of a file of which other things are wrong, too."""
    campaigns = tree.value.get("campaigns") if isinstance(tree.value, dict) else None
    shop = tree.value.get("shop") if isinstance(tree.value, dict) else None
    named = shop.get("segments") if isinstance(shop, dict) else None
    segments = {str(name): Expression.of("true", words) for name in named} if isinstance(named, dict) else {}
    texts: list[tuple[Path, object]] = []
    if isinstance(named, dict):
        texts += [(("shop", "segments", name), text) for name, text in named.items()]
    if isinstance(campaigns, list):
        texts += [
            (("campaigns", i, "audience"), each.get("audience"))
            for i, each in enumerate(campaigns)
            if isinstance(each, dict)
        ]
    for path, text in texts:
        if isinstance(text, str) and text:
            try:
                Expression.of(text, words, {} if path[0] == "shop" else segments)
            except ExpressionError as error:
                yield _problem(tree, path, None, str(error))


def _problem(tree: Tree, path: Path, value: object, rule: str) -> Problem:
    text = "" if value is None else repr(value)
    return Problem(tree.line(path), shown(path), text[:80], rule if rule.endswith((".", "?")) else f"{rule}.")
