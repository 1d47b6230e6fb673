"""Which category does this listing belong to?"""

from models.task import Output, Task

#: Categories that an answer lists, best first.
LISTED = 3

CATEGORY = Task(
    name="category",
    question="Which category does this listing belong to, by its title and description?",
    features=("payload.grams",),
    # Places are those of the ``names`` of a version; -1 where it knows fewer. ``chance``: of each listed category.
    # ``confidence``: that of the first; the card says from which on it is sure.
    outputs=(
        Output("confidence"),
        Output("category", "ranking", LISTED),
        Output("chance", "probability", LISTED),
    ),
    owner="catalogue",
    entity="item",
    at=("item_listed", "item_changed"),
    latency_us_per_row=120.0,
)
