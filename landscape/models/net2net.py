"""Function-preserving expansion: Net2WiderNet and Net2DeeperNet (Chen et al., arXiv 1511.05641)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, Int, PRNGKeyArray

from landscape.models.functional import Weights, split
from landscape.models.prng import host_generator
from landscape.models.symmetry import Group, named_group, take
from landscape.study import Expansion
from landscape.study.steps import Deepen, Widen


def widen(
    model: nnx.Module,
    group: str,
    size: int,
    key: PRNGKeyArray,
    *,
    shares: Literal["unequal", "equal"] = "unequal",
    noise: float = 0.0,
) -> nnx.Module:
    """The model with `group` widened to `size` units by copying random ones; the function is preserved.

    The copies of a unit split its outgoing weights: by `unequal` shares, drawn uniformly from the simplex, or
    `equal` ones. `noise` is added to the incoming weights of the copies, relative to their standard deviation;
    with `noise=0` the function is preserved exactly.

    Raises ValueError for an unknown group, one that cannot be widened, or a size not above today's.
    """
    table = named_group(model, group)
    network = split(model)
    old = table.size(network.weights)
    if not table.widenable:
        raise ValueError(f"{group} cannot be widened: copying its units changes the function")
    if size <= old:
        raise ValueError(f"{group} = {size} does not widen the base: it must be above {old}")
    generator = host_generator(key)
    index = copied_units(generator, old, size)
    weights = take(network.weights, table, index, copy_shares(generator, index, shares))
    return network.replace(_shaken(weights, table, old, noise, generator)).module()


def deepen(model: nnx.Module, after: str, name: str | None = None) -> nnx.Module:
    """The model with an identity layer `name` behind layer `after`; the function is preserved exactly.

    Raises ValueError for an unknown layer or a model that has no `deepened` method.
    """
    if not hasattr(model, "deepened"):
        raise ValueError(f"{type(model).__name__} cannot be deepened: it has no method `deepened`")
    return model.deepened(after, name or f"{after}_1")


def expand(model: nnx.Module, steps: tuple[Widen | Deepen, ...], expansion: Expansion, key: PRNGKeyArray) -> nnx.Module:
    """Apply a candidate's steps in order."""
    for i, step in enumerate(steps):
        model = _apply(model, step, expansion, jax.random.fold_in(key, i))
    return model


def _apply(model: Any, step: Widen | Deepen, expansion: Expansion, key: PRNGKeyArray) -> nnx.Module:
    if isinstance(step, Deepen):
        place = step.deepen
        for name in step.inserted:
            model, place = deepen(model, place, name), name
        return model
    weights = split(model).weights
    sizes = {name: table.size(weights) for name, table in model.groups().items()}
    for i, (name, size) in enumerate(step.apply(sizes).items()):
        if fnmatchcase(name, step.widen):
            model = widen(model, name, size, jax.random.fold_in(key, i), shares=expansion.shares, noise=expansion.noise)
    return model


def copied_units(generator: np.random.Generator, old: int, new: int) -> Int[np.ndarray, " new"]:
    """Which unit stands in each place: all old ones in order, then copies drawn uniformly (Net2Net, eq. 3)."""
    return np.concatenate([np.arange(old), generator.integers(0, old, new - old)])


def copy_shares(
    generator: np.random.Generator, index: Int[np.ndarray, " new"], kind: Literal["unequal", "equal"]
) -> Float[np.ndarray, " new"]:
    """The part of its unit's outgoing weights that each copy keeps; the parts of a unit sum to one.

    Unequal parts are normalised exponentials, so uniform on the simplex.
    """
    raw = generator.exponential(size=index.shape) if kind == "unequal" else np.ones(index.shape)
    return raw / np.bincount(index, raw)[index]


def _shaken(weights: Weights, group: Group, old: int, noise: float, generator: np.random.Generator) -> Weights:
    """Noise on the incoming kernel (the first producing axis) of the copies only."""
    if noise == 0:
        return weights
    axis = group.produces[0]
    kernel = np.moveaxis(np.asarray(weights[axis.path]), axis.axis, 0).copy()
    copies = kernel[old * axis.inner :]
    copies += noise * kernel.std() * generator.standard_normal(copies.shape)
    return weights | {axis.path: jnp.asarray(np.moveaxis(kernel, 0, axis.axis))}
