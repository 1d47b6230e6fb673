"""Does this visit end in a purchase? What a click on an advertisement is worth depends on it."""

from models.task import AtLeast, Output, Task

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
    outputs=(Output("conversion"),),
    owner="advertising",
    # Every visit that taught has looked at something.
    population=(AtLeast("browsing.views_24h", 1),),
    at=("ad_requested",),
)
