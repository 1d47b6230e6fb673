"""Tiny encoders: a table of tokens, and a network of pictures."""

from __future__ import annotations

import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "tea", "cup", "un", "##read", "##s", "s", "茶", ",", "2")
WORDPIECE: dict[str, Any] = {
    "version": "1.0",
    "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "padding": None,
    "added_tokens": [
        {"id": i, "content": VOCABULARY[i], "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True} for i in range(4)
    ],
    "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                   "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    "decoder": None,
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100, "vocab": {word: i for i, word in enumerate(VOCABULARY)}},
}  # fmt: skip
DECLARED: dict[str, Any] = {
    "name": "tiny", "licence": "Apache-2.0", "source": "drawn", "output": "hidden", "pooling": "mean",
    "text": {"tokenizer": "tokenizer.json", "max_tokens": 16, "mask": "attention_mask"},
}  # fmt: skip
SEES: dict[str, Any] = {
    "name": "eye", "licence": "MIT", "source": "drawn", "output": "vector",
    "image": {"side": 24, "mean": [0.5, 0.5, 0.5], "deviation": [0.5, 0.25, 0.5]},
}  # fmt: skip


def wordpiece() -> bytes:
    """A tokenizer.json."""
    return json.dumps(WORDPIECE).encode()


@lru_cache
def sentences() -> bytes:
    """A SentencePiece model."""
    from sentencepiece import SentencePieceTrainer

    made = io.BytesIO()
    said = ["a cup of red tea", "the tea is red", "unread cups", "two cups, 2 teas", "一杯茶"] * 4
    SentencePieceTrainer.train(
        sentence_iterator=iter(said), model_writer=made, vocab_size=40, hard_vocab_limit=False, minloglevel=2
    )
    return made.getvalue()


def model(nodes: list[Any], inputs: dict[str, tuple[Any, list[Any]]], output: str, rank: int, **numbers: Any) -> bytes:
    """A graph of some nodes."""
    constants = [numpy_helper.from_array(np.asarray(values), name) for name, values in numbers.items()]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, *of) for name, of in inputs.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None] * rank)],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString(deterministic=True))


def texts(*more: Any, seed: int = 0, last: str = "looked", vocabulary: int = len(VOCABULARY), **numbers: Any) -> bytes:
    """A graph that gives [1, tokens, 6], with nodes ``more`` after it, of which the one called ``last`` is given."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["looked"]),
        *more,
        helper.make_node("Identity", [last], ["hidden"]),
    ]
    inputs: dict[str, tuple[Any, list[Any]]] = {
        name: (TensorProto.INT64, [1, "t"]) for name in ("input_ids", "attention_mask")
    }
    drawn = np.random.default_rng(seed).normal(size=(vocabulary, 6)).astype(np.float32)
    return model(nodes, inputs, "hidden", 3, **({"table": drawn} | numbers))


def sees() -> bytes:
    """A graph that gives [1, 5] of a picture of 24 points' side."""
    nodes = [
        helper.make_node("Conv", ["input", "kernel"], ["c"], strides=[8, 8]),
        helper.make_node("GlobalAveragePool", ["c"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
    ]
    kernel = np.random.default_rng(0).normal(size=(5, 3, 8, 8)).astype(np.float32)
    return model(nodes, {"input": (TensorProto.FLOAT, [1, 3, 24, 24])}, "vector", 2, kernel=kernel)


def toml(said: dict[str, Any], table: str = "") -> str:
    """A declaration as its file."""
    plain = [f"{k} = {json.dumps(v)}" for k, v in said.items() if not isinstance(v, dict)]
    inner = [toml(v, k) for k, v in said.items() if isinstance(v, dict)]
    return "\n".join(([f"[{table}]"] if table else []) + plain + inner) + "\n"


def folder(at: Path, said: dict[str, Any] = DECLARED, **files: bytes) -> Path:
    """A folder that declares an encoder; ``files``: others in place of model and tokenizer."""
    at.mkdir(parents=True, exist_ok=True)
    (at / "encoder.toml").write_text(toml(said))
    (at / "model.onnx").write_bytes(files.get("model", texts() if "text" in said else sees()))
    if "text" in said:
        (at / said["text"]["tokenizer"]).write_bytes(files.get("tokenizer", wordpiece()))
    return at
