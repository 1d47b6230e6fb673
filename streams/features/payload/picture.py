"""A picture as numbers: a square of red, green and blue."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from streams.features.feature import FromRecord, Unreadable

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP")
#: What a picture may be at most: with alpha, decoding takes four bytes for each of its points.
MAX_BYTES, MAX_POINTS = 6 << 20, 25_000_000
_WHITE = (255, 255, 255)
#: The EXIF tag that says how a camera was held, and what turns its picture upright.
_ORIENTATION = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


@dataclass(frozen=True, slots=True)
class Picture(FromRecord):
    """A field of a record that holds a PNG, JPEG or WebP, as [``side``, ``side``, 3] red, green and blue in 0 … 1, from
    the top left, row by row; None for a record without one.

    Turned as its EXIF orientation says, scaled to fit (Pillow's bilinear filter over all points that a new one covers),
    and centred on white, over which transparent points are laid as well. Of an animation it is the first picture.
    Colour profiles are not applied. The same bytes give the same numbers, under one version of Pillow.

    >>> from types import SimpleNamespace
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (2, 1), (255, 0, 0)).save(file, "PNG")
    >>> picture = Picture("image", 2)
    >>> points = picture.floats(picture.of(SimpleNamespace(image=file.getvalue())))
    >>> points.reshape(picture.shape)[:, 0].tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """

    field: str
    side: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.side, self.side, 3)

    def of(self, record: Any) -> npt.NDArray[np.uint8] | None:
        """[side · side · 3] the picture, 255 times as much."""
        content = getattr(record, self.field, None)
        return None if not content else points(content, self.side).reshape(-1)

    def floats(self, made: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """In 0 … 1."""
        return made.astype(np.float32) / np.float32(255)


def points(content: bytes, side: int) -> npt.NDArray[np.uint8]:
    """[side, side, 3] of a file's bytes. Raises ``Unreadable``."""
    # Here, because a worker that keeps no items need not load it.
    from PIL import Image, UnidentifiedImageError

    if len(content) > MAX_BYTES:
        raise Unreadable(f"The picture has {len(content):,} bytes; at most {MAX_BYTES:,} are read.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of what it finds odd in a file, nobody would see which.
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > MAX_POINTS:
                    shown = f"{image.width:,} × {image.height:,}"
                    raise Unreadable(f"The picture is {shown} points large; at most {MAX_POINTS:,} are read.")
                return np.asarray(_square(image, side))
    except (Unreadable, MemoryError):
        raise
    except UnidentifiedImageError:
        raise Unreadable("The picture is neither PNG nor JPEG nor WebP.") from None
    except Image.DecompressionBombError as error:
        raise Unreadable(f"The picture has too many points; at most {MAX_POINTS:,} are read.") from error
    except Exception as error:  # Whatever a damaged file makes the decoder raise, it is the file's fault.
        raise Unreadable(f"The picture is damaged or cut off: {str(error)[:100] or type(error).__name__}.") from error


def _square(image: Image.Image, side: int) -> Image.Image:
    from PIL import Image

    # A JPEG need not be decoded at its full size: twice the size is enough for scaling.
    image.draft("RGB", (2 * side, 2 * side))
    plain = _plain(image)
    longest = max(plain.size)
    width, height = (max(1, round(length * side / longest)) for length in plain.size)
    small = plain.resize((width, height), Image.Resampling.BILINEAR)
    turn = _TURNS.get(_orientation(image))
    if turn is not None:
        small = small.transpose(Image.Transpose[turn])
    square = Image.new("RGB", (side, side), _WHITE)
    corner = ((side - small.width) // 2, (side - small.height) // 2)
    square.paste(small, corner, small if small.mode == "RGBA" else None)
    return square


def _plain(image: Image.Image) -> Image.Image:
    """As RGB, or where it has transparent points as RGBA."""
    from PIL import Image

    if image.mode.startswith("I"):  # Sixteen bits of grey, which Pillow would cut off at 255.
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255)
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # EXIF that cannot be read says nothing.
        return 1
