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


#: A task that answers all of these says profiles.
NEEDED = {"embedding", "next_type", "next_category", "next_category_probability", "purchase_session", "purchase_7d"}


class Profiles:
    """The profiles of a slice's due points, from an encoder's answers. ``category_of`` names a hash bucket."""

    def __init__(
        self, answers: Mapping[str, npt.NDArray[np.float64]], category_of: Callable[[int], str | None]
    ) -> None:
        self._embedding = answers["embedding"].tolist()
        self._types: list[dict[str, float]] = [{} for _ in self._embedding]
        types = answers["next_type"]
        for i, code in np.argwhere(types >= LEAST).tolist():
            if code in TYPE_NAME:
                self._types[i][TYPE_NAME[code]] = float(types[i, code])
        self._buckets = answers["next_category"].astype(np.int64).tolist()
        self._chances = answers["next_category_probability"].tolist()
        self._session, self._week = answers["purchase_session"].tolist(), answers["purchase_7d"].tolist()
        self._category_of = category_of

    def at(
        self, i: int, outcome_id: str, shopper_id: str, event_time_ms: int, due: Due, model: ModelUsed
    ) -> ProfileUpdated:
        """The profile of the i-th due point."""
        name = self._category_of
        return ProfileUpdated(
            outcome_id=outcome_id,
            shopper_id=shopper_id,
            event_time_ms=event_time_ms,
            due=due,
            model=model,
            embedding=self._embedding[i],
            next_type=self._types[i],
            next_category=[
                LikelyCategory(category=name(bucket), probability=p)
                for bucket, p in zip(self._buckets[i], self._chances[i], strict=True)
                if bucket > 0 and p >= LEAST
            ],
            purchase_session=self._session[i],
            purchase_7d=self._week[i],
        )
