"""Which attributes of this listing belong into its title and its offer text?"""

from models.task import Output, Task

#: Attributes that an answer lists, in the order in which a text says them.
LISTED = 8

COPY = Task(
    name="copy",
    question="Which attributes of this listing belong into its title and its offer text, in which order?",
    features=("payload.attributes",),
    # Hash buckets of the attributes' names, 0 after the last; no version can name a value, or one that is not there.
    # ``commas``: how likely what an offer text says is set apart by commas.
    outputs=(
        Output("commas"),
        Output("title", "ranking", LISTED),
        Output("offer", "ranking", LISTED),
    ),
    owner="catalogue",
    entity="item",
    at=("item_listed", "item_changed"),
    tolerance=1e-4,
    latency_us_per_row=200.0,
)
