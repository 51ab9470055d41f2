"""Kernels of a module's own: arrays outside of Flax's layers that stand in a matrix product or a convolution.

They are found in the computation, since a name or a shape does not tell a kernel from a table of positions, which is
added to what a network has computed, or from embeddings, which are looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, JaxprEqn, Literal

from landscape.models.functional import Network
from landscape.numerics.memory import inner_jaxprs
from landscape.numerics.structure import once_a_structure

PRODUCTS = ("dot_general", "conv_general_dilated")
LOOKS = ("gather", "dynamic_slice")  # their first operand is read where the others say

Arrays = frozenset[str]  # the arrays of a network of which alone a value is made; none for one that depends on inputs


@once_a_structure
def multiplied(network: Network, inputs: Any) -> Arrays:
    """The arrays of two axes or more that enter a product before they meet the inputs, and are not looked up.

    Of several that are made into one operand, as a kernel and a mask, or a kernel and what is added to it, all count.
    """
    weights, batch = jax.tree.map(_shape, (network.weights, inputs))

    def evaluate(weights: Any, batch: Any) -> Any:
        return network.replace(weights).evaluating(as_written=True)(batch)

    traced = jax.make_jaxpr(evaluate)(weights, batch).jaxpr
    matrices = [frozenset([path] if len(weights[path].shape) > 1 else ()) for path in sorted(weights)]
    found = _Found()
    found.walk(traced, [*matrices, *[None] * (len(traced.invars) - len(matrices))])
    return frozenset(found.multiplied - found.looked_up)


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    """Weights and inputs of real numbers have one type, since some operations take no two."""
    real = jnp.issubdtype(leaf.dtype, jnp.floating)
    return jax.ShapeDtypeStruct(np.shape(leaf), jax.dtypes.canonicalize_dtype(np.float64) if real else leaf.dtype)


class _Found:
    """What a program does with arrays: those that it multiplies, and those of which it looks up entries."""

    def __init__(self) -> None:
        self.multiplied: set[str] = set()
        self.looked_up: set[str] = set()

    def walk(self, program: Jaxpr, entering: Sequence[Arrays | None]) -> None:
        """Go through a program whose inputs are made of these arrays; None stands for what depends on the inputs."""
        known: dict[Any, Arrays | None] = dict(zip(program.invars, entering, strict=True))
        for step in program.eqns:
            read = [frozenset() if isinstance(each, Literal) else known.get(each, frozenset()) for each in step.invars]
            self._note(step, read)
            for inner in inner_jaxprs(step):  # the last operands are those of a body, a branch or a called function
                self.walk(inner, read[len(read) - len(inner.invars) :])
            made = None if None in read else frozenset[str]().union(*filter(None, read))
            known |= dict.fromkeys(step.outvars, made)

    def _note(self, step: JaxprEqn, read: Sequence[Arrays | None]) -> None:
        name = step.primitive.name
        if name in PRODUCTS:
            self.multiplied.update(*filter(None, read))
        elif name in LOOKS and None in read[1:]:
            self.looked_up.update(read[0] or ())
