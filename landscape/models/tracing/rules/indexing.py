"""Primitives that read or write at computed places: axes that are taken whole stay, the others keep their positions."""

from __future__ import annotations

from collections.abc import Sequence

from landscape.models.tracing.inference import Dim, Inference, Rule, Value
from landscape.models.tracing.program import Step

INDEXED = "indexed at computed places"
SCATTERS = [f"scatter{mark}{kind}" for mark in "-_" for kind in ("add", "sub", "mul", "min", "max")]


def gather(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Slices of an array, at places that another tells."""
    (array, _), (indices, _) = operands
    numbers, sizes = step.params["dimension_numbers"], step.params["slice_sizes"]
    offsets = [
        axis
        for axis in range(len(array))
        if axis not in (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    ]
    made: list[Dim | None] = [None] * len(step.avals[0].shape)
    for place, axis in zip(numbers.offset_dims, offsets, strict=True):
        made[place] = _taken(inference, array[axis], sizes[axis])
    inference.fix_dims([array[axis] for axis in numbers.collapsed_slice_dims], INDEXED)
    inference.fix_dims(indices[-1:], INDEXED)
    batch = dict(enumerate(indices[:-1]))
    for axis, index in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True):
        batch[index] = inference.tie(array[axis], indices[index])
    rest = iter([batch[i] for i in sorted(batch)])
    return [Value(tuple(Dim(next(rest).type) if dim is None else dim for dim in made))]


def _taken(inference: Inference, dim: Dim, size: int) -> Dim:
    """An axis of which so many entries are taken from a computed place on."""
    if size == dim.size:
        return Dim(dim.type)
    inference.fix_dims([dim], INDEXED)
    return inference.fixed_dim(size, INDEXED)


def scatter(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Slices of an array are written or added to, at places that another tells."""
    (array, _), (indices, _), (updates, _) = operands
    numbers = step.params["dimension_numbers"]
    single = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    windows = [axis for axis in range(len(array)) if axis not in single]
    made = [Dim(dim.type) for dim in array]
    for place, axis in zip(numbers.update_window_dims, windows, strict=True):
        whole = updates[place].size == array[axis].size
        made[axis] = inference.tie(array[axis], updates[place]) if whole else made[axis]
        if not whole:
            inference.fix_dims([array[axis], updates[place]], INDEXED)
    inference.fix_dims([array[axis] for axis in single], INDEXED)
    inference.fix_dims(indices, INDEXED)
    inference.fix_dims([dim for i, dim in enumerate(updates) if i not in numbers.update_window_dims], INDEXED)
    return [Value(tuple(made))]


def dynamic_slice(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """A slice of an array, from a computed place on."""
    pairs = zip(operands[0].dims, step.params["slice_sizes"], strict=True)
    return [Value(tuple(_taken(inference, dim, size) for dim, size in pairs))]


def dynamic_update_slice(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """A slice of an array is written, from a computed place on."""
    pairs = list(zip(operands[0].dims, operands[1].dims, strict=True))
    for dims in pairs:
        if dims[0].size != dims[1].size:
            inference.fix_dims(dims, INDEXED)
    return [Value(tuple(inference.tie(a, b) if a.size == b.size else Dim(a.type) for a, b in pairs))]


RULES: dict[str, Rule] = {
    **dict.fromkeys(("scatter", *SCATTERS), scatter),
    "gather": gather,
    "dynamic_slice": dynamic_slice,
    "dynamic_update_slice": dynamic_update_slice,
}
