"""A program divided by what depends on the arrays of one group: the rest runs once for all its midpoints."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
from jax.tree_util import register_dataclass

from landscape.models.cut import Opened
from landscape.models.functional import Weights
from landscape.models.tracing.analysis import Analysis
from landscape.models.tracing.program import Constant, Program, Step, evaluate


@register_dataclass
@dataclass(frozen=True)
class Begun:
    """What a network has computed of a batch, by the numbers of the values in its program on so many examples."""

    examples: int = field(metadata={"static": True})
    values: dict[int, Any]


def numbers(steps: Iterable[Step]) -> set[int]:
    """The values that some steps read."""
    return {each for step in steps for each in step.operands if isinstance(each, int)}


def results(steps: Iterable[Step]) -> set[int]:
    """The values that some steps make."""
    return {each for step in steps for each in step.results}


def dependent(steps: Sequence[Step], on: Collection[int]) -> list[bool]:
    """Which steps depend on these values."""
    known, found = {*on}, []
    for step in steps:
        found.append(bool(known & numbers([step])))
        known |= {*step.results} if found[-1] else set()
    return found


def touched(analysis: Analysis, group: str) -> set[int]:
    """The numbers of the arrays of a group."""
    table, inputs = analysis.table.groups[group], analysis.inputs()
    return {inputs[axis.path] for axis in (*table.produces, *table.consumes)}


def begun(analysis: Analysis, weights: Weights, inputs: Any, early: Sequence[bool], later: Collection[int]) -> Begun:
    """Run the early steps of a batch; keep of what they make, and of the inputs, what is read later."""
    leaves = jax.tree.leaves(inputs)
    program = analysis.at(len(leaves[0]))
    values = named(analysis, weights) | dict(zip(program.inputs[len(weights) :], leaves, strict=True))
    entered = {*values} - {*program.inputs[: len(weights)]}
    evaluate([step for step, first in zip(program.steps, early, strict=True) if first], values)
    made = entered | results(step for step, first in zip(program.steps, early, strict=True) if first)
    return Begun(len(leaves[0]), {each: values[each] for each in sorted(made & {*later})})


def named(analysis: Analysis, weights: Weights) -> dict[int, Any]:
    """The arrays of the network by their numbers."""
    return {number: weights[path] for path, number in analysis.inputs().items()}


def output(program: Program, values: Mapping[int, Any]) -> Any:
    """The network's output among the values of its program."""
    (last,) = program.outputs
    return last.value if isinstance(last, Constant) else values[last]


def opened(analysis: Analysis, weights: Weights, group: str) -> Opened:
    """The network opened around all steps that depend on the arrays of a group. Raises KeyError for an unknown one."""
    late = dependent(analysis.program.steps, touched(analysis, group))
    early = [not each for each in late]
    read = numbers(step for step, each in zip(analysis.program.steps, late, strict=True) if each)

    def before(inputs: Any) -> Begun:
        return begun(analysis, weights, inputs, early, read)

    def between(carry: Begun) -> Any:
        program = analysis.at(carry.examples)
        steps = [step for step, each in zip(program.steps, late, strict=True) if each]
        return output(program, evaluate(steps, named(analysis, weights) | carry.values))

    return Opened(between, before)
