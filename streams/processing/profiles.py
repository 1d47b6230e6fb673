"""A shopper's profile: who they are to the behaviour encoder, and what they will likely do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from streams.processing.batch import TYPE_CODE
from streams.records.outcomes import Due, LikelyCategory, ModelUsed, ProfileUpdated

TYPE_NAME: dict[int, str] = {code: str(cls.__struct_config__.tag) for cls, code in TYPE_CODE.items()}
#: A next event less likely than this is left out.
LEAST = 0.01


def profile(
    answers: Mapping[str, npt.NDArray[np.float64]],
    shopper_id: str,
    event_time_ms: int,
    due: Due,
    model: ModelUsed,
    outcome_id: str,
    category_of: Callable[[int], str | None],
) -> ProfileUpdated:
    """The profile from an encoder's answers for one due point. ``category_of`` names a hash bucket."""
    types = answers["next_type"]
    categories = zip(answers["next_category"].tolist(), answers["next_category_probability"].tolist(), strict=True)
    return ProfileUpdated(
        outcome_id=outcome_id,
        shopper_id=shopper_id,
        event_time_ms=event_time_ms,
        due=due,
        model=model,
        embedding=answers["embedding"].tolist(),
        next_type={TYPE_NAME[code]: p for code, p in enumerate(types.tolist()) if p >= LEAST and code in TYPE_NAME},
        next_category=[
            LikelyCategory(category=category_of(int(bucket)), probability=p)
            for bucket, p in categories
            if bucket > 0 and p >= LEAST
        ],
        purchase_session=float(answers["purchase_session"]),
        purchase_7d=float(answers["purchase_7d"]),
    )
