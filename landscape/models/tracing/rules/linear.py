"""Products that sum over units: the sum is the same in any order, if both operands are re-ordered alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from landscape.models.tracing.axes import Atom, Product
from landscape.models.tracing.inference import Dim, Inference, Rule, Value
from landscape.models.tracing.program import Step

ALONG = "a position along a convolution"


def dot_general(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Batch axes are tied and stay, contracted ones are tied and go, the others stay."""
    (summed, batch), (left, right) = step.params["dimension_numbers"], (value.dims for value in operands)
    for i, j in zip(*summed, strict=True):
        inference.contract(left[i], right[j])
    tied = [inference.tie(left[i], right[j]) for i, j in zip(*batch, strict=True)]
    kept = [
        Dim(dim.type)
        for dims, s, b in zip((left, right), summed, batch, strict=True)
        for axis, dim in enumerate(dims)
        if axis not in (*s, *b)
    ]
    return [Value((*tied, *kept))]


def conv_general_dilated(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Examples stay, channels are contracted with the kernel's, and places are told apart by where they lie."""
    numbers, groups = step.params["dimension_numbers"], step.params["feature_group_count"]
    image, kernel = (value.dims for value in operands)
    (batch, channels, *places), (outputs, inputs, *taps) = numbers.lhs_spec, numbers.rhs_spec
    if step.params["batch_group_count"] > 1:
        inference.fix_dims([image[batch], kernel[outputs]], "divided by a convolution with groups of examples")
        return [inference.fixed_value(step.avals[0].shape, "made by a convolution with groups of examples")]
    if groups == 1:
        inference.contract(image[channels], kernel[inputs])
    else:
        _by_groups(inference, image[channels], kernel[inputs], kernel[outputs], groups)
    kept = Dim(image[batch].type), Dim(kernel[outputs].type)
    made: dict[int, Dim] = dict(zip(numbers.out_spec[:2], kept, strict=True))
    for i, (place, tap, out) in enumerate(zip(places, taps, numbers.out_spec[2:], strict=True)):
        made[out] = _along(inference, step, image[place], kernel[tap], i)
    return [Value(tuple(made[axis] for axis in range(len(made))))]


def _by_groups(inference: Inference, channels: Dim, inputs: Dim, outputs: Dim, groups: int) -> None:
    """Channels are groups of channels, on both sides of the kernel; its own input axis is one group's channels."""
    each, group = Dim(Atom(inputs.size), inputs.origins), Atom(groups)
    inference.unify(each.type, inputs.type)
    within = Atom(inputs.size)
    inference.unify(channels.type, Product((group, within)))
    inference.enter([channels])
    if inputs.size > 1:
        inference.contract(Dim(within), each)
    inference.unify(outputs.type, Product((group, Atom(outputs.size // groups))))


def _along(inference: Inference, step: Step, place: Dim, tap: Dim, i: int) -> Dim:
    """The axis of places behind the convolution: the one before it, if every place is taken by itself."""
    settings: dict[str, Any] = step.params
    alone = tap.size == 1 and settings["window_strides"][i] == 1 and tuple(settings["padding"][i]) == (0, 0)
    if alone and settings["lhs_dilation"][i] == 1:
        return Dim(place.type)
    inference.fix_dims([place, tap], ALONG)
    out = step.params["dimension_numbers"].out_spec[2 + i]
    return inference.fixed_dim(step.avals[0].shape[out], ALONG)


RULES: dict[str, Rule] = {"dot_general": dot_general, "conv_general_dilated": conv_general_dilated}
