"""Points in the plane that have given distances, as nearly as possible."""

from __future__ import annotations

import numpy as np

ROOM = 0.12  # the least distance of two nodes, as a share of the extent of the picture
STEPS = 200  # of pushing apart; 30 nodes need about 50


def scaled_to_plane(distances: np.ndarray) -> np.ndarray:
    """Classical multidimensional scaling (Torgerson 1952), from distances (n, n) to centred places (n, 2).

    The axes are the eigenvectors of −½ J D² J with the two greatest eigenvalues, each times the root of its eigenvalue.
    Their signs make the entry of greatest magnitude positive, so that the same distances always give the same picture.
    """
    squares = np.asarray(distances, np.float64) ** 2
    centred = squares - squares.mean(0) - squares.mean(1)[:, None] + squares.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    places = np.zeros((len(squares), 2))
    kept = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0))
    places[:, : kept.shape[1]] = kept
    signs = np.sign(np.take_along_axis(places, np.argmax(np.abs(places), 0)[None], 0))
    return places * np.where(signs == 0, 1, signs)


def pushed_apart(places: np.ndarray, room: float = ROOM) -> np.ndarray:
    """Places (n, 2), n ≥ 1, in which nodes that would overlap are moved apart; others stay where they are.

    No two end up closer than `room` times the extent of them all, or than `room` if all coincide. Places that coincide
    part in directions of their own, so that the same places always give the same picture.
    """
    moved = np.array(places, np.float64)
    least = room * (float(np.ptp(moved, axis=0).max()) or 1.0)
    turns = np.pi * (3 - np.sqrt(5)) * np.arange(len(moved))  # by the golden angle, which repeats no direction
    nudge = 1e-3 * least * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    for step in range(STEPS):
        apart = moved[:, None] - moved  # n n 2
        distance = np.linalg.norm(apart, axis=-1)
        np.fill_diagonal(distance, np.inf)
        if (distance >= least).all():
            break
        close = np.maximum(1.02 * least - distance, 0) / (2 * np.maximum(distance, 1e-9 * least))  # n n
        moved += np.sum(apart * close[..., None], axis=1) + (nudge if step == 0 else 0)
    return moved
