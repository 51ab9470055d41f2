"""Expansion: Net2WiderNet and Net2DeeperNet (Chen et al., arXiv 1511.05641), which preserve the function, and padding.

Padding with units that are drawn is what Chen et al. compare Net2WiderNet with.
"""

from __future__ import annotations

from typing import Any, Literal

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float, Int, PRNGKeyArray

from landscape.models.checks.same_function import check_preserved
from landscape.models.checks.sizes import Follow, follow
from landscape.models.functional import Weights, split
from landscape.models.prng import host_generator
from landscape.models.symmetry import Axis, Group, by_unit, named_group, on_host, retaken


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
      shares: "unequal" draws the s_j of each unit uniformly from the simplex, so that the gradients of its copies
        differ: by their scale alone as long as the copies are equal. Gradient descent parts them therefore, and Adam
        hardly, since it divides a gradient by its scale (`landscape.models.expansion.copies` measures it). "equal"
        gives every copy the same, which is Net2Net's own rule.
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
    return widened(model, group, size, key, shares, noise, inputs)[0]


def widened(
    model: nnx.Module,
    group: str,
    size: int,
    key: PRNGKeyArray,
    shares: Literal["unequal", "equal"],
    noise: float,
    inputs: Any,
) -> tuple[nnx.Module, Int[np.ndarray, " size"]]:
    """What `widen` returns, and the unit g(j) of which each unit is a copy."""
    table, asked, across = _wider(model, group, size)
    network = split(model)
    old = table.size(network.weights)
    if across and size % old:
        raise ValueError(
            f"{group} = {size} is no whole multiple of {old}: {across[0]} normalises across the units, and only "
            "copying each equally often preserves the function"
        )
    generator = host_generator(key)
    index = np.tile(np.arange(old), size // old) if across else copied_units(generator, old, size)
    weights = on_host(network.weights, table)
    weights = retaken(weights, table, index, copy_shares(generator, index, shares))

    def wider(weights: Weights) -> nnx.Module:
        return asked.apply(network.replace(jax.device_put(weights)).module())

    if inputs is not None:
        check_preserved(model, wider(weights), inputs, f"widening group {group!r} of {type(model).__name__}")
    return wider(_shaken(weights, table, old, noise, generator)), index


def pad(model: nnx.Module, group: str, size: int, drawn: Weights, *, silent: bool = True) -> nnx.Module:
    """A wider network whose new units are drawn: their incoming weights, and unless they are silent the outgoing ones.

    With A the incoming and B the outgoing weights of an untrained network that has as many units,

        U'[:, j] = U[:, j],   W'[j, :] = W[j, :]   for j < l;   U'[:, j] = A[:, j],   W'[j, :] = 0 or B[j, :]   beyond.

    Silent units send nothing on, so the function is preserved exactly; the gradient of their outgoing weights is not 0.
    Random padding preserves the first l units, and changes the function by what the new ones send on.

    Args:
      model: a module with a method `groups()`; it is left as it is.
      group, size: as for `widen`.
      drawn: the arrays of an untrained network by the same names, each at least as large as that of the wider network:
        the first entries of each are taken, so those of an array must all follow one distribution.
      silent: whether the outgoing weights of new units are 0.

    Returns:
      A new module of the same type.

    Raises:
      ValueError: as `widen` does; or if a layer normalises across the units, whose statistics new units change.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape.models.functional import split
      >>> from landscape.models.mlp import mlp
      >>> from landscape.models.net2net import pad
      >>> model, untrained, x = mlp(4, (8,), 3, nnx.Rngs(0)), mlp(4, (12,), 3, nnx.Rngs(1)), jnp.ones((1, 4))
      >>> wider = pad(model, "hidden1", 12, split(untrained).weights)
      >>> wider.hidden1.kernel.shape, bool(jnp.allclose(wider(x), model(x), atol=1e-6))
      ((4, 12), True)

    References:
      Chen et al. (2016), arXiv 1511.05641, section 3.1, for random padding; Evci et al. (2022), "GradMax", arXiv
      2201.05125, for new units of which one side is 0.
    """
    table, asked, across = _wider(model, group, size)
    if across:
        raise ValueError(f"{group} cannot have units that are no copies: {across[0]} normalises across the units")
    network = split(model)
    old = table.size(network.weights)
    weights = retaken(on_host(network.weights, table), table, np.minimum(np.arange(size), old - 1))
    wider = asked.apply(network.replace(jax.device_put(weights)).module())
    table = named_group(wider, group)
    for axis in table.consumes:
        weights[axis.path] = _replaced(weights[axis.path], axis, old, size, 0.0 if silent else drawn[axis.path])
    for axis in table.produces:  # last: what both reads and makes units of the group is incoming
        weights[axis.path] = _replaced(weights[axis.path], axis, old, size, drawn[axis.path])
    return split(wider).replace(jax.device_put(weights)).module()


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
      ValueError: if the model has no method `deepened` or no such group, or cannot give a layer or block this name,
        which may be taken; or if the function on `inputs` changes.

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
    name = name or f"{after}_1"
    if hasattr(model, name) or name in getattr(model, "groups", dict)():
        raise ValueError(f"{name!r} is there already; name what is inserted otherwise")
    deeper = model.deepened(after, name)
    if inputs is not None:
        check_preserved(model, deeper, inputs, f"deepening {type(model).__name__} after {after!r}")
    return deeper


def _wider(model: nnx.Module, group: str, size: int) -> tuple[Group, Follow, tuple[str, ...]]:
    """The table of a group that can have `size` units, what that asks of layers, and what normalises across units."""
    table = named_group(model, group)
    old = table.size(split(model).weights)
    if not table.widenable:
        raise ValueError(f"{group} cannot be widened: copying its units changes the function")
    if size <= old:
        raise ValueError(f"{group} = {size} does not widen the base: it must be above {old}")
    asked = follow(model, table, old, size)
    return table, asked, asked.even or ("the network",) * table.even


def _replaced(array: np.ndarray, axis: Axis, old: int, size: int, by: Any) -> np.ndarray:
    """The array with the entries of all units from `old` on replaced by a number, or by those of a greater array."""
    new = np.array(array)
    units = by_unit(np.arange(new.size).reshape(new.shape), axis, size)[old:].ravel()
    first = tuple(slice(length) for length in new.shape)
    new.flat[units] = np.asarray(by)[first].flat[units] if np.ndim(by) else by
    return new


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
