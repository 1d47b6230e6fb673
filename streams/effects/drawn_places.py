"""What a list of items says of its draw: how likely each item was to stand at the drawn place, for ``off_policy``."""

from __future__ import annotations

from streams.records.outcomes import ItemsRecommended


def best_and_chances(said: ItemsRecommended) -> tuple[str, dict[str, float]]:
    """(the item that stands at the drawn place unless one is drawn, how likely each that could stand there was to).
    Raises ``ValueError`` where nothing was left to chance.

    One of n candidates is likelier than 1 / n: the best. Which that is, is where the list goes on.
    """
    if said.drawn_place is None:
        raise ValueError(f"{said.outcome_id} left nothing to chance.")
    there, *later = said.items[said.drawn_place - 1 :]
    # What is new has a place of its own, and could not stand at the drawn one.
    others = [item.item_id for item in later if item.because != "new"] + [item.item_id for item in said.passed_over]
    n, likely = 1 + len(others), there.propensity
    if likely * n >= 1:
        best, each = there.item_id, (1 - likely) / (n - 1)
    else:
        best, each = others[0], likely
    return best, {name: 1 - (n - 1) * each if name == best else each for name in (there.item_id, *others)}
