"""What can be told of a picture without a network: its colours, and the directions of its edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.uint8]
Floats32 = npt.NDArray[np.float32]
DIRECTIONS, CELL = 9, 8


def colours(pictures: Points) -> Floats32:
    """[n, 256] square roots of the shares of 64 colours in each quarter of a picture [n, side, side, 3]."""
    n, side = len(pictures), pictures.shape[1]
    code = (pictures >> 6).astype(np.int64) @ np.array([16, 4, 1])
    half = np.arange(side) * 2 // side
    where = (half[:, None] * 2 + half)[None] * 64 + code
    flat = np.arange(n)[:, None, None] * 256 + where
    counts = np.bincount(flat.reshape(-1), minlength=n * 256).reshape(n, 256)
    return np.sqrt(counts * 4 / side**2).astype(np.float32)


def edges(pictures: Points) -> Floats32:
    """[n, k] HOG: how strong edges of nine directions are in each 8 by 8 points, by 2 by 2 such cells of length 1."""
    n, side = len(pictures), pictures.shape[1]
    cells, found = side // CELL, list[Floats32]()
    for at in range(0, n, 500):
        grey = pictures[at : at + 500].astype(np.float32).mean(axis=3)
        down, across = np.gradient(grey, axis=(1, 2))
        strength = np.hypot(down, across)
        angle = np.mod(np.arctan2(down, across), np.pi) / np.pi * DIRECTIONS
        low = np.floor(angle).astype(np.int64) % DIRECTIONS
        share = angle - np.floor(angle)
        held = np.zeros((len(grey), cells, cells, DIRECTIONS), np.float32)
        for direction in range(DIRECTIONS):
            mine = strength * np.where(low == direction, 1 - share, 0)
            mine += strength * np.where((low + 1) % DIRECTIONS == direction, share, 0)
            held[..., direction] = mine.reshape(len(grey), cells, CELL, cells, CELL).sum(axis=(2, 4))
        block = np.concatenate([held[:, :-1, :-1], held[:, 1:, :-1], held[:, :-1, 1:], held[:, 1:, 1:]], axis=3)
        block /= np.linalg.norm(block, axis=3, keepdims=True) + 1.0
        found.append(block.reshape(len(grey), -1))
    return np.concatenate(found)


#: By name, what each makes of pictures.
KINDS: dict[str, Any] = {
    "colours": colours,
    "HOG": edges,
    "HOG and colours": lambda pictures: np.concatenate([edges(pictures), colours(pictures)], axis=1),
}


def linear(teach: Floats32, label: npt.NDArray[np.int64], test: Floats32) -> npt.NDArray[np.int64]:
    """[n] what a linear classifier says of ``test``: ridge regression on standardized numbers, one class against the
    others, its penalty the best of three left one out. A support vector machine takes minutes for
    what this does in seconds."""
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(teach)
    taught = RidgeClassifierCV(alphas=(100.0, 1_000.0, 10_000.0)).fit(scale.transform(teach), label)
    return np.asarray(taught.predict(scale.transform(test)), np.int64)


def alike(like: Floats32, label: npt.NDArray[np.int64], most: int = 10) -> dict[str, npt.NDArray[np.float64]]:
    """Of each of n pictures its ``most`` nearest others by cosine: ``recall`` [n], how many of them show its class, of
    as many as there are to be found (at most ``most``); ``any`` [n], whether one does. NaN where no other shows it."""
    unit = like / np.maximum(np.linalg.norm(like, axis=1, keepdims=True), 1e-9)
    count = np.bincount(label)[label] - 1
    hits = np.zeros(len(label))
    for at in range(0, len(label), 1000):
        near = unit[at : at + 1000] @ unit.T
        near[np.arange(len(near)), np.arange(at, at + len(near))] = -2
        best = np.argpartition(-near, min(most, near.shape[1] - 1), axis=1)[:, :most]
        hits[at : at + 1000] = (label[best] == label[at : at + 1000, None]).sum(axis=1)
    known = np.maximum(np.minimum(count, most), 1)
    return {
        "recall": np.where(count > 0, hits / known, np.nan),
        "any": np.where(count > 0, hits > 0, np.nan),
    }
