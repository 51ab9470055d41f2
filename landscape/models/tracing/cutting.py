"""A network cut open at a group that tracing found to be one layer of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from landscape.models.cut import Cut
from landscape.models.functional import Weights
from landscape.models.tracing.analysis import EXAMPLES, Analysis
from landscape.models.tracing.chain import chain_at, resized
from landscape.models.tracing.opening import Begun, begun
from landscape.models.tracing.program import Step, evaluate, numbers


def cut(analysis: Analysis, weights: Weights, group: str) -> Cut | None:
    """The network cut open at a group; None where it is no chain there. Raises KeyError for an unknown group."""
    chain = chain_at(analysis, group)
    if chain is None:
        return None
    (reader,) = analysis.table.groups[group].consumes
    kernel, units = weights[reader.path], analysis.table.atoms[group].size
    if chain.flat:
        kernel = kernel.reshape(-1, units, kernel.shape[-1])  # pixels l out

    def steps(examples: int, places: Sequence[int]) -> list[Step]:
        program = analysis.at(examples)
        return [program.steps[place] for place in places]

    def before(inputs: Any) -> tuple[Array, Begun]:
        later = numbers(steps(EXAMPLES, (*chain.settling, *chain.after))) | {chain.z}
        carry = begun(analysis, weights, inputs, chain.early, later)
        values = analysis.named(weights)
        z = _with_rows(carry.values[chain.z], [values[each] for each in chain.parameters])
        return z, Begun(carry.examples, {each: x for each, x in carry.values.items() if each != chain.z})

    def activation(z: Array) -> Array:
        x, rows = _without_rows(z, len(chain.parameters))
        some = [resized(analysis, group, step, z.shape[-1]) for step in steps(len(x), chain.activation)]
        return evaluate(some, {chain.z: x} | dict(zip(chain.parameters, rows, strict=True)))[chain.h]

    def linear(h: Array, kernel: Array) -> Array:
        (reads,) = steps(len(h), [chain.reader])
        if chain.flat:
            h, kernel = h.reshape(len(h), -1), kernel.reshape(-1, kernel.shape[-1])
        (y,) = reads.evaluated([h, kernel])
        return y

    def settle(y: Array, carry: Begun) -> Array:
        values = analysis.named(weights) | carry.values | {chain.y: y}
        return evaluate(steps(carry.examples, chain.settling), values)[chain.settled]

    def after(x: Array, carry: Begun) -> Array:
        values = analysis.named(weights) | carry.values | {chain.settled: x}
        return evaluate(steps(carry.examples, chain.after), values)[chain.end]

    head = chain.layer and chain.layer.head(analysis, weights)
    return Cut(before, activation, linear, kernel, after, settle if chain.settling else None, head)


def _with_rows(z: Array, arrays: Sequence[Array]) -> Array:
    """(b, ..., l) and n arrays of (l,) -> (b + n, ..., l), so that the arrays are interpolated as z is."""
    rows = [jnp.broadcast_to(each, (1, *z.shape[1:])) for each in arrays]
    return jnp.concatenate([z, *rows])


def _without_rows(z: Array, n: int) -> tuple[Array, list[Array]]:
    """The inverse: (b + n, ..., l) -> (b, ..., l) and n arrays of (l,)."""
    examples = len(z) - n
    return z[:examples], [row.reshape(-1, z.shape[-1])[0] for row in z[examples:]]
