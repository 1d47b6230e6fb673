"""A network of what there is of an item: a branch for its words, one for its picture, one for its sound, added up.

Each branch says in which direction the item lies, and by the length of what it says how sure it is; what is missing
says nothing. The sum's cosines with directions of classes are logits, so that the chances by which branches judge are
multiplied (a product of experts, as Wu and Goodman 2018 fuse what may be missing). For these, branches are weighed by
what did not teach them; the embedding is the direction of the sum without weights, by which more of the most alike were
of one class there. In training modalities are left out at random, and each branch is also taught on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops

from models.task import Task
from models.tasks.multimodal.task import MODALITIES
from training.labels.modalities import POOLED, SIDE, Modalities
from training.networks.bag import Bag, Rounded, rarity
from training.networks.familiar import Familiar, likeliest
from training.networks.inputs import tensors
from training.networks.pictures import SHARPNESS, Shape, Variation, pooled, trunk, unnormalized, varied
from training.sureness import surprise

Rows = npt.NDArray[np.float32]
TEXT, PICTURE, SOUND = range(len(MODALITIES))
#: Numbers of a branch.
LIKE = 64
#: Buckets of grams that have numbers of their own; the share of grams left out in training; the power of their rarity.
SIZE, GRAMS_LEFT_OUT, POWER = 1 << 11, 0.3, 1.0
LOOK = Shape(widths=(24, 52, 76))
#: Channels of the layers that listen, and how wide and how far apart they look in time.
LISTEN = ((48, 5, 2), (64, 3, 2), (64, 3, 1))
#: A sound is begun so many (averaged) frames later at most, is so much louder or softer, and of it so many frames and
#: pitches are painted over.
LATER, LOUDER, FRAMES_HIDDEN, PITCHES_HIDDEN = 12, 0.1, 8, 4

#: Weights of branches that are tried, one branch after the other, so many times.
WEIGHTS, ROUNDS = tuple(np.geomspace(0.2, 3.0, 28).round(4).tolist()), 3


def listening(shape: tuple[int, ...], *, normalized: bool = True) -> Any:
    """[n, frames, pitches] loudness → (what is said of it [n, ``LIKE``], what is heard [n, k])."""
    layers = keras.layers
    given = keras.Input(shape)
    v = given
    for width, size, stride in LISTEN:
        v = layers.Conv1D(width, size, stride, padding="same", use_bias=not normalized)(v)
        v = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(v) if normalized else v)
    heard = layers.Concatenate()([layers.GlobalAveragePooling1D()(v), layers.GlobalMaxPooling1D()(v)])
    return keras.Model(given, [layers.Dense(LIKE)(layers.Dropout(0.3)(heard)), heard])


def looking(*, normalized: bool = True) -> Any:
    """[n, side, side, 3] points → (what is said of them [n, ``LIKE``], what is seen [n, k])."""
    given, seen, said = trunk(LOOK, normalized=normalized)
    return keras.Model(given, [said, seen])


class Classes(keras.layers.Layer):  # type: ignore[misc]
    """[n, ``LIKE``] → logits: ``SHARPNESS`` times the length of what is said, times its cosine with each class."""

    def __init__(self, classes: int, **more: Any) -> None:
        super().__init__(**more)
        self._classes = classes

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(name="kernel", shape=(LIKE, self._classes), initializer="glorot_uniform")
        self.built = True

    @property
    def directions(self) -> Any:
        """[``LIKE``, classes] of length 1."""
        return self.kernel / ops.maximum(ops.sqrt(ops.sum(self.kernel * self.kernel, axis=0, keepdims=True)), 1e-6)

    def call(self, said: Any) -> Any:
        return SHARPNESS * ops.matmul(said, self.directions)


@dataclass(frozen=True)
class Branches:
    """What is taught: ``some`` of the modalities (places), a branch for each of all three, and the classes."""

    some: tuple[int, ...]
    text: Bag
    picture: Any
    sound: Any
    classes: Classes
    sound_shape: tuple[int, ...]

    def learning(self, grams: int, side: int) -> Any:
        """[n, ``rows`` of this side] → [1 + modalities, n, classes] logits: of all that is not left out
        together, and of each alone."""
        sizes = {TEXT: (grams,), PICTURE: (side, side, 3), SOUND: self.sound_shape}
        row = keras.Input((3 + sum(int(np.prod(sizes[m])) for m in self.some),), dtype="float32")
        at, said = 3, []
        for m, branch in ((TEXT, self.text), (PICTURE, self.picture), (SOUND, self.sound)):
            if m in self.some:
                width = int(np.prod(sizes[m]))
                part = branch(keras.layers.Reshape(sizes[m])(row[:, at : at + width]))
                said.append(part if m == TEXT else part[0])
                at += width
        together = sum(row[:, m : m + 1] * each for m, each in zip(self.some, said, strict=True))
        return keras.Model(row, [self.classes(each) for each in (together, *said)])


def branches(x: Modalities, classes: int, some: Sequence[int] = (TEXT, PICTURE, SOUND)) -> Branches:
    """Untaught ones, of grams as rare as they are in what will teach."""
    shape = x.sounds.shape[1:]
    bag = Bag(rarity(x.grams, SIZE, POWER), LIKE, GRAMS_LEFT_OUT)
    return Branches(tuple(some), bag, looking(), listening(shape), Classes(classes), shape)


@dataclass(frozen=True)
class Taught:
    """What was taught, as it is exported: of whole numbers and half precision. ``weights``: how much what each branch
    says counts for the chances, for on what taught it a branch is surer than it may be, one more than another."""

    some: tuple[int, ...]
    text: Any
    picture: Any
    sound: Any
    directions: Rows
    weights: tuple[float, ...] = (1.0, 1.0, 1.0)
    familiar: tuple[Familiar | None, ...] = (None, None, None)
    """By modality, what taught it: what is like none of that counts as not there. None: all counts."""

    @staticmethod
    def of(learned: Branches) -> Taught:
        """Its branches without what only training needs."""
        directions = np.asarray(learned.classes.directions).astype(np.float16).astype(np.float32)
        if not learned.text.built:
            learned.text.build((None, 1))
        return Taught(
            learned.some,
            Rounded(learned.text),
            unnormalized(learned.picture, looking(normalized=False)),
            unnormalized(learned.sound, listening(learned.sound_shape, normalized=False)),
            directions,
        )

    def said(self, x: Modalities) -> Rows:
        """[n, 3, ``LIKE``] what each branch says of listings; 0 of what is not there, was not taught, or is like
        nothing that taught it."""
        found, seen = self._looked(x)
        for m, familiar in enumerate(self.familiar):
            if familiar is not None:
                found[~familiar.holds(seen[m]), m] = 0
        return found

    def knowing(self, x: Modalities, label: npt.NDArray[np.int64], held: Modalities) -> Taught:
        """The same, which knows what is like the listings x of classes ``label`` [n] that taught it, and what is not,
        by those ``held`` out. Of texts it does not ask: what is known of no class is short, so little is sure."""
        seen, other, known = self._looked(x)[1], self._looked(held)[1], list[Familiar | None]()
        for m in range(len(MODALITIES)):
            there, also = x.has[:, m], held.has[:, m]
            some = m in self.some and m != TEXT and there.any() and also.any()
            known.append(Familiar.of(seen[m][there], label[there], other[m][also]) if some else None)
        return replace(self, familiar=tuple(known))

    def _looked(self, x: Modalities) -> tuple[Rows, list[Rows]]:
        """([n, 3, ``LIKE``] what branches say, 0 of what is not there or was not taught; by modality, [n, k] what each
        sees, hears or reads)."""
        found, seen = np.zeros((len(x), 3, LIKE), np.float32), [list[Rows]() for _ in MODALITIES]
        for at in range(0, len(x), 500):
            part = slice(at, at + 500)
            look = pooled(x.points[part], SIDE)
            if TEXT in self.some:
                found[part, TEXT] = self.text(x.grams[part])
                seen[TEXT].append(found[part, TEXT])
            if PICTURE in self.some:
                one, other = self.picture(look), self.picture(look[:, :, ::-1])
                found[part, PICTURE] = (one[0] + other[0]) / 2
                seen[PICTURE].append(np.asarray(one[1] + other[1]))
            if SOUND in self.some:
                found[part, SOUND], heard = self.sound(x.sounds[part])
                seen[SOUND].append(np.asarray(heard))
        joined = [np.concatenate(each) if each else np.zeros((len(x), 0), np.float32) for each in seen]
        return found * x.has[:, :, None], joined

    def logits(self, said: Rows) -> npt.NDArray[np.float64]:
        """[n, classes] of what branches say, [n, 3, ``LIKE``]."""
        return self._logits(np.array(self.weights, np.float32) @ said)

    def _logits(self, added: Rows) -> npt.NDArray[np.float64]:
        return np.asarray(SHARPNESS * added @ self.directions, np.float64)

    def weighed(self, said: Rows, label: npt.NDArray[np.int64]) -> Taught:
        """The same with weights by which the chances of listings that did not teach fit their labels [n] best. ``said``
        [n, 3, ``LIKE``]: what branches say of them, 0 of what is missing."""
        weights = dict.fromkeys(self.some, 1.0)

        def apart(m: int, weight: float) -> float:
            added = sum((weight if k == m else weights[k]) * said[:, k] for k in self.some)
            return surprise(self._logits(np.asarray(added)), label)

        for _ in range(ROUNDS):
            for m in self.some:
                weights[m] = min(WEIGHTS, key=partial(apart, m))
        return replace(self, weights=tuple(weights.get(m, 1.0) for m in range(len(MODALITIES))))

    def network(self, task: Task, listed: int) -> Any:
        """The one that is proven and exported: rows of the task → its outputs."""
        row, parts = tensors(task)
        has = keras.layers.Concatenate()([parts[f"payload.has_{of}"] for of in MODALITIES.values()])
        texts, pictures, sounds = (parts[f"payload.{of}"] for of in MODALITIES.values())
        taught = self

        class Added(keras.layers.Layer):  # type: ignore[misc]
            """What branches say, as the task's outputs."""

            def read(self, text: Any) -> Any:
                said = taught.text(text)
                return counted(TEXT, said, said)

            def look(self, picture: Any) -> Any:
                mirrored = ops.take(picture, np.arange(SIDE)[::-1].copy(), axis=2)
                (one, seen), (other, again) = taught.picture(picture), taught.picture(mirrored)
                return counted(PICTURE, (one + other) / 2, seen + again)

            def hear(self, sound: Any) -> Any:
                sound = ops.average_pool(ops.expand_dims(sound, 3), POOLED, POOLED)[:, :, :, 0]
                return counted(SOUND, *taught.sound(sound))

            def call(self, has: Any, text: Any, picture: Any, sound: Any) -> list[Any]:
                every = [
                    has[:, TEXT:PICTURE] * self.read(text),
                    of_those(has[:, PICTURE], picture, self.look),
                    of_those(has[:, SOUND], sound, self.hear),
                ]
                said, made_of = [each[:, 1:] for each in every], [each[:, :1] for each in every]
                added = said[TEXT] + said[PICTURE] + said[SOUND]
                weighed = sum(weight * each for weight, each in zip(taught.weights, said, strict=True))
                logits = SHARPNESS * ops.matmul(weighed, ops.convert_to_tensor(taught.directions))
                known = ops.maximum(ops.maximum(made_of[TEXT], made_of[PICTURE]), made_of[SOUND])
                named = likeliest(ops.softmax(logits, axis=1), listed, known)
                length = ops.sqrt(ops.sum(added * added, axis=1, keepdims=True))
                return [*named, added / ops.maximum(length, 1e-6), ops.concatenate(made_of, axis=1)]

        def counted(m: int, said: Any, seen: Any) -> Any:
            """[n, 1 + ``LIKE``] 1 and what is said of what is like anything that taught it; 0 of the rest."""
            familiar = taught.familiar[m]
            known = ops.ones_like(said[:, :1]) if familiar is None else familiar.known(seen)
            return ops.concatenate([known, known * said], axis=1)

        return keras.Model(row, Added()(has, texts, pictures, sounds))


def of_those(has: Any, x: Any, branch: Callable[[Any], Any]) -> Any:
    """[n, 1 + ``LIKE``] what a branch says of the rows of x [n, …] that are there, ``has`` [n]; 0 of the others, of
    which it computes nothing: most listings of most shops come without a sound, many without a picture."""
    places = tf.where(has > 0)
    return tf.scatter_nd(places, branch(tf.gather_nd(x, places)), (tf.shape(x, out_type=tf.int64)[0], 1 + LIKE))


def rows(
    x: Modalities, kept: npt.NDArray[np.bool_], small: Rows, some: Sequence[int], rng: np.random.Generator
) -> Rows:
    """[n, width] what ``Branches.learning`` takes of listings: which modalities are ``kept`` [n, 3], and of ``some`` of
    them what there is, each varied. ``small``: pictures of the side that is taught."""
    parts: list[Rows] = [kept.astype(np.float32)]
    if TEXT in some:
        parts.append(x.grams)
    if PICTURE in some:
        parts.append(varied(small, Variation(), rng).reshape(len(x), -1))
    if SOUND in some:
        parts.append(varied_sounds(x.sounds, rng).reshape(len(x), -1))
    return np.concatenate(parts, axis=1)


def varied_sounds(sounds: Rows, rng: np.random.Generator) -> Rows:
    """[n, frames, pitches] in 0 … 1: each begun later, louder or softer where there is any sound, some of it hidden."""
    n, frames, pitches = sounds.shape
    later = rng.integers(0, LATER + 1, (n,))
    source = np.arange(frames)[None] - later[:, None]
    found = np.take_along_axis(sounds, np.maximum(source, 0)[:, :, None], axis=1) * (source >= 0)[:, :, None]
    louder = rng.uniform(-LOUDER, LOUDER, (n, 1, 1))
    found = np.where(found > 0, np.clip(found + louder, 0, 1), 0).astype(np.float32)
    for axis, most in ((frames, FRAMES_HIDDEN), (pitches, PITCHES_HIDDEN)):
        # Only where sounds mostly are: at the begin.
        first, many = rng.integers(0, min(axis, 48), (n,)), rng.integers(0, most + 1, (n,))
        place = np.arange(axis)[None]
        hidden = (place >= first[:, None]) & (place < (first + many)[:, None])
        found *= ~hidden[:, :, None] if axis == frames else ~hidden[:, None, :]
    return found


def left_out(has: npt.NDArray[np.bool_], share: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """[n, 3] what is left of what there is when each is left out with a chance; of each listing with any, one stays."""
    kept: npt.NDArray[np.bool_] = has & (rng.random(has.shape) >= share)
    none = np.flatnonzero(~kept.any(axis=1) & has.any(axis=1))
    drawn = np.where(has[none], rng.random((len(none), has.shape[1])), -1).argmax(axis=1)
    kept[none, drawn] = True
    return kept
