"""The plane through three minima: which minima, where they stand in it, and the grid around them (Figure 1).

Places are orthonormal coordinates (Garipov et al., 2018), so lengths in the plane are distances in parameter
space. They follow from the distances between the minima alone, which every result holds.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

MARGIN = 0.35  # of the greatest extent of the three minima, on every side
COINCIDE = 1e-6  # two nodes nearer than this share of the greatest distance are one point


def three_nodes(distances: ArrayLike) -> tuple[int, int, int] | None:
    """Node 0 and the first two later nodes that are different points; None where there are no three.

    distances: (nodes, nodes). A walk may return to a node, and copies of units that are still equal may swap
    without moving. Permuted copies stand on a sphere, so three different ones are never on one line.
    """
    apart = np.asarray(distances, np.float64)
    chosen: list[int] = []
    for node in range(len(apart)):
        if all(apart[node, other] > COINCIDE * apart.max() for other in chosen):
            chosen.append(node)
    return (chosen[0], chosen[1], chosen[2]) if len(chosen) > 2 else None


def corners(distances: ArrayLike) -> Float[np.ndarray, "3 2"]:
    """Places of three points with these distances (3, 3): the first at 0, the second on the x axis, the third above.

    Gram–Schmidt on their differences u and v: x along u, y along v − (v·u/u·u)u; the products are
    u·v = ½(|u|² + |v|² − |u − v|²). Raises ValueError for points on one line.
    """
    uu, vv, between = (np.asarray(distances, np.float64)[pair] ** 2 for pair in ((0, 1), (0, 2), (1, 2)))
    uv = (uu + vv - between) / 2
    area = uu * vv - uv**2
    if not area > 0:
        raise ValueError(f"three points with squared distances {uu:g}, {vv:g} and {between:g} span no plane")
    return np.array([[0, 0], [np.sqrt(uu), 0], [uv / np.sqrt(uu), np.sqrt(area / uu)]])


def grid(places: Float[np.ndarray, "3 2"], points: int) -> tuple[np.ndarray, np.ndarray]:
    """x (points) and y (points) of a square grid around the three minima, with a margin."""
    low, high = places.min(0), places.max(0)
    half = (0.5 + MARGIN) * (high - low).max()
    x, y = (np.linspace(middle - half, middle + half, points) for middle in (low + high) / 2)
    return x, y


def shares(places: Float[np.ndarray, "3 2"], x: np.ndarray, y: np.ndarray) -> Float[np.ndarray, "points points 3"]:
    """a, b, c with a + b + c = 1 at each (y, x) of the grid: the point there is aθ₁ + bθ₂ + cθ₃."""
    (_, (length, _), (along, height)) = places
    c = np.broadcast_to(y[:, None] / height, (len(y), len(x)))
    b = (x - c * along) / length
    return np.stack([1 - b - c, b, c], axis=-1)
