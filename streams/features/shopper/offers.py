"""Features of how a shopper meets offers and ads."""

from streams.features.feature import Feature, Ratio
from streams.features.kinds.decay import Decayed
from streams.features.kinds.latest import Consent
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.shopper.signals import (
    ADS_CLICKED,
    ADS_SHOWN,
    OFFERS_CLICKED,
    OFFERS_DISMISSED,
    OFFERS_REDEEMED,
    OFFERS_SHOWN,
)

FEATURES = (
    Feature("offers.consent", "Consent to marketing; 1 allowed, -1 forbidden, 0 never said", "flag", Consent(), -1, 1),
    Feature("offers.shown", "Offers shown ever", "offers", Total(OFFERS_SHOWN)),
    Feature("offers.clicked", "Offers clicked ever", "offers", Total(OFFERS_CLICKED)),
    Feature("offers.redeemed", "Offers redeemed ever", "offers", Total(OFFERS_REDEEMED)),
    Feature("offers.dismissed", "Offers dismissed ever", "offers", Total(OFFERS_DISMISSED)),
    Feature("offers.days_since_shown", "Days since an offer was shown", "days", DaysSince(OFFERS_SHOWN), 0, MAX_DAYS, MAX_DAYS),
    Feature("offers.redeemed_decayed_30d", "Redemptions, faded with a half-life of 30d", "offers", Decayed(OFFERS_REDEEMED, "30d")),
    Feature("offers.click_rate", "Clicks per offer shown", "ratio", Ratio("offers.clicked", "offers.shown", 5.0), 0, 5),
    Feature("offers.redeem_rate", "Redemptions per offer shown", "ratio", Ratio("offers.redeemed", "offers.shown", 5.0), 0, 5),
    Feature("offers.ads_shown", "Ads shown ever", "ads", Total(ADS_SHOWN)),
    Feature("offers.ads_clicked", "Ads clicked ever", "ads", Total(ADS_CLICKED)),
    Feature("offers.ad_click_rate", "Clicks per ad shown", "ratio", Ratio("offers.ads_clicked", "offers.ads_shown", 5.0), 0, 5),
)  # fmt: skip
