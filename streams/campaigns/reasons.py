"""Why a shopper got an offer of a campaign or none: every reason with its code and its sentence.

The order is that in which guards are asked; the first one that objects is the reason.
"""

from __future__ import annotations

from enum import IntEnum


class Why(IntEnum):
    """What became of a shopper at a due point, as one campaign sees it. Codes follow the order of the guards; records
    hold words, rows hold codes only to say a reason once, so a new reason takes its place among the others."""

    OFFERED = 0
    # Not addressed.
    NOT_RUNNING = 1
    NOT_TRIGGERED = 2
    NOT_IN_AUDIENCE = 3
    AUDIENCE_UNKNOWN = 4
    # Withheld for the shopper's sake.
    BLOCKED = 5
    NO_CONSENT = 6
    AGE_LIMIT = 7
    AFTER_PURCHASE = 8
    AFTER_RETURN = 9
    AFTER_COMPLAINT = 10
    SHOP_CAP = 11
    CAMPAIGN_CAP = 12
    MEMORY_FULL = 13
    LIVE_OFFER = 14
    EXCLUDED = 15
    MERGED_HOLDOUT = 16
    OUTRANKED = 17
    # Withheld because no arm may be offered; of several arms that of the one that came furthest.
    UPLIFT_UNKNOWN = 18
    NEGATIVE_UPLIFT = 19
    BASKET_UNKNOWN = 20
    BELOW_MARGIN = 21
    NOTHING_TO_RECOMMEND = 22
    OUT_OF_STOCK = 23
    RATED_WORSE = 24
    BAD_REVIEWS = 25
    WORSE_THAN_HELD = 26
    # An arm might have been offered.
    NOT_WORTH_IT = 27
    EXPLORED_NOTHING = 28
    QUIET_HOURS = 29
    BUDGET_SPENT = 30
    POOL_EMPTY = 31
    CAMPAIGN_HOLDOUT = 32
    GLOBAL_HOLDOUT = 33

    @property
    def word(self) -> str:
        """Its name in records.

        >>> Why.NO_CONSENT.word
        'no_consent'
        """
        return self.name.lower()

    @property
    def sentence(self) -> str:
        """The same for a marketer."""
        return SENTENCES[self]


#: Every reason in words.
SENTENCES: dict[Why, str] = {
    Why.OFFERED: "an offer was made",
    Why.NOT_RUNNING: "the campaign was not approved, or not running at that time",
    Why.NOT_TRIGGERED: "what happened does not trigger the campaign",
    Why.NOT_IN_AUDIENCE: "the shopper is not in the audience",
    Why.AUDIENCE_UNKNOWN: "it is unknown whether the shopper is in the audience, as a value it asks for is unknown",
    Why.BLOCKED: "the shopper is on the shop's list of those who get no offers",
    Why.NO_CONSENT: "the shopper has not agreed to marketing",
    Why.AGE_LIMIT: "the shopper is too young for the campaign, or their age is unknown",
    Why.AFTER_PURCHASE: "the shopper ordered a short while ago (rest after a purchase)",
    Why.AFTER_RETURN: "the shopper returned something a short while ago (rest after a return)",
    Why.AFTER_COMPLAINT: "the shopper complained or turned an offer away a short while ago (rest after a complaint)",
    Why.SHOP_CAP: "the shopper had as many offers as the shop allows in that time (all campaigns)",
    Why.CAMPAIGN_CAP: "the shopper had as many offers of this campaign as it allows in that time",
    Why.MEMORY_FULL: "the shopper had more offers of late than can be remembered, so no more are made",
    Why.LIVE_OFFER: "the shopper still holds an offer of this campaign",
    Why.EXCLUDED: "the shopper holds an offer of a campaign that excludes this one",
    Why.MERGED_HOLDOUT: "an id that the shopper had before is in the campaign's control group, or in the shop's",
    Why.OUTRANKED: "a campaign of higher priority made an offer at the same moment",
    Why.UPLIFT_UNKNOWN: "nothing says what an offer would bring with this shopper",
    Why.NEGATIVE_UPLIFT: "an offer would make an order less likely, so there is no contact",
    Why.BASKET_UNKNOWN: "nothing says what an order of this shopper comes to, so profit cannot be told",
    Why.BELOW_MARGIN: "the discount would leave less of the margin than the floor allows",
    Why.NOTHING_TO_RECOMMEND: "nothing is to be recommended to the shopper",
    Why.OUT_OF_STOCK: "an item cannot be bought, too little of it is in stock, or its stock is unknown",
    Why.RATED_WORSE: "an item is suddenly rated worse than it was",
    Why.BAD_REVIEWS: "the item's reviews are too bad",
    Why.WORSE_THAN_HELD: "the shopper already holds a better offer",
    Why.NOT_WORTH_IT: "no arm brings more than it costs",
    Why.EXPLORED_NOTHING: "no contact was drawn, to learn what happens without an offer (exploration)",
    Why.QUIET_HOURS: "it was during quiet hours; the shopper is looked at again when they end",
    Why.BUDGET_SPENT: "too little of the budget is at hand, or it is kept for offers that bring more for their cost",
    Why.POOL_EMPTY: "no code of the campaign's coupons is left where the shopper is kept; more can be loaded",
    Why.CAMPAIGN_HOLDOUT: "the shopper is in the campaign's control group, which gets no offer of it",
    Why.GLOBAL_HOLDOUT: "the shopper is in the shop's control group, which gets no offer at all",
}
