"""Two half moons, and the tiny network trained on them: the same data and start for the same seed, in a second."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import softmax

from landscape.lessons.network import Batch, Tiny, hidden, logits

POINTS, NOISE = 200, 0.2  # of the moons; their radius is 1
STEPS, RATE = 1500, 0.03
DECAY, EPSILON = (0.9, 0.999), 1e-8  # of Adam


@cache
def moons() -> Batch:
    """Two interleaved half circles with noise: the lower one is class 1."""
    generator = np.random.default_rng(0)
    angles, targets = generator.uniform(0, np.pi, POINTS), np.arange(POINTS) % 2
    upper = np.stack([np.cos(angles), np.sin(angles)], -1)
    places = np.where(targets[:, None] == 0, upper, [1.0, 0.5] - upper) - [0.5, 0.25]
    return Batch(places + generator.normal(0, NOISE, (POINTS, 2)), targets)


@cache
def trained(units: int, seed: int) -> Tiny:
    """The network with this many hidden units, trained on the moons by Adam with all points in every step."""
    generator = np.random.default_rng(seed)
    kernel = generator.normal(size=(2, units)) / np.sqrt(2)
    head = generator.normal(size=(units, 2)) / np.sqrt(units)
    network = Tiny(kernel, np.zeros(units), head, np.zeros(2))
    mean, square = (Tiny(*map(np.zeros_like, network)) for _ in range(2))
    for step in range(1, STEPS + 1):
        slope = gradient(network, moons())
        mean = _decayed(mean, slope, DECAY[0])
        square = _decayed(square, Tiny(*(each**2 for each in slope)), DECAY[1])
        scales = (1 - DECAY[0] ** step, 1 - DECAY[1] ** step)
        moves = (m / scales[0] / (np.sqrt(v / scales[1]) + EPSILON) for m, v in zip(mean, square, strict=True))
        network = Tiny(*(each - RATE * move for each, move in zip(network, moves, strict=True)))
    return network


def gradient(network: Tiny, batch: Batch) -> Tiny:
    """∂L/∂θ of a single network."""
    active, examples = hidden(network, batch.inputs), len(batch.targets)  # b units
    error = (softmax(logits(network, batch.inputs), -1) - np.eye(2)[batch.targets]) / examples  # b 2
    back = (error @ network.head.T) * (active > 0)  # b units
    return Tiny(batch.inputs.T @ back, back.sum(0), active.T @ error, error.sum(0))


def _decayed(average: Tiny, values: Tiny, decay: float) -> Tiny:
    return Tiny(*(decay * a + (1 - decay) * v for a, v in zip(average, values, strict=True)))
