"""The steps of a candidate, applied to the base in order."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from flax import nnx
from jaxtyping import Int, PRNGKeyArray

from landscape.models.functional import Weights, split
from landscape.models.net2net import deepen, pad, widened
from landscape.models.symmetry import unit_groups
from landscape.study import Expansion
from landscape.study.steps import Deepen, NewUnits, Widen

COPIES: Mapping[NewUnits | None, Literal["unequal", "equal"]] = {
    "copies": "unequal",
    "noisy copies": "equal",
}  # their shares


class Expanded(NamedTuple):
    """A network that a candidate's steps have made of another.

    originals: for each group that was widened, the unit that each of its units is a copy of: the unit itself where it
    is an original or was drawn. Copies of copies are copies of the first original.
    """

    model: nnx.Module
    originals: dict[str, Int[np.ndarray, " units"]]


def expand(
    model: nnx.Module,
    steps: tuple[Widen | Deepen, ...],
    expansion: Expansion,
    key: PRNGKeyArray,
    *,
    inputs: Any = None,
    drawn: Weights | None = None,
) -> Expanded:
    """The network that a candidate's steps make of `model`, applied in order; each step has a key of its own.

    `drawn` are the weights of an untrained network of the candidate's sizes, for steps whose new units are drawn.

    Raises ValueError as `widen`, `pad` and `deepen` do, which compare functions on `inputs`.
    """
    expanded = Expanded(model, {})
    for i, step in enumerate(steps):
        if isinstance(step, Deepen):
            expanded = expanded._replace(model=_deeper(expanded.model, step, inputs))
        else:
            expanded = _wider(expanded, step, expansion, jax.random.fold_in(key, i), inputs, drawn)
    return expanded


def _deeper(model: nnx.Module, step: Deepen, inputs: Any) -> nnx.Module:
    place = step.deepen
    for name in step.inserted:
        model, place = deepen(model, place, name, inputs=inputs), name
    return model


def _wider(
    expanded: Expanded, step: Widen, expansion: Expansion, key: PRNGKeyArray, inputs: Any, drawn: Weights | None
) -> Expanded:
    model, originals = expanded.model, dict(expanded.originals)
    weights = split(model).weights
    sizes = {name: table.size(weights) for name, table in unit_groups(model).items()}
    shares = COPIES.get(step.units, expansion.shares)
    noise = 0.0 if step.units == "copies" else expansion.noise
    for i, (name, size) in enumerate(step.apply(sizes).items()):
        if not fnmatchcase(name, step.widen):
            continue
        before = originals.get(name, np.arange(sizes[name]))
        if step.draws:
            model = pad(model, name, size, drawn or {}, silent=step.units == "silent")
            originals[name] = np.concatenate([before, np.arange(sizes[name], size)])
        else:
            model, index = widened(model, name, size, jax.random.fold_in(key, i), shares, noise, inputs)
            originals[name] = before[index]
    return Expanded(model, originals)
