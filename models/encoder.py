"""A pre-trained encoder: a text or a picture in, a vector out. Not one task's model: a teacher, or an input of several.

Its artifact is like a task's: ``model.onnx``, a card, golden answers, and of texts the tokenizer. One digest covers
graph, tokenizer and declaration, and names the version; the card states the licence. It is proven before it is used,
each time: tokens exactly, vectors within what is declared, bit for bit the same in another order.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from models.artifact import VERSION_DIGITS, ArtifactError, seal, sealed
from models.declared import DECLARATION, Declaration, Image, checked, of_card, read
from models.session import session
from models.tokens import reader

Vectors = npt.NDArray[np.float32]
Points = npt.NDArray[np.uint8]
#: An encoder's files in a store, whatever they were called where it came from. Of pictures there is no tokenizer.
MODEL, TOKENIZER, CARD, GOLDEN = "model.onnx", "tokenizer", "card.json", "golden.npz"
CARD_KEYS = ("encoder", "version", "digest", "declaration", "sha256", "width", "milliseconds")
#: Texts that every encoder of texts is proven on: empty, cut off, several scripts, what normalisation changes.
TEXTS = (
    "",
    "usb-c cable 2 m",
    "Wireless headset X200 with microphone, black",
    "The fabric is soft, but it came two sizes too small.",
    "收到的时候包装破损，味道还不错",
    "¿Dónde está mi pedido? Straße, naïve",
    "日本語のテキスト　ＡＢＣ１２３",
    "ﬁne ½ 😀 <b>x</b> \u200b\u0301 & co.",
    "word " * 600,
)
#: Side of the pictures that an encoder of pictures is proven on, and how many there are.
SIDE, PICTURES = 96, 4


@dataclass(frozen=True, slots=True)
class EncoderArtifact:
    """An encoder's bytes and card, checked against each other."""

    declaration: Declaration
    card: dict[str, Any]
    model: bytes
    tokenizer: bytes
    """Empty of an encoder of pictures."""
    golden: Mapping[str, npt.NDArray[Any]]
    """``vectors``, of texts also ``tokens`` (of all, end to end) and ``lengths``."""

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def version(self) -> str:
        return str(self.card["version"])

    @property
    def digest(self) -> str:
        return str(self.card["digest"])

    def files(self) -> dict[str, bytes]:
        """The artifact as its files."""
        packed = io.BytesIO()
        np.savez_compressed(packed, allow_pickle=False, **self.golden)
        golden = packed.getvalue()
        found = {MODEL: self.model, GOLDEN: golden, CARD: sealed(self.card, golden)}
        return found | ({TOKENIZER: self.tokenizer} if self.declaration.text else {})


def digest_of(declaration: Declaration, model: bytes, tokenizer: bytes) -> str:
    """One digest of all that decides a vector."""
    said = {"declaration": msgspec.to_builtins(declaration), "sha256": _sha256(model, tokenizer)}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _sha256(model: bytes, tokenizer: bytes) -> dict[str, str]:
    found = {MODEL: model} | ({TOKENIZER: tokenizer} if tokenizer else {})
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


def of_folder(folder: Path) -> EncoderArtifact:
    """The encoder that a folder declares, proven. Raises ``ArtifactError``."""
    try:
        declaration = read((folder / DECLARATION).read_bytes(), f"{folder}/{DECLARATION}")
        files = [(folder / name).read_bytes() for name in declaration.files]
    except OSError as error:
        raise ArtifactError(f"{folder} holds no encoder: {error}") from error
    return made(declaration, *files)


def made(declaration: Declaration, model: bytes, tokenizer: bytes = b"") -> EncoderArtifact:
    """An encoder with its golden answers and what it costs, proven. Raises ``ArtifactError``."""
    checked(declaration)
    digest = digest_of(declaration, model, tokenizer)
    card = {
        "encoder": declaration.name,
        "version": digest[:VERSION_DIGITS],
        "digest": digest,
        "declaration": json.loads(msgspec.json.encode(declaration)),
        "sha256": _sha256(model, tokenizer),
    }
    first = Encoder(EncoderArtifact(declaration, card, model, tokenizer, {}), prove=False)
    golden = first.golden()
    card |= {"width": int(golden["vectors"].shape[1]), "milliseconds": first.milliseconds()}
    artifact = EncoderArtifact(declaration, card, model, tokenizer, golden)
    Encoder(artifact)
    return artifact


def parse(name: str, files: Mapping[str, bytes], folder: str) -> EncoderArtifact:
    """An encoder from its files, checked; ``folder`` is only named in errors. Raises ``ArtifactError``."""
    try:
        card = json.loads(files[CARD])
        with np.load(io.BytesIO(files[GOLDEN])) as packed:
            golden = {each: packed[each] for each in packed.files}
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{folder}: {CARD} or {GOLDEN} cannot be read: {error}") from error
    if not isinstance(card, dict) or any(key not in card for key in CARD_KEYS):
        raise ArtifactError(f"{folder}/{CARD} does not say all of {', '.join(CARD_KEYS)}.")
    if card.pop("seal", None) != seal(card, files[GOLDEN]):
        raise ArtifactError(
            f"{folder}/{CARD} or {GOLDEN} was changed after the encoder was proven: its seal is broken."
        )
    declaration = of_card(card["declaration"])
    model, tokenizer = files[MODEL], files.get(TOKENIZER, b"")
    digest = digest_of(declaration, model, tokenizer)
    if digest != card["digest"] or card["version"] != digest[:VERSION_DIGITS]:
        raise ArtifactError(
            f"{folder} has the digest {digest[:16]}…, its card says {str(card['digest'])[:16]}…: a file is truncated "
            "or was changed after it was proven."
        )
    if declaration.name != name:
        raise ArtifactError(f"{folder} holds encoder {declaration.name!r}, not {name!r}.")
    return EncoderArtifact(declaration, card, model, tokenizer, golden)


class Encoder:
    """Encodes with one artifact, which it proves before it is used. Raises ``ArtifactError``.

    One text or picture is one run of the graph: with several, a graph that quantizes as it goes, or pads, would give a
    text other bits beside another one. ``prove`` is False for one that is still to tell its golden answers.
    """

    def __init__(self, artifact: EncoderArtifact, *, prove: bool = True) -> None:
        self.artifact, declared = artifact, artifact.declaration
        self.name, self.version, self.digest = artifact.name, artifact.version, artifact.digest
        self._declared = declared
        self._session = session(artifact.model, declared.name)
        inputs = {each.name: each for each in self._session.get_inputs()}
        if declared.text:
            self.tokens = reader(declared.text.tokenizer, artifact.tokenizer, declared.text.max_tokens)
            wanted = [each for each in (declared.text.ids, declared.text.mask, declared.text.types) if each]
        else:
            assert declared.image
            wanted = [declared.image.input]
        outputs = [each.name for each in self._session.get_outputs()]
        if sorted(inputs) != sorted(wanted) or declared.output not in outputs:
            raise ArtifactError(
                f"The model of {declared.name!r} takes {', '.join(inputs)} and gives {', '.join(outputs)}; declared "
                f"are {', '.join(wanted)} and {declared.output}."
            )
        whole = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
        self._types = {name: whole.get(each.type, np.float32) for name, each in inputs.items()}
        if prove:
            self._prove()

    def texts(self, texts: Sequence[str]) -> Vectors:
        """[n, width] of each text; 0 everywhere of one without tokens."""
        if not self._declared.text:
            raise ValueError(f"{self.name!r} encodes pictures.")
        found = [self._of_tokens(self.tokens(text)) for text in texts]
        some = next((each for each in found if each is not None), None)
        width = len(some) if some is not None else int(self.artifact.card["width"])
        return np.array([np.zeros(width) if each is None else each for each in found], np.float32).reshape(-1, width)

    def pictures(self, points: Points) -> Vectors:
        """[n, width] of each picture [n, side, side, 3], red, green and blue in 0 … 255, of any side."""
        declared = self._declared.image
        if not declared:
            raise ValueError(f"{self.name!r} encodes texts.")
        if points.dtype != np.uint8 or points.ndim != 4 or points.shape[1] != points.shape[2] or points.shape[3] != 3:
            raise ValueError(f"{self.name!r} takes uint8 [n, side, side, 3], not {points.dtype} {list(points.shape)}.")
        found = [self._of_row({declared.input: tensor(each, declared)}) for each in points]
        return np.array(found, np.float32).reshape(len(points), -1)

    def golden(self) -> dict[str, npt.NDArray[Any]]:
        """What it answers of what every encoder is proven on."""
        if not self._declared.text:
            return {"vectors": self.pictures(golden_pictures())}
        tokens = [self.tokens(text) for text in TEXTS]
        flat = np.array([token for each in tokens for token in each], np.int64)
        return {"vectors": self.texts(TEXTS), "tokens": flat, "lengths": np.array([len(each) for each in tokens])}

    def milliseconds(self) -> dict[str, float]:
        """What one costs on this machine, the best of five: a ``picture``, or a ``query`` and the ``longest`` text."""

        def least(run: Any) -> float:
            spent = []
            for _ in range(5):
                began = time.perf_counter()
                run()
                spent.append(time.perf_counter() - began)
            return round(min(spent) * 1000, 2)

        if not self._declared.text:
            some = golden_pictures()[:1]
            return {"picture": least(lambda: self.pictures(some))}
        return {"query": least(lambda: self.texts(TEXTS[1:2])), "longest": least(lambda: self.texts(TEXTS[-1:]))}

    def _prove(self) -> None:
        golden, wanted = self.golden(), self.artifact.golden
        if golden.keys() != wanted.keys():
            raise ArtifactError(f"The golden answers of {self.name!r} are {sorted(wanted)}, not {sorted(golden)}.")
        for each in ("tokens", "lengths"):
            if each in golden and not np.array_equal(golden[each], wanted[each]):
                raise ArtifactError(
                    f"The tokenizer of {self.name!r} cuts golden texts otherwise than when it was proven: the library "
                    "that reads it is of another version."
                )
        vectors, told = golden["vectors"], wanted["vectors"]
        if vectors.shape != told.shape or vectors.shape[1] != self.artifact.card["width"] or vectors.shape[1] < 2:
            raise ArtifactError(f"{self.name!r} gives {vectors.shape}, not {told.shape}, the width being 2 at least.")
        off = float((np.abs(vectors - told) / np.maximum(1, np.abs(told))).max())
        if not off <= self._declared.tolerance:
            raise ArtifactError(
                f"{self.name!r} is off by {off:g} on its golden answers: this is not the encoder that was proven, or "
                "this machine computes otherwise."
            )
        if len(np.unique(vectors, axis=0)) < 2:
            raise ArtifactError(f"{self.name!r} says the same of everything.")
        again = self.texts(TEXTS[::-1]) if self._declared.text else self.pictures(golden_pictures()[::-1])
        if not np.array_equal(again[::-1], vectors):
            raise ArtifactError(f"{self.name!r} says something else when it is asked in another order.")

    def _of_tokens(self, tokens: list[int]) -> Vectors | None:
        text = self._declared.text
        assert text
        if not tokens:
            return None
        ids = np.array([tokens], np.int64)
        given = {text.ids: ids, text.mask: np.ones_like(ids), text.types: np.zeros_like(ids)}
        return self._of_row({name: values for name, values in given.items() if name})

    def _of_row(self, given: Mapping[str, npt.NDArray[Any]]) -> Vectors:
        typed = {name: values.astype(self._types[name], copy=False) for name, values in given.items()}
        try:
            found = np.asarray(self._session.run([self._declared.output], typed)[0], np.float32)
        except Exception as error:  # ONNX Runtime raises a class of its own per kind of fault
            raise ArtifactError(f"The model of {self.name!r} fails: {error}") from error
        pooled = self._declared.pooling != "none"
        if found.ndim != 2 + pooled or found.shape[0] != 1 or not np.isfinite(found).all():
            wanted = "[1, tokens, width]" if pooled else "[1, width]"
            raise ArtifactError(f"The model of {self.name!r} gives {list(found.shape)}, not finite {wanted}.")
        vector = found[0] if not pooled else found[0, 0] if self._declared.pooling == "first" else found[0].mean(axis=0)
        if not self._declared.length_one:
            return vector
        return vector / np.maximum(np.sqrt((vector * vector).sum(dtype=np.float32)), np.float32(1e-12))


def golden_pictures() -> Points:
    """[PICTURES, SIDE, SIDE, 3] made ones: coarse noise, each finer than the one before."""
    drawn = np.random.default_rng(7)
    blocks = (2**k for k in range(1, PICTURES + 1))
    return np.array(
        [np.kron(drawn.integers(0, 256, (n, n, 3)), np.ones((SIDE // n, SIDE // n, 1))) for n in blocks], np.uint8
    )


def tensor(points: Points, declared: Image) -> Vectors:
    """One picture as an encoder takes it: [1, 3, side, side] or [1, side, side, 3], scaled, in the declared units."""
    scaled = resized(points, declared.side) / np.float32(255)
    mean, deviation = (np.array(each, np.float32) for each in (declared.mean, declared.deviation))
    shown = (scaled - mean) / deviation
    return shown.transpose(2, 0, 1)[None] if declared.layout == "channels_first" else shown[None]


def resized(points: npt.NDArray[Any], side: int) -> Vectors:
    """[side, side, 3] a picture scaled bilinearly, as Pillow scales numbers: over all points that a new one covers."""
    return _scaled(_scaled(points.astype(np.float32), side).transpose(1, 0, 2), side).transpose(1, 0, 2)


def _scaled(rows: Vectors, side: int) -> Vectors:
    """[side, w, 3] of [h, w, 3]; points are added in their order, so that the bits are the same anywhere."""
    place, weight = _covered(len(rows), side)
    found = np.zeros((side, *rows.shape[1:]), np.float32)
    for k in range(place.shape[1]):
        found += rows[place[:, k]] * weight[:, k, None, None]
    return found


@lru_cache(maxsize=8)
def _covered(old: int, new: int) -> tuple[npt.NDArray[np.int64], Vectors]:
    """([new, k] the old points that each new one covers, [new, k] how much each counts)."""
    scale = old / new
    reach = max(scale, 1.0)
    centres = (np.arange(new) + 0.5) * scale
    first = np.floor(centres - reach).astype(np.int64)
    place = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 1)
    weight = np.maximum(0, 1 - np.abs(place + 0.5 - centres[:, None]) / reach) * ((place >= 0) & (place < old))
    return place.clip(0, old - 1), (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
