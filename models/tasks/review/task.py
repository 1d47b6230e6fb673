"""Will readers find this review helpful?"""

from models.task import Output, Task, Taught

REVIEW = Task(
    name="review",
    question="How likely do readers find this review more helpful than most reviews of the item?",
    features=("payload.phrases",),
    outputs=(
        Output("helpful", untold="Votes of readers come with no record but the review itself, before there are any."),
    ),
    owner="catalogue",
    entity="item",
    # Its words are known of the languages that taught a version; what one says of others would be noise.
    population=(Taught("payload.language"),),
    at=("item_reviewed",),
    latency_us_per_row=60.0,
)
