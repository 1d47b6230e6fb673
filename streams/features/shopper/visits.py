"""Features of how a shopper comes and goes, whatever they do."""

from streams.features.feature import Feature, Reached
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.recent import EVENTS_KEPT, Session
from streams.features.kinds.windows import WINDOWS, ActiveBuckets, Windowed
from streams.features.shopper.signals import ANY
from streams.records.events import CartItemAdded, ItemViewed, Searched

FEATURES = (
    Feature("visits.events", "Events ever", "events", Total(ANY)),
    Feature("visits.days_since_last", "Days since the last event", "days", DaysSince(ANY), 0, MAX_DAYS, MAX_DAYS),
    Feature("visits.days_since_first", "Days since the first event", "days", DaysSince(ANY, "first"), 0, MAX_DAYS),
    Feature("visits.returning", "Whether the first event is a day old; 1 yes, 0 no", "flag", Reached("visits.days_since_first", 1.0), 0, 1),
    *(Feature(f"visits.events_{w}", f"Events in {w}", "events", Windowed(ANY, w)) for w in WINDOWS),
    Feature("visits.active_hours_24h", "Hours with an event in 24 hours", "hours", ActiveBuckets(ANY, "24h"), 0, 24),
    Feature("visits.active_days_7d", "Days with an event in 7 days", "days", ActiveBuckets(ANY, "7d"), 0, 7),
    Feature("visits.active_days_30d", "Days with an event in 30 days", "days", ActiveBuckets(ANY, "30d"), 0, 30),
    Feature("visits.session_open", "Whether the newest session is less than 30 minutes old; 1 yes, 0 no", "flag", Session("open"), 0, 1),
    Feature("visits.session_minutes", "Length of the newest session", "minutes", Session("minutes")),
    Feature("visits.session_events", "Events of the newest session", "events", Session("events"), 0, EVENTS_KEPT),
    Feature("visits.session_views", "Views of the newest session", "views", Session("events", (ItemViewed,)), 0, EVENTS_KEPT),
    Feature("visits.session_adds", "Cart additions of the newest session", "events", Session("events", (CartItemAdded,)), 0, EVENTS_KEPT),
    Feature("visits.session_searches", "Searches of the newest session", "searches", Session("events", (Searched,)), 0, EVENTS_KEPT),
)  # fmt: skip
