"""Does this review speak well of its item?"""

from models.task import Output, Task, Taught

SENTIMENT = Task(
    name="sentiment",
    question="How likely does the writer of this review think well of the item?",
    # The stars are no input: whoever has them needs no model.
    features=("payload.phrases",),
    outputs=(
        Output("positive", untold="The stars come in the record of the review itself: nothing that comes later tells."),
    ),
    owner="catalogue",
    entity="item",
    # Its words are known of the languages that taught a version; what one says of others would be noise.
    population=(Taught("payload.language"),),
    at=("item_reviewed",),
    latency_us_per_row=60.0,
)
