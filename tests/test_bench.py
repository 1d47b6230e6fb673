"""What is measured is what is said to be measured."""

from __future__ import annotations

from models.registry import SHIPPED
from streams.bench.items import kinds, measure
from streams.demo.samples import photos
from tests.worlds import shipped


def test_of_an_item_every_task_is_asked_that_ships_and_reads_what_is_said_of_items() -> None:
    reads = {task.name for task in SHIPPED if {"item_listed", "item_changed", "item_reviewed"} & set(task.at)}
    every, *_, price = kinds(list(photos().values())).values()
    spent, asked = measure([every(n) for n in range(4)], 2, shipped())
    assert (asked, len(spent)) == (reads, 2)
    assert not measure([price(n) for n in range(2)], 2, shipped())[1]
