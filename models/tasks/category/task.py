"""Which category does this listing belong to?"""

from models.task import Output, Task

#: Categories that an answer lists, best first.
LISTED = 3
_UNTOLD = "What the catalogue says later of a listing's category may have been taken from this very answer."

CATEGORY = Task(
    name="category",
    question="Which category does this listing belong to, by its title and description?",
    features=("payload.grams",),
    # Places are those of the ``names`` of a version; -1 where it knows fewer. ``chance``: of each listed category.
    # ``confidence``: that of the first; the card says from which on it is sure.
    outputs=(
        Output("confidence", untold=_UNTOLD),
        Output("category", "ranking", LISTED, untold=_UNTOLD),
        Output("chance", "probability", LISTED, untold=_UNTOLD),
    ),
    owner="catalogue",
    entity="item",
    at=("item_listed", "item_changed"),
    latency_us_per_row=120.0,
)
