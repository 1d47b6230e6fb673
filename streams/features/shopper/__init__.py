"""Every feature of a shopper: the table of contents of the files beside this one."""

from streams.features.catalogue import Catalogue
from streams.features.feature import Feature
from streams.features.kinds.latest import ConsentKind
from streams.features.kinds.rhythm import RhythmKind
from streams.features.payload.words import BUCKETS, Words
from streams.features.shopper import browsing, carts, items, offers, orders, searching, sequence, visits

FEATURES: tuple[Feature, ...] = (
    *orders.FEATURES,
    *browsing.FEATURES,
    *carts.FEATURES,
    *searching.FEATURES,
    *offers.FEATURES,
    *visits.FEATURES,
    *sequence.FEATURES,
    *items.FEATURES,
)
PAYLOADS = (
    Feature(
        "payload.query", "Words of a search, as hash buckets", "bucket", Words(("query",), 16), 0, BUCKETS, width=16
    ),
)
#: Silence is told by the rhythm, and who is forgotten by consent, whether or not anybody reads them.
CATALOGUE = Catalogue(FEATURES, payloads=PAYLOADS, always=(RhythmKind, ConsentKind))
