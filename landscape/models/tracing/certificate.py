"""Whether the groups that were inferred are symmetries: tried out at weights without coincidences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from landscape.models.checks.same_function import check_alone, logits
from landscape.models.functional import Network, split
from landscape.models.net2net import widen
from landscape.models.symmetry import Group, retaken
from landscape.models.tracing.analysis import Shapes
from landscape.models.tracing.module import Findings, attached
from landscape.models.tracing.table import Table

TOLERANCE = 1e-5  # of the largest output
ROUNDED = 1e-4  # the same in single precision
FEW = 8  # examples on which outputs are compared


def certified(model: nnx.Module, table: Table, inputs: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The groups that are no symmetry after all, and those that cannot be widened after all, each with the reason.

    Computed in double precision, unless the network itself asks for another, so that tolerances need no allowance.
    """
    network, some = split(model), jax.tree.map(lambda leaf: jnp.asarray(leaf[:FEW]), inputs)
    with jax.enable_x64(_runs_double(network, some)):
        network, some = _generic(network), jax.tree.map(_widest, some)
        own = logits(network, some)
        if not own.size:
            raise ValueError("inputs must hold at least one example; they hold none")
        if not jnp.isfinite(own).all():
            raise ValueError(f"the outputs of {type(model).__name__} on these inputs are not finite")
        check_alone(network, some)
        wrong = {name: why for name, group in table.groups.items() if (why := _moved(network, group, own, some))}
        whole = attached(network.module(), Findings(Shapes.of(some), tuple(wrong)))
        names = [name for name, group in table.groups.items() if group.widenable and name not in wrong]
        return wrong, _rigid(whole, names, own, some)


def _moved(network: Network, group: Group, own: jax.Array, inputs: Any) -> str:
    """How permuting a group changes the outputs, if it does. Every unit is moved."""
    units = np.random.default_rng(0).permutation(group.size(network.weights))
    permutation = np.empty_like(units)
    permutation[units] = np.roll(units, 1)
    return _apart(own, logits(network.replace(retaken(network.weights, group, permutation)), inputs))


def _apart(own: jax.Array, other: jax.Array) -> str:
    if own.shape != other.shape:
        return f"it changes the shape of the outputs to {other.shape}"
    apart, most = float(jnp.abs(own - other).max()), float(jnp.abs(own).max())
    tolerance = TOLERANCE if own.dtype == jnp.float64 else ROUNDED
    return "" if apart <= tolerance * most else f"it changes outputs by {apart:.3g}, of {most:.3g}"


def _rigid(model: Any, names: Iterable[str], own: jax.Array, inputs: Any) -> dict[str, str]:
    """Groups whose copies change the function. All others are widened together, since each new width is compiled."""
    found, wide = {}, model
    for name in names:
        try:
            wider = _widened(wide, name)
            jax.eval_shape(Network.logits, split(wider), inputs)
        except (TypeError, ValueError, AssertionError) as error:
            found[name] = f"the wider network cannot be run: {str(error).strip().partition(chr(10))[0]}"
        else:
            wide = wider
    left = [name for name in names if name not in found]
    if left and _apart(own, logits(split(wide), inputs)):
        found |= {name: why for name in left if (why := _apart(own, logits(split(_widened(model, name)), inputs)))}
    return found


def _widened(model: Any, name: str) -> Any:
    size = model.groups()[name].size(split(model).weights)
    return widen(model, name, 2 * size, jax.random.key(0), shares="unequal")


def _generic(network: Network) -> Network:
    """Weights as large as the network's, of which no two are equal: at zero biases, many a wrong table looks right."""
    rng = np.random.default_rng(0)
    return network.replace({path: _shaken(array, rng) for path, array in network.weights.items()})


def _shaken(array: Any, rng: np.random.Generator) -> Any:
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        return array
    entries = np.asarray(array, np.result_type(_wider(array.dtype), np.float64))
    noise = 0.1 * np.maximum(entries.std(), 0.3) * rng.normal(size=entries.shape)
    generic = np.abs(entries + noise) if (entries >= 0).all() and entries.any() else entries + noise
    return np.asarray(generic, jax.dtypes.canonicalize_dtype(_wider(array.dtype)))


def _runs_double(network: Network, inputs: Any) -> bool:
    """Whether the network computes in double precision if it is given that; a loop may insist on a type of its own."""
    with jax.enable_x64(True):
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, _wider(leaf.dtype)), (network, inputs))
        try:
            return jax.eval_shape(Network.logits, *shapes).dtype == jnp.float64
        except TypeError:
            return False


def _widest(array: jax.Array) -> jax.Array:
    """The array in double precision, where that is switched on."""
    return array.astype(jax.dtypes.canonicalize_dtype(_wider(array.dtype)))


def _wider(dtype: Any) -> Any:
    return np.dtype(np.float64) if dtype == np.float32 else dtype
