"""The plane through three minima: its geometry, and the loss on it against NumPy networks in float64."""

from __future__ import annotations

import numpy as np
import pytest
from networks import Plain, batch, loss, permuted, plain, trained

from landscape.analysis.plane import coefficients, corners, grid, three_nodes
from landscape.barriers.mixtures import mixture_losses
from landscape.models.functional import split
from landscape.models.site import Site

pytestmark = pytest.mark.compiled_quickly

CASES = [("mlp1", "hidden1", 6), ("mlp2", "hidden2", 5), ("cnn2", "conv1", 4)]


def flat(layers: Plain) -> np.ndarray:
    return np.concatenate([array.ravel() for layer in layers for array in layer])


def distances(points: list[np.ndarray]) -> np.ndarray:
    return np.array([[np.linalg.norm(a - b) for b in points] for a in points])


def combined(minima: list[Plain], share: np.ndarray) -> Plain:
    """aθ₁ + bθ₂ + cθ₃, layer by layer."""
    return [
        tuple(np.tensordot(share, np.stack(parts), 1) for parts in zip(*layers, strict=True))
        for layers in zip(*minima, strict=True)
    ]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def three(request) -> tuple:
    """A trained network, its group, two permutations of it, and the three minima in NumPy."""
    name, group, units = request.param
    model, order = trained(name), np.arange(units)
    orders = [order, np.roll(order, 1), order[::-1].copy()]
    layer = list(model.groups()).index(group)
    return model, group, orders, [permuted(plain(model), layer, order) for order in orders]


def test_places_keep_distances_in_parameter_space(three):
    apart = distances([flat(minimum) for minimum in three[-1]])
    np.testing.assert_allclose(distances(list(corners(apart))), apart, rtol=1e-9)


def test_places_are_the_coordinates_of_gram_schmidt():
    """Against an orthonormal basis by QR of the differences."""
    points = np.random.default_rng(0).normal(size=(3, 40))
    basis, triangle = np.linalg.qr((points[1:] - points[0]).T)
    expected = np.r_[[[0, 0]], (triangle * np.sign(np.diag(triangle))[:, None]).T]
    np.testing.assert_allclose(corners(distances(list(points))), expected, atol=1e-12)
    assert basis.shape == (40, 2)


def test_every_grid_point_stands_at_its_coordinates(three):
    """The weights at (x, y) are θ₁ + x e₁ + y e₂, with e₁, e₂ orthonormal in parameter space."""
    points = np.stack([flat(minimum) for minimum in three[-1]])
    places = corners(distances(list(points)))
    x, y = grid(places, 7)
    at = coefficients(places, x, y) @ points
    e1 = (points[1] - points[0]) / places[1, 0]
    e2 = (points[2] - points[0] - places[2, 0] * e1) / places[2, 1]
    np.testing.assert_allclose([e1 @ e1, e2 @ e2, e1 @ e2], [1, 1, 0], atol=1e-9)
    np.testing.assert_allclose(at, points[0] + x[:, None] * e1 + y[:, None, None] * e2, atol=1e-9)


def test_the_grid_is_square_and_holds_the_minima_with_a_margin(three):
    places = corners(distances([flat(minimum) for minimum in three[-1]]))
    x, y = grid(places, 9)
    assert np.ptp(x) == pytest.approx(np.ptp(y))
    inside = (places > [x[1], y[1]]) & (places < [x[-2], y[-2]])
    assert inside.all()


def test_the_three_minima_have_equal_loss(three):
    model, group, orders, minima = three
    site = Site(split(model), group)
    copies = [site.permuted(order).network for order in orders]
    found = mixture_losses(copies, np.eye(3), *batch())
    np.testing.assert_allclose(found, loss(minima[0], *batch()), rtol=1e-5)


def test_the_loss_on_the_plane_is_that_of_the_network_with_those_weights(three):
    model, group, orders, minima = three
    site = Site(split(model), group)
    copies = [site.permuted(order).network for order in orders]
    places = corners(distances([flat(minimum) for minimum in minima]))
    at = coefficients(places, *grid(places, 5))
    found = mixture_losses(copies, at, *batch())
    expected = [[loss(combined(minima, share), *batch()) for share in row] for row in at]
    np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_nodes_that_coincide_are_passed_over():
    line = np.array([0.0, 1.0, 0.0, 1e-9, 3.0, 2.0])[:, None]
    assert three_nodes(np.abs(line - line.T)) == (0, 1, 4)
    assert three_nodes(np.abs(line[:4] - line[:4].T)) is None
    assert three_nodes(np.zeros((2, 2))) is None


def test_points_on_a_line_are_refused():
    line = np.array([0.0, 1.0, 3.0])[:, None]
    with pytest.raises(ValueError, match="span no plane"):
        corners(np.abs(line - line.T))
