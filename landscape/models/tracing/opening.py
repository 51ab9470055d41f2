"""A program divided by what depends on the arrays of one group: the rest runs once for all its midpoints."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
from jax.tree_util import register_dataclass

from landscape.models.cut import Opened
from landscape.models.functional import Weights
from landscape.models.tracing.analysis import Analysis
from landscape.models.tracing.output_layer import output_layer
from landscape.models.tracing.program import behind, dependent, evaluate, numbers, results


@register_dataclass
@dataclass(frozen=True)
class Begun:
    """What a network has computed of a batch, by the numbers of the values in its program on so many examples."""

    examples: int = field(metadata={"static": True})
    values: dict[int, Any]


def begun(analysis: Analysis, weights: Weights, inputs: Any, early: Sequence[bool], later: Collection[int]) -> Begun:
    """Run the early steps of a batch; keep of what they make, and of the inputs, what is read later."""
    leaves = jax.tree.leaves(inputs)
    program = analysis.at(len(leaves[0]))
    values = analysis.named(weights) | dict(zip(program.inputs[len(weights) :], leaves, strict=True))
    entered = {*values} - {*program.inputs[: len(weights)]}
    evaluate([step for step, first in zip(program.steps, early, strict=True) if first], values)
    made = entered | results(step for step, first in zip(program.steps, early, strict=True) if first)
    return Begun(len(leaves[0]), {each: values[each] for each in sorted(made & {*later})})


def opened(analysis: Analysis, weights: Weights, group: str) -> Opened:
    """The network opened around all steps that depend on the arrays of a group. Raises KeyError for an unknown one."""
    steps, layer = analysis.program.steps, output_layer(analysis, group)
    end = analysis.program.end if layer is None else layer.features
    early = [not each for each in dependent(steps, analysis.touched(group))]
    late = [place for place in behind(steps, end) if not early[place]]
    read = numbers(steps[place] for place in late) | {end}

    def before(inputs: Any) -> Begun:
        return begun(analysis, weights, inputs, early, read)

    def between(carry: Begun) -> Any:
        steps = analysis.at(carry.examples).steps
        return evaluate([steps[place] for place in late], analysis.named(weights) | carry.values)[end]

    return Opened(between, before, layer and layer.head(analysis, weights))
