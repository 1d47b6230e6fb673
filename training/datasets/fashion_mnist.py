"""Fashion-MNIST: 70,000 grey pictures of 28 by 28 points of ten kinds of clothes, with the official parts.

Read from the Debian package ``dataset-fashion-mnist``, or from the folder ``fashion_mnist`` under ``--data``. The data
say no times: the pictures of the part that teaches are taken to be listed a second apart on one day, those that test
on the next.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streams.records.items import ItemListed
from training.datasets.dataset import Dataset, folder_of

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
FIRST_MS = int(datetime(2017, 8, 1, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000
CLASSES = (
    "T-shirt", "Trousers", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
PARTS = ("train", "t10k")


def files(data_dir: Path | None) -> list[Path]:
    """Pictures and classes of either part."""
    names = [f"{part}-{what}-ubyte.gz" for part in PARTS for what in ("images-idx3", "labels-idx1")]
    if DEBIAN.is_dir():
        return [DEBIAN / name for name in names]
    return [folder_of(data_dir, "fashion_mnist", name) for name in names]


def read(data_dir: Path | None = None) -> Iterator[ItemListed]:
    """Every picture, as PNG, as the listing of an item of its own."""
    paths = files(data_dir)
    for day, (pictures, classes) in enumerate(zip(paths[::2], paths[1::2], strict=True)):
        label = _numbers(classes, 8)
        points = _numbers(pictures, 16).reshape(len(label), 28, 28)
        for n, (picture, of) in enumerate(zip(points, label.tolist(), strict=True)):
            yield ItemListed(
                event_id="listed",
                item_id=f"{PARTS[day]}-{n}",
                event_time=FIRST_MS + day * DAY_MS + 1000 * n,
                category_path=["Clothes", CLASSES[of]],
                image=png(picture),
            )


def _numbers(path: Path, header: int) -> npt.NDArray[np.uint8]:
    with gzip.open(path) as held:
        return np.frombuffer(held.read(), np.uint8, offset=header)


def png(picture: npt.NDArray[np.uint8]) -> bytes:
    """A picture, grey [height, width] or of colours [height, width, 3], as a file: what is read back is the same
    points."""
    height, width = picture.shape[:2]
    lines = np.zeros((height, 1 + picture[0].size), np.uint8)
    lines[:, 1:] = picture.reshape(height, -1)  # each line after a 0: it is stored as it is
    coloured = 0 if picture.ndim == 2 else 2
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, coloured, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes(), 1)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held)) for name, held in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


FASHION_MNIST = Dataset(
    name="fashion_mnist",
    meaning="70,000 grey pictures of clothes of ten kinds, 28 by 28 points (Zalando)",
    licence="MIT",
    ship=True,
    currency="EUR",
    read=read,
    files=files,
    events=70_000,
    about="item",
)
