"""Every feature of a shopper: the table of contents of the files beside this one."""

from streams.features.catalogue import Catalogue
from streams.features.feature import Feature
from streams.features.kinds.rhythm import RhythmKind
from streams.features.shopper import browsing, carts, offers, orders, searching, sequence, visits

FEATURES: tuple[Feature, ...] = (
    *orders.FEATURES,
    *browsing.FEATURES,
    *carts.FEATURES,
    *searching.FEATURES,
    *offers.FEATURES,
    *visits.FEATURES,
    *sequence.FEATURES,
)
#: Silence is told by the rhythm, whether or not anybody reads it.
CATALOGUE = Catalogue(FEATURES, always=(RhythmKind,))
