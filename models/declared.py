"""What an ``encoder.toml`` says: what an encoder takes, how its vectors come out of it, and under which licence."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.artifact import ArtifactError

#: The file of a folder that declares an encoder.
DECLARATION = "encoder.toml"
_Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
_File = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
_Some = Annotated[str, Meta(min_length=1)]
_Colours = tuple[float, float, float]
#: What stands where a licence should and names none.
_NO_LICENCE = ("none", "unknown", "noassertion", "other", "tbd", "todo")


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An encoder of texts, one per run of its graph, so that what else is asked changes no bit."""

    tokenizer: _File
    """A file beside the declaration: a ``tokenizer.json``, or under any other ending a SentencePiece model."""
    max_tokens: Annotated[int, Meta(ge=3, le=8192)]
    """What comes after so many is not read."""
    ids: _Some = "input_ids"
    """The graph's input [1, tokens], int32 or int64 …"""
    mask: str = ""
    """… another that is 1 everywhere, where it has one …"""
    types: str = ""
    """… and one that is 0 everywhere."""


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An encoder of pictures: red, green and blue in 0 … 1, less ``mean``, divided by ``deviation``."""

    side: Annotated[int, Meta(ge=8, le=1024)]
    """Pictures are scaled to [side, side]."""
    input: _Some = "input"
    layout: Literal["channels_first", "channels_last"] = "channels_first"
    mean: _Colours = (0.0, 0.0, 0.0)
    deviation: _Colours = (1.0, 1.0, 1.0)


class Declaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An encoder. Exactly one of ``text`` and ``image`` says what it takes."""

    name: _Name
    licence: _Some
    """An SPDX expression, such as ``Apache-2.0``, of the weights; it is in the card, and one that states none is
    refused."""
    source: _Some
    """Where the weights come from, with their version."""
    output: _Some
    """The graph's output that is read."""
    intended_use: str = ""
    limits: str = ""
    model: _File = "model.onnx"
    pooling: Literal["none", "mean", "first"] = "none"
    """Of an output [1, width] none; of one [1, tokens, width] the mean over the tokens, or the first one's."""
    length_one: bool = True
    """Whether vectors are brought to length 1."""
    tolerance: Annotated[float, Meta(gt=0, le=0.1)] = 1e-4
    """How far a golden vector may be off on another processor, of numbers beyond 1 in proportion."""
    text: Text | None = None
    image: Image | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Files that belong to it, beside the declaration."""
        return (self.model, self.text.tokenizer) if self.text else (self.model,)


def checked(declaration: Declaration) -> Declaration:
    """The same, where what it says can be so. Raises ``ArtifactError``."""
    of = f"The declaration of {declaration.name!r}"
    if (declaration.text is None) == (declaration.image is None):
        raise ArtifactError(f"{of} needs one of [text] and [image].")
    if declaration.image and (declaration.pooling != "none" or min(declaration.image.deviation) <= 0):
        raise ArtifactError(f"{of}: of pictures nothing is pooled, and no deviation is 0 or less.")
    if len(set(declaration.files)) != len(declaration.files):
        raise ArtifactError(f"{of} names one file twice.")
    stated = declaration.licence.strip()
    if stated.lower() in _NO_LICENCE or not re.fullmatch(r"[A-Za-z0-9.+() -]+", stated):
        raise ArtifactError(
            f"{of} states no licence ({declaration.licence!r}): an SPDX expression is needed, such as Apache-2.0. What "
            "states none is not taken."
        )
    return declaration


def read(content: bytes, whose: str) -> Declaration:
    """A declaration from its file; ``whose`` is named in errors. Raises ``ArtifactError``."""
    try:
        return checked(msgspec.toml.decode(content, type=Declaration))
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ArtifactError(f"{whose}: {error}") from error


def of_card(said: object) -> Declaration:
    """A declaration as a card says it. Raises ``ArtifactError``."""
    try:
        return checked(msgspec.convert(said, Declaration))
    except msgspec.MsgspecError as error:
        raise ArtifactError(f"The card declares no encoder: {error}") from error
