"""Where versions of models are kept: a folder, or any URL that fsspec knows. A version, once there, never changes.

``URL/TASK/VERSION/`` holds ``model.onnx``, ``card.json`` and ``golden.npz``; ``URL/encoders/NAME/VERSION/`` the same of
an encoder, and its tokenizer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cache
from weakref import WeakValueDictionary

from models import encoder
from models.artifact import (
    FILES,
    VERSION_DIGITS,
    Artifact,
    ArtifactError,
    UnknownName,
    files_of,
    load_artifact,
    parse_artifact,
)
from models.encoder import EncoderArtifact
from models.nearest import unknown as unknown_among
from models.predictor import Predictor
from models.registry import TASKS, unknown
from models.registry import task as find
from models.task import Output, Task

#: So many loaded models of a store stay though nobody has them.
LAST = 8
#: The folder of encoders, beside those of tasks.
ENCODERS = "encoders"


class Store:
    """Versions by task and name. ``url`` may be a folder; it need not exist before the first version is put."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.url = url
        try:
            self._files, self._root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ArtifactError(f"OFFERSTREAM_MODELS={url} cannot be opened: {error}") from error

    def _folder(self, task: str, version: str) -> str:
        if not version.isalnum():
            raise ArtifactError(f"{version!r} is no version: letters and digits only.")
        return f"{self._root}/{task}/{version}"

    def versions(self, task: str) -> list[str]:
        """The versions of a task that are kept, in order of their names."""
        return [name for name in self._within(task) if self._files.exists(f"{self._root}/{task}/{name}/card.json")]

    def _within(self, name: str) -> list[str]:
        folder = f"{self._root}/{name}"
        if not self._files.isdir(folder):
            return []
        return sorted(str(path).rstrip("/").rsplit("/", 1)[-1] for path in self._files.ls(folder, detail=False))

    def check(self) -> None:
        """Raises ``ArtifactError`` when nothing can be put there."""
        probe = f"{self._root}/.written"
        try:
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(probe, b"")
            self._files.rm_file(probe)
        except OSError as error:
            raise ArtifactError(f"OFFERSTREAM_MODELS={self.url} cannot be written to: {error}") from error

    def put(self, task: str, files: dict[str, bytes]) -> Artifact:
        """Keep a version, checked and proven first. Raises ``ArtifactError``; the same version again is no error."""
        artifact = parse_artifact(find(task), files, "the artifact")
        self.keep(task, artifact.version, artifact.files())
        return artifact

    def keep(self, task: str, version: str, files: dict[str, bytes]) -> None:
        """Keep a version that was checked and proven when it was loaded. Raises ``ArtifactError``; the same version
        again is no error."""
        if not self._write(task, version, files) and self._read(task, version, FILES) != files:
            raise ArtifactError(f"{self._folder(task, version)} exists with other bytes; versions never change.")

    def _write(self, name: str, version: str, files: dict[str, bytes]) -> bool:
        """Whether a version had to be written: one that is there stays."""
        folder = self._folder(name, version)
        try:
            if self._files.exists(f"{folder}/card.json"):
                return False
            self._files.makedirs(folder, exist_ok=True)
            # The card last: a version without one is not there yet.
            for each in sorted(files, key=lambda each: each == "card.json"):
                self._files.pipe_file(f"{folder}/{each}", files[each])
        except OSError as error:
            raise ArtifactError(f"OFFERSTREAM_MODELS={self.url} does not take a version: {error}.") from error
        return True

    def _read(self, name: str, version: str, files: Sequence[str]) -> dict[str, bytes]:
        folder = self._folder(name, version)
        try:
            return {each: bytes(self._files.cat_file(f"{folder}/{each}")) for each in files}
        except OSError as error:
            kept = ", ".join(self.versions(name)) or "none"
            raise ArtifactError(f"{folder} cannot be read ({error}); versions of {name!r} there: {kept}.") from error

    def get(self, task: str, version: str) -> Artifact:
        """A version, checked against its card. Raises ``ArtifactError``."""
        files = self._read(task, version, FILES)
        folder = self._folder(task, version)
        artifact = parse_artifact(find(task), files, folder)
        if artifact.version != version:
            raise ArtifactError(f"{folder} holds version {artifact.version!r}.")
        return artifact

    def encoders(self) -> list[str]:
        """The names of the encoders that are kept."""
        return [name for name in self._within(ENCODERS) if self.versions(f"{ENCODERS}/{name}")]

    def encoder_versions(self, name: str) -> list[str]:
        """The versions of an encoder that are kept. Raises ``UnknownName``."""
        kept = self.encoders()
        if name not in kept:
            there = unknown_among("encoder", name, kept) if kept else f"There is no encoder {name!r}, nor any other."
            raise UnknownName(f"{there} offerstream encoders add {name}")
        return self.versions(f"{ENCODERS}/{name}")

    def keep_encoder(self, artifact: EncoderArtifact) -> None:
        """Keep an encoder that was proven. The same version again is no error, and leaves what is there: how long it
        takes is measured, and comes out otherwise each time."""
        self._write(f"{ENCODERS}/{artifact.name}", artifact.version, artifact.files())

    def encoder(self, name: str, version: str | None = None) -> EncoderArtifact:
        """A version of an encoder, by the start of its name, checked against its card; None where one alone is kept.
        Raises ``ArtifactError``."""
        kept = self.encoder_versions(name)
        fits = [each for each in kept if each.startswith(version or "")]
        if len(fits) != 1:
            raise UnknownName(
                f"{len(fits)} versions of encoder {name!r} start with {version or ''!r}: {', '.join(kept)}."
            )
        folder = f"{ENCODERS}/{name}"
        card = encoder.CARD, encoder.GOLDEN, encoder.MODEL
        tokenizer = f"{self._folder(folder, fits[0])}/{encoder.TOKENIZER}"
        files = self._read(folder, fits[0], (*card, *((encoder.TOKENIZER,) if self._files.exists(tokenizer) else ())))
        found = encoder.parse(name, files, self._folder(folder, fits[0]))
        if found.version != fits[0]:
            raise ArtifactError(f"{self._folder(folder, fits[0])} holds version {found.version!r}.")
        return found


#: The package's own versions that were proven in this process, by task: they stay, and serve every shelf.
_PROVEN: dict[str, Predictor] = {}


@cache
def _of_package(task: Task) -> Artifact:
    """The version of a task that came with the package, read and checked once in a process."""
    return load_artifact(task)


def _proven(artifact: Artifact, upstream: list[Predictor]) -> Predictor:
    """The same, proven once in a process with those whose outputs it takes."""
    found = _PROVEN.get(artifact.task.name)
    if found is None or found.artifact is not artifact or found.upstream != tuple(upstream):
        found = _PROVEN[artifact.task.name] = Predictor(artifact, upstream)
    return found


class Shelf:
    """Models ready to score, by task and version: those in the package, and those of a store, loaded when asked for.

    A loaded model stays for as long as anybody has it, and the last few that were asked for: whoever proves a version
    serves it next. Those of the package are loaded once in a process, and stay. Raises ``ArtifactError`` for one that
    is missing, broken, tampered with, of another shape, or trained on another upstream model than can be found.
    """

    def __init__(self, store: Store | None = None) -> None:
        self.store = store
        self.tasks = tuple(task.name for task in TASKS)
        """Every task there is."""
        self._shipped = {task.name: _of_package(task) for task in TASKS if task.shipped}
        self._ready: WeakValueDictionary[tuple[str, str], Predictor] = WeakValueDictionary()
        self._last: deque[Predictor] = deque(maxlen=LAST)

    def tasks_of(self, entity: str) -> tuple[str, ...]:
        """Every task about an entity."""
        return tuple(task.name for task in TASKS if task.entity == entity)

    def outputs(self, task: str) -> tuple[Output, ...]:
        """What a task answers, whether or not a version of it can be had."""
        return find(task).outputs

    def shipped(self, task: str) -> str:
        """The version of a task that came with the package; empty where none did."""
        return self._shipped[task].version if task in self._shipped else ""

    def keep_shipped(self) -> None:
        """Put the package's own versions into the store: a worker of another version of the package must be able to go
        on with what a log began with. Raises ``ArtifactError`` when the store does not take them."""
        if self.store is not None:
            for name, artifact in self._shipped.items():
                # As they lie there: to pack the golden rows anew takes as long as to prove all models.
                self.store.keep(name, artifact.version, files_of(artifact.task, artifact.task.folder))

    def artifact(self, task: str, version: str | None = None) -> Artifact:
        """A version's artifact; of None, the one that came with the package."""
        if task not in self.tasks:
            raise ArtifactError(unknown(task))
        shipped = self._shipped.get(task)
        if shipped is not None and version in (None, shipped.version):
            return shipped
        if not version:
            raise ArtifactError(
                f"No version of {task} comes with the package. Train one on your own history: offerstream train {task}"
            )
        if self.store is None:
            raise ArtifactError(f"{task} {version} is not in the package, and no store is set: OFFERSTREAM_MODELS.")
        return self.store.get(task, version)

    def model(self, task: str, version: str | None = None) -> Predictor:
        """A version, ready to score; of None, the one that came with the package."""
        key = (task, version or self.shipped(task))
        found = self._ready.get(key)
        if found is None:
            artifact = self.artifact(task, version)
            upstream = [self._of_digest(name, digest) for name, digest in artifact.upstream.items()]
            if artifact is self._shipped.get(task):
                found = _proven(artifact, upstream)
            else:
                found = Predictor(artifact, upstream)
                self._last.append(found)
            self._ready[key] = found
        return found

    def _of_digest(self, task: str, digest: str) -> Predictor:
        found = self.model(task, digest[:VERSION_DIGITS])
        if found.digest != digest:
            raise ArtifactError(f"{task} {found.version} is not the model with digest {digest[:16]}….")
        return found
