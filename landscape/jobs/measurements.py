"""What a study measures of one network: barriers, curves, distances and a surface along its walk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float, PRNGKeyArray

from landscape.analysis.plane import coefficients, corners, grid, three_nodes
from landscape.barriers.interpolation import line_losses, permuted_curves
from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.mixtures import mixture_losses
from landscape.barriers.sharpness import Sharpness, sharpness
from landscape.barriers.timing import Walked, timed_walk
from landscape.barriers.walk import compose, draw_swaps, nodes
from landscape.barriers.weight_matching import match
from landscape.data import Data, Split
from landscape.models.batch_norm import reestimated
from landscape.models.expansion.filling import filling
from landscape.models.functional import Network, split, trainable
from landscape.models.site import Site
from landscape.models.symmetry import on_host, retaken, unit_groups, unit_rows
from landscape.numerics.progress import OnProgress
from landscape.proxies import Measurement, timed_scores
from landscape.study import Study
from landscape.study.schema import ALPHAS, BATCHES


def measurement_batches(study: Study, data: Data) -> tuple[Split, Split]:
    """The fixed batches on which losses and barriers are measured: the first examples of training and validation data.

    Raises ValueError for a batch larger than the training data; the validation batch may be smaller.
    """
    size = study.walk.batch_size
    if size > len(data.train):
        raise ValueError(f"walk.batch_size = {size} is larger than the {len(data.train)} training examples")

    def first(examples: Split) -> Split:
        return jax.device_put(jax.tree.map(itemgetter(slice(size)), examples))

    return first(data.train), first(data.validation)


def other_batches(study: Study, data: Data) -> Iterator[tuple[tuple[int, int, int], Split]]:
    """The further batches on which the first walk is measured, each at its place in the result: split, size, number.

    Those of one size are disjoint: the first examples, the next ones, and so on, as many as the examples fill, up to
    `schema.BATCHES`. So the first of the size of `walk.batch_size` is the batch on which everything else is measured.

    Raises ValueError for a size of which the training data do not fill one batch.
    """
    for place, size in enumerate(study.walk.batches):
        if size > len(data.train):
            raise ValueError(f"walk.batches = {size} is larger than the {len(data.train)} training examples")
        for part, examples in enumerate((data.train, data.validation)):
            for number in range(min(BATCHES, len(examples) // size)):
                rows = itemgetter(slice(number * size, (number + 1) * size))
                yield (part, place, number), jax.device_put(jax.tree.map(rows, examples))


class MeasuredWalk:
    """The walk of one network of one seed: the same permutations at every checkpoint of its training.

    `shape` gives the structure, and its weights are not looked at; every method takes the network to be measured. What
    follows from losses and gradients is measured of the network filled up, so that candidates share their programs.

    swaps: the swaps of each step as they were drawn, (n, swaps, 2); permutations: the step itself, (n, units);
    width: units in the walked group; train, validation: the batches on which losses are measured.
    """

    def __init__(self, study: Study, shape: nnx.Module | Network, key: PRNGKeyArray, train: Split, validation: Split):
        self.group = study.walk.group
        structure = split(shape)
        self._study, self._filling = study, filling(structure)
        self._larger = evaluated(study, self._filling.network)
        self._parameters, site = trainable(structure), Site(structure, self.group)
        self._table, self.width = site.table, site.table.size(site.network.weights)
        walk = study.walk
        self.swaps = draw_swaps(key, walk.permutations, self.width, distinct=walk.distinct, start=walk.start)
        self.permutations = compose(self.swaps, self.width, start=walk.start)
        self.train, self.validation = train, validation
        self._nodes = nodes(self.permutations[: walk.nodes])[: walk.nodes]
        self._steps, self._filled_nodes = (
            self._filling.permutations(each, self.group) for each in (self.permutations, self._nodes)
        )
        self._pairs = np.triu_indices(len(self._nodes), 1)

    def barriers(self, network: Network, n: int, known: np.ndarray, on_progress: OnProgress) -> Float[np.ndarray, " n"]:
        """b̂ of the walk's first n steps on the training batch, in nats; those in `known` are not measured again."""
        return midpoint_barriers(
            self._filled(network), self._steps[:n], *self.train, group=self.group, known=known, on_progress=on_progress
        )

    def timed_barriers(self, network: Network, n: int, known: np.ndarray, on_progress: OnProgress) -> Walked:
        """The same as `barriers`, with the wall time of the steps that were not known."""
        return timed_walk(
            self._filled(network), self._steps[:n], *self.train, group=self.group, known=known, on_progress=on_progress
        )

    def barriers_on(self, network: Network, batch: Split) -> Float[np.ndarray, " n"]:
        """b̂ of all steps of the walk on another batch, in nats."""
        return midpoint_barriers(self._filled(network), self._steps, *batch, group=self.group)

    def sharpness(self, network: Network, key: PRNGKeyArray) -> Sharpness:
        """The Hessian of the loss on the training batch: of the network as it is, since dead units have curvature."""
        return sharpness(evaluated(self._study, jax.device_put(network)).module(), *self.train, key=key)

    def curves(self, network: Network) -> Float[np.ndarray, "pairs 2 alphas"]:
        """Loss in nats between every two of the first nodes, on the training and on the validation batch.

        The line from node i to node j is the line from θ to P(θ, ρ) with both ends permuted by node i, where ρ is
        the permutation from i to j. Permuting both ends alike changes no loss.
        """
        filled = self._filled(network)
        first, second = (self._filled_nodes[side] for side in self._pairs)
        relative = np.empty_like(first)
        np.put_along_axis(relative, first, second, axis=1)
        batches = (self.train, self.validation)
        return np.stack([permuted_curves(filled, relative, ALPHAS, *batch, group=self.group) for batch in batches], 1)

    def distances(self, network: Network) -> Float[np.ndarray, "nodes nodes"]:
        """Euclidean distance in parameter space between the first nodes; running statistics are no parameters."""
        rows = unit_rows(network.weights, self._table, self._parameters)

        def distance(a: np.ndarray, b: np.ndarray) -> float:
            moved = a != b
            return np.sqrt(((rows[a[moved]] - rows[b[moved]]) ** 2).sum())

        return np.array([[distance(a, b) for b in self._nodes] for a in self._nodes])

    def surface(self, network: Network, points: int) -> Float[np.ndarray, "y x"]:
        """Training loss in nats on the plane through three of the first nodes; NaN where no three of them differ."""
        distances = self.distances(network)
        chosen = three_nodes(distances)
        if chosen is None:
            return np.full((points, points), np.nan)
        filled = self._filled(network)
        weights = on_host(filled.weights, self._table)
        minima = [filled.replace(retaken(weights, self._table, self._filled_nodes[node])) for node in chosen]
        places = corners(distances[np.ix_(chosen, chosen)])
        return np.asarray(mixture_losses(minima, coefficients(places, *grid(places, points)), *self.train))

    def scores(self, network: Network) -> dict[str, Measurement]:
        """The zero-cost proxies on the training batch, each with its time."""
        return timed_scores(self._filling.module(network.weights), self.train.inputs, self.train.targets)

    def _filled(self, network: Network) -> Network:
        return self._larger.replace(self._filling.weights(network.weights))


def evaluated(study: Study, network: Network) -> Network:
    """A network as the study measures it: its BatchNorm reads the statistics of the batch where the study says so."""
    return split(reestimated(network.module())) if study.walk.statistics == "re-estimated" else network


def seed_curves(
    study: Study, shape: Any, a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray], batches: tuple[Split, Split]
) -> Float[np.ndarray, "2 2 alphas"]:
    """Loss in nats along the line between two networks, on each batch: as trained, and after matching `b` to `a`.

    `a` and `b` are the weights of two networks that have the structure of `shape`, whose own weights are not looked at.
    """
    found = filling(split(shape))
    structure = evaluated(study, found.network)
    ends = (b, match(dict(a), dict(b), unit_groups(shape), trainable(shape)))
    alphas = np.asarray(ALPHAS, np.float32)
    networks = [structure.replace(found.weights(each)) for each in (*ends, a)]
    lines = [(end, networks[-1]) for end in networks[:-1]]
    return np.array([[line_losses(*line, alphas, *batch) for batch in batches] for line in lines])
