"""Primitives that work entry by entry: what they read by one index is tied."""

from __future__ import annotations

from collections.abc import Sequence

from landscape.models.tracing.inference import Dim, Inference, Rule, Value
from landscape.models.tracing.program import Step

LINEAR = """neg copy convert_element_type stop_gradient reduce_precision real mul name
sharding_constraint reshard layout_constraint"""  # in their only operand, or in one where the others are constant
OTHERS = """abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e bitcast_convert_type cbrt
ceil clamp clz complex conj cos cosh digamma eq eq_to erf erf_inv erfc exp exp2 expm1 floor ge gt igamma igammac imag
integer_pow is_finite le le_to lgamma log log1p logistic lt lt_to max min ne nextafter not or polygamma population_count
pow regularized_incomplete_beta rem round rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign sin
sinh sqrt square sub tan tanh xor zeta"""


def aligned(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Axes are tied across operands; an operand without axes, and an axis of one entry, is repeated."""
    with_axes = [value.dims for value in operands if value.dims]
    dims = tuple(inference.tie(*each) for each in zip(*with_axes, strict=True))
    return [Value(dims)] * len(step.avals)


def linear(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """As `aligned`; a parameter stays itself, up to a constant factor."""
    others = [value for value in operands if not value.constant]
    if len(others) != 1:
        return aligned(inference, step, operands)
    (made, *_) = aligned(inference, step, operands)
    own = others[0].dims or (Dim(each.type) for each in made.dims)
    dims = (Dim(each.type, before.origins) for each, before in zip(made.dims, own, strict=True))
    return [Value(tuple(dims))]


def quotient(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Linear in the numerator if the denominator is constant."""
    rule = linear if operands[1].constant else aligned
    return rule(inference, step, operands)


def each_alone(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """Operands that only pass through together."""
    return operands


RULES: dict[str, Rule] = {
    **dict.fromkeys(OTHERS.split(), aligned),
    **dict.fromkeys(LINEAR.split(), linear),
    "div": quotient,
    "optimization_barrier": each_alone,
}
