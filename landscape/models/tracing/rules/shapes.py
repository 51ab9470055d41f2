"""Primitives that only say otherwise where entries stand: a parameter stays itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from landscape.models.tracing.axes import Atom, Product
from landscape.models.tracing.inference import Dim, Inference, Rule, Value
from landscape.models.tracing.program import Step


def transpose(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Axes change places."""
    return [Value(tuple(operands[0].dims[axis] for axis in step.params["permutation"]))]


def squeeze(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Axes of one entry go."""
    gone = {axis % len(operands[0].dims) for axis in step.params["dimensions"]}
    return [Value(tuple(dim for axis, dim in enumerate(operands[0].dims) if axis not in gone))]


def broadcast_in_dim(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """An axis along which a value is repeated is free: its entries are alike."""
    dims = [Dim(Atom(size)) for size in step.params["shape"]]
    for place, dim in zip(step.params["broadcast_dimensions"], operands[0].dims, strict=True):
        if dim.size == dims[place].size:
            dims[place] = dim
    return [Value(tuple(dims))]


def tile(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Whole axes come several times in a row."""
    times = step.params["reps"]
    pairs = zip(times, operands[0].dims, strict=True)
    return [Value(tuple(Dim(Product((Atom(n), dim.type)), dim.origins) for n, dim in pairs))]


def reshape(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Axes are merged and split; each run of axes that becomes a run of axes is taken by itself."""
    dims: list[Dim] = []
    for before, sizes in _blocks(operands[0].dims, step.params["new_sizes"]):
        origins = frozenset[tuple[str, int]]().union(*(dim.origins for dim in before))
        types = inference.regrouped(Product(tuple(dim.type for dim in before)), sizes)
        dims += [Dim(each, origins if size > 1 else frozenset()) for each, size in zip(types, sizes, strict=True)]
    return [Value(tuple(dims))]


def _blocks(before: Sequence[Dim], after: Sequence[int]) -> Iterator[tuple[list[Dim], list[int]]]:
    """The shortest runs of axes on both sides that have equally many entries."""
    i = j = 0
    while i < len(before) or j < len(after):
        a, b = i + 1 if i < len(before) else i, j + 1 if j < len(after) else j
        while (left := math.prod(dim.size for dim in before[i:a])) != (right := math.prod(after[j:b])):
            a, b = (a + 1, b) if left < right else (a, b + 1)
        yield list(before[i:a]), list(after[j:b])
        i, j = a, b


def iota(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Positions along one axis, the same along all others."""
    dims = [Dim(Atom(size)) for size in step.params["shape"]]
    place = step.params["dimension"]
    dims[place] = inference.fixed_dim(dims[place].size, "tied to the positions along an axis")
    return [Value(tuple(dims))]


def reverse(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """An axis that is read backwards keeps its positions."""
    turned = {axis: operands[0].dims[axis] for axis in step.params["dimensions"]}
    inference.fix_dims(turned.values(), "read backwards")
    return [Value(tuple(Dim(dim.type) if i in turned else dim for i, dim in enumerate(operands[0].dims)))]


def empty(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Arrays of zeros."""
    return [Value(tuple(Dim(Atom(size)) for size in aval.shape)) for aval in step.avals]


RULES: dict[str, Rule] = {
    "transpose": transpose,
    "squeeze": squeeze,
    "broadcast_in_dim": broadcast_in_dim,
    "tile": tile,
    "reshape": reshape,
    "iota": iota,
    "rev": reverse,
    "empty": empty,
    "empty2": empty,
}
