"""Every topic: its name, key, record, and how the broker keeps it. The version is part of the name."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from streams.records import (
    ads,
    budget,
    campaign_changes,
    coupons,
    demand,
    described,
    effects,
    embedded,
    enriched,
    items,
    news,
    offers,
    outcomes,
    pictured,
    prices,
    profiled,
    reviewed,
    searches,
    serving,
)
from streams.records.events import SHOPPER_EVENTS, ClockTicked, EventForwarded, LogIdled, ShopperMerged
from streams.records.produced import FAMILIES
from streams.records.receipts import Receipt
from streams.records.serving import CampaignsChosen, ModelsChosen, RulesChosen

DAY_MS = 86_400_000
CHANGELOG = "-changelog"
#: A dead letter holds the whole original in base64, so it may be larger than what the events topic admits.
MAX_EVENT_MESSAGE, MAX_DEAD_LETTER_MESSAGE = 12 << 20, 20 << 20


@dataclass(frozen=True, slots=True)
class Topic:
    """One line of the catalogue. ``partitions`` 0 means: as many as the events topic."""

    name: str
    meaning: str
    key: str
    records: tuple[type[msgspec.Struct], ...]
    retention_days: int
    partitions: int = 0
    compacted: bool = False
    config: dict[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """The topic's configuration as Kafka takes it."""
        kept = {"retention.ms": str(self.retention_days * DAY_MS)}
        if self.compacted:
            kept = {"cleanup.policy": "compact"}
        return {**kept, **self.config}


EVENTS = Topic(
    "storefront.events.v1",
    "What shoppers did, from storefronts; ticks, choices of models, rules and campaigns, leases, news of items, "
    "what belongs to another shopper, from workers; codes of coupons, from operators",
    "shopper_id",
    (
        *SHOPPER_EVENTS,
        ClockTicked,
        LogIdled,
        ModelsChosen,
        RulesChosen,
        CampaignsChosen,
        budget.LeaseGranted,
        coupons.CouponsLoaded,
        *news.ITEM_NEWS,
        EventForwarded,
        ShopperMerged,
    ),
    retention_days=30,
    # Append time is in the log and no producer can set it, so "too far in the future" replays alike.
    config={"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(MAX_EVENT_MESSAGE)},
)
_LOGGED = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(MAX_EVENT_MESSAGE)}
CATALOG = Topic(
    "catalog.items.v1",
    "Items as the shop's catalogue lists, changes and delists them",
    "item_id",
    items.CATALOG_RECORDS,
    retention_days=30,
    config=_LOGGED,
)
STOCK = Topic(
    "catalog.stock.v1", "How much of each item there is, by location", "item_id", (items.StockCounted,), 30,
    config=_LOGGED,
)  # fmt: skip
REVIEWS = Topic(
    "catalog.reviews.v1", "What reviewers say of items", "item_id", (items.ItemReviewed,), 30, config=_LOGGED
)
ITEMS_LOG = Topic(
    "items-log",
    "All that happened to each item, from workers: catalogue records, and what shoppers did, minute by minute",
    "item_id, or none for tallies",
    (
        *items.CATALOG_RECORDS, items.StockCounted, items.ItemReviewed, items.ItemsTallied, items.SourceIdle,
        ModelsChosen, RulesChosen,
    ),
    retention_days=30,
    config=_LOGGED,
)  # fmt: skip
CAMPAIGNS_LOG = Topic(
    "campaigns-log",
    "What happens to each campaign, from workers: budgets, what partitions of shoppers spent, and what offers brought",
    "none",
    (budget.BudgetSet, budget.SpendReported, effects.EffectReported, ModelsChosen, RulesChosen),
    retention_days=30,
    config=_LOGGED,
)
ITEM_PROFILES = Topic(
    "item.profiles.v1",
    "Each item's newest numbers: what it sells, its price, how long its stock lasts",
    "item_id",
    (outcomes.ItemProfiled,),
    retention_days=0,
    compacted=True,
)
ENRICHED = Topic(
    "items.enriched.v1",
    "What models make of each item's words: a category to suggest, what its reviewers write",
    "item_id",
    (enriched.ItemEnriched,),
    retention_days=0,
    compacted=True,
)
PICTURED = Topic(
    "items.pictured.v1",
    "What each item's picture shows, and what it is like: pictures of like things point the same way",
    "item_id",
    (pictured.ItemPictured,),
    retention_days=0,
    compacted=True,
)
EMBEDDED = Topic(
    "items.embedded.v1",
    "What each item is like by what there is of its words, picture and sound: like items point the same way",
    "item_id",
    (embedded.ItemEmbedded,),
    retention_days=0,
    compacted=True,
)
DESCRIBED = Topic(
    "items.described.v1",
    "A title, a description and an offer text of each item, made of its attributes",
    "item_id",
    (described.ItemDescribed,),
    retention_days=0,
    compacted=True,
)
REVIEWED = Topic(
    "items.reviewed.v1",
    "What reviews say of each item together: aspects praised and criticised, quotes, a summary",
    "item_id",
    (reviewed.ReviewsTold,),
    retention_days=0,
    compacted=True,
)
#: Logs that each group of workers has for itself: their names begin with its ``app_id``.
INTERNAL = (ITEMS_LOG, CAMPAIGNS_LOG)
#: Topics that are carried over into the items' log.
CARRIED = (CATALOG, STOCK, REVIEWS)
#: Topics that others produce to: storefronts, catalogue systems, warehouses, reviewers.
PRODUCED = (EVENTS, *CARRIED)
ALERTS = Topic("churn.alerts.v1", "Shoppers about to leave", "shopper_id", (outcomes.ChurnAlerted,), 90)
OFFERS = Topic("offers.v1", "Promotions for one shopper each", "shopper_id", (offers.OfferMade,), 90)
WITHHELD = Topic("offers.withheld.v1", "Offers held back, and why", "shopper_id", (offers.OfferWithheld,), 90)
SCORES = Topic("scores.v1", "What every model said at every due point", "shopper_id", (outcomes.Scored,), 7)
PROFILES = Topic(
    "profiles.v1",
    "Each shopper's newest profile: embedding and likely next behaviour",
    "shopper_id",
    (outcomes.ProfileUpdated,),
    retention_days=0,
    compacted=True,
)
SHOPPER_PROFILES = Topic(
    "shopper.profiles.v1",
    "Each shopper in a marketer's words: stage, segment, habits, what 90 days will bring",
    "shopper_id",
    (profiled.ShopperProfiled,),
    retention_days=0,
    compacted=True,
)
SALES_FORECASTS = Topic(
    "sales.forecasts.v1",
    "What each item will sell in the next 7 and 14 days, as ranges",
    "item_id",
    (demand.SalesForecast,),
    retention_days=0,
    compacted=True,
)
PRICE_FORECASTS = Topic(
    "price.forecasts.v1",
    "What a unit of each item will be paid with in the next two weeks, as ranges",
    "item_id",
    (demand.PriceForecast,),
    retention_days=0,
    compacted=True,
)
PRICES_SUGGESTED = Topic(
    "prices.suggested.v1",
    "The price of each item that would bring most profit within the guards, or why none is suggested",
    "item_id",
    (prices.PriceSuggested,),
    retention_days=0,
    compacted=True,
)
PRICE_TESTS = Topic(
    "price.tests.v1",
    "What each item of an experiment with prices sold once it was in it, tried at another price or not",
    "item_id",
    (prices.PriceTested,),
    retention_days=730,
)
PRICES_DECIDED = Topic(
    "prices.decided.v1",
    "Suggested prices as somebody approved or rejected them, for whoever sets prices",
    "item_id",
    (prices.PriceDecided,),
    retention_days=730,
    partitions=1,
)
INVENTORY = Topic(
    "inventory.plans.v1",
    "What to order of each item, when, and how long its stock lasts",
    "item_id",
    (demand.InventoryPlanned,),
    retention_days=0,
    compacted=True,
)
ITEM_ALERTS = Topic(
    "item.alerts.v1",
    "Items about to be sold out, and what is at stake; items that are suddenly rated worse",
    "item_id",
    (demand.StockAlerted, reviewed.RatingDropped),
    retention_days=90,
)
RECOMMENDATIONS = Topic(
    "recommendations.v1",
    "Each shopper's newest list of items: what is due again, and what goes with what they know",
    "shopper_id",
    (outcomes.ItemsRecommended,),
    retention_days=0,
    compacted=True,
)
LATE = Topic("late-events.v1", "Records older than the watermark", "the original's key", (outcomes.LateEvent,), 30)
DEAD_LETTERS = Topic(
    "dead-letters.v1",
    "Records that could not be used, with reason and original bytes",
    "the original's key",
    (outcomes.DeadLetter,),
    retention_days=90,
    partitions=1,
    config={"max.message.bytes": str(MAX_DEAD_LETTER_MESSAGE)},
)
CONTROL = Topic(
    "models.control.v1",
    "Which versions of which models are to serve, which were refused or rolled back, and how two of them compare",
    "task, or task/rollback, task/refused or task/compared and of what",
    (serving.StagesSet, serving.CanaryRolledBack, serving.ChangeRefused, serving.ModelsCompared),
    retention_days=0,
    partitions=1,
    compacted=True,
)
CAMPAIGNS = Topic(
    "campaigns.v1",
    "Campaigns as operators set them, and what holds for all of them",
    "campaign, or /shop",
    (campaign_changes.CampaignApplied, campaign_changes.ShopApplied),
    retention_days=0,
    partitions=1,
    compacted=True,
)
RECEIPTS = Topic(
    "decision.receipts.v1",
    "How campaigns decided about shoppers: what was known, weighed and held against it",
    "shopper_id",
    (Receipt,),
    90,
)
OFFER_OUTCOMES = Topic(
    "offer.outcomes.v1",
    "What became of offers, and of shoppers in the holdout, once the time for which it counts was over",
    "shopper_id",
    (effects.OfferOutcome,),
    365,
)
EFFECTS = Topic(
    "campaign.effects.v1",
    "What campaigns brought beyond their holdout so far, day by day",
    "campaign",
    (effects.EffectMeasured,),
    730,
    partitions=1,
)
ADS = Topic("ad.decisions.v1", "Which advertisement of a slate to show, or none", "shopper_id", (ads.AdDecided,), 90)
SEARCH_ITEMS = Topic(
    "search.items.v1",
    "What is known of each item as far as it is searched by it, from workers, for the index of each of them",
    "item_id and field",
    (searches.ItemSought,),
    retention_days=0,
    partitions=1,
    compacted=True,
)
SEARCH_RANKINGS = Topic(
    "search.rankings.v1", "What each search of a shopper found", "shopper_id", (searches.SearchRanked,), 30
)
TOPICS = (
    EVENTS, CATALOG, STOCK, REVIEWS, ALERTS, OFFERS, WITHHELD, SCORES, PROFILES, SHOPPER_PROFILES, RECOMMENDATIONS,
    ITEM_PROFILES, ENRICHED, PICTURED, EMBEDDED, DESCRIBED, REVIEWED, SALES_FORECASTS, PRICE_FORECASTS,
    PRICES_SUGGESTED, PRICE_TESTS, INVENTORY, ITEM_ALERTS, PRICES_DECIDED, LATE, DEAD_LETTERS,
    CONTROL, CAMPAIGNS, RECEIPTS, OFFER_OUTCOMES, EFFECTS, ADS,
    SEARCH_ITEMS, SEARCH_RANKINGS,
)  # fmt: skip

#: outcome record → its topic
TOPIC_OF: dict[type[msgspec.Struct], str] = {
    record: topic.name
    for topic in TOPICS
    for record in topic.records
    if issubclass(record, (outcomes.AnyOutcome, outcomes.LateEvent, outcomes.DeadLetter))
}
#: family of what others produce → the topic that it goes to
SOURCES: dict[str, Topic] = dict(zip(FAMILIES, PRODUCED, strict=True))


def table_name(entity: str) -> str:
    """An entity's feature table, as Faust names it."""
    return f"{entity}s"


def changelog_name(app_id: str, entity: str = "shopper") -> str:
    """The changelog topic of an entity's feature table, as Faust names it."""
    return f"{app_id}-{table_name(entity)}{CHANGELOG}"
