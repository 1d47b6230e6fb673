"""An encoder is proven before it is kept and each time it is loaded; what states no licence is not taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from PIL import Image

from models.artifact import ArtifactError
from models.encoder import CARD, GOLDEN, MODEL, TEXTS, TOKENIZER, Encoder, golden_pictures, of_folder, resized
from models.store import Store
from models.tokens import reader
from tests.models import encoders
from tests.models.encoders import DECLARED, SEES, VOCABULARY, folder


def with_text(**said: Any) -> dict[str, Any]:
    return DECLARED | {"text": DECLARED["text"] | said}


@pytest.mark.parametrize("said", [DECLARED, SEES], ids=["text", "image"])
def test_what_is_kept_answers_as_what_was_brought(said: dict[str, Any], tmp_path: Path) -> None:
    brought, store = of_folder(folder(tmp_path / "brought", said)), Store(str(tmp_path / "store"))
    store.keep_encoder(brought)
    store.keep_encoder(of_folder(tmp_path / "brought"))  # again, having taken another time: no error
    found = store.encoder(said["name"])
    assert (found.version, found.card, store.encoders()) == (brought.version, brought.card, [said["name"]])
    one, other = Encoder(brought), Encoder(found)
    asked = one.texts(["red tea", "cups"]) if "text" in said else one.pictures(golden_pictures())
    again = other.texts(["red tea", "cups"]) if "text" in said else other.pictures(golden_pictures())
    assert asked.dtype == np.float32
    assert np.array_equal(asked, again)
    np.testing.assert_allclose(np.linalg.norm(asked, axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("said", "files"),
    [
        (DECLARED, {"model": encoders.texts(seed=1)}),
        (DECLARED, {"tokenizer": encoders.wordpiece() + b"\n"}),
        (DECLARED | {"limits": "none"}, {}),
        (with_text(max_tokens=17), {}),
    ],
    ids=["graph", "tokenizer", "declaration", "tokens"],
)
def test_the_version_names_all_that_decides_a_vector(
    said: dict[str, Any], files: dict[str, bytes], tmp_path: Path
) -> None:
    assert of_folder(folder(tmp_path / "a")).version != of_folder(folder(tmp_path / "b", said, **files)).version


@pytest.mark.parametrize("licence", ["", "unknown", "NONE", "see LICENSE, §2", " "])
def test_an_encoder_without_a_licence_is_refused(licence: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="licence"):
        of_folder(folder(tmp_path, DECLARED | {"licence": licence}))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({k: v for k, v in DECLARED.items() if k != "licence"}, "missing required field `licence`"),
        ({k: v for k, v in DECLARED.items() if k != "text"}, "one of"),
        (DECLARED | {"image": SEES["image"]}, "one of"),
        (DECLARED | {"poling": "mean"}, "unknown field `poling`"),
        (DECLARED | {"name": "../x"}, "name"),
        (with_text(tokenizer="model.onnx"), "one file twice"),
        (SEES | {"image": {"side": 24, "deviation": [1, 0, 1]}}, "deviation"),
        (SEES | {"pooling": "mean"}, "pooled"),
        (with_text(mask=""), "takes input_ids, attention_mask"),
        (DECLARED | {"output": "logits"}, "gives hidden"),
        (DECLARED | {"pooling": "none"}, r"not finite \[1, width\]"),
        (with_text(max_tokens=2), "max_tokens"),
    ],
)
def test_what_cannot_be_so_is_refused(said: dict[str, Any], why: str, tmp_path: Path) -> None:
    files = (
        {"model": encoders.texts(last="same", same=np.ones((1, 1, 6), np.float32))} if why == "says the same" else {}
    )
    with pytest.raises(ArtifactError, match=why):
        of_folder(folder(tmp_path, said, **files))


def test_a_path_out_of_the_folder_is_no_file_of_it(tmp_path: Path) -> None:
    at = folder(tmp_path / "brought")
    (at / "encoder.toml").write_text(encoders.toml(with_text(tokenizer="../tokenizer.json")))
    with pytest.raises(ArtifactError, match=r"text\.tokenizer"):
        of_folder(at)


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (helper.make_node("RandomNormalLike", ["looked"], ["x"]), "off by|another order"),
        (helper.make_node("Log", ["looked"], ["x"]), "not finite"),
    ],
)
def test_a_graph_that_cannot_be_relied_on_is_refused(node: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=why):
        of_folder(folder(tmp_path, model=encoders.texts(node, last="x")))


@pytest.mark.parametrize("missing", ["encoder.toml", "model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(missing: str, tmp_path: Path) -> None:
    (folder(tmp_path) / missing).unlink()
    with pytest.raises(ArtifactError, match=missing):
        of_folder(tmp_path)


@pytest.mark.parametrize("damaged", [MODEL, TOKENIZER, CARD, GOLDEN])
def test_what_was_damaged_in_the_store_is_refused(damaged: str, tmp_path: Path) -> None:
    store, brought = Store(str(tmp_path / "store")), of_folder(folder(tmp_path / "brought"))
    store.keep_encoder(brought)
    path = tmp_path / "store" / "encoders" / "tiny" / brought.version / damaged
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Apache", b"Bpache") if damaged == CARD else content[:-1])
    with pytest.raises(ArtifactError):
        store.encoder("tiny")


def test_a_name_that_none_has_is_told_with_those_there_are(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with pytest.raises(ArtifactError, match="nor any other"):
        store.encoder("tiny")
    store.keep_encoder(of_folder(folder(tmp_path / "brought")))
    with pytest.raises(ArtifactError, match="did you mean tiny"):
        store.encoder("tinny")
    with pytest.raises(ArtifactError, match="0 versions"):
        store.encoder("tiny", "zz")


@pytest.fixture(scope="module")
def quantizing(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """One whose steps depend on all that is in a run."""
    quantize = helper.make_node("DynamicQuantizeLinear", ["looked"], ["q", "scale", "zero"])
    back = helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["x"])
    at = folder(tmp_path_factory.mktemp("brought"), model=encoders.texts(quantize, back, last="x"))
    return Encoder(of_folder(at))


@settings(max_examples=30)
@given(st.lists(st.text(max_size=12) | st.sampled_from(TEXTS[:3]), max_size=4))
def test_a_vector_does_not_depend_on_what_else_is_asked(quantizing: Encoder, asked: list[str]) -> None:
    together = quantizing.texts(asked)
    assert together.shape == (len(asked), 6)
    for text, vector in zip(asked, together, strict=True):
        assert np.array_equal(quantizing.texts([text])[0], vector)


def pieces(word: str) -> list[str]:
    """WordPiece of one word, said plainly: the longest piece that fits, again and again."""
    found, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        fits = [stop for stop in range(len(word), start, -1) if prefix + word[start:stop] in VOCABULARY]
        if not fits:
            return ["[UNK]"]
        found.append(prefix + word[start : fits[0]])
        start = fits[0]
    return found


@given(st.lists(st.sampled_from(["red", "TEA", "teas", "unread", "cups", "s", "tea", "2", "xs", "reds"]), max_size=20))
def test_words_are_cut_as_wordpiece_says(words: list[str]) -> None:
    read = reader("tokenizer.json", encoders.wordpiece(), 16)
    wanted = [VOCABULARY.index(piece) for word in words for piece in pieces(word.lower())]
    assert read(" ".join(words)) == [2, *wanted[:14], 3]


def test_marks_and_chinese_stand_alone_and_accents_fall() -> None:
    read = reader("tokenizer.json", encoders.wordpiece(), 16)
    assert [VOCABULARY[i] for i in read("Réd,茶tea")] == ["[CLS]", "red", ",", "茶", "tea", "[SEP]"]


@given(st.text(max_size=60))
def test_sentences_are_cut_as_their_library_does(text: str) -> None:
    from sentencepiece import SentencePieceProcessor

    told = SentencePieceProcessor(model_proto=encoders.sentences())
    wanted = told.encode(text, out_type=int, add_bos=True, add_eos=True)
    found = reader("sp.model", encoders.sentences(), 12)(text)
    assert found == (wanted if len(wanted) <= 12 else [*wanted[:11], wanted[-1]])


@pytest.mark.parametrize("name", ["tokenizer.json", "sp.model"])
def test_what_is_no_tokenizer_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=name):
        of_folder(folder(tmp_path, with_text(tokenizer=name), tokenizer=b"nonsense"))


def test_a_sentencepiece_encoder_is_brought_as_well(tmp_path: Path) -> None:
    said, graph = with_text(tokenizer="sp.model"), encoders.texts(vocabulary=64)
    found = Encoder(of_folder(folder(tmp_path, said, tokenizer=encoders.sentences(), model=graph)))
    alike = found.texts(["a cup of red tea", "a cup of tea", "unread"])
    assert alike[0] @ alike[1] > alike[0] @ alike[2]


def test_a_text_without_tokens_is_a_vector_of_nothing(tmp_path: Path) -> None:
    plain = json.dumps(encoders.WORDPIECE | {"post_processor": None}).encode()
    found = Encoder(of_folder(folder(tmp_path, tokenizer=plain)))
    assert not found.texts(["", " "]).any()
    assert found.texts(["", "tea"])[1].any()


@pytest.mark.parametrize(("old", "new"), [(96, 224), (96, 32), (10, 7), (24, 24), (5, 160)])
def test_pictures_are_scaled_as_pillow_does(old: int, new: int) -> None:
    points = np.random.default_rng(old).integers(0, 256, (old, old, 3)).astype(np.uint8)
    wanted = [
        np.asarray(Image.fromarray(points[..., c].astype(np.float32)).resize((new, new), Image.Resampling.BILINEAR))
        for c in range(3)
    ]
    np.testing.assert_allclose(resized(points, new), np.stack(wanted, axis=-1), atol=1e-3)


def test_an_encoder_of_one_kind_refuses_the_other(tmp_path: Path) -> None:
    reads, eye = (Encoder(of_folder(folder(tmp_path / said["name"], said))) for said in (DECLARED, SEES))
    with pytest.raises(ValueError, match="encodes texts"):
        reads.pictures(golden_pictures())
    with pytest.raises(ValueError, match="encodes pictures"):
        eye.texts(["tea"])
    with pytest.raises(ValueError, match="uint8"):
        eye.pictures(golden_pictures().astype(np.float32))


def test_channels_stand_where_the_graph_wants_them(tmp_path: Path) -> None:
    turned = helper.make_node("Transpose", ["last"], ["input"], perm=[0, 3, 1, 2])
    nodes = [turned, helper.make_node("GlobalAveragePool", ["input"], ["p"]), helper.make_node("Flatten", ["p"], ["v"])]
    graph = encoders.model(nodes, {"last": (TensorProto.FLOAT, [1, 24, 24, 3])}, "v", 2)
    image = SEES["image"] | {"layout": "channels_last", "input": "last"}
    said = SEES | {"output": "v", "length_one": False, "image": image}
    points = golden_pictures()
    found = Encoder(of_folder(folder(tmp_path, said, model=graph))).pictures(points)
    wanted = (points.mean(axis=(1, 2)) / 255 - 0.5) / np.array([0.5, 0.25, 0.5])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
