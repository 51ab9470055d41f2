"""A network cut open at a group that tracing found to be one layer of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from landscape.models.cut import Cut
from landscape.models.functional import Weights
from landscape.models.tracing.analysis import EXAMPLES, Analysis
from landscape.models.tracing.chain import chain_at, resized
from landscape.models.tracing.opening import Begun, begun, named, numbers, output
from landscape.models.tracing.program import Step, evaluate


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

    def before(inputs: Any) -> tuple[Any, Begun]:
        later = numbers(steps(EXAMPLES, (*chain.settling, *chain.after))) | {chain.z}
        carry = begun(analysis, weights, inputs, chain.early, later)
        z = carry.values[chain.z]
        return z, Begun(carry.examples, {each: x for each, x in carry.values.items() if each != chain.z})

    def activation(z: Any) -> Any:
        some = [resized(analysis, group, step, z.shape[-1]) for step in steps(len(z), chain.activation)]
        return evaluate(some, {chain.z: z})[chain.h]

    def linear(h: Any, kernel: Any) -> Any:
        (reads,) = steps(len(h), [chain.reader])
        if chain.flat:
            h, kernel = h.reshape(len(h), -1), kernel.reshape(-1, kernel.shape[-1])
        (y,) = reads.evaluated([h, kernel])
        return y

    def settle(y: Any, carry: Begun) -> Any:
        values = named(analysis, weights) | carry.values | {chain.y: y}
        return evaluate(steps(carry.examples, chain.settling), values)[chain.settled]

    def after(x: Any, carry: Begun) -> Any:
        values = named(analysis, weights) | carry.values | {chain.settled: x}
        return output(analysis.at(carry.examples), evaluate(steps(carry.examples, chain.after), values))

    return Cut(before, activation, linear, kernel, after, settle if chain.settling else None)
