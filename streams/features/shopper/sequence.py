"""The last 32 events as tensors, newest first, for models that read a shopper's history as a sequence."""

from streams.columns.arrays import TYPE_CODE
from streams.features.feature import Feature
from streams.features.kinds.recent import BUCKETS, EVENTS_KEPT, Sequence

FEATURES = (
    Feature("sequence.types", "Code of each event's type, 0 where there is none", "code", Sequence("type"), 0, max(TYPE_CODE.values()), width=EVENTS_KEPT),
    Feature("sequence.categories", "Hash bucket of each event's category, 0 when unknown", "bucket", Sequence("category"), 0, BUCKETS["category"], width=EVENTS_KEPT),
    Feature("sequence.items", "Hash bucket of each event's item, 0 when none", "bucket", Sequence("item"), 0, BUCKETS["item"], width=EVENTS_KEPT),
    Feature("sequence.cents", "Money of each event", "cents", Sequence("cents"), width=EVENTS_KEPT),
    Feature("sequence.gap_hours", "Hours from each event to the one after it, of the newest: to now", "hours", Sequence("gap_hours"), width=EVENTS_KEPT),
)  # fmt: skip
