"""A network cut open at a group that tracing found to be one layer of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from landscape.models.cut import Cut
from landscape.models.functional import Weights
from landscape.models.tracing.analysis import EXAMPLES, Analysis
from landscape.models.tracing.chain import Chain, chain_at, resized
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
    own, head = _Parts(analysis, weights, group, chain), chain.layer and chain.layer.head(analysis, weights)
    return Cut(own.before, own.activation, own.linear, kernel, own.after, own.settle if chain.settling else None, head)


class _Parts(NamedTuple):
    """A network that is a chain at a group, and its parts as in `Cut`."""

    analysis: Analysis
    weights: Weights
    group: str
    chain: Chain

    def before(self, inputs: Any) -> tuple[Array, Begun]:
        chain, values = self.chain, self.analysis.named(self.weights)
        later = numbers(self._steps(EXAMPLES, (*chain.settling, *chain.after))) | {chain.z}
        carry = begun(self.analysis, self.weights, inputs, chain.early, later)
        z = _with_rows(carry.values[chain.z], [values[each] for each in chain.parameters])
        return z, Begun(carry.examples, {each: x for each, x in carry.values.items() if each != chain.z})

    def activation(self, z: Array) -> Array:
        chain = self.chain
        x, rows = _without_rows(z, len(chain.parameters))
        steps = self._steps(len(x), chain.activation)
        some = [resized(self.analysis, self.group, step, z.shape[-1]) for step in steps]
        return evaluate(some, {chain.z: x} | dict(zip(chain.parameters, rows, strict=True)))[chain.h]

    def linear(self, h: Array, kernel: Array) -> Array:
        (reads,) = self._steps(len(h), [self.chain.reader])
        if self.chain.flat:
            h, kernel = h.reshape(len(h), -1), kernel.reshape(-1, kernel.shape[-1])
        (y,) = reads.evaluated([h, kernel])
        return y

    def settle(self, y: Array, carry: Begun) -> Array:
        return self._evaluated(self.chain.settling, carry, {self.chain.y: y})[self.chain.settled]

    def after(self, x: Array, carry: Begun) -> Array:
        return self._evaluated(self.chain.after, carry, {self.chain.settled: x})[self.chain.end]

    def _steps(self, examples: int, places: Sequence[int]) -> list[Step]:
        program = self.analysis.at(examples)
        return [program.steps[place] for place in places]

    def _evaluated(self, places: Sequence[int], carry: Begun, values: dict[int, Any]) -> dict[int, Any]:
        """What these steps make of arrays, carry and values."""
        known = self.analysis.named(self.weights) | carry.values | values
        return evaluate(self._steps(carry.examples, places), known)


def _with_rows(z: Array, arrays: Sequence[Array]) -> Array:
    """(b, ..., l) and n arrays of (l,) -> (b + n, ..., l), so that the arrays are interpolated as z is."""
    rows = [jnp.broadcast_to(each, (1, *z.shape[1:])) for each in arrays]
    return jnp.concatenate([z, *rows])


def _without_rows(z: Array, n: int) -> tuple[Array, list[Array]]:
    """The inverse: (b + n, ..., l) -> (b, ..., l) and n arrays of (l,)."""
    examples = len(z) - n
    return z[:examples], [row.reshape(-1, z.shape[-1])[0] for row in z[examples:]]
