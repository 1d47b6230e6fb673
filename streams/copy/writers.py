"""Another writer in place of the templates, such as a large language model: what it is asked, and what its answer is
held to. Nothing it says is taken on trust: the same checks come after it as after the templates, but that it may use
words of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from streams.copy.checking import LENGTHS, check
from streams.copy.languages import Language
from streams.copy.slots import Slot


def request(item_id: str, known: Sequence[Slot], language: Language, forbidden: Collection[str] = ()) -> dict[str, Any]:
    """What a writer is given of an item, a JSON object: attributes as they must be copied, and all it is held to."""
    return {
        "item_id": item_id,
        "language": language.tag,
        "attributes": {slot.name: slot.value for slot in known},
        "most_characters": {name: most for name, (_, most) in LENGTHS.items()},
        "forbidden": [*language.forbidden, *forbidden],
    }


def judged(
    answer: Mapping[str, Any],
    known: Sequence[Slot],
    language: Language,
    *,
    forbidden: Collection[str] = (),
    least_coverage: float = 0.0,
) -> tuple[dict[str, str] | None, list[str], float]:
    """(the texts, or None where they must not be used, why not, the share of the attributes that they say) of what a
    writer answered: ``title``, ``description`` and ``offer``, each a text.

    >>> from streams.copy.languages import ENGLISH
    >>> tea = [Slot("kind", "green tea", "text"), Slot("weight", "250 g", "text")]
    >>> judged({"title": "Green tea 250 g", "description": "Tea, 300 g.", "offer": "Tea for you."}, tea, ENGLISH)
    (None, ["description: invented number '300'"], 1.0)
    """
    texts = {name: answer[name] for name in LENGTHS if isinstance(answer.get(name), str)}
    lacking = [f"{name}: no text" for name in LENGTHS if name not in texts]
    found = check(texts, known, language, forbidden=forbidden, least_coverage=least_coverage)
    reasons = [*lacking, *map(str, found.faults)]
    return (None if reasons else texts), reasons, found.coverage
