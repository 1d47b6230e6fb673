"""Search: what items are searched by, and what was found."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.records.events import Id, Label
from streams.records.items import CatalogRecord, ItemDelisted, ItemListed
from streams.records.outcomes import ShopperOutcome

Why = Literal["all_words", "some_words", "category", "no_words", "nothing_found"]
#: Characters of a description, and of all attributes together, that are kept to search by.
MOST_TEXT = 4_000
_SEPARATOR = b"\x00"


class ItemSought(msgspec.Struct, tag_field="type", tag="item_sought", kw_only=True, frozen=True, omit_defaults=True):
    """One thing that a catalogue said of an item; a later record of the same thing replaces it. So of each item the
    newest title, description and so on are kept, whichever record said them."""

    item_id: Annotated[Id, Meta(description="The item.")]
    listed: Annotated[bool | None, Meta(description="Whether it is for sale; null: another record says.")] = None
    title: Annotated[str | None, Meta(description="Its name; null: another record says.")] = None
    brand: Annotated[Label | None, Meta(description="Who makes it; null: another record says.")] = None
    category_path: Annotated[
        tuple[str, ...] | None,
        Meta(description="Its category, from the widest to the narrowest; null: another record says."),
    ] = None
    description: Annotated[
        str | None, Meta(description="The first 4,000 characters of its description; null: another record says.")
    ] = None
    attributes: Annotated[
        dict[str, str] | None, Meta(description="Properties by name, 4,000 characters; null: another record says.")
    ] = None


class RankedItem(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """An item that a query found."""

    item_id: Annotated[str, Meta(description="The item.")]
    score: Annotated[float, Meta(description="How well it fits, 0 and more; comparable within one ranking.")]
    title: Annotated[str, Meta(description="Its title, up to 200 characters.")]


class Answered(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What a query found."""

    query: Annotated[str, Meta(description="What was searched for, up to 256 characters.")]
    corrected: Annotated[str | None, Meta(description="The words that were sought instead; null: as they were.")]
    dropped: Annotated[list[str], Meta(description="Words that no item says together with the others.")]
    category: Annotated[str | None, Meta(description="The category that the best items are of; null: not one.")]
    why: Annotated[
        Why,
        Meta(
            description="all_words: items say every word; some_words: none says them all; category: items of the "
            "category that begins like the query; no_words: the query has no letter or digit; nothing_found: "
            "no item says anything like it."
        ),
    ]
    items: Annotated[list[RankedItem], Meta(description="Items, best first.")]
    catalogue: Annotated[
        str, Meta(description="Digest of the listed items and all said of them: the same one gives the same ranking.")
    ]
    encoder: Annotated[
        str | msgspec.UnsetType,
        Meta(description="Name and version of the encoder whose likeness counted as well, over HTTP only."),
    ] = msgspec.UNSET


class SearchRanked(ShopperOutcome, frozen=True, kw_only=True):
    """What a shopper's search found in the catalogue as the worker knew it. Its id is also of the catalogue's digest:
    said again from another catalogue, it is another outcome."""

    answer: Annotated[Answered, Meta(description="What was found.")]


def key_of(said: ItemSought) -> bytes:
    """The record's key: the item, and what is said of it."""
    (what,) = (name for name in _FIELDS if getattr(said, name) is not None)
    return said.item_id.encode() + _SEPARATOR + what.encode()


_FIELDS = tuple(name for name in ItemSought.__struct_fields__ if name != "item_id")


def sought(record: CatalogRecord | ItemDelisted) -> list[ItemSought]:
    """What a catalogue record says that is searched by, each by itself.

    >>> said = sought(ItemListed(event_id="e", item_id="i", event_time=1, title="Tea", unit_price_cents=5))
    >>> [(key_of(each), each.title) for each in said]
    [(b'i\\x00listed', None), (b'i\\x00title', 'Tea')]
    """
    item = record.item_id
    if isinstance(record, ItemDelisted):
        return [ItemSought(item_id=item, listed=False)]
    said = [ItemSought(item_id=item, listed=True)] if isinstance(record, ItemListed) else []
    if record.title is not None:
        said.append(ItemSought(item_id=item, title=record.title))
    if record.brand is not None:
        said.append(ItemSought(item_id=item, brand=record.brand))
    if record.category_path is not None:
        said.append(ItemSought(item_id=item, category_path=tuple(record.category_path)))
    if record.description is not None:
        said.append(ItemSought(item_id=item, description=record.description[:MOST_TEXT]))
    if record.attributes is not None:
        kept, left = {}, MOST_TEXT
        for name, value in sorted(record.attributes.items()):
            kept[name] = value[:left]
            left -= len(kept[name])
        said.append(ItemSought(item_id=item, attributes={name: value for name, value in kept.items() if value}))
    return said
