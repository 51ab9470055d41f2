"""Primitives that run over an axis: symmetric reductions forget the order of units, all others need it."""

from __future__ import annotations

from collections.abc import Sequence

from landscape.models.tracing.inference import Dim, Inference, Rule, Value
from landscape.models.tracing.program import Step

COUNTING = ("reduce_sum", "reduce_prod", "reduce_xor")  # they see how often a unit is there
FORGETFUL = ("reduce_max", "reduce_min", "reduce_and", "reduce_or")
WINDOWS = ("reduce_window_sum", "reduce_window_max", "reduce_window_min", "reduce_window")


def reduce(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """The axes go."""
    axes = {axis % len(operands[0].dims) for axis in step.params["axes"]}
    if step.primitive.name in COUNTING:
        for axis in axes:
            inference.merge(operands[0].dims[axis])
    return [Value(tuple(Dim(dim.type) for i, dim in enumerate(operands[0].dims) if i not in axes))]


def locate(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """A position along an axis is told."""
    axes = step.params["axes"]
    inference.fix_dims([operands[0].dims[axis] for axis in axes], "told apart by the position of an extreme")
    return [Value(tuple(Dim(dim.type) for i, dim in enumerate(operands[0].dims) if i not in axes))]


def cumulate(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Every entry depends on those before it."""
    inference.fix_dims([operands[0].dims[step.params["axis"]]], "accumulated in order")
    return [Value(tuple(Dim(dim.type) for dim in operands[0].dims))]


def sort(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """All operands are re-ordered along one axis, in whose positions nothing of the units is left."""
    along = step.params["dimension"]
    inference.fix_dims([value.dims[along] for value in operands], "sorted")
    tied = tuple(inference.tie(*dims) for dims in zip(*(value.dims for value in operands), strict=True))
    return [Value(tied)] * len(operands)


def top(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """The largest entries of an axis and where they stand."""
    axis = step.params.get("axis", -1) % len(operands[0].dims)
    inference.fix_dims([operands[0].dims[axis]], "told apart by the positions of the largest")
    made = [Dim(dim.type) for dim in operands[0].dims]
    made[axis] = inference.fixed_dim(step.avals[0].shape[axis], "sorted")
    return [Value(tuple(made))] * len(step.avals)


def window(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Along an axis with a window the positions count; the others stay."""
    arrays = [value for value in operands if value.dims]
    dims = [inference.tie(*each) for each in zip(*(value.dims for value in arrays), strict=True)]
    settings = zip(*(step.params[name] for name in ("window_dimensions", "window_strides", "padding")), strict=True)
    for i, (size, stride, padding) in enumerate(settings):
        if (size, stride, tuple(padding)) != (1, 1, (0, 0)):
            inference.fix_dims([dims[i]], "a position along a pooling")
            dims[i] = inference.fixed_dim(step.avals[0].shape[i], "a position along a pooling")
    return [Value(tuple(dims))] * len(step.avals)


RULES: dict[str, Rule] = {
    **dict.fromkeys((*COUNTING, *FORGETFUL), reduce),
    **dict.fromkeys(("argmax", "argmin"), locate),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"), cumulate),
    **dict.fromkeys(WINDOWS, window),
    "sort": sort,
    "top_k": top,
}
