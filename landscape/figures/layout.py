"""Points in the plane that have given distances, as nearly as possible."""

from __future__ import annotations

import numpy as np


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
