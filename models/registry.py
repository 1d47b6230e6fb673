"""The table of contents of all tasks. A new task is its folder, its training file, and a line here."""

from __future__ import annotations

from models.nearest import unknown as unknown_among
from models.task import Task
from models.tasks.ad.task import AD
from models.tasks.behaviour.task import BEHAVIOUR
from models.tasks.category.task import CATEGORY
from models.tasks.churn.task import CHURN
from models.tasks.copy.task import COPY
from models.tasks.image.task import IMAGE
from models.tasks.multimodal.task import MULTIMODAL
from models.tasks.price_forecast.task import PRICE_FORECAST
from models.tasks.price_optimize.task import PRICE_OPTIMIZE
from models.tasks.promotion.task import PROMOTION
from models.tasks.recommend.task import RECOMMEND
from models.tasks.review.task import REVIEW
from models.tasks.sales.task import SALES
from models.tasks.sentiment.task import SENTIMENT
from models.tasks.value.task import VALUE

TASKS: tuple[Task, ...] = (
    BEHAVIOUR, CHURN, PROMOTION, VALUE, AD, RECOMMEND, CATEGORY, SENTIMENT, SALES, PRICE_FORECAST, PRICE_OPTIMIZE,
    IMAGE, MULTIMODAL, COPY, REVIEW,
)  # fmt: skip
#: Those of which a version comes with the package.
SHIPPED: tuple[Task, ...] = tuple(task for task in TASKS if task.shipped)


def task(name: str) -> Task:
    """The task of that name. Raises ``KeyError`` that says which was probably meant, and which there are."""
    for found in TASKS:
        if found.name == name:
            return found
    raise KeyError(unknown(name))


def unknown(name: str) -> str:
    """What is said of a name that no task has.

    >>> unknown("chrun")  # doctest: +ELLIPSIS
    "There is no task 'chrun': did you mean churn? There are: behaviour, churn, ..., review."
    """
    return unknown_among("task", name, [known.name for known in TASKS])
