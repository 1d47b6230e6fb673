"""Sounds: every form of one sound gives the same numbers, and no bytes do harm."""

from __future__ import annotations

import io
import wave
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.features.feature import Unreadable
from streams.features.payload.sound import MAX_BYTES, Sound
from tests.features.files import tone, wav

SOUND = Sound("audio")


def heard(content: bytes) -> np.ndarray:
    made = SOUND.of(SimpleNamespace(audio=content))
    assert made is not None
    assert made.dtype == np.uint8
    numbers = SOUND.floats(made)
    assert numbers.dtype == np.float32
    assert numbers.min() >= 0
    assert numbers.max() <= 1
    return numbers.reshape(SOUND.shape)


def plainly(samples: np.ndarray) -> np.ndarray:
    """The same of 16 kHz samples, one pitch after the other, of each eighth frame."""
    edges = [700 * (10 ** (k * 2595 * np.log10(1 + 8000 / 700) / 65 / 2595) - 1) for k in range(66)]
    hann = np.array([np.sin(np.pi * i / 400) ** 2 for i in range(400)])
    samples = np.concatenate([samples, np.zeros(40_000)])
    found = np.zeros((25, 64))
    for row, frame in enumerate(range(0, 200, 8)):
        spectrum = np.fft.fft(samples[160 * frame : 160 * frame + 400] * hann, 1024)[:513]
        power = np.abs(spectrum) ** 2 * 4 / (1024 * (hann**2).sum())
        for pitch in range(64):
            low, middle, high = edges[pitch : pitch + 3]
            total = 0.0
            for k in range(513):
                f = k * 16_000 / 1024
                weight = (f - low) / (middle - low) if f <= middle else (high - f) / (high - middle)
                total += max(0.0, weight) * power[k]
            found[row, pitch] = 1 + 10 * np.log10(max(total, 1e-12)) / 80
    return np.clip(found, 0, 1)


def test_it_is_the_log_mel_spectrogram() -> None:
    rng = np.random.default_rng(3)
    samples = 0.3 * tone(440) + 0.1 * tone(3000) + 0.01 * rng.normal(size=16_000)
    whole = np.rint(samples * 32_767) / 32_768
    np.testing.assert_allclose(heard(wav(samples))[::8], plainly(whole), atol=0.5 / 255 + 1e-4)


def test_a_record_without_one_says_nothing_and_silence_is_zero() -> None:
    for record in (SimpleNamespace(audio=None), SimpleNamespace(audio=b""), SimpleNamespace()):
        assert SOUND.of(record) is None
    assert not heard(wav(np.zeros(16_000))).any()
    assert not heard(wav(np.zeros(0))).any()


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("form", [1, 0xFFFE])
def test_samples_of_any_width_mono_or_stereo_sound_alike(bits: int, form: int) -> None:
    expected = heard(wav(tone(1000)))
    loud = expected > 0.7  # eight bits have a noise of their own, far below
    for samples in (tone(1000), np.stack([tone(1000)] * 2, axis=1)):
        found = heard(wav(samples, bits=bits, form=form))
        np.testing.assert_allclose(found[loud], expected[loud], atol=0.02)
    opposite = np.stack([tone(1000), -tone(1000)], axis=1)
    assert heard(wav(opposite, bits=bits, form=form)).max() <= (0.2 if bits == 8 else 0.01)


@pytest.mark.parametrize("rate", [4001, 8000, 11_025, 22_050, 44_100, 48_000, 192_000])
def test_another_rate_sounds_alike(rate: int) -> None:
    expected, found = heard(wav(tone(1000))), heard(wav(tone(1000, rate), rate))
    loud = expected > 0.5
    loud[95:] = False  # where the tone ends
    np.testing.assert_allclose(found[loud], expected[loud], atol=0.02)
    assert not found[105:].any()


def test_what_is_above_half_the_rate_is_gone_and_what_is_longer_is_cut_off() -> None:
    assert heard(wav(tone(12_000, 48_000), 48_000))[5:90].max() < 0.1
    long = tone(500, seconds=5)
    np.testing.assert_array_equal(heard(wav(long)), heard(wav(long[: int(2.1 * 16_000)])))


def test_what_the_standard_library_writes_is_read_and_a_length_may_be_unknown() -> None:
    file, samples = io.BytesIO(), np.rint(tone(700) * 32_767).astype("<i2")
    with wave.open(file, "wb") as written:
        written.setparams((1, 2, 16_000, 0, "NONE", ""))
        written.writeframes(samples.tobytes())
    np.testing.assert_array_equal(heard(file.getvalue()), heard(wav(tone(700))))
    np.testing.assert_array_equal(heard(wav(tone(700), size=0xFFFFFFFF)), heard(wav(tone(700))))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"ID3 not a wave", "does not begin as RIFF"),
        (wav(tone(500))[:30], "no samples"),
        (wav(tone(500))[:-9], "cut off"),
        (wav(tone(500), form=3), "format 3"),
        (wav(tone(500), bits=40), "40 bits"),
        (wav(np.zeros((9, 9))), "9 channels"),
        (wav(np.zeros(9), rate=200_000), "200,000 samples"),
        (wav(np.zeros(9), rate=0), "0 samples"),
        (wav(np.zeros(9)).replace(b"fmt ", b"nope"), "fmt chunk"),
        (b"\0" * (MAX_BYTES + 1), "at most 6,291,456"),
    ],
    ids=range(10),
)
def test_what_cannot_be_read_says_why(content: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        SOUND.of(SimpleNamespace(audio=content))


def test_the_same_bytes_give_the_same_numbers() -> None:
    content = wav(np.random.default_rng(2).normal(size=30_000) / 5, 44_100)
    np.testing.assert_array_equal(heard(content), heard(bytes(content)))


FILES = [wav(tone(500, seconds=0.01), bits=bits, form=form) for bits in (8, 24) for form in (1, 0xFFFE)]


def assert_short(why: str) -> None:
    """A reason is a sentence, whatever the file holds."""
    assert 10 < len(why) < 200


@settings(max_examples=300)
@given(data=st.data())
def test_no_bytes_do_harm(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(FILES)))
    kind = data.draw(st.sampled_from(["random", "cut", "changed"]))
    if kind == "random":
        content = bytearray(content[: data.draw(st.integers(0, 60))] + data.draw(st.binary(max_size=400)))
    elif kind == "cut":
        del content[data.draw(st.integers(0, len(content))) :]
    else:
        for _ in range(data.draw(st.integers(1, 8))):
            content[data.draw(st.integers(0, min(90, len(content) - 1)))] = data.draw(st.integers(0, 255))
    try:
        found = SOUND.of(SimpleNamespace(audio=bytes(content)))
    except Unreadable as error:
        found = None
        assert_short(str(error))
    assert found is None or (found.shape == (12_800,) and found.dtype == np.uint8)
