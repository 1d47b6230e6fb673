"""Items before and after: what a catalogue says of five samples, and what is answered of them; what searches found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

import msgspec

from streams.demo import of_run, samples
from streams.demo.systems import NEVER_MS, Example, newest_about, similar
from streams.outside.reading import Place, Reader
from streams.outside.similar import Pictures
from streams.pages.markup import Inside, section, tag
from streams.records import words
from streams.records.described import ItemDescribed
from streams.records.items import ItemListed, ItemReviewed
from streams.records.searches import SearchRanked
from streams.topics import DESCRIBED, EMBEDDED, ENRICHED, PICTURED, REVIEWED, SEARCH_RANKINGS, Topic
from training.datasets.complete_journey_items import Items

#: What models answer of an item is said in these, each with what it is about.
SAID: tuple[tuple[str, Topic], ...] = (
    ("category and reviews by their words", ENRICHED),
    ("picture", PICTURED),
    ("words, picture and sound together", EMBEDDED),
    ("description", DESCRIBED),
    ("what reviewers say", REVIEWED),
)
#: Of a search so many items are shown, and of an item so many of its reviews and of those like it.
MOST_FOUND, MOST_REVIEWS, MOST_SIMILAR = 3, 2, 3


def told(reader: Reader, starts: Mapping[Place, int], items: Items, alike: Pictures) -> dict[str, Any]:
    """``items``: per sample what the catalogue says and what was answered, and what is ``alike``; ``searches``: per
    query what it found."""
    records = list(samples.samples(0))
    listed = {record.item_id: record for record in records if isinstance(record, ItemListed)}
    found = list[dict[str, Any]]()
    for item in samples.SHOWN:
        answers = {}
        for what, topic in SAID:
            said = newest_about(reader, of_run.places(starts, topic), Example(item, NEVER_MS))
            if said is not None:
                answers[what] = _in_words(msgspec.json.decode(said, type=topic.records[0]))
        before = listed[item]
        reviews = [r.text for r in records if isinstance(r, ItemReviewed) and r.item_id == item and r.text]
        found.append(
            {
                "item_id": item,
                "title": before.title,
                "brand": before.brand,
                "category_path": before.category_path,
                "attributes": dict(before.attributes or {}),
                "reviews": reviews,
                "answers": answers,
                "similar": similar(alike, item, MOST_SIMILAR),
            }
        )
    searches = _searches(reader, starts)
    named = [one for each in found for one in each["similar"]] + [one for each in searches for one in each["found"]]
    titles = {one.item_id: one.title for one in listed.values()}
    sold = items.products(filter(str.isdigit, dict.fromkeys(one["item_id"] for one in named)))
    titles |= {product.item_id: product.title for product in sold}
    for one in named:
        one["title"] = titles.get(one["item_id"])
    return {"items": found, "searches": searches}


def _in_words(said: Any) -> str:
    if isinstance(said, ItemDescribed) and said.described is not None:
        return "\n".join(f"{text.title}. {text.description} {text.offer}" for text in said.described.texts)
    return words.said(said)


def _searches(reader: Reader, starts: Mapping[Place, int]) -> list[dict[str, Any]]:
    newest: dict[str, SearchRanked] = {}
    for record in of_run.records(reader, starts, SEARCH_RANKINGS):
        said = msgspec.json.decode(record.value or b"", type=SearchRanked)
        newest[said.answer.query] = said
    return [
        {
            "query": query,
            "corrected": said.answer.corrected,
            "category": said.answer.category,
            "why": said.answer.why,
            "found": [{"item_id": one.item_id} for one in said.answer.items[:MOST_FOUND]],
        }
        for query, said in sorted(newest.items())
    ]


def shown(n: dict[str, Any]) -> Element | None:
    """The section of the page."""
    held = n["enriched"]
    blocks: list[Inside] = []
    for item in held["items"]:
        if item["answers"]:
            columns = (tag("dl", *_before(item), class_="story"), tag("dl", *_after(item), class_="story"))
            blocks += [tag("h3", item["title"] or item["attributes"].get("name", item["item_id"]))]
            blocks += [tag("div", *columns, class_="beside")]
    for each in held["searches"]:
        told = [f"“{each['query']}”", each["corrected"] and f"read as “{each['corrected']}”", each["category"]]
        blocks.append(tag("h3", "Searched: " + ", ".join(part for part in told if part)))
        blocks.append(
            tag("ol", *(tag("li", _named(one)) for one in each["found"])) if each["found"] else tag("p", "None.")
        )
    if not blocks:
        return None
    lead = (
        "Left what a catalogue says, right what was answered of it. The items are samples of other shops: these data "
        "have no pictures, attributes or reviews. What is answered is suggested, it overwrites nothing."
    )
    return section("before-after", "Items before and after", tag("p", lead), *blocks)


def _before(item: Mapping[str, Any]) -> list[Element]:
    attributes = "; ".join(f"{name}: {value}" for name, value in item["attributes"].items() if name != "sample")
    said = {
        "id": item["item_id"],
        "title": item["title"],
        "brand": item["brand"],
        "category": " > ".join(item["category_path"] or ()),
        "attributes": attributes,
    }
    found = [tag("div", tag("dt", what), tag("dd", says)) for what, says in said.items() if says]
    if item["reviews"]:
        quoted = (tag("blockquote", text) for text in item["reviews"][:MOST_REVIEWS])
        found.append(tag("div", tag("dt", f"{len(item['reviews'])} reviews"), tag("dd", *quoted)))
    photo = samples.photo(item["item_id"])
    if photo is not None:
        found.append(tag("div", tag("dt", "picture"), tag("dd", photo)))
    return found


def _named(one: Mapping[str, Any]) -> str:
    return f"{one['title'] or 'no name'} ({one['item_id']})"


def _after(item: Mapping[str, Any]) -> list[Element]:
    found = [tag("div", tag("dt", what), tag("dd", says)) for what, says in item["answers"].items()]
    alike = [
        tag("li", samples.photo(one["item_id"]), f" {_named(one)}, cosine {one['cosine']:.2f}")
        for one in item["similar"]
    ]
    return [*found, tag("div", tag("dt", "similar items"), tag("dd", tag("ul", *alike)))] if alike else found
