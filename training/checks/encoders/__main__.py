"""``python -m training.checks.encoders PART --data DIR``: what a pre-trained encoder adds to what ships and to
its strongest baseline, by the splits and metrics of those.

``search``: graded queries of Chorus/Icecat (``training.checks.search``). ``student``: the same, by a small encoder that
learned of it. ``sentiment``: reviews after the cut, by many labels and few. ``image``: Grocery Store on its own lists.
The encoder is one that ``offerstream encoders add`` kept. A JSON object per line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from models.encoder import Encoder
from models.store import Store
from streams.settings import Settings
from training.checks.encoders import image, search, sentiment

#: Part → the encoder that it takes where none is named, and what it measures.
PARTS: dict[str, tuple[str, Callable[[Path, Encoder, int], Iterator[dict[str, Any]]]]] = {
    "search": ("minilm", search.rankings),
    "student": ("minilm", search.of_student),
    "sentiment": ("use-multilingual", sentiment.judged_by),
    "image": ("lite0", image.shown_by),
}


def main() -> None:
    """Measure, and print."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.encoders", description=__doc__)
    asked.add_argument("part", choices=list(PARTS))
    asked.add_argument("--data", type=Path, required=True, help="the folder of the data sets")
    asked.add_argument("--encoder", help="its name, where it is not the usual one")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    name, measure = PARTS[given.part]
    encoder = Encoder(Store(Settings.from_environment().models).encoder(given.encoder or name))
    for line in measure(given.data, encoder, given.seed):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
