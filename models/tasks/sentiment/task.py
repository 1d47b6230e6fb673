"""Does this review speak well of its item?"""

from models.task import Output, Task

SENTIMENT = Task(
    name="sentiment",
    question="How likely does the writer of this review, in English or Chinese, think well of the item?",
    # The stars are no input: whoever has them needs no model.
    features=("payload.phrases",),
    outputs=(Output("positive"),),
    owner="catalogue",
    entity="item",
    at=("item_reviewed",),
    latency_us_per_row=60.0,
)
