"""Primitives that put axes side by side or take parts of them, at places that are fixed."""

from __future__ import annotations

from collections.abc import Sequence

from landscape.models.tracing.axes import Atom, Sum, Type
from landscape.models.tracing.inference import Dim, Inference, Rule, Value
from landscape.models.tracing.program import Step


def concatenate(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """One axis is the sum of the operands' axes, and the others are tied."""
    return [_joined(inference, operands, step.params["dimension"])]


def _joined(inference: Inference, operands: list[Value], along: int) -> Value:
    columns = list(zip(*(value.dims for value in operands), strict=True))
    tied = [Dim(Atom(1)) if axis == along else inference.tie(*column) for axis, column in enumerate(columns)]
    dims = [Dim(dim.type, _origins(column)) for dim, column in zip(tied, columns, strict=True)]
    dims[along] = Dim(Sum(tuple(dim.type for dim in columns[along])), _origins(columns[along]))
    return Value(tuple(dims))


def _origins(dims: Sequence[Dim]) -> frozenset[tuple[str, int]]:
    return frozenset[tuple[str, int]]().union(*(dim.origins for dim in dims))


def stack(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Operands become the entries of a new axis."""
    axis = step.params["axis"]
    dims = [inference.tie(*column) for column in zip(*(value.dims for value in operands), strict=True)]
    return [Value((*dims[:axis], inference.fixed_dim(len(operands), "a place in a stack"), *dims[axis:]))]


def unstack(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """The entries of an axis become values."""
    axis, dims = step.params["axis"], operands[0].dims
    inference.fix_dims([dims[axis]], "a place in a stack")
    return [Value((*dims[:axis], *dims[axis + 1 :]))] * len(step.avals)


def split(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """An axis is cut into parts."""
    axis, behind, parts = step.params["axis"], operands[0].dims[step.params["axis"]].type, []
    for size in step.params["sizes"][:-1]:
        part, behind = inference.cut(behind, int(size))
        parts.append(part)
    return [_with(operands[0], axis, part) for part in (*parts, behind)]


def _with(value: Value, axis: int, t: Type) -> Value:
    return Value((*value.dims[:axis], Dim(t, value.dims[axis].origins), *value.dims[axis + 1 :]))


def slice_(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Parts of axes, from a fixed place to another."""
    bounds = zip(step.params["start_indices"], step.params["limit_indices"], strict=True)
    strides = step.params["strides"] or (1,) * len(operands[0].dims)
    triples = zip(operands[0].dims, bounds, strides, strict=True)
    return [Value(tuple(_sliced(inference, dim, *map(int, (*bound, stride))) for dim, bound, stride in triples))]


def _sliced(inference: Inference, dim: Dim, start: int, stop: int, stride: int) -> Dim:
    t = dim.type
    if stop < dim.size:
        t, _ = inference.cut(t, stop)
    if start:
        _, t = inference.cut(t, start)
    if stride == 1:
        return Dim(t, dim.origins)
    inference.fix(t, inference.reason("read in steps"))
    return Dim(inference.fixed_dim(len(range(start, stop, stride)), "read in steps").type, dim.origins)


def pad(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Entries that are all alike stand before and behind an axis, or between its own, which keeps their positions."""
    pairs = zip(operands[0].dims, step.params["padding_config"], strict=True)
    return [Value(tuple(_padded(inference, dim, *map(int, widths)) for dim, widths in pairs))]


def _padded(inference: Inference, dim: Dim, low: int, high: int, between: int) -> Dim:
    if between and dim.size > 1:
        inference.fix_dims([dim], "spread by padding")
        return inference.fixed_dim(dim.size + low + high + between * (dim.size - 1), "spread by padding")
    kept = _sliced(inference, dim, max(0, -low), dim.size - max(0, -high), 1)
    around = ((Atom(n),) if n > 0 else () for n in (low, high))
    before, behind = around
    return Dim(Sum((*before, kept.type, *behind))) if before or behind else kept


RULES: dict[str, Rule] = {
    "concatenate": concatenate,
    "stack": stack,
    "unstack": unstack,
    "split": split,
    "slice": slice_,
    "pad": pad,
}
