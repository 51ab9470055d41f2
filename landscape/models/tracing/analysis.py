"""The table of a network from its computation: traced on shapes alone, and inferred by the rules of its primitives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from landscape.models.functional import Network, Weights
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


class Analysis(NamedTuple):
    """A network without its numbers: its program on a few examples, the axes of every value in it, and the table."""

    skeleton: Network
    shapes: Shapes
    program: Program
    values: dict[int, Value]
    table: Table

    def at(self, examples: int) -> Program:
        """The program on so many examples, in which the same values have the same numbers."""
        return self.program if examples == EXAMPLES else _program(*_key(self.skeleton), self.shapes, examples)

    def inputs(self) -> dict[str, int]:
        """The number of each array of the network in the program."""
        return dict(zip(sorted(self.skeleton.weights), self.program.inputs, strict=False))

    def named(self, weights: Weights) -> dict[int, Any]:
        """The arrays of a network of this structure by their numbers."""
        return {number: weights[path] for path, number in self.inputs().items()}

    def touched(self, group: str) -> set[int]:
        """The numbers of the arrays of a group. Raises KeyError for an unknown one."""
        table, inputs = self.table.groups[group], self.inputs()
        return {inputs[axis.path] for axis in (*table.produces, *table.consumes)}


Leaves = tuple[tuple[str, tuple[int, ...], Any], ...]  # of each array its path, shape and type


def analysis(network: Network, shapes: Shapes) -> Analysis:
    """What tracing tells of a network on inputs of these shapes, without a check. It needs shapes only."""
    return _analysis(*_key(network), shapes)


def _key(network: Network) -> tuple[nnx.GraphDef, Leaves, Any]:
    """What the program depends on beside the inputs; the last is whether double precision is switched on."""
    leaves = tuple((path, leaf.shape, leaf.dtype) for path, leaf in network.weights.items())
    return network.graphdef, leaves, jax.dtypes.canonicalize_dtype(np.float64)


@lru_cache(maxsize=128)
def _analysis(graphdef: nnx.GraphDef, weights: Leaves, precision: Any, shapes: Shapes) -> Analysis:
    skeleton = _skeleton(graphdef, weights)
    one, more = (_program(graphdef, weights, precision, shapes, examples) for examples in (EXAMPLES, EXAMPLES + 1))
    if one.outline() != more.outline():
        raise ValueError(
            f"{_name(skeleton)} traces differently for another number of examples; it must not depend on it"
        )
    _check_certain(one, _name(skeleton))
    return Analysis(skeleton, shapes, one, *inferred(skeleton.weights, one))


@lru_cache(maxsize=128)
def _program(graphdef: nnx.GraphDef, weights: Leaves, precision: Any, shapes: Shapes, examples: int) -> Program:
    return network_program(_skeleton(graphdef, weights), shapes, examples)


def _skeleton(graphdef: nnx.GraphDef, weights: Leaves) -> Network:
    return Network(graphdef, {path: jax.ShapeDtypeStruct(shape, dtype) for path, shape, dtype in weights})


def inferred(weights: Mapping[str, Any], traced: Program) -> tuple[dict[int, Value], Table]:
    """The axes and the table that the rules give for a program whose first inputs are these arrays, sorted by path."""
    lengths = shape_lengths(weights)
    types = {origin: Atom(size, _unmixed(weights[origin[0]])) for origin, size in lengths.items()}
    entering = [
        Value(tuple(Dim(types[path, i], frozenset({(path, i)})) for i in range(len(weights[path].shape))))
        for path in sorted(weights)
    ]
    fixed = Reason("tied to an axis of the inputs")
    for aval in traced.avals[len(entering) :]:
        entering.append(Value(tuple(Dim(Atom(size, fixed)) for size in aval.shape)))
    inference = Inference(RULES)
    values = inference.walk(traced, entering)
    for value in (values[each] for each in traced.outputs if isinstance(each, int)):
        inference.enter(value.dims)
        inference.fix_dims(value.dims, "an axis of the outputs")
    return values, tabulated(types, inference.marks, lengths)


def _unmixed(array: Any) -> Reason | None:
    """Why units of an array are told apart whatever the program: between two networks it stays that of the first."""
    real = jnp.issubdtype(array.dtype, jnp.inexact)
    return None if real else Reason(f"tied to an array of {array.dtype}, of which no mean is taken")


def network_program(network: Network, shapes: Shapes, examples: int) -> Program:
    """The evaluation of a network on so many examples. Raises ValueError if it cannot be traced."""
    arguments = network.weights, shapes.batch(examples)

    def evaluate(weights: Any, inputs: Any) -> Any:
        return network.replace(weights).evaluating(as_written=True)(inputs)

    try:
        found, made = traced_program(evaluate, *arguments)
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
