"""What a peer does with an event: features in plain Python, the package's models, scores and profiles.

All peers call this, in whatever environment they run: it needs msgspec, NumPy, ONNX Runtime and xxhash, nothing of
Kafka. They are spared timers, decisions, late and duplicate events, so the comparison leans to their side.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import SHIPPED
from streams.bench import plain_features
from streams.decisions.profile import Answers, profile
from streams.entities.shopper import SHOPPER
from streams.records.events import ShopperEvent, event_decoder
from streams.records.outcomes import Answer, Due, ModelUsed, Scored, encode_outcome, outcome_id
from streams.topics import PROFILES, SCORES

#: Topic and value of what is to be written, under the shopper's id.
Output = tuple[str, bytes]


class PlainWork:
    """One event at a time. ``due_points`` counts the events that were scored."""

    def __init__(self, cadence_ms: int) -> None:
        self.due_points, self._cadence_ms = 0, cadence_ms
        self._models = [Predictor(load_artifact(task)) for task in SHIPPED if not task.at]  # nothing here asks others
        self._used = {m.task: ModelUsed(task=m.task, version=m.version, digest=m.digest[:16]) for m in self._models}

    def apply(self, state: dict[str, Any] | None, value: bytes) -> tuple[dict[str, Any], list[Output]]:
        """The state of the event's shopper with it taken in (None: never seen; changed in place), and what to write."""
        event = cast(ShopperEvent, event_decoder.decode(value))
        at = cast(int, event.event_time)
        state = state or {"bucket": -1, **plain_features.new_state()}
        plain_features.fold(state, event, at)
        bucket = at // self._cadence_ms
        outputs = (
            self._score(state, event, at) if bucket > state["bucket"] or isinstance(event, SHOPPER.decisive) else []
        )
        state["bucket"] = max(state["bucket"], bucket)
        return state, outputs

    def _score(self, state: dict[str, Any], event: ShopperEvent, at: int) -> list[Output]:
        self.due_points += 1
        seen: dict[str, Any] = plain_features.read(state, at) | plain_features.sequence(state, at)
        due = Due(kind="event", ref=event.event_id)
        told: dict[str, Answer] = {}
        outputs: list[Output] = []
        for model in self._models:
            if not all(c.holds(np.array([seen[c.address]], np.float32)).all() for c in model.population):
                continue
            row = np.concatenate([np.atleast_1d(seen[a]) for a in model.features]).astype(np.float32)[None]
            answers = {name: np.round(v, 4) for name, v in model.score(row).items()}
            used, scalars = (
                self._used[model.task],
                {o.name: float(answers[o.name][0]) for o in model.outputs if o.scalar},
            )
            told[model.task] = Answer(model=used, scores=scalars)  # type: ignore[arg-type]
            if "embedding" in answers:
                known_as = outcome_id("profile", event.shopper_id, f"event:{event.event_id}", model.task)
                said = profile(Answers(answers), 0, known_as, event.shopper_id, at, due, used, [None] * 8)
                outputs.append((PROFILES.name, encode_outcome(said)))
        if told:
            scored = Scored(
                outcome_id=outcome_id("scored", event.shopper_id, f"event:{event.event_id}", ""),
                entity="shopper",
                key=event.shopper_id,
                event_time_ms=at,
                due=due,
                answers=told,
            )
            outputs.append((SCORES.name, encode_outcome(scored)))
        return outputs
