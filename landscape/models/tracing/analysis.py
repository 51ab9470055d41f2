"""The table of a network from its computation: traced on shapes alone, and inferred by the rules of its primitives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from flax import nnx

from landscape.models.functional import Network
from landscape.models.tracing.axes import Atom, Reason
from landscape.models.tracing.inference import Dim, Inference, Value
from landscape.models.tracing.program import Program, traced_program
from landscape.models.tracing.rules import RULES
from landscape.models.tracing.table import Table, shape_lengths, tabulated

EXAMPLES = 2  # a batch of one would not tell examples from axes of one entry
RANDOM = ("random_bits", "random_gamma", "threefry2x32", "rng_uniform", "rng_bit_generator")


@dataclass(frozen=True)
class Shapes:
    """Shapes and types of a batch without its number of examples; hashable, so that a module may keep it."""

    tree: Any
    leaves: tuple[tuple[tuple[int, ...], Any], ...]

    @classmethod
    def of(cls, inputs: Any) -> Shapes:
        """Those of a batch."""
        leaves, tree = jax.tree.flatten(inputs)
        return cls(tree, tuple((np.shape(leaf)[1:], jax.dtypes.canonicalize_dtype(leaf.dtype)) for leaf in leaves))

    def batch(self, examples: int) -> Any:
        """A batch of so many examples, as shapes."""
        leaves = [jax.ShapeDtypeStruct((examples, *shape), dtype) for shape, dtype in self.leaves]
        return jax.tree.unflatten(self.tree, leaves)


def table(network: Network, shapes: Shapes) -> Table:
    """What tracing finds for a network on inputs of these shapes, without a check. It needs shapes only."""
    kept = tuple((path, leaf.shape, leaf.dtype) for path, leaf in network.weights.items())
    return _table(network.graphdef, kept, shapes)


@lru_cache(maxsize=128)
def _table(graphdef: nnx.GraphDef, weights: tuple[tuple[str, tuple[int, ...], Any], ...], shapes: Shapes) -> Table:
    skeleton = Network(graphdef, {path: jax.ShapeDtypeStruct(shape, dtype) for path, shape, dtype in weights})
    one = network_program(skeleton, shapes, EXAMPLES)
    if one.outline() != network_program(skeleton, shapes, EXAMPLES + 1).outline():
        raise ValueError(f"{_name(skeleton)} traces differently for another number of examples")
    _check_certain(one, _name(skeleton))
    return inferred(skeleton.weights, one)


def inferred(weights: Mapping[str, Any], traced: Program) -> Table:
    """The table that the rules give for a program, whose first inputs are these weights in the order of their names."""
    lengths = shape_lengths(weights)
    types = {origin: Atom(size) for origin, size in lengths.items()}
    values = [
        Value(tuple(Dim(types[path, i], frozenset({(path, i)})) for i in range(len(weights[path].shape))))
        for path in sorted(weights)
    ]
    entering = Reason("tied to an axis of the inputs")
    for aval in traced.avals[len(values) :]:
        values.append(Value(tuple(Dim(Atom(size, entering)) for size in aval.shape)))
    inference = Inference(RULES)
    for value in inference.run(traced, values):
        inference.enter(value.dims)
        inference.fix_dims(value.dims, "an axis of the outputs")
    return tabulated(types, inference.marks, lengths)


def network_program(network: Network, shapes: Shapes, examples: int) -> Program:
    """The evaluation of a network on so many examples. Raises ValueError if it cannot be traced."""
    try:
        found, made = traced_program(
            lambda weights, inputs: network.replace(weights).logits(inputs), network.weights, shapes.batch(examples)
        )
    except Exception as error:  # whatever the user's forward pass raises
        first = str(error).strip().partition("\n")[0]
        raise ValueError(f"{_name(network)} cannot be run on {examples} examples of these inputs: {first}") from error
    if not isinstance(made, jax.ShapeDtypeStruct):
        raise ValueError(f"{_name(network)} must return one array; it returns {jax.tree.structure(made)}")
    return found


def _check_certain(traced: Program, name: str) -> None:
    for step in traced.steps:
        if step.primitive.name in RANDOM:
            what = f"{step.primitive.name}, at {step.place}"
            raise ValueError(f"the outputs of {name} depend on a random number ({what})")


def _name(network: Network) -> str:
    return type(network.module()).__name__
