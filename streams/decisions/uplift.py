"""What models say of arms: how much likelier each makes an order of each shopper, where one knows the arm.

The accident it prevents: a model that learned of one offer, or of other people, must not be believed of another one. So
an arm is known by its key (``streams.campaigns.plan.arm_key``), and of shoppers unlike all that a model learned of it
says nothing. There the file's assumption counts, as everywhere without a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from streams.campaigns.plan import UPLIFT_TASK, Plans
from streams.columns.arrays import Floats
from streams.decisions.decider import Group
from streams.records.outcomes import ModelUsed

OUTPUT = "uplift"


@dataclass(frozen=True, slots=True)
class Foretold:
    """What models say at k due points, by campaign; campaigns of which none knows an arm are left out."""

    uplift: Mapping[str, Floats] = field(default_factory=dict)
    """[A, k]; as assumed where no model tells."""
    told: Mapping[str, list[ModelUsed | None]] = field(default_factory=dict)
    """[k] the model that told of any arm."""


def foretold(group: Group, plans: Plans) -> Foretold:
    """What the models of the task say of the arms of campaigns at the due points of a group."""
    scores = group.seen.scores.get(UPLIFT_TASK)
    if scores is None:
        return Foretold()
    answers = group.answer(UPLIFT_TASK, OUTPUT)
    which = group.seen.which(UPLIFT_TASK)[group.span]
    places = [{name: place for place, name in enumerate(model.names)} for model in scores.models]
    uplift: dict[str, Floats] = {}
    told: dict[str, list[ModelUsed | None]] = {}
    for plan in plans.plans:
        if not any(key in known for known in places for key in plan.keys):
            continue
        found = np.repeat(plan.arms.uplift[:, None], len(answers), axis=1)
        said = np.zeros(len(answers), np.bool_)
        for model, known in enumerate(places):
            for a, key in enumerate(plan.keys):
                if key in known:
                    column = answers[:, known[key]]
                    mine = (which == model) & np.isfinite(column)
                    found[a, mine] = column[mine]
                    said |= mine
        uplift[plan.id] = found
        told[plan.id] = [group.model(UPLIFT_TASK, i) if yes else None for i, yes in enumerate(said.tolist())]
    return Foretold(uplift, told)
