"""Does this visit end in a purchase? What a click on an advertisement is worth depends on it."""

from models.task import AtLeast, Grows, Output, Task

#: Half an hour without an event ends a visit.
PAUSE_DAYS = 1 / 48

AD = Task(
    name="ad",
    question="How likely is it that the visit in which an advertisement is asked for ends in a purchase?",
    # Of this visit alone: how much else is known of a shopper changes nothing, and nobody is like no row that taught.
    features=(
        "browsing.views_1h",
        "browsing.views_24h",
        "browsing.views_decayed_5m",
        "browsing.views_decayed_1h",
        "browsing.dwell_decayed_1h",
        "browsing.dwell_decayed_1d",
        "visits.returning",
    ),
    # Held against an order within the pause that ends a visit: as visits of two data sets stood at their last view,
    # that is what they came to in 99.97% and 99.99% of them.
    outputs=(Output("conversion", label=Grows("orders.count", PAUSE_DAYS)),),
    owner="advertising",
    # Every visit that taught has looked at something.
    population=(AtLeast("browsing.views_24h", 1),),
    at=("ad_requested",),
)
