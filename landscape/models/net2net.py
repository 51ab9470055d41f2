"""Function-preserving expansion: Net2WiderNet and Net2DeeperNet (Chen et al., arXiv 1511.05641)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, Int, PRNGKeyArray

from landscape.models.checks.same_function import check_preserved
from landscape.models.checks.sizes import follow
from landscape.models.functional import Weights, split
from landscape.models.prng import host_generator
from landscape.models.symmetry import Group, by_unit, named_group, retaken, unit_groups
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
    inputs: Any = None,
) -> nnx.Module:
    """A wider network with the same function: random units are copied, and copies share what their unit sends on.

    With g(j) the unit that stands in place j, the incoming weights are copied and the outgoing ones divided:

        U'[:, j] = U[:, g(j)],   W'[j, :] = s_j W[g(j), :],   where Σ_{j: g(j) = i} s_j = 1 for every unit i.

    The first units stay where they are (g(j) = j for j < l), and the copied ones are drawn uniformly with replacement.
    Where a LayerNorm, RMSNorm or GroupNorm of the table normalises across the units, every unit is copied equally often
    instead, which leaves their mean and variance; the size must be a whole multiple then.

    Args:
      model: a module with a method `groups()`; it is left as it is.
      group: the unit group to widen, by name.
      size: how many units the group has afterwards, above today's number.
      key: decides which units are copied, their shares and the noise.
      shares: "unequal" draws the s_j of each unit uniformly from the simplex, so that copies receive different
        gradients and can part; "equal" gives every copy the same, which is Net2Net's own rule.
      noise: standard deviation of what is added to the incoming weights of copies, relative to that of the layer's.
        It breaks the tie of equal shares as Net2Net does; the function is preserved exactly only without it.
      inputs: some inputs of a network of your own, on which its function is compared before and after (without noise).
        Give them: what the forward pass does across units beside the layers of the table shows only there.

    Returns:
      A new module of the same type.

    Raises:
      ValueError: if there is no such group, it cannot be widened, or `size` is not above its size; if a layer of the
        table keeps sizes that are not known, or normalises across the units and `size` is no whole multiple, before
        anything is computed; or if the function on `inputs` changes.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import nnx
      >>> import landscape
      >>> from landscape.models.mlp import mlp
      >>> model, x = mlp(4, (8,), 3, nnx.Rngs(0)), jnp.ones((1, 4))
      >>> wider = landscape.widen(model, "hidden1", 12, jax.random.key(0))
      >>> wider.hidden1.kernel.shape
      (4, 12)
      >>> bool(jnp.allclose(wider(x), model(x), atol=1e-6))
      True

    References:
      Chen et al. (2016), "Net2Net: Accelerating Learning via Knowledge Transfer", arXiv 1511.05641, section 2.3
      (Net2WiderNet); the unequal shares are ours.
    """
    table = named_group(model, group)
    network = split(model)
    old = table.size(network.weights)
    if not table.widenable:
        raise ValueError(f"{group} cannot be widened: copying its units changes the function")
    if size <= old:
        raise ValueError(f"{group} = {size} does not widen the base: it must be above {old}")
    asked = follow(model, table, old, size)
    across = asked.even or ("the network",) if table.even else asked.even
    if across and size % old:
        raise ValueError(
            f"{group} = {size} is no whole multiple of {old}: {across[0]} normalises across the units, and only "
            "copying each equally often preserves the function"
        )
    generator = host_generator(key)
    index = np.tile(np.arange(old), size // old) if across else copied_units(generator, old, size)
    weights = _on_host(network.weights, table)
    weights = retaken(weights, table, index, copy_shares(generator, index, shares))

    def wider(weights: Weights) -> nnx.Module:
        return asked.apply(network.replace(jax.tree.map(jnp.asarray, weights)).module())

    if inputs is not None:
        check_preserved(model, wider(weights), inputs, f"widening group {group!r} of {type(model).__name__}")
    return wider(_shaken(weights, table, old, noise, generator))


def deepen(model: nnx.Module, after: str, name: str | None = None, *, inputs: Any = None) -> nnx.Module:
    """A deeper network with the same function: a layer that starts as the identity is inserted.

    Behind a relu, an identity layer followed by another relu changes nothing: relu(I relu(z)) = relu(z). Residual and
    Transformer models insert a block whose branch adds nothing.

    Args:
      model: a module with a method `deepened(after, name)`; it is left as it is.
      after: the unit group behind whose layer or block the new one is inserted, by name.
      name: the name of the new group; `after` followed by "_1" unless given.
      inputs: some inputs of a network of your own, on which its function is compared before and after.

    Returns:
      A new module of the same type, with one group more.

    Raises:
      ValueError: if the model has no method `deepened` or no such group, or cannot give a layer or block this name; or
        if the function on `inputs` changes.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> import landscape
      >>> from landscape.models.mlp import mlp
      >>> model, x = mlp(4, (8,), 3, nnx.Rngs(0)), jnp.ones((1, 4))
      >>> deeper = landscape.deepen(model, after="hidden1")
      >>> list(deeper.groups())
      ['hidden1', 'hidden1_1']
      >>> bool(jnp.allclose(deeper(x), model(x), atol=1e-6))
      True

    References:
      Chen et al. (2016), arXiv 1511.05641, section 2.4 (Net2DeeperNet).
    """
    if not hasattr(model, "deepened"):
        raise ValueError(f"{type(model).__name__} cannot be deepened: it has no method `deepened`")
    deeper = model.deepened(after, name or f"{after}_1")
    if inputs is not None:
        check_preserved(model, deeper, inputs, f"deepening {type(model).__name__} after {after!r}")
    return deeper


def expand(
    model: nnx.Module,
    steps: tuple[Widen | Deepen, ...],
    expansion: Expansion,
    key: PRNGKeyArray,
    *,
    inputs: Any = None,
) -> nnx.Module:
    """The network that a candidate's steps make of `model`, applied in order; each step has a key of its own.

    Raises ValueError as `widen` and `deepen` do, which compare functions on `inputs`.
    """
    for i, step in enumerate(steps):
        model = _apply(model, step, expansion, jax.random.fold_in(key, i), inputs)
    return model


def _apply(model: Any, step: Widen | Deepen, expansion: Expansion, key: PRNGKeyArray, inputs: Any) -> nnx.Module:
    if isinstance(step, Deepen):
        place = step.deepen
        for name in step.inserted:
            model, place = deepen(model, place, name, inputs=inputs), name
        return model
    weights = split(model).weights
    sizes = {name: table.size(weights) for name, table in unit_groups(model).items()}
    for i, (name, size) in enumerate(step.apply(sizes).items()):
        if fnmatchcase(name, step.widen):
            how: Any = {"shares": expansion.shares, "noise": expansion.noise, "inputs": inputs}
            model = widen(model, name, size, jax.random.fold_in(key, i), **how)
    return model


def copied_units(generator: np.random.Generator, old: int, new: int) -> Int[np.ndarray, " new"]:
    """Which unit stands in each place: all old ones in order, then copies drawn uniformly (Net2Net, section 2.3)."""
    return np.concatenate([np.arange(old), generator.integers(0, old, new - old)])


def copy_shares(
    generator: np.random.Generator, index: Int[np.ndarray, " new"], kind: Literal["unequal", "equal"]
) -> Float[np.ndarray, " new"]:
    """The share of its unit's outgoing weights that each copy keeps; the shares of a unit sum to one.

    Unequal shares are normalised exponentials, which are uniform on the simplex.
    """
    raw = generator.exponential(size=index.shape) if kind == "unequal" else np.ones(index.shape)
    return raw / np.bincount(index, raw)[index]


def _on_host(weights: Weights, group: Group) -> Weights:
    """The weights, with the arrays of a group in the memory of the host, where no width has to be compiled first."""
    touched = {axis.path for axis in (*group.produces, *group.consumes)}
    concrete = {path for path in touched if not isinstance(weights[path], jax.core.Tracer)}
    return weights | {path: np.asarray(weights[path]) for path in concrete}


def _shaken(weights: Weights, group: Group, old: int, noise: float, generator: np.random.Generator) -> Weights:
    """The weights with noise on the incoming kernel (the first producing axis) of the copies only."""
    if noise == 0:
        return weights
    axis = group.produces[0]
    kernel = np.array(weights[axis.path])
    copies = by_unit(np.arange(kernel.size).reshape(kernel.shape), axis, group.size(weights))[old:].ravel()
    spread = np.moveaxis(kernel, axis.axis, 0).copy().std()  # summed in this order, so that a study keeps its numbers
    kernel.flat[copies] += noise * spread * generator.standard_normal(copies.shape)
    return weights | {axis.path: kernel}
