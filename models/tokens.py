"""A text as an encoder's tokens, by the file that came with it: a ``tokenizer.json``, or a SentencePiece model.

Pure: the same text gives the same tokens, in training and serving, whatever stood before it. Each kind is read by the
library that defines it; a text's tokens are among an encoder's golden answers, so that another version of a library
that cuts words otherwise is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.artifact import ArtifactError

#: Of a text so many characters are read for each token that may come of it: what a text costs is bounded.
CHARACTERS_A_TOKEN = 16
_MISSING = "{} is not installed, which this encoder's tokenizer needs: pip install 'offerstream[encoders]'"


@dataclass(frozen=True, slots=True)
class Reader:
    """What makes of a text its tokens, each below ``size``."""

    cut: Callable[[str], list[int]]
    size: int
    characters: int

    def __call__(self, text: str) -> list[int]:
        """The tokens of a text."""
        return self.cut(text[: self.characters])


def reader(name: str, content: bytes, most: int) -> Reader:
    """What makes of a text its tokens, at most so many, with those that the tokenizer puts first and last. ``name``:
    the file's. Raises ``ArtifactError``."""
    cut, size = (_of_json if name.endswith(".json") else _of_sentences)(name, content, most)
    return Reader(cut, size, CHARACTERS_A_TOKEN * most)


def _of_json(name: str, content: bytes, most: int) -> tuple[Callable[[str], list[int]], int]:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ArtifactError(_MISSING.format("tokenizers")) from None
    try:
        found = Tokenizer.from_buffer(content)
        found.no_padding()
        found.enable_truncation(most)
    except Exception as error:  # the library raises plain exceptions
        raise ArtifactError(f"{name} is no tokenizer: {error}") from error
    return lambda text: list(found.encode(text).ids), found.get_vocab_size()


def _of_sentences(name: str, content: bytes, most: int) -> tuple[Callable[[str], list[int]], int]:
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError:
        raise ArtifactError(_MISSING.format("sentencepiece")) from None
    try:
        found = SentencePieceProcessor(model_proto=content)
    except Exception as error:
        raise ArtifactError(f"{name} is no SentencePiece model: {error}") from error
    first, last = ([each] if each >= 0 else [] for each in (found.bos_id(), found.eos_id()))
    room = most - len(first) - len(last)
    if room < 1:
        raise ArtifactError(f"{name}: of {most} tokens none is left for a text.")
    return lambda text: [*first, *found.encode(text, out_type=int)[:room], *last], found.vocab_size()
