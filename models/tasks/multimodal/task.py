"""What is an item, and what is it like, by what there is of its words, picture and sound?"""

from models.task import NO_TRUTH, Output, Task

#: Classes that an answer lists, best first.
LISTED = 3
_UNTOLD = "No record says of which of the classes that a version names an item is."
#: Numbers that say what an item is like: like items point the same way, whatever of them is known.
LIKE = 64
#: What an answer may be made of, in order; each is a feature of the name beside it, and whether that is there.
MODALITIES = {"text": "grams", "picture": "picture", "sound": "sound"}

MULTIMODAL = Task(
    name="multimodal",
    question="What is this item, and which items are like it, by what there is of its words, picture and sound?",
    features=tuple(f"payload.{has}{of}" for of in MODALITIES.values() for has in ("has_", "")),
    # Places are those of the ``names`` of a version; -1 where it knows fewer. ``chance``: of each listed class.
    # ``confidence``: that of the first; the card says from which on it is sure. ``embedding`` has length 1.
    # ``made_of``: 1 for each of the modalities that the answer is made of, else 0.
    outputs=(
        Output("confidence", untold=_UNTOLD),
        Output("shown", "ranking", LISTED, untold=_UNTOLD),
        Output("chance", "probability", LISTED, untold=_UNTOLD),
        Output("embedding", "embedding", LIKE, untold=NO_TRUTH),
        Output(
            "made_of", "probability", len(MODALITIES), untold="It says what the answer was made of: it is no forecast."
        ),
    ),
    owner="catalogue",
    entity="item",
    at=("item_listed", "item_changed"),
    tolerance=1e-4,
    latency_us_per_row=5_000.0,
)
