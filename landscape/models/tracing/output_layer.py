"""The output layer of a program, where it is large and the same at all midpoints of a group.

That is logits = features @ kernel + bias with many logits, and more than features, as in a language model. Kernel and
bias may be made of arrays, as where embeddings are transposed, but neither of inputs nor of arrays of the group.
"""

from __future__ import annotations

from typing import NamedTuple, TypeGuard

from landscape.models.cut import Head
from landscape.models.functional import Weights
from landscape.models.tracing.analysis import Analysis
from landscape.models.tracing.program import Operand, Step, behind, dependent, evaluate, results

SUMS = ("add", "add_any")
MANY = 1000  # logits, from which on writing them down costs more than all else that a midpoint needs


class OutputLayer(NamedTuple):
    """Where the layer is, by numbers of values: what it reads, its kernel, and its bias if it has one.

    summed: the axis of the kernel that runs over features; makers: the places of the steps that make kernel and bias.
    """

    features: int
    kernel: int
    bias: int | None
    summed: int
    makers: tuple[int, ...]

    def head(self, analysis: Analysis, weights: Weights) -> Head:
        """Kernel and bias of a network of this structure."""
        values = evaluate([analysis.program.steps[place] for place in self.makers], analysis.named(weights))
        kernel = values[self.kernel].T if self.summed else values[self.kernel]  # d k
        return kernel, 0 * kernel[0] if self.bias is None else values[self.bias].reshape(-1)


class _Finder:
    """Looks for the output layer of an analysed network, as seen by one group."""

    def __init__(self, analysis: Analysis, group: str) -> None:
        self.analysis, self.steps = analysis, analysis.program.steps
        self.maker = {result: step for step in self.steps for result in step.results}
        inputs = analysis.program.inputs[len(analysis.skeleton.weights) :]
        start = analysis.touched(group) | {*inputs}
        late = (step for step, each in zip(self.steps, dependent(self.steps, start), strict=True) if each)
        self.varying = start | results(late)

    def found(self) -> OutputLayer | None:
        product, bias = self._parted(self.analysis.program.end)
        step = self.maker.get(product)
        if step is None or step.primitive.name != "dot_general":
            return None
        features, kernel = step.operands
        summed = _summed(step, len(self._shape(features)))
        if not isinstance(features, int) or not self._steady(kernel) or summed is None:
            return None
        logits, read = self._shape(kernel)[1 - summed], self._shape(kernel)[summed]
        makers = {place for each in (kernel, bias) if each is not None for place in behind(self.steps, each)}
        large = logits >= MANY and logits > read
        return OutputLayer(features, kernel, bias, summed, tuple(sorted(makers))) if large else None

    def _parted(self, output: int) -> tuple[int, int | None]:
        """A sum as what is added to, and a bias."""
        step = self.maker.get(output)
        if step is not None and step.primitive.name in SUMS:
            for product, bias in (step.operands, step.operands[::-1]):
                if isinstance(product, int) and self._steady(bias) and {*self._shape(bias)[:-1]} <= {1}:
                    return product, bias
        return output, None

    def _steady(self, operand: Operand) -> TypeGuard[int]:
        """Whether it is made of arrays alone, and not of the group's."""
        return isinstance(operand, int) and operand not in self.varying

    def _shape(self, operand: Operand) -> tuple[int, ...]:
        return tuple(dim.size for dim in self.analysis.values[operand].dims) if isinstance(operand, int) else ()


def _summed(step: Step, axes: int) -> int | None:
    """The axis of the kernel over which a dense layer on so many axes sums; None if it is not one."""
    plain = {((axes - 1,), (axis,)): axis for axis in (0, 1)}
    summed, batch = step.params["dimension_numbers"]
    return plain.get(summed) if batch == ((), ()) else None


def output_layer(analysis: Analysis, group: str) -> OutputLayer | None:
    """The output layer as seen by a group, if it is large and does not depend on the group's arrays."""
    return _Finder(analysis, group).found()
