"""Pictures and sounds as files, as a catalogue would send them."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image


def picture(array: Any, form: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    """A file of [height, width, 3] (or an image)."""
    image = array if isinstance(array, Image.Image) else Image.fromarray(np.asarray(array, np.uint8))
    file = io.BytesIO()
    image.convert(mode).save(file, form, **options)
    return file.getvalue()


def quarters(side: int = 60) -> np.ndarray:
    """[side, side, 3]: red, green in the upper half; blue, white in the lower."""
    found = np.full((side, side, 3), 255, np.uint8)
    half = side // 2
    found[:half, :half] = (255, 0, 0)
    found[:half, half:] = (0, 255, 0)
    found[half:, :half] = (0, 0, 255)
    return found


def wav(samples: Any, rate: int = 16_000, bits: int = 16, form: int = 1, size: int | None = None) -> bytes:
    """A file of [n] or [n, channels] samples in -1 … 1."""
    wave = np.asarray(samples, np.float64)
    wave = wave[:, None] if wave.ndim == 1 else wave
    whole = np.rint(wave * ((1 << (bits - 1)) - 1)).astype(np.int64) + (128 if bits == 8 else 0)
    data = whole.astype("<i8").reshape(-1, 1).view(np.uint8)[:, : bits // 8].tobytes()
    channels, each = wave.shape[1], wave.shape[1] * bits // 8
    head = struct.pack("<HHIIHH", form, channels, rate, rate * each, each, bits)
    if form == 0xFFFE:
        head += struct.pack("<HHIH14s", 22, bits, 0, 1, bytes.fromhex("000000001000800000aa00389b71"))
    # A chunk of an odd length, as programs that write comments leave it, stands before the samples.
    body = b"WAVE" + _chunk(b"fmt ", head) + _chunk(b"note", b"odd") + b"data"
    body += struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tone(hertz: float, rate: int = 16_000, seconds: float = 1.0) -> np.ndarray:
    """[n] a sine as loud as can be."""
    found: np.ndarray = np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)
    return found


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
