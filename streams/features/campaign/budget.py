"""Features of a campaign's budget, as its ledger keeps it: ``total = remaining + leased + spent``."""

from streams.features.campaign.signals import COMMITTED, OFFERS
from streams.features.feature import Feature, Ratio, Scaled
from streams.features.kinds.marks import Total
from streams.features.kinds.stated import Stated
from streams.features.kinds.windows import Windowed
from streams.records.budget import PRICE_UNIT

_BURNT = Ratio("budget.committed_24h", "budget.total")
FEATURES = (
    Feature("budget.total", "All that may ever be spent", "cents", Stated("total")),
    Feature("budget.remaining", "Not leased to any partition of shoppers", "cents", Stated("remaining")),
    Feature("budget.leased", "Leased to partitions: free, or set aside for open offers", "cents", Stated("leased")),
    Feature("budget.spent", "Spent on offers that were redeemed", "cents", Stated("spent")),
    Feature("budget.offers", "Offers made", "offers", Total(OFFERS)),
    Feature("budget.committed_1h", "Set aside for offers in 1 hour", "cents", Windowed(COMMITTED, "1h")),
    Feature("budget.committed_24h", "Set aside for offers in 24 hours", "cents", Windowed(COMMITTED, "24h")),
    Feature("budget.burn_rate", "Part of the budget set aside in 24 hours", "ratio", _BURNT, 0, 1),
    Feature("budget.price_micros", "What a cent of cost must bring, in millionths of a cent", "count", Stated("price")),
    Feature("budget.price", "What a cent of cost must bring", "cents", Scaled("budget.price_micros", 1 / PRICE_UNIT)),
)
