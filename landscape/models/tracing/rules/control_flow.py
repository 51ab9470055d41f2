"""Primitives that run functions several times or on condition: what goes round in a loop is tied to itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jax.extend import core

from landscape.models.tracing.inference import Dim, Inference, Rule, Value
from landscape.models.tracing.program import Step, closed, program


def _run(inference: Inference, jaxpr: Any, operands: Sequence[Value]) -> list[Value]:
    inner, constants = closed(jaxpr)
    return inference.run(program(core.ClosedJaxpr(inner, constants)), operands)


def _tied(inference: Inference, before: Iterable[Value], behind: Iterable[Value]) -> list[Value]:
    """The values of a loop or of several branches: one value each time."""
    made = []
    for a, b in zip(before, behind, strict=True):
        inference.enter((*a.dims, *b.dims))
        made.append(Value(tuple(inference.tie(*dims) for dims in zip(a.dims, b.dims, strict=True))))
    return made


def _varying(values: Iterable[Value]) -> list[Value]:
    """What goes round in a loop: no parameter any more, and not constant."""
    return [Value(tuple(Dim(dim.type) for dim in value.dims)) for value in values]


def _parts(step: Step) -> tuple[int, int]:
    """How many operands of a scan its body reads as they are, and how many it hands on; JAX 0.11 has trees of them."""
    if "num_consts" in step.params:
        return step.params["num_consts"], step.params["num_carry"]
    constants, carry, _ = step.params["ft_in"].unpack()
    return len(constants), len(carry)


def scan(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """The body on each entry of an axis in turn, whose positions count."""
    constants, count = _parts(step)
    carried = constants + count
    carry, every = operands[constants:carried], operands[carried:]
    inference.fix_dims([value.dims[0] for value in every], "a position along a scan")
    inference.enter(dim for value in carry for dim in value.dims)
    one = [Value(value.dims[1:]) for value in every]
    results = _run(inference, step.params["jaxpr"], [*operands[:constants], *_varying(carry), *one])
    stacked = [
        Value((inference.fixed_dim(step.params["length"], "a position along a scan"), *value.dims))
        for value in _varying(results[count:])
    ]
    inference.enter(dim for value in results[count:] for dim in value.dims)
    return [*_tied(inference, carry, results[:count]), *stacked]


def while_(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """The body until a condition fails."""
    ahead, constants = step.params["cond_nconsts"], step.params["cond_nconsts"] + step.params["body_nconsts"]
    carry = _varying(operands[constants:])
    inference.enter(dim for value in operands[constants:] for dim in value.dims)
    _run(inference, step.params["cond_jaxpr"], [*operands[:ahead], *carry])
    results = _run(inference, step.params["body_jaxpr"], [*operands[ahead:constants], *carry])
    return _tied(inference, carry, results)


def cond(inference: Inference, step: Step, operands: list[Value]) -> Sequence[Value]:
    """One of several branches, by a number that is the same for all units."""
    first, *others = (_run(inference, branch, operands[1:]) for branch in step.params["branches"])
    made = _varying(first)
    inference.enter(dim for value in first for dim in value.dims)
    for results in others:
        made = _tied(inference, made, results)
    return _varying(made)


RULES: dict[str, Rule] = {"scan": scan, "while": while_, "cond": cond}
