"""What answers are held against: each declared output has something, and it is what a plain loop finds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.registry import TASKS
from models.task import Grows, Next, Output, PerUnit
from streams.columns.layout import Layout, Rows
from streams.decisions.decider import Group, Seen
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.recent import bucket
from streams.monitoring.late_labels import LateLabels, code_of
from streams.records.outcomes import Due
from tests.shoppers import NOON

ROWS = 6
DIGESTS = ("1" * 64, "2" * 64)


@pytest.mark.parametrize("task", TASKS, ids=lambda each: each.name)
def test_every_output_is_held_against_something_or_says_why_nothing_tells(task: Any) -> None:
    for output in task.outputs:
        assert (output.label is None) == bool(output.untold), output.name
        # What is learned of it is kept with the rows of shoppers.
        assert not output.recalibrated or task.entity == "shopper"


class Stream:
    """Rows whose due points are given their features and answers by hand."""

    def __init__(self, *outputs: Output, names: tuple[tuple[str, ...], ...] = ((), ())) -> None:
        self.outputs, self.labels = outputs, LateLabels({"t": outputs})
        self.state = Rows.zeros(Layout(self.labels.waits.columns), ROWS)
        self.models = tuple(SimpleNamespace(digest=d, names=n) for d, n in zip(DIGESTS, names, strict=True))

    def due(self, row: int, at_ms: int, answers: dict[str, Any], used: int = 0, **features: Any) -> None:
        """One row is due; NaN, unless it is answered."""
        wide = {a: np.atleast_1d(np.asarray(features[a.replace(".", "_")])) for a in self.labels.waits.reads}
        places, start = {}, 0
        for address, values in wide.items():
            places[address], start = slice(start, start + len(values)), start + len(values)
        said = {o.name: np.full((1, o.width), np.nan) for o in self.outputs}
        said |= {name: np.asarray(value, np.float64).reshape(1, -1) for name, value in answers.items()}
        scores: Any = SimpleNamespace(answers=said, models=self.models, used=np.array([used]))
        seen = Seen(np.concatenate(list(wide.values()))[None].astype(np.float32), places, {"t": scores})
        one = np.array([row])
        self.labels.decide(
            self.state,
            Group(seen, slice(0, 1), one, np.array([at_ms]), ["k"], [Due(kind="event", ref="e")], one, one, one, [0]),
        )

    def known(self, watermark_ms: int) -> dict[str, list[tuple[float, float, int]]]:
        """By output: first number of the answer, label, model."""
        told = self.labels.sweep(self.state, np.arange(ROWS), watermark_ms)
        return {
            name: sorted(zip(v.answer[:, 0].tolist(), v.label.tolist(), v.model.tolist(), strict=True))
            for (_, name), v in told.items()
        }


def test_a_price_is_held_against_what_was_paid_in_its_week() -> None:
    """The second week begins where the first one ends; where nothing was sold there is no label."""
    weeks = {1: PerUnit("cents", "units", 7), 2: PerUnit("cents", "units", 14, 7)}
    stream = Stream(*(Output(f"week_{k}", "number", label=label) for k, label in weeks.items()), Output("n", "number"))
    rng, told = np.random.default_rng(3), []
    days = 40
    units = rng.integers(0, 4, (ROWS, days)) * (rng.random((ROWS, days)) < 0.4)
    cents = units * rng.integers(100, 900, (ROWS, days))
    for day in range(days):
        for row in range(ROWS):
            sold, paid = (int(sums[row, : day + 1].sum()) for sums in (units, cents))
            said = {f"week_{k}": 1000 * row + day for k in weeks}
            stream.due(row, NOON + day * DAY_MS, said, cents=paid, units=sold)
        told.append(stream.known(NOON + day * DAY_MS))
    for k in weeks:
        found = sorted(each for known in told for each in known.get(f"week_{k}", []))
        expected = []
        for row in range(ROWS):
            day = 0
            while day + 7 * k < days:
                within = slice(day + 7 * (k - 1) + 1, day + 7 * k + 1)
                if units[row, within].sum():
                    price = cents[row, within].sum() / units[row, within].sum()
                    expected.append((1000.0 * row + day, float(price), code_of(DIGESTS[0])))
                # The label is known when the horizon is over, and the next due point waits after that.
                day += 7 * k + (1 if day + 7 * k < days else 0)
        assert len(found) > 10
        assert found == [pytest.approx(each) for each in sorted(expected)]


def test_a_list_of_items_is_held_against_the_item_that_comes_next_whatever_the_version_names() -> None:
    output = Output("items", "ranking", 2, label=Next("seq", "events", "item"))
    stream = Stream(output, names=(("tea", "milk", "rice"), ("rice", "tea")))
    newest = np.zeros(3)
    for row, used, listed in ((0, 0, [0, 1]), (1, 1, [0, 1]), (2, 0, [2, -1])):
        stream.due(row, NOON, {"items": listed}, used, seq=newest, events=5)
    for row in range(3):
        stream.due(row, NOON + 9, {}, seq=np.array([bucket("item", "tea"), 0, 0]), events=6)
    tea, rice = (float(bucket("item", name)) for name in ("tea", "rice"))
    old, new = (code_of(digest) for digest in DIGESTS)
    assert stream.known(NOON + 10) == {"items": sorted([(tea, tea, old), (rice, tea, new), (rice, tea, old)])}


def test_a_visit_is_held_against_an_order_before_its_pause() -> None:
    stream = Stream(Output("p", label=Grows("orders", 1 / 48)))
    for row, after_ms in ((0, 1_800_000), (1, 1_800_001)):
        stream.due(row, NOON, {"p": 0.1 * (row + 1)}, orders=3)
        stream.due(row, NOON + after_ms, {}, orders=4)
    assert [label for _, label, _ in stream.known(NOON + DAY_MS)["p"]] == [1.0, 0.0]
