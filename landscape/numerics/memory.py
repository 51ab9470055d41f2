"""How much memory there is, and how much a function needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cache
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

Static = tuple[tuple[str, Any], ...]  # arguments that are not arrays, by name

UNSTATED = 8 * 2**30  # bytes assumed for an accelerator whose allocator does not say how much memory it has


def device_bytes() -> int | None:
    """Bytes of memory of the accelerator that computes here; None where a processor does."""
    if jax.default_backend() == "cpu":
        return None
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", UNSTATED)


def room(on_a_processor: int) -> int:
    """Bytes that arrays may take at once: those given on a processor, a sixth of an accelerator's memory."""
    limit = device_bytes()
    return on_a_processor if limit is None else limit // 6


def tree_bytes(tree: Any) -> int:
    """Bytes of all arrays in a tree, or of arrays of these shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def largest_array(function: Callable[..., Any], static: Mapping[str, Hashable], **arguments: Any) -> int:
    """Bytes of the largest array that `function(**static, **arguments)` makes on the way.

    It is read from the trace: nothing is compiled or run, and one trace serves all calls with arguments of the same
    shapes. Arguments are trees of arrays or of shapes.
    """
    return _largest_array(function, *_shapes(static, arguments))


def needed(function: Callable[..., Any], static: Mapping[str, Hashable], **arguments: Any) -> int:
    """Bytes that a compiled function takes beside its arguments while it runs, as its compiler counts them.

    It is compiled once for all calls with arguments of the same shapes.
    """
    return _needed(function, *_shapes(static, arguments))


def _shapes(static: Mapping[str, Hashable], arguments: Any) -> tuple[Any, ...]:
    """Both in a hashable form."""
    leaves, structure = jax.tree.flatten(arguments)
    return tuple(sorted(static.items())), structure, tuple((tuple(leaf.shape), leaf.dtype) for leaf in leaves)


def _shaped(structure: Any, shapes: Any) -> Any:
    return jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*each) for each in shapes])


@cache
def _largest_array(function: Callable[..., Any], static: Static, structure: Any, shapes: Any) -> int:
    arguments = _shaped(structure, shapes)
    traced = jax.make_jaxpr(lambda arguments: function(**dict(static), **arguments))(arguments)
    return max((array.size * array.dtype.itemsize for array in _outputs(traced.jaxpr)), default=0)


@cache
def _needed(function: Any, static: Static, structure: Any, shapes: Any) -> int:
    found = function.lower(**dict(static), **_shaped(structure, shapes)).compile().memory_analysis()
    return found.temp_size_in_bytes + found.output_size_in_bytes


def _outputs(jaxpr: Jaxpr) -> Iterator[Any]:
    """The arrays that every operation makes, also those inside loops and branches."""
    for operation in jaxpr.eqns:
        yield from (variable.aval for variable in operation.outvars)
        for inner in inner_jaxprs(operation):
            yield from _outputs(inner)


def inner_jaxprs(operation: JaxprEqn) -> Iterator[Jaxpr]:
    """The programs that an operation runs, as the body of a loop or the branches of a condition."""
    for parameter in operation.params.values():
        for each in parameter if isinstance(parameter, tuple | list) else (parameter,):
            if isinstance(each, ClosedJaxpr):
                yield each.jaxpr
            elif isinstance(each, Jaxpr):
                yield each
