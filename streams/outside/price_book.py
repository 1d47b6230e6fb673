"""Prices that are suggested, and what was decided: as their topics have them now, and a decision put there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from streams.access import Access
from streams.compacted import put
from streams.outside.demand_book import keep_newest
from streams.outside.reading import Reader
from streams.records.prices import PriceDecided, PriceSuggested
from streams.records.words import NO_PRICE
from streams.topics import PRICES_DECIDED, PRICES_SUGGESTED

#: The reason of an item of whose category the model that answered knows too little.
UNTESTED = "category_untested"


class NoSuggestion(RuntimeError):
    """Of the item that is meant no price is suggested, or that was decided already."""

    exit_code = 1


@dataclass(slots=True)
class PriceBook:
    """The newest suggestion of every item, and the newest decision about it."""

    suggested: dict[str, PriceSuggested] = field(default_factory=dict)
    decided: dict[str, PriceDecided] = field(default_factory=dict)

    def suggest(self, record: PriceSuggested) -> None:
        """Take a suggestion; a later one of the same item replaces it."""
        keep_newest(self.suggested, record)

    def decide(self, record: PriceDecided) -> None:
        """Take a decision; a later one of the same item replaces it."""
        self.decided[record.item_id] = record

    def state(self, item_id: str) -> str:
        """open, approved, rejected; none where no price is suggested."""
        suggestion, decision = self.suggested[item_id], self.decided.get(item_id)
        if decision is not None and decision.outcome_id == suggestion.outcome_id:
            return decision.decision
        return "none" if suggestion.to_cents is None else "open"

    def best(self, every: bool = False) -> list[PriceSuggested]:
        """Open suggestions, those first that bring most; all that is said of items with ``every``."""
        some = [s for s in self.suggested.values() if every or self.state(s.item_id) == "open"]
        return sorted(some, key=lambda s: (s.to_cents is None, -gain_of(s), s.item_id))

    def decision(self, item_id: str, decision: str, by: str, reason: str, now_ms: int) -> PriceDecided:
        """What to put into the topic. Raises ``NoSuggestion``."""
        suggestion = self.suggested.get(item_id)
        if suggestion is None or suggestion.to_cents is None or suggestion.from_cents is None:
            raise NoSuggestion(f"No price is suggested of {item_id}: offerstream prices list --all says why.")
        if (state := self.state(item_id)) != "open":
            raise NoSuggestion(f"The price suggested of {item_id} was {state} already; a new suggestion is needed.")
        return PriceDecided(
            item_id=item_id,
            outcome_id=suggestion.outcome_id,
            decision=decision,  # type: ignore[arg-type]
            from_cents=suggestion.from_cents,
            to_cents=suggestion.to_cents,
            currency=suggestion.currency,
            by=by,
            reason=reason,
            decided_at_ms=now_ms,
        )


def unpriced(said: Iterable[PriceSuggested], shipped: str) -> str:
    """Why no price is suggested of any item, in words; empty where one is, or nothing was said. ``shipped``: the
    version that came with the package, which knows the categories of other shops."""
    said = list(said)
    if not said or any(each.to_cents is not None for each in said):
        return ""
    (why, count), *_ = Counter(each.why for each in said).most_common()
    told = f"0 of {len(said):,} items priced"
    if why != UNTESTED:
        return f"{told}: {count:,} because {NO_PRICE.get(why, why)}."
    others = all(each.model.version == shipped for each in said)
    unknown = "never saw your categories" if others else f"knows too little of the categories of {count:,}"
    return (
        f"{told}: the model that serves {unknown}. offerstream train price_optimize --history FILE --cut DATE, then "
        "offerstream models promote price_optimize VERSION --to live"
    )


def gain_of(suggestion: PriceSuggested) -> float:
    """Cents a week that it is expected to bring; 0 where nothing is said of that."""
    return 0.0 if suggestion.profit_change_cents is None else suggestion.profit_change_cents.middle


def read(kafka: Access) -> PriceBook:
    """Both topics as they stand. Raises ``TopicError`` and ``Unreachable``."""
    found = PriceBook()
    suggestion, decision = msgspec.json.Decoder(PriceSuggested), msgspec.json.Decoder(PriceDecided)
    with Reader(kafka) as reader:
        for record in reader.whole(PRICES_SUGGESTED.name):
            if record.value is not None:
                found.suggest(suggestion.decode(record.value))
        for record in reader.whole(PRICES_DECIDED.name):
            if record.value is not None:
                found.decide(decision.decode(record.value))
    return found


def tell(kafka: Access, decided: list[PriceDecided]) -> None:
    """Put decisions where whoever sets prices reads them. Raises ``TopicError``."""
    put(kafka, PRICES_DECIDED, [(one.item_id.encode(), msgspec.json.encode(one)) for one in decided])
