"""Multiply-adds of a function, counted in its computation: those of products of matrices and of convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
from jax.extend.core import Jaxpr, JaxprEqn

from landscape.numerics.memory import inner_jaxprs


def multiply_adds(function: Callable[..., Any], *arguments: Any) -> int:
    """How many multiply-adds a function takes, whose arguments are trees of arrays or of shapes. Nothing is run.

    A loop of known length counts as often as it runs, one of unknown length once, and of branches the dearest one.

    Example:
      >>> import jax.numpy as jnp
      >>> from landscape.numerics.multiply_adds import multiply_adds
      >>> multiply_adds(jnp.matmul, jnp.ones((2, 3)), jnp.ones((3, 5)))
      30
    """
    return _of_program(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of_program(program: Jaxpr) -> int:
    return sum(map(_of_operation, program.eqns))


def _of_operation(operation: JaxprEqn) -> int:
    inner = [_of_program(each) for each in inner_jaxprs(operation)]
    match operation.primitive.name:
        case "dot_general":
            return _product(operation)
        case "conv_general_dilated":
            return _convolution(operation)
        case "scan":
            return operation.params["length"] * sum(inner)
        case "cond":
            return max(inner)
        case _:
            return sum(inner)


def _product(operation: JaxprEqn) -> int:
    """Each entry of the outcome is one dot product over the contracted axes."""
    (contracted, _), _ = operation.params["dimension_numbers"]
    (left, _), (made,) = _avals(operation.invars), _avals(operation.outvars)
    return made.size * math.prod(left.shape[axis] for axis in contracted)


def _convolution(operation: JaxprEqn) -> int:
    """Each entry of the outcome is one dot product with the kernel of its channel, counted in full at borders too."""
    (_, kernel), (made,) = _avals(operation.invars), _avals(operation.outvars)
    channels = operation.params["dimension_numbers"].rhs_spec[0]
    return made.size * (kernel.size // kernel.shape[channels])


def _avals(variables: Iterable[Any]) -> list[Any]:
    """The shapes and types of what an operation reads or makes."""
    return [variable.aval for variable in variables]
