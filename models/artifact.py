"""A proven model on disk: ``model.onnx``, its card, and rows with the answers it must give."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.task import Task

#: What a card must say before its model may be loaded.
CARD_KEYS = (
    "task",
    "version",
    "digest",
    "opset",
    "features",
    "outputs",
    "reference",
    "data",
    "split",
    "seed",
    "metrics",
    "baselines",
    "intended_use",
    "limits",
)


class ArtifactError(RuntimeError):
    """An artifact is missing, broken, tampered with, or not the one its card describes."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model's bytes and card, checked against each other and the task."""

    task: Task
    card: dict[str, Any]
    model: bytes

    @property
    def version(self) -> str:
        return str(self.card["version"])

    @property
    def digest(self) -> str:
        return str(self.card["digest"])

    @property
    def reference(self) -> npt.NDArray[np.float32]:
        """[f] a typical shopper: the medians of the training rows, in the order of the task's features."""
        return np.array(self.card["reference"], np.float32)


def load_artifact(task: Task, folder: Path | None = None) -> Artifact:
    """Read and check an artifact; nothing is handed to ONNX Runtime before its digest was. Raises ``ArtifactError``."""
    folder = folder or task.folder
    try:
        card = json.loads((folder / "card.json").read_text())
        model = (folder / "model.onnx").read_bytes()
    except FileNotFoundError as error:
        raise ArtifactError(f"{error.filename} does not exist. Train it: offerstream train {task.name}") from error
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{folder} cannot be read: {error}") from error
    missing = [key for key in CARD_KEYS if key not in card]
    if missing:
        raise ArtifactError(f"{folder}/card.json lacks {', '.join(missing)}.")
    if card["task"] != task.name:
        raise ArtifactError(f"{folder} holds a model for {card['task']!r}, not for {task.name!r}.")
    digest = hashlib.sha256(model).hexdigest()
    if digest != card["digest"]:
        raise ArtifactError(
            f"{folder}/model.onnx has the digest {digest[:16]}…, its card says {card['digest'][:16]}…: "
            "the file is truncated or was changed after it was proven."
        )
    if tuple(card["features"]) != task.features:
        raise ArtifactError(
            f"{folder} was trained on other features, or in another order, than task {task.name!r} lists. "
            f"Train it anew: offerstream train {task.name}"
        )
    if tuple(card["outputs"]) != task.outputs or len(card["reference"]) != len(task.features):
        raise ArtifactError(f"{folder}/card.json does not have the outputs or the reference row of the task.")
    return Artifact(task, card, model)


def golden_rows(folder: Path) -> tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.float32]]]:
    """Real rows and what the proven model answered, by output name."""
    with np.load(folder / "golden.npz") as file:
        answers = {name: file[name] for name in file.files if name != "rows"}
        return file["rows"], answers
