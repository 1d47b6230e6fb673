"""A sound as numbers: how loud each pitch is, over time."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.features.feature import FromRecord, Unreadable

Floats = npt.NDArray[np.float64]

MAX_BYTES = 6 << 20
#: What is read: samples of so many bits, so many channels, so many samples a second.
BITS, MAX_CHANNELS, RATES = (8, 16, 24, 32), 8, (4_000, 192_000)
#: Loudness below the loudest that a file can hold, in decibels, that counts as silence.
SILENCE_DB = 80.0
_PCM, _EXTENSIBLE = 1, 0xFFFE
#: What a program that does not know a sound's length writes instead.
_UNKNOWN_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Sound(FromRecord):
    """A field of a record that holds a WAV (PCM), as [``frames``, ``pitches``] loudness in 0 … 1, in order of time and
    from low to high; None for a record without one.

    The channels' mean is resampled to ``rate`` (by its spectrum). A frame is ``window`` samples under a Hann window,
    ``hop`` after the one before; its power spectrum is added up under triangles that are evenly spaced in mel
    (2595 · log10(1 + f / 700)) from 0 to half the rate. 1 is the loudest tone that a file can hold, 0 is 80 dB below it
    or less; in steps of 1/255. What is longer than all frames is cut off, what is shorter ends in silence.

    >>> from types import SimpleNamespace
    >>> def wav(samples, rate):
    ...     body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    ...     body += b"data" + struct.pack("<I", 2 * len(samples)) + samples.astype("<i2").tobytes()
    ...     return b"RIFF" + struct.pack("<I", len(body)) + body
    >>> tone = 32767 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)  # a second of 1,000 Hz
    >>> sound = Sound("audio")
    >>> loudness = sound.floats(sound.of(SimpleNamespace(audio=wav(tone, 8000)))).reshape(sound.shape)
    >>> loudness[50].argmax(), loudness[50].max() > 0.95, loudness[150].max()
    (np.int64(22), np.True_, np.float32(0.0))
    """

    field: str
    rate: int = 16_000
    window: int = 400
    hop: int = 160
    pitches: int = 64
    frames: int = 200

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, self.pitches)

    @property
    def samples(self) -> int:
        """So many at its rate are in all frames together."""
        return self.window + self.hop * (self.frames - 1)

    def of(self, record: Any) -> npt.NDArray[np.uint8] | None:
        """[frames · pitches] loudness, 255 times as much."""
        content = getattr(record, self.field, None)
        if not content:
            return None
        # A little more than is kept: where it is cut off, resampling rings.
        wave = resampled(*_read(content, self.samples / self.rate + 0.05), self.rate)[: self.samples]
        wave = np.pad(wave, (0, self.samples - len(wave)))
        framed = np.lib.stride_tricks.sliding_window_view(wave, self.window)[:: self.hop]
        shape = _shape(self.rate, self.window, self.pitches)
        power = np.abs(np.fft.rfft(framed * shape.hann, shape.size, axis=1)[:, :-1]) ** 2
        # Between two edges all bins belong to the pitch above by how far up they are, and to the one below by the rest:
        # sums of each stretch, without a product of matrices, for which numpy would start threads.
        whole, upper = _stretches(power, shape.starts), _stretches(power * shape.up, shape.starts)
        loudness = 10 * np.log10(np.maximum(upper[:, :-1] + whole[:, 1:] - upper[:, 1:], 1e-12))
        return np.rint(255 * np.clip(1 + loudness / SILENCE_DB, 0, 1)).astype(np.uint8).reshape(-1)

    def floats(self, made: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """In 0 … 1."""
        return made.astype(np.float32) / np.float32(255)


def _read(content: bytes, seconds: float) -> tuple[Floats, int]:
    """The begin of a file: [n] the channels' mean in -1 … 1, and its rate. Raises ``Unreadable``.

    Not by the standard library's ``wave``: which headers that knows depends on Python's version, so answers would.
    """
    if len(content) > MAX_BYTES:
        raise Unreadable(f"The sound has {len(content):,} bytes; at most {MAX_BYTES:,} are read.")
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise Unreadable("The sound is no WAV: it does not begin as RIFF … WAVE.")
    at, form = 12, b""
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        at += 8
        if name == b"fmt ":
            form = content[at : at + size]
        elif name == b"data":
            return _samples(form, content, at, size, seconds)
        at += size + size % 2
    raise Unreadable("The sound is cut off: no samples are in it.")


def _samples(form: bytes, content: bytes, start: int, size: int, seconds: float) -> tuple[Floats, int]:
    if len(form) < 16:
        raise Unreadable("The sound does not say what its samples are: its fmt chunk is missing or cut off.")
    coded, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if coded == _EXTENSIBLE and len(form) >= 26:
        (coded,) = struct.unpack_from("<H", form, 24)
    if coded != _PCM or bits not in BITS:
        raise Unreadable(f"The sound has samples of format {coded} and {bits} bits; PCM of 8, 16, 24 or 32 is read.")
    if not (1 <= channels <= MAX_CHANNELS and RATES[0] <= rate <= RATES[1]):
        raise Unreadable(
            f"The sound has {channels} channels and {rate:,} samples a second; 1 to {MAX_CHANNELS} channels and "
            f"{RATES[0]:,} to {RATES[1]:,} are read."
        )
    if size > len(content) - start and size != _UNKNOWN_LENGTH:
        raise Unreadable(f"The sound is cut off: {len(content) - start:,} of {size:,} bytes are there.")
    width = bits // 8
    each = width * channels
    n = min(min(size, len(content) - start) // each, int(seconds * rate))
    raw = np.frombuffer(content, np.uint8, n * each, start).reshape(n, channels, width)
    if width == 1:
        whole = raw[:, :, 0].astype(np.int64) - 128
    else:
        # At the upper end of 32 bits, with their sign.
        padded = np.zeros((n, channels, 4), np.uint8)
        padded[:, :, 4 - width :] = raw
        whole = padded.view("<i4")[:, :, 0].astype(np.int64) >> (32 - bits)
    return whole.sum(axis=1) / (channels * float(1 << (bits - 1))), rate


def resampled(wave: Floats, rate: int, wanted: int) -> Floats:
    """A sound at another rate: its spectrum, cut off or extended. Deterministic.

    >>> resampled(np.ones(4), 8000, 16000).shape
    (8,)
    """
    common = gcd(rate, wanted)
    up, down = wanted // common, rate // common
    if up == down or not len(wave):
        return wave
    length = len(wave) * wanted // rate
    blocks = -(-len(wave) // down)
    spectrum = np.fft.rfft(wave, blocks * down)
    kept = spectrum[: blocks * min(up, down) // 2 + 1]
    return np.fft.irfft(kept, blocks * up)[:length] * (up / down)


@dataclass(frozen=True, slots=True)
class _Shape:
    size: int
    """Of the transform."""
    hann: Floats
    """[window] so that a tone as loud as can be has the power 1."""
    starts: npt.NDArray[np.int64]
    """[pitches + 2] the first bin at or above each edge."""
    up: Floats
    """[bins] how far each lies between the edge below it (0) and the one above it (1)."""


@cache
def _shape(rate: int, window: int, pitches: int) -> _Shape:
    # More bins than the window tells apart, so that the lowest pitches have some.
    size = 2 << (window - 1).bit_length()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, pitches + 2) / 2595) - 1)
    bins = np.arange(size // 2) * (rate / size)
    up = np.interp(bins, edges, np.arange(pitches + 2)) % 1
    return _Shape(size, hann * (2 / np.sqrt(size * (hann**2).sum())), np.searchsorted(bins, edges), up)


def _stretches(values: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """[n, len(starts) - 1] sums of each row from one start to before the next."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    found: Floats = np.diff(sums[:, starts], axis=1)
    return found
