"""The axes of every value of a program, inferred step by step by the rules of its primitives.

Soundness is equivariance. Suppose that the units of every atom are permuted in all parameters. A rule is right if
then each value that its step makes is permuted on the axes that the rule says, and not at all on the others; where a
primitive cannot promise that, or is not known, the axes of its operands are fixed. The axes of inputs, outputs and
constants are fixed as well. So an atom that stays free can be permuted in all parameters, and the outputs stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.models.tracing.axes import Atom, Reason, Type, Unifier, atoms, extent
from landscape.models.tracing.program import Constant, Operand, Program, Step

Origin = tuple[str, int]  # an axis of a parameter: its path, and which


@dataclass(frozen=True, eq=False)
class Dim:
    """An axis of a value. `origins` are the axes of parameters that it is, as long as the value is linear in them."""

    type: Type
    origins: frozenset[Origin] = frozenset()

    @property
    def size(self) -> int:
        """How many entries it has."""
        return extent(self.type)


class Value(NamedTuple):
    """The axes of a value, and whether it depends on neither parameters nor inputs."""

    dims: tuple[Dim, ...]
    constant: bool = False


@dataclass
class Marks:
    """What happens to units on the way, by the type of the axis: decides who reads them, and whether copies may.

    read: contracted with the axis of a parameter, which is its consumer; made: entered into anything else; merged:
    reduced over, which sees how often each unit is there; met: contracted with one another.
    """

    read: list[tuple[Origin, Type]] = field(default_factory=list)
    made: list[tuple[Origin, Type]] = field(default_factory=list)
    merged: list[tuple[Type, Reason]] = field(default_factory=list)
    met: list[tuple[Type, Reason]] = field(default_factory=list)


class Inference(Unifier):
    """Walks programs and holds what was found. `rules` has a rule for each known primitive, by name."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        super().__init__()
        self.rules, self.marks = rules, Marks()

    def run(self, program: Program, inputs: Sequence[Value]) -> list[Value]:
        """The axes of a program's outputs from those of its inputs."""
        values = self.walk(program, inputs)
        return [self._operand(each, values) for each in program.outputs]

    def walk(self, program: Program, inputs: Sequence[Value]) -> dict[int, Value]:
        """The axes of all values of a program, by their numbers."""
        values = dict(zip(program.inputs, inputs, strict=True))
        for step in program.steps:
            outer, self.here = self.here, Reason("", step.primitive.name, step.place or self.here.place)
            operands, reads = [self._operand(each, values) for each in step.operands], len(self.marks.read)
            results = self._applied(step, operands)
            self._used(operands, results, {origin for origin, _ in self.marks.read[reads:]})
            values |= zip(step.results, results, strict=True)
            self.here = outer
        return values

    def _operand(self, operand: Operand, values: dict[int, Value]) -> Value:
        return self.constant(operand.value) if isinstance(operand, Constant) else values[operand]

    def _applied(self, step: Step, operands: list[Value]) -> Sequence[Value]:
        rule = self.rules.get(step.primitive.name, unknown)
        results = rule(self, step, operands)
        for value, aval in zip(results, step.avals, strict=True):
            if tuple(dim.size for dim in value.dims) != aval.shape:
                raise AssertionError(f"{step.primitive.name} makes {aval.shape}, which its rule does not say")
        constant = all(value.constant for value in operands)
        return [value._replace(constant=constant) for value in results]

    def _used(self, operands: Iterable[Value], results: Iterable[Value], read: Collection[Origin]) -> None:
        """A parameter that enters anything but what is linear in it alone makes the units that are not `read`."""
        kept = {origin for value in results for dim in value.dims for origin in dim.origins}
        gone = [dim for value in operands for dim in value.dims]
        self.enter(Dim(dim.type, dim.origins - kept - {*read}) for dim in gone)

    def enter(self, dims: Iterable[Dim]) -> None:
        """Mark the parameters of these axes as makers of their units."""
        for dim in dims:
            self.marks.made += [(origin, dim.type) for origin in sorted(dim.origins)]

    def constant(self, array: Any) -> Value:
        """A constant: only along an axis where it is the same everywhere may units be re-ordered."""
        if jnp.issubdtype(getattr(array, "dtype", np.float32), jax.dtypes.extended):
            return self.fixed_value(np.shape(array), "tied to a fixed array")
        entries = np.asarray(array)
        fixed = self.reason("tied to a fixed array")
        alike = [bool((entries == entries.take([0], axis)).all()) for axis in range(entries.ndim)]
        dims = (Dim(Atom(size, None if same else fixed)) for size, same in zip(entries.shape, alike, strict=True))
        return Value(tuple(dims), constant=True)

    def fixed_value(self, shape: Iterable[int], text: str) -> Value:
        """A value whose axes all tell their units apart."""
        return Value(tuple(self.fixed_dim(size, text) for size in shape))

    def fixed_dim(self, size: int, text: str) -> Dim:
        """An axis that tells its units apart."""
        return Dim(Atom(size, self.reason(text)))

    def tie(self, *dims: Dim) -> Dim:
        """Axes that are read by one index, of which those with one entry are repeated; without origins."""
        long = [dim for dim in dims if dim.size > 1]
        for dim in long[1:]:
            self.unify(long[0].type, dim.type)
        return Dim(long[0].type) if long else Dim(Atom(1))

    def fix_dims(self, dims: Iterable[Dim], text: str) -> None:
        """Tell the units of these axes apart."""
        for dim in dims:
            self.fix(dim.type, self.reason(text))

    def contract(self, left: Dim, right: Dim) -> None:
        """Σ over an index that two axes share. The parameter among them, if there is one, reads the units."""
        self.unify(left.type, right.type)
        reader, maker = (right, left) if right.origins else (left, right)
        self.enter([maker])
        self.marks.read += [(origin, reader.type) for origin in sorted(reader.origins)]
        if not reader.origins:
            self.marks.met.append((reader.type, self.reason("two computed values are multiplied and summed over it")))

    def merge(self, dim: Dim) -> None:
        """Σ or ∏ over an axis alone."""
        self.marks.merged.append((dim.type, self.reason("summed or multiplied over")))


Rule = Callable[[Inference, Step, list[Value]], Sequence[Value]]


def unknown(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """A primitive without a rule tells everything apart."""
    text = f"not known: {step.primitive.name} is a primitive that is not followed, which is met"
    inference.fix_dims((dim for value in operands for dim in value.dims), text)
    return [inference.fixed_value(aval.shape, text) for aval in step.avals]


def free(t: Type) -> list[Atom]:
    """The atoms of a type that may be permuted, of two units at least."""
    return [atom for atom in atoms(t) if atom.fixed is None]
