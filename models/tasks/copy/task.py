"""Which attributes of this listing belong into its title and its offer text?"""

from models.task import Output, Task

#: Attributes that an answer lists, in the order in which a text says them.
LISTED = 8
_UNTOLD = "No record says which text of several a shop took, nor what it would have written itself."

COPY = Task(
    name="copy",
    question="Which attributes of this listing belong into its title and its offer text, in which order?",
    features=("payload.attributes",),
    # Hash buckets of the attributes' names, 0 after the last; no version can name a value, or one that is not there.
    # ``commas``: how likely what an offer text says is set apart by commas.
    outputs=(
        Output("commas", untold=_UNTOLD),
        Output("title", "ranking", LISTED, untold=_UNTOLD),
        Output("offer", "ranking", LISTED, untold=_UNTOLD),
    ),
    owner="catalogue",
    entity="item",
    at=("item_listed", "item_changed"),
    tolerance=1e-4,
    latency_us_per_row=200.0,
)
