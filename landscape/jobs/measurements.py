"""What a study measures at one point of parameter space: barriers, curves and distances of a model's walk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, PRNGKeyArray

from landscape.analysis.plane import coefficients, corners, grid, three_nodes
from landscape.barriers.interpolation import path_losses, permuted_curves
from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.surface import surface_losses
from landscape.barriers.timing import Walked, timed_walk
from landscape.barriers.walk import compose, draw_swaps, nodes
from landscape.barriers.weight_matching import match
from landscape.data import Data, Split
from landscape.models.batch_norm import reestimated
from landscape.models.functional import split
from landscape.models.symmetry import named_group, take, unit_rows
from landscape.numerics.progress import OnProgress
from landscape.study import Study
from landscape.study.schema import ALPHAS


def measurement_batches(study: Study, data: Data) -> tuple[Split, Split]:
    """The fixed batches on which losses and barriers are measured: of training, and of validation data.

    Raises ValueError for a batch larger than the training data; the validation batch may be smaller.
    """
    size = study.walk.batch_size
    if size > len(data.train):
        raise ValueError(f"walk.batch_size = {size} is larger than the {len(data.train)} training examples")

    def first(examples: Split) -> Split:
        return jax.tree.map(lambda array: jnp.asarray(array[:size]), examples)

    return first(data.train), first(data.validation)


class Probe:
    """The walk of one model of one seed, the same at every checkpoint.

    swaps: (n, swaps, 2) as drawn; permutations: (n, units), one a step; width: units in the walked group.
    """

    def __init__(self, study: Study, model: nnx.Module, key: PRNGKeyArray, train: Split, validation: Split):
        self.group = study.walk.group
        self._evaluated = partial(evaluated, study)
        self.width = named_group(model, self.group).size(split(model).weights)
        self.swaps = draw_swaps(key, study.walk.permutations, self.width, distinct=study.walk.distinct)
        self.permutations = compose(self.swaps, self.width)
        self.train, self.validation = train, validation
        self._nodes = nodes(self.permutations)[: study.walk.nodes]
        self._pairs = np.triu_indices(len(self._nodes), 1)

    def barriers(
        self, model: nnx.Module, n: int, known: np.ndarray, on_progress: OnProgress
    ) -> Float[np.ndarray, " n"]:
        """b̂ of the walk's first n steps, on the training batch; `known` are those of its first steps."""
        steps = self.permutations[:n]
        return midpoint_barriers(
            self._evaluated(model), steps, *self.train, group=self.group, known=known, on_progress=on_progress
        )

    def timed_barriers(self, model: nnx.Module, n: int, known: np.ndarray, on_progress: OnProgress) -> Walked:
        """The same with wall times, of the steps that were not known."""
        steps = self.permutations[:n]
        return timed_walk(
            self._evaluated(model), steps, *self.train, group=self.group, known=known, on_progress=on_progress
        )

    def curves(self, model: nnx.Module) -> Float[np.ndarray, "pairs 2 alphas"]:
        """Loss between every two of the first nodes, on the training and the validation batch.

        The line from node i to node j is the line from θ to P(θ, ρ), both permuted by node i, so it has the
        losses of the latter.
        """
        model = self._evaluated(model)
        first, second = (self._nodes[side] for side in self._pairs)
        relative = np.empty_like(first)
        np.put_along_axis(relative, first, second, axis=1)
        batches = (self.train, self.validation)
        return np.stack([permuted_curves(model, relative, ALPHAS, *batch, group=self.group) for batch in batches], 1)

    def distances(self, model: nnx.Module) -> Float[np.ndarray, "nodes nodes"]:
        """Euclidean distance in parameter space between the first nodes."""
        rows = unit_rows(split(model).weights, named_group(model, self.group))

        def apart(a: np.ndarray, b: np.ndarray) -> float:
            moved = a != b
            return np.sqrt(((rows[a[moved]] - rows[b[moved]]) ** 2).sum())

        return np.array([[apart(a, b) for b in self._nodes] for a in self._nodes])

    def surface(self, model: nnx.Module, points: int) -> Float[np.ndarray, "y x"]:
        """Training loss on the plane through three of the first nodes; NaN where no three of them differ."""
        distances = self.distances(model)
        chosen = three_nodes(distances)
        if chosen is None:
            return np.full((points, points), np.nan)
        network, table = split(self._evaluated(model)), named_group(model, self.group)
        minima = [network.replace(take(network.weights, table, self._nodes[node])) for node in chosen]
        places = corners(distances[np.ix_(chosen, chosen)])
        return np.asarray(surface_losses(minima, coefficients(places, *grid(places, points)), *self.train))


def evaluated(study: Study, model: nnx.Module) -> nnx.Module:
    """A model as the study measures it: with the statistics of the batch where it says so."""
    return reestimated(model) if study.walk.statistics == "re-estimated" else model


def seed_curves(
    study: Study, shape: Any, a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray], batches: tuple[Split, Split]
) -> Float[np.ndarray, "2 2 alphas"]:
    """Loss between two networks of the structure of `shape`: as trained and after matching `b` to `a`, by batch."""
    structure = split(evaluated(study, shape))
    start, end = ({path: jnp.asarray(array) for path, array in weights.items()} for weights in (a, b))
    ends = (end, match(start, end, shape.groups()))
    alphas = jnp.asarray(ALPHAS, jnp.float32)
    lines = [(structure.replace(other), structure.replace(start)) for other in ends]
    return np.array([[path_losses(*line, alphas, *batch) for batch in batches] for line in lines])
