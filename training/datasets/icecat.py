"""Icecat's open catalogue, as the Chorus project kept it: products with the titles and short descriptions that
suppliers wrote, and up to some hundred attributes each.

A product is listed when it was released. Attributes of numbers have no units in these data; what is true or false says
so. What the product is called is its attribute ``name``. Titles are Icecat's own: brand, name, and what counts.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from streams.records.items import ItemListed
from training.datasets.dataset import Dataset, folder_of

PARTS = ("1.json.zip", "2.json.zip", "3.json.zip", "4.json.zip")
#: Of a product so many attributes are read, and no longer values.
MOST_ATTRIBUTES, LONGEST = 150, 2_000
_TAG = re.compile(r"<[^<>]*>")


def files(data_dir: Path | None) -> list[Path]:
    """The four files it is read from."""
    return [folder_of(data_dir, "chorus_icecat", part) for part in PARTS]


def read(data_dir: Path | None = None) -> Iterator[ItemListed]:
    """Every product in order of its release."""
    products: list[dict[str, Any]] = []
    for path in files(data_dir):
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                products += json.loads(packed.read(name))
    for product in sorted(products, key=lambda each: (each["date_released"], each["id"])):
        described = _TAG.sub(" ", product.get("short_description") or "").strip()
        yield ItemListed(
            event_id="listed",
            item_id=f"ic-{product['id']}",
            event_time=int(datetime.fromisoformat(product["date_released"]).timestamp() * 1000),
            title=_TAG.sub(" ", product["title"]).strip(),
            description=described or None,
            brand=product["supplier"],
            attributes={"name": product["name"]} | dict(attributes(product)),
        )


def attributes(product: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The attributes of a product by their names, numbers and truth in words.

    >>> list(attributes({"id": "1", "attr_n_weight": 31.0, "attr_b_water__proof": True, "attr_t_colour": "Grey"}))
    [('weight', '31'), ('water proof', 'true'), ('colour', 'Grey')]
    """
    said = [(key[len("attr_t_") :], value) for key, value in product.items() if key.startswith("attr_")]
    for name, value in said[:MOST_ATTRIBUTES]:
        text = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
        if text and len(text) <= LONGEST:
            yield " ".join(name.split("_")).replace("  ", " ").strip(), str(text)


ICECAT = Dataset(
    name="icecat",
    meaning="19,406 products of 161 suppliers with titles, short descriptions and attributes (Icecat, by Chorus)",
    licence="Icecat Open Content License (by Chorus, Apache-2.0)",
    ship=True,
    currency="USD",
    read=read,
    files=files,
    events=19_406,
    about="item",
)
