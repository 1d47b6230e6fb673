"""Features of what reviewers say of an item."""

from streams.features.feature import Feature, Ratio, Spread
from streams.features.item.signals import RATINGS, RATINGS_SQUARED, REVIEWS
from streams.features.kinds.decay import Decayed
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.windows import Windowed

FEATURES = (
    Feature("reviews.count", "Reviews ever", "reviews", Total(REVIEWS)),
    Feature("reviews.stars", "Stars ever, added up", "stars", Total(RATINGS)),
    Feature("reviews.stars_squared", "Squares of the stars, added up", "stars²", Total(RATINGS_SQUARED)),
    Feature("reviews.count_30d", "Reviews in 30 days", "reviews", Windowed(REVIEWS, "30d")),
    Feature("reviews.days_since_last", "Days since the last review", "days", DaysSince(REVIEWS), 0, MAX_DAYS, MAX_DAYS),
    Feature("reviews.count_decayed_30d", "Reviews, faded with a half-life of 30d", "reviews", Decayed(REVIEWS, "30d")),
    Feature("reviews.stars_decayed_30d", "Stars, faded with a half-life of 30d", "stars", Decayed(RATINGS, "30d")),
    Feature("reviews.rating", "Mean stars; 0 without a review", "stars", Ratio("reviews.stars", "reviews.count", 5.0), 0, 5),
    Feature("reviews.rating_recent", "Mean stars, old reviews faded with a half-life of 30d", "stars", Ratio("reviews.stars_decayed_30d", "reviews.count_decayed_30d", 5.0), 0, 5),
    Feature("reviews.rating_spread", "Spread of the stars (population standard deviation)", "stars", Spread("reviews.count", "reviews.stars", "reviews.stars_squared"), 0, 2),
)  # fmt: skip
