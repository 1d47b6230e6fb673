"""Pictures: every form of one picture gives the same numbers, and no bytes do harm."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from streams.features.feature import Unreadable
from streams.features.payload.picture import MAX_BYTES, Picture, points
from tests.features.files import picture, quarters

PICTURE = Picture("image", 8)
WHOLE = picture(quarters())


def seen(content: bytes, side: int = 8) -> np.ndarray:
    return points(content, side).astype(int)


def test_a_picture_is_its_points_in_0_to_1_and_a_record_without_one_says_nothing() -> None:
    made = PICTURE.of(SimpleNamespace(image=WHOLE))
    assert made is not None
    numbers = PICTURE.floats(made)
    assert numbers.dtype == np.float32
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(numbers.reshape(PICTURE.shape)[[0, 0, 7, 7], [0, 7, 0, 7]], [
        [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]
    ])  # fmt: skip
    for record in (SimpleNamespace(image=None), SimpleNamespace(image=b""), SimpleNamespace()):
        assert PICTURE.of(record) is None


@pytest.mark.parametrize(
    ("form", "mode", "options", "off"),
    [
        ("PNG", "RGBA", {}, 0),
        ("PNG", "P", {}, 1),
        ("WEBP", "RGB", {"lossless": True}, 0),
        ("WEBP", "RGBA", {"quality": 95}, 12),
        ("JPEG", "RGB", {"quality": 100, "subsampling": 0}, 3),
        ("JPEG", "CMYK", {"quality": 100, "subsampling": 0}, 12),
        ("JPEG", "RGB", {"quality": 100, "subsampling": 0, "progressive": True}, 3),
    ],
)
def test_formats_and_modes_of_one_picture_look_alike(form: str, mode: str, options: dict[str, Any], off: int) -> None:
    found = seen(picture(quarters(64), form, mode, **options))
    # The middle of each quarter: compression blurs the edges.
    np.testing.assert_allclose(found[[1, 1, 6, 6], [1, 6, 1, 6]], seen(WHOLE)[[1, 1, 6, 6], [1, 6, 1, 6]], atol=off)


def test_grey_of_one_eight_and_sixteen_bits_and_with_alpha() -> None:
    ramp = np.repeat(np.arange(0, 256, 32, dtype=np.uint8)[None], 8, axis=0)
    expected = np.repeat(ramp[:, :, None], 3, axis=2)
    grey = Image.fromarray(ramp)
    np.testing.assert_array_equal(seen(picture(grey, mode="L")), expected)
    np.testing.assert_array_equal(seen(picture(grey, mode="LA")), expected)
    file = io.BytesIO()
    Image.fromarray(ramp.astype(np.uint16) * 257).save(file, "PNG")
    np.testing.assert_array_equal(seen(file.getvalue()), expected)
    np.testing.assert_array_equal(seen(picture(Image.new("1", (8, 8), 1), mode="1")), 255)


def test_transparent_points_are_white_also_those_of_a_palette_or_a_chosen_colour() -> None:
    clear = np.dstack([quarters(8), np.full((8, 8), 255, np.uint8)])
    clear[:4, :4] = (0, 0, 0, 0)
    clear[0, 7] = (0, 0, 0, 128)
    image = Image.fromarray(clear)
    found = seen(picture(image, mode="RGBA"))
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[0, 7].tolist() == [127, 127, 127]
    assert found[7, 0].tolist() == [0, 0, 255]
    palette = picture(
        quarters(8), mode="P", transparency=int(np.asarray(Image.fromarray(quarters(8)).convert("P"))[0, 0])
    )
    assert seen(palette)[0, 0].tolist() == [255, 255, 255]
    assert seen(picture(quarters(8), transparency=(255, 0, 0)))[0, 0].tolist() == [255, 255, 255]


def test_a_picture_that_is_not_square_is_centred_on_white_and_a_small_one_is_enlarged() -> None:
    found = seen(picture(np.zeros((10, 40, 3))))
    assert (found[:3] == 255).all()
    assert (found[3:5] == 0).all()
    assert (found[5:] == 255).all()
    assert (seen(picture(np.zeros((2, 2, 3)))) == 0).all()
    assert seen(picture(np.zeros((1, 5000, 3)))).shape == (8, 8, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_as_its_exif_says(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = Image.fromarray(quarters())
    # What Pillow itself makes of it, before it is scaled.
    file = io.BytesIO()
    upright.save(file, "PNG", exif=exif)
    from PIL import ImageOps

    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(file.getvalue())))
    np.testing.assert_array_equal(seen(file.getvalue()), seen(picture(turned)))


def test_damaged_exif_turns_nothing() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff"
    np.testing.assert_array_equal(seen(picture(quarters(), exif=exif)), seen(WHOLE))


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_of_an_animation_it_is_the_first_picture(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    file = io.BytesIO()
    frames[0].save(file, form, save_all=True, append_images=frames[1:], lossless=True)
    assert (seen(file.getvalue()) == [255, 0, 0]).all()


def test_the_same_bytes_give_the_same_numbers() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 200, 3))
    for form in ("PNG", "JPEG", "WEBP"):
        content = picture(noise, form)
        np.testing.assert_array_equal(points(content, 96), points(bytes(content), 96))


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is large."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"not a picture", "neither PNG nor JPEG nor WebP"),
        (b"GIF89a" + bytes(100), "neither PNG nor JPEG nor WebP"),
        (b"\x89PNG\r\n\x1a\n", "damaged or cut off|neither"),
        (WHOLE[:-30], "damaged or cut off"),
        (picture(quarters(400), "JPEG")[:-500], "damaged or cut off"),
        (picture(quarters(400), "WEBP")[:-100], "damaged or cut off|neither"),
        (bomb(5001, 5000), "5,001 × 5,000 points"),
        (bomb(100_000, 100_000), "too many points"),
        (bomb(20, 20), "damaged or cut off"),
        (b"\0" * (MAX_BYTES + 1), "at most 6,291,456"),
    ],
    ids=range(10),
)
def test_what_cannot_be_read_says_why(content: bytes, why: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Unreadable, match=why):
            points(content, 8)


FILES = [picture(quarters(16), form) for form in ("PNG", "JPEG", "WEBP")] + [picture(quarters(16), mode="P")]


def assert_short(why: str) -> None:
    """A reason is a sentence, whatever the file holds."""
    assert 10 < len(why) < 200


@settings(max_examples=300)
@given(data=st.data())
def test_no_bytes_do_harm(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(FILES)))
    kind = data.draw(st.sampled_from(["random", "cut", "changed", "longer"]))
    if kind == "random":
        content = bytearray(content[: data.draw(st.integers(0, 16))] + data.draw(st.binary(max_size=400)))
    elif kind == "cut":
        del content[data.draw(st.integers(0, len(content))) :]
    elif kind == "changed":
        for _ in range(data.draw(st.integers(1, 8))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    else:
        content += data.draw(st.binary(max_size=50))
    try:
        found = PICTURE.of(SimpleNamespace(image=bytes(content)))
    except Unreadable as error:
        found = None
        assert_short(str(error))
    assert found is None or (found.shape == (192,) and found.dtype == np.uint8)
