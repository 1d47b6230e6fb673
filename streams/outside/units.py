"""What the answers of models count, for people."""

from __future__ import annotations

from models.task import Grows, PerUnit, Task
from streams.entities.contents import find


def unit_of(task: Task, output: str) -> str:
    """The unit of what an answer is held against; empty where nothing tells, and of chances.

    >>> from models.registry import task
    >>> unit_of(task("value"), "revenue_90d"), unit_of(task("price_forecast"), "price_week_1")
    ('cents', 'cents per unit')
    >>> unit_of(task("value"), "active_90d"), unit_of(task("sales"), "units_7d")
    ('', 'units')
    """
    label = next((o.label for o in task.outputs if o.name == output), None)
    known = find(task.entity).catalogue.features
    if isinstance(label, PerUnit):
        return f"{known[label.total].unit} per unit"
    return known[label.total].unit if isinstance(label, Grows) and label.what == "sum" else ""
