"""Features of what a shopper searched for."""

from streams.features.feature import Feature, Ratio
from streams.features.kinds.decay import Decayed
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.windows import Windowed
from streams.features.shopper.signals import EMPTY_SEARCHES, SEARCHES

FEATURES = (
    Feature("searching.count", "Searches ever", "searches", Total(SEARCHES)),
    Feature("searching.empty", "Searches that found nothing ever", "searches", Total(EMPTY_SEARCHES)),
    Feature("searching.days_since", "Days since the last search", "days", DaysSince(SEARCHES), 0, MAX_DAYS, MAX_DAYS),
    Feature("searching.decayed_1h", "Searches, faded with a half-life of 1h", "searches", Decayed(SEARCHES, "1h")),
    Feature("searching.decayed_7d", "Searches, faded with a half-life of 7d", "searches", Decayed(SEARCHES, "7d")),
    Feature("searching.count_24h", "Searches in 24 hours", "searches", Windowed(SEARCHES, "24h")),
    Feature("searching.empty_share", "Share that found nothing", "ratio", Ratio("searching.empty", "searching.count"), 0, 1),
)  # fmt: skip
