"""A proven model on disk: ``model.onnx``, its card, and rows with the answers it must give."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.likeness import Likeness
from models.task import AtLeast, Task, Taught

#: A version is named by this many digits of its digest.
VERSION_DIGITS = 12
#: The levels of an alert, lowest first.
LEVELS = ("watch", "high", "critical")
#: What a card must say before its model may be loaded.
CARD_KEYS = (
    "task",
    "version",
    "digest",
    "opset",
    "features",
    "widths",
    "meanings",
    "codes",
    "population",
    "upstream",
    "outputs",
    "reference",
    "distributions",
    "data",
    "split",
    "seed",
    "metrics",
    "baselines",
    "intended_use",
    "limits",
)
#: What a card may say as well. ``levels``: from which score of which output on alerts have which level, what that
#: promises, and what became of it. ``recalibration``: how far off scores were, as foretold and as recalibrated.
#: ``effects``: of each arm, what it does on average, and whether people differ in it.
#: ``tiers``: from which revenue on a shopper is among those who bring most.
#: ``sure``: from which confidence on (``from``; null: from none) an answer counts, and which share of those is promised
#: to be right.
#: ``least``: from which chance on an attribute is said, by text.
#: ``names``: what a ranking's or text's whole numbers, or the places of effects, stand for, in order.
#: ``likeness``: what the first of these are like, and how much it counts (``models.likeness``).
CARD_MAY_SAY = ("levels", "recalibration", "names", "effects", "tiers", "sure", "least", "likeness")
#: A feature of more numbers than this is a picture or a sound. A typical one is 0 everywhere, and no card lists it.
WIDE = 1024
#: Golden rows: at most so many, and fewer where they would take more bytes, compressed.
GOLDEN_ROWS, GOLDEN_BYTES = 256, 1 << 20


class ArtifactError(RuntimeError):
    """An artifact is missing, broken, tampered with, or not the one its card describes."""


class UnknownName(ArtifactError):
    """No task or version has the name that was given."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model's bytes and card, checked against each other and the task."""

    task: Task
    card: dict[str, Any]
    model: bytes
    golden: npt.NDArray[np.float32]
    """Real rows …"""
    answers: dict[str, npt.NDArray[np.float32]]
    """… and what the proven model answered, by output name."""

    def files(self) -> dict[str, bytes]:
        """The artifact as its files."""
        golden = _packed(self.golden, self.answers)
        return {"model.onnx": self.model, "card.json": sealed(self.card, golden), "golden.npz": golden}

    @property
    def version(self) -> str:
        return str(self.card["version"])

    @property
    def digest(self) -> str:
        return str(self.card["digest"])

    @property
    def widths(self) -> tuple[int, ...]:
        """How many numbers of a row each of the task's features takes."""
        return tuple(self.card["widths"])

    @property
    def upstream(self) -> dict[str, str]:
        """task → digest of the model whose outputs this one was trained on and must be given."""
        return dict(self.card["upstream"])

    @property
    def reference(self) -> npt.NDArray[np.float32]:
        """[sum of widths] a typical row: the medians of the training rows, in the order of the task's features; 0 for
        pictures and sounds."""
        row = np.zeros(sum(self.widths), np.float32)
        row[listed(self.widths)] = self.card["reference"]
        return row


def golden_of(
    rows: npt.NDArray[np.float32], answers: dict[str, npt.NDArray[np.float32]]
) -> tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.float32]]]:
    """The first of some rows with their answers, as many as an artifact keeps: pictures are large."""
    n = min(len(rows), GOLDEN_ROWS, max(1, 8 * GOLDEN_BYTES // (4 * rows.shape[1])))
    while n > 1 and len(_packed(rows[:n], {name: values[:n] for name, values in answers.items()})) > GOLDEN_BYTES:
        n -= -(-n // 4)
    return rows[:n], {name: values[:n] for name, values in answers.items()}


def _packed(rows: npt.NDArray[np.float32], answers: dict[str, npt.NDArray[np.float32]]) -> bytes:
    golden = io.BytesIO()
    np.savez_compressed(golden, allow_pickle=False, rows=rows, **answers)
    return golden.getvalue()


def listed(widths: Sequence[int]) -> npt.NDArray[np.bool_]:
    """[sum of widths] which numbers of a row a card lists typical values of: all but those of pictures and sounds."""
    return np.repeat(np.array(widths) <= WIDE, widths)


def population_of(task: Task) -> list[list[Any]]:
    """Whom a task can judge, as a card says it: of every condition [address, least value] or [address, names of what
    was taught]."""
    return [[c.address, list(c.names) if isinstance(c, Taught) else c.least] for c in task.population]


def _condition(address: str, said: Any) -> AtLeast | Taught:
    return Taught(address, tuple(said)) if isinstance(said, list) else AtLeast(address, said)


def _check_levels(levels: Any, task: Task, folder: str) -> None:
    """Raises ``ArtifactError`` for levels that alerts cannot be made by."""
    if levels is None:
        return
    try:
        thresholds, promised = levels["thresholds"], levels["promised"]
        ascending = list(thresholds.values()) == sorted(thresholds.values()) and list(thresholds) == list(LEVELS)
        right = ascending and set(promised) == set(LEVELS) and levels["output"] in task.output_names
        right = right and levels["days"] > 0
    except (KeyError, TypeError, AttributeError):
        right = False
    if not right:
        raise ArtifactError(
            f"{folder}/card.json: levels needs an output of the task, its days, and thresholds and promised of "
            f"{', '.join(LEVELS)}, the thresholds ascending. Train it anew: offerstream train {task.name}"
        )


FILES = ("model.onnx", "card.json", "golden.npz")


def seal(card: dict[str, Any], golden: bytes) -> str:
    """Digest of what the card says and of the golden rows: neither changes unnoticed."""
    return hashlib.sha256(json.dumps(card, sort_keys=True).encode() + golden).hexdigest()


def sealed(card: dict[str, Any], golden: bytes) -> bytes:
    """A card as its file, with its seal. A line per entry: small, and two cards can be compared."""
    entries = (
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for key, value in (card | {"seal": seal(card, golden)}).items()
    )
    return ("{\n" + ",\n".join(entries) + "\n}\n").encode()


def load_artifact(task: Task, folder: Path | None = None) -> Artifact:
    """Read and check an artifact that must be of the task as it is now; nothing is handed to ONNX Runtime before its
    digest was. Raises ``ArtifactError``."""
    folder = folder or task.folder
    anew = f"Train it anew: offerstream train {task.name} --out {folder}"
    artifact = parse_artifact(task, files_of(task, folder), str(folder))
    if artifact.task.features != task.features:
        raise ArtifactError(
            f"{folder} was trained on other features, or in another order, than task {task.name!r} lists. {anew}"
        )
    if tuple(condition.declared for condition in artifact.task.population) != task.population:
        raise ArtifactError(
            f"{folder} was trained to judge {artifact.card['population']}, task {task.name!r} says "
            f"{population_of(task)}. {anew}"
        )
    return artifact


def files_of(task: Task, folder: Path) -> dict[str, bytes]:
    """An artifact's files as they lie in a folder. Raises ``ArtifactError``."""
    try:
        return {name: (folder / name).read_bytes() for name in FILES}
    except FileNotFoundError as error:
        anew = f"Train it anew: offerstream train {task.name} --out {folder}"
        raise ArtifactError(f"{error.filename} does not exist. {anew}") from error
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be read: {error}") from error


def parse_artifact(task: Task, files: dict[str, bytes], folder: str) -> Artifact:
    """An artifact from its files, checked; ``folder`` is only named in errors. Raises ``ArtifactError``.

    Features and population are the card's: a version that was trained when the task listed others is as good as it was.
    """
    model = files["model.onnx"]
    try:
        card = json.loads(files["card.json"])
        with np.load(io.BytesIO(files["golden.npz"])) as golden:
            answers = {name: golden[name] for name in golden.files}
            rows = answers.pop("rows")
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{folder}: card.json or golden.npz cannot be read: {error}") from error
    if not isinstance(card, dict):
        raise ArtifactError(f"{folder}/card.json is not a JSON object.")
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
    if card["version"] != digest[:VERSION_DIGITS]:
        raise ArtifactError(f"{folder} calls itself {card['version']!r}, not {digest[:VERSION_DIGITS]!r}.")
    if card.pop("seal", None) != seal(card, files["golden.npz"]):
        raise ArtifactError(
            f"{folder}/card.json or golden.npz was changed after the model was proven: its seal is broken. "
            f"Train it anew: offerstream train {task.name}"
        )
    width = sum(card["widths"])
    if tuple(card["outputs"]) != task.output_names or len(card["reference"]) != listed(card["widths"]).sum():
        raise ArtifactError(
            f"{folder}/card.json does not have the outputs or the reference row of the task. "
            f"Train it anew: offerstream train {task.name}"
        )
    _check_levels(card.get("levels"), task, folder)
    if "likeness" in card:
        try:
            Likeness.of(card["likeness"], len(card.get("names", [])))
        except ValueError as error:
            raise ArtifactError(f"{folder}/card.json: {error} Train it anew: offerstream train {task.name}") from error
    for output in task.outputs:
        names = card.get("names", [])
        if output.kind == "effects" and not (0 < len(names) == len(set(names)) <= output.width):
            raise ArtifactError(
                f"{folder}/card.json names {len(names)} effects: they must differ, and be 1 to {output.width}."
            )
    shapes = {o.name: (len(rows),) if o.width == 1 else (len(rows), o.width) for o in task.outputs}
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != width or {n: a.shape for n, a in answers.items()} != shapes:
        raise ArtifactError(
            f"{folder}/golden.npz does not hold rows [n, {width}] and as many answers per output. "
            f"Train it anew: offerstream train {task.name}"
        )
    population = tuple(_condition(address, said) for address, said in card["population"])
    trained = replace(task, features=tuple(card["features"]), population=population)
    return Artifact(trained, card, model, rows, answers)
