"""Points in a plane: that through three minima and the grid around them (Figure 1), and layouts of many points.

Points have orthonormal coordinates, so that lengths in the plane are distances in parameter space. They follow from
the distances between the minima alone, which every result holds.

The figure is that of Malviya et al. (2024), arXiv 2405.15895; the construction is that of Garipov et al., "Loss
Surfaces, Mode Connectivity, and Fast Ensembling of DNNs" (2018), arXiv 1802.10026.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

# Relative to the greatest extent of the three minima, added on every side, so that a minimum is seen from all sides.
MARGIN = 0.35
# Relative to the greatest distance. Distances are of float32 weights: below 1e-6 they are rounding.
COINCIDE = 1e-6

ROOM = 0.16  # the least distance of two nodes, as a share of the extent of the picture
STEPS = 200  # of pushing apart; 30 nodes need about 50


def three_nodes(distances: ArrayLike) -> tuple[int, int, int] | None:
    """The first node of a walk and the first two later nodes that are other points of parameter space.

    A walk may return to a node, and copies of units that are still equal may swap without moving it. Permuted copies
    of one network lie on a sphere, so three different ones are never on one line.

    Args:
      distances: Euclidean distances between the nodes, of shape (nodes, nodes).

    Returns:
      Three numbers of nodes, the first of them 0, or None if fewer than three nodes differ.

    Example:
      >>> import numpy as np
      >>> from landscape.analysis.plane import three_nodes
      >>> line = np.array([0.0, 1.0, 0.0, 3.0])
      >>> three_nodes(abs(line[:, None] - line))
      (0, 1, 3)
    """
    apart = np.asarray(distances, np.float64)
    chosen: list[int] = []
    for node in range(len(apart)):
        if all(apart[node, other] > COINCIDE * apart.max() for other in chosen):
            chosen.append(node)
    return (chosen[0], chosen[1], chosen[2]) if len(chosen) > 2 else None


def corners(distances: ArrayLike) -> Float[np.ndarray, "3 2"]:
    r"""Coordinates of three points in their plane: the first at 0, the second on the x axis, the third above it.

    Gram–Schmidt on the differences u = θ₂ − θ₁ and v = θ₃ − θ₁, whose product follows from lengths:

    .. math:: u \cdot v = \tfrac12 \left(|u|^2 + |v|^2 - |u - v|^2\right)

    Args:
      distances: Euclidean distances between the points, of shape (3, 3).

    Returns:
      x and y of each point, of shape (3, 2), in the unit of the distances.

    Raises:
      ValueError: if the points are on one line.

    Example:
      >>> from landscape.analysis.plane import corners
      >>> corners([[0, 3, 4], [3, 0, 5], [4, 5, 0]])
      array([[0., 0.],
             [3., 0.],
             [0., 4.]])

    References:
      Garipov et al. (2018), arXiv 1802.10026.
    """
    uu, vv, between = (np.asarray(distances, np.float64)[pair] ** 2 for pair in ((0, 1), (0, 2), (1, 2)))
    uv = (uu + vv - between) / 2
    area = uu * vv - uv**2
    if not area > 0:
        raise ValueError(f"three points with squared distances {uu:g}, {vv:g} and {between:g} span no plane")
    return np.array([[0, 0], [np.sqrt(uu), 0], [uv / np.sqrt(uu), np.sqrt(area / uu)]])


def grid(
    places: Float[np.ndarray, "3 2"], points: int
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """The x and the y of a square grid around three minima, with a margin.

    Args:
      places: x and y of each minimum, as `corners` returns them.
      points: how many points the grid has along each axis.

    Returns:
      x and y, each of shape (points,), in the unit of the places.

    Example:
      >>> import numpy as np
      >>> from landscape.analysis.plane import grid
      >>> x, y = grid(np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]), points=3)
      >>> x.round(2), y.round(2)
      (array([-0.35,  0.5 ,  1.35]), array([-0.35,  0.5 ,  1.35]))
    """
    low, high = places.min(0), places.max(0)
    half = (0.5 + MARGIN) * (high - low).max()
    x, y = (np.linspace(middle - half, middle + half, points) for middle in (low + high) / 2)
    return x, y


def coefficients(
    places: Float[np.ndarray, "3 2"], x: Float[np.ndarray, " columns"], y: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, "rows columns 3"]:
    r"""The barycentric coordinates of a grid's points: how to mix three minima to get the network at each point.

    .. math:: \theta(x, y) = a\theta_1 + b\theta_2 + c\theta_3, \quad a + b + c = 1

    Args:
      places: x and y of each minimum, as `corners` returns them.
      x, y: the axes of the grid, as `grid` returns them.

    Returns:
      a, b and c at each (y, x).

    Example:
      >>> import numpy as np
      >>> from landscape.analysis.plane import coefficients
      >>> coefficients(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0]]), x=np.array([1.0]), y=np.array([0.0, 2.0]))
      array([[[0.5, 0.5, 0. ]],
      <BLANKLINE>
             [[0. , 0.5, 0.5]]])

    References:
      Garipov et al. (2018), arXiv 1802.10026.
    """
    (_, (length, _), (along, height)) = places
    c = np.broadcast_to(y[:, None] / height, (len(y), len(x)))  # rows columns
    b = (x - c * along) / length  # rows columns
    return np.stack([1 - b - c, b, c], axis=-1)


def scaled_to_plane(distances: ArrayLike) -> np.ndarray:
    """Classical multidimensional scaling (Torgerson 1952), from distances (n, n) to centred places (n, 2).

    The axes are the eigenvectors of −½ J D² J with the two greatest eigenvalues, each times the root of its eigenvalue.
    Their signs make the entry of greatest magnitude positive, so that the same distances always give the same picture.

    Example:
      >>> from landscape.analysis.plane import scaled_to_plane
      >>> scaled_to_plane([[0, 3, 4], [3, 0, 5], [4, 5, 0]]).shape
      (3, 2)

    References:
      Torgerson, "Multidimensional scaling: theory and method", Psychometrika 17 (1952).
    """
    squares = np.asarray(distances, np.float64) ** 2
    centred = squares - squares.mean(0) - squares.mean(1)[:, None] + squares.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    places = np.zeros((len(squares), 2))
    kept = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0))
    places[:, : kept.shape[1]] = kept
    signs = np.sign(np.take_along_axis(places, np.argmax(np.abs(places), 0)[None], 0))
    return places * np.where(signs == 0, 1, signs)


def pushed_apart(places: ArrayLike, room: float = ROOM) -> np.ndarray:
    """Places (n, 2), n ≥ 1, in which nodes that would overlap are moved apart; others stay where they are.

    No two end up closer than `room` times the extent of them all, or than `room` if all coincide. Places that coincide
    part in directions of their own, so that the same places always give the same picture.

    Example:
      >>> from landscape.analysis.plane import pushed_apart
      >>> pushed_apart([[0.0, 0.0], [1.0, 0.0]]).tolist()  # there is room
      [[0.0, 0.0], [1.0, 0.0]]

    References:
      Vogel, "A better way to construct the sunflower head", Mathematical Biosciences 44 (1979), for the golden angle.
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
