"""The shop's own model of what comes next: promoted when the replay comes to the day up to which it learned.

No version of ``recommend`` comes with the package, for one names the items of one shop. That of this shop is kept
beside the demo, made by ``offerstream train recommend`` from its events before that day (``make train``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streams.demo.running import DemoError
from streams.outside.rollout import NotServed, wait
from streams.outside.versions import Versions
from streams.producer.replay import event_time_ms
from streams.records.events import ShopperEvent
from streams.records.words import BECAUSE, shown_day
from streams.settings import Settings
from training.datasets.complete_journey_items import Items

TASK = "recommend"
FOLDER = Path(__file__).with_name(TASK)
PATIENCE_SECONDS = 60.0
#: Items of the example that are shown.
SHOWN = 10


@dataclass
class OwnModel:
    """Promotes the shop's own version to live, once ``caught_up`` says that the worker has processed what was sent."""

    settings: Settings
    caught_up: Callable[[int], None]
    """Returns when so many records of shoppers are processed, and none waits."""
    cut_ms: int = field(init=False)
    """It learned from what was before."""
    admitted: str = field(init=False)
    """Its version, proven and in the store."""
    live: bool = False

    def __post_init__(self) -> None:
        self._versions = Versions(self.settings)
        self.admitted = self._versions.admit(TASK, str(FOLDER))
        card = self._versions.shelf.artifact(TASK, self.admitted).card
        (window,) = card["split"]["windows"].values()
        self.cut_ms = round(datetime.fromisoformat(window["cut"]).astimezone(UTC).timestamp() * 1000)

    def paced(self, events: Iterable[ShopperEvent]) -> Iterator[ShopperEvent]:
        """The events; the first one from the cut on waits until the version is live."""
        for n, event in enumerate(events):
            if not self.live and event_time_ms(event) >= self.cut_ms:
                self.caught_up(n)
                self._promote()
            yield event

    def _promote(self) -> None:
        stages = self._versions.promote(TASK, self.admitted, "live", 0.0, "the shop's own")
        try:
            served = wait(self.settings, TASK, stages.change_id, PATIENCE_SECONDS)
        except NotServed as error:
            raise DemoError(str(error)) from error
        if not served:
            raise DemoError("No worker runs that could serve the shop's own model.")
        self.live = True


def in_words(example: Mapping[str, Any] | None, items: Items) -> dict[str, Any] | None:
    """A list as people read it, of the record ``items_recommended`` that is shown as the example; None of none:
    ``shopper_id``, its ``day``, and the first items as ``lines``: (name, why)."""
    if example is None:
        return None
    listed = example["items"][:SHOWN]
    wanted = dict.fromkeys(name for one in listed for name in (one["item_id"], one.get("of")) if name)
    titles = {product.item_id: product.title for product in items.products(filter(str.isdigit, wanted))}

    def named(item_id: str) -> str:
        return f"{titles.get(item_id) or 'no name'} ({item_id})"

    lines = [
        (named(one["item_id"]), f"goes with {named(one['of'])}" if one.get("of") else BECAUSE[one["because"]])
        for one in listed
    ]
    return {"shopper_id": example["shopper_id"], "day": shown_day(example["event_time_ms"]), "lines": lines}
