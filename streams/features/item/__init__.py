"""Every feature of an item: the table of contents of the files beside this one."""

from streams.copy.slots import MOST
from streams.features.catalogue import Catalogue
from streams.features.feature import Feature, Has
from streams.features.item import interest, listing, price, reviews, sales, stock
from streams.features.payload.attributes import SAYS, Attributes
from streams.features.payload.grams import BUCKETS as GRAMS
from streams.features.payload.grams import Grams
from streams.features.payload.language import Language
from streams.features.payload.picture import Picture
from streams.features.payload.sound import Sound
from streams.features.payload.words import BUCKETS, Words

FEATURES: tuple[Feature, ...] = (
    *sales.FEATURES,
    *interest.FEATURES,
    *price.FEATURES,
    *stock.FEATURES,
    *reviews.FEATURES,
    *listing.FEATURES,
)
LANGUAGE = Language(("title", "text"), "language")
PAYLOADS = (
    Feature(
        "payload.words", "Words of a listing or review, as hash buckets", "bucket",
        Words(("title", "description", "text"), 64), 0, BUCKETS, width=64,
    ),
    Feature(
        "payload.grams", "Words of a listing with a title, and the characters that they are made of, as hash buckets", "bucket",
        Grams(("title", "description"), 320, needs="title"), 0, GRAMS, width=320,
    ),
    Feature("payload.has_grams", "Whether there is a title", "flag", Has("payload.grams"), 0, 1),
    Feature(
        "payload.phrases", "Words of a review and pairs of them (of Chinese: of characters), as hash buckets", "bucket",
        Grams(("title", "text"), 320, longest=0, needs="text"), 0, GRAMS, width=320,
    ),
    Feature(
        "payload.language", "Language of a review", "language", LANGUAGE, 0, LANGUAGE.most,
    ),
    Feature(
        "payload.attributes", "Attributes of a listing: names and values as hash buckets, and what values are like", "bucket",
        Attributes(), 0, GRAMS, width=MOST * len(SAYS),
    ),
    Feature(
        "payload.picture", "Picture of a listing, 96 by 96 points of red, green and blue", "ratio",
        Picture("image", 96), 0, 1, width=96 * 96 * 3,
    ),
    Feature("payload.has_picture", "Whether there is a picture that can be read", "flag", Has("payload.picture"), 0, 1),
    Feature(
        "payload.sound", "Sound of a listing, the loudness of 64 pitches in each of 200 hundredths of a second", "ratio",
        Sound("audio"), 0, 1, width=200 * 64,
    ),
    Feature("payload.has_sound", "Whether there is a sound that can be read", "flag", Has("payload.sound"), 0, 1),
)  # fmt: skip
CATALOGUE = Catalogue(FEATURES, payloads=PAYLOADS)
