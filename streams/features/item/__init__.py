"""Every feature of an item: the table of contents of the files beside this one."""

from streams.features.catalogue import Catalogue
from streams.features.feature import Feature
from streams.features.item import interest, listing, price, reviews, sales, stock

FEATURES: tuple[Feature, ...] = (
    *sales.FEATURES,
    *interest.FEATURES,
    *price.FEATURES,
    *stock.FEATURES,
    *reviews.FEATURES,
    *listing.FEATURES,
)
CATALOGUE = Catalogue(FEATURES)
