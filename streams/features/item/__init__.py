"""Every feature of an item: the table of contents of the files beside this one."""

from streams.features.catalogue import Catalogue
from streams.features.feature import Feature
from streams.features.item import interest, listing, price, reviews, sales, stock
from streams.features.payload import BUCKETS, Words

FEATURES: tuple[Feature, ...] = (
    *sales.FEATURES,
    *interest.FEATURES,
    *price.FEATURES,
    *stock.FEATURES,
    *reviews.FEATURES,
    *listing.FEATURES,
)
PAYLOADS = (
    Feature(
        "payload.words", "Words of a listing or review, as hash buckets", "bucket",
        Words(("title", "description", "text"), 64), 0, BUCKETS, width=64,
    ),
)  # fmt: skip
CATALOGUE = Catalogue(FEATURES, payloads=PAYLOADS)
