"""What does the picture of a listing show, and what is it like?"""

from models.task import NO_TRUTH, Output, Task

#: Classes that an answer lists, best first.
LISTED = 3
_UNTOLD = "No record says what a picture shows."
#: Numbers that say what a picture is like: pictures of like things point the same way.
LIKE = 64

IMAGE = Task(
    name="image",
    question="What does the picture of this listing show, and which pictures are like it?",
    features=("payload.picture",),
    # Places are those of the ``names`` of a version; -1 where it knows fewer. ``chance``: of each listed class.
    # ``confidence``: that of the first; the card says from which on it is sure. ``embedding`` has length 1.
    outputs=(
        Output("confidence", untold=_UNTOLD),
        Output("shown", "ranking", LISTED, untold=_UNTOLD),
        Output("chance", "probability", LISTED, untold=_UNTOLD),
        Output("embedding", "embedding", LIKE, untold=NO_TRUTH),
    ),
    owner="catalogue",
    entity="item",
    at=("item_listed", "item_changed"),
    tolerance=1e-4,
    latency_us_per_row=5_000.0,
)
